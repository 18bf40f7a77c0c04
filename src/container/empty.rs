//! An empty directory: a read-only tmpfs that is not attached.

use crate::sys::fd::Fd;
use crate::sys::mount::{self, attr};

/// Returns the root of a new one: read-only, empty, not attached.
pub fn directory() -> crate::sys::Result<Fd> {
    let context = mount::fs_open(c"tmpfs")?;
    for (key, value) in
        [(c"source", c"tmpfs"), (c"nr_blocks", c"1"), (c"nr_inodes", c"1"), (c"mode", c"755")]
    {
        mount::fs_set(context.by_ref(), key, value)?;
    }
    mount::fs_mount(context.by_ref(), attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC)
}
