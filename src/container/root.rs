//! The container's root directory: how it is entered, and how names in it are resolved.
//!
//! Until the pivot every name from the image or the config is resolved by openat2(2) with the root as `/`, to a
//! descriptor that is then used instead of the name: no symlink of the image leads out, and no path is walked twice.

use crate::error::{Context, Result};
use crate::io::inside;
pub use crate::io::inside::make_directories;
use crate::io::path::PathBuf;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::fs::{self, O_DIRECTORY, O_NOFOLLOW, O_PATH};
use crate::sys::mount::{self, MNT_DETACH, MS_REC, MS_SLAVE};
use crate::sys::{self, Errno};
use core::ffi::CStr;

/// `path` in `root`, as a place (`O_PATH`) and with `flags`.
pub fn open(root: FdRef<'_>, path: &CStr, flags: i32) -> sys::Result<Fd> {
    inside::open(root, path, flags, 0)
}

/// The root as it is before and after the pivot.
pub struct Entered<'t> {
    /// The container's root directory, mounted in this namespace.
    pub new: FdRef<'t>,
    old: Fd,
}

/// Attaches `tree`, a mount that is nowhere yet, over this namespace's `/`, where a pivot needs no path to find it.
/// What the namespace already holds no longer reaches the host, and the tree gets `propagation`.
pub fn enter(tree: FdRef<'_>, propagation: u64) -> Result<Entered<'_>> {
    mount::set_propagation(c"/", MS_REC | MS_SLAVE).doing("make all mounts slaves")?;
    let old = fs::open(CWD, c"/", O_PATH | O_DIRECTORY, 0).doing("open /")?;
    mount::attach(tree, old.by_ref()).doing("attach the root directory")?;
    mount::set_attributes(tree, true, 0, 0, propagation).doing("set the root's propagation")?;
    Ok(Entered { new: tree, old })
}

impl Entered<'_> {
    /// Makes it `/`, and takes the old root away with everything on it.
    pub fn pivot(self) -> Result<()> {
        mount::chdir_fd(self.new).doing("enter the root directory")?;
        mount::pivot_here().doing("pivot_root")?;
        mount::chdir_fd(self.old.by_ref()).doing("enter the old root")?;
        mount::unmount(c".", MNT_DETACH).doing("take away the old root")?;
        mount::chdir(c"/").doing("chdir /")
    }
}

/// The directory of `path` (absolute) opened in `root`, and the last component, which is not followed.
pub fn open_parent<'p>(root: FdRef<'_>, path: &'p CStr) -> sys::Result<(Fd, &'p CStr)> {
    let bytes = path.to_bytes_with_nul();
    let slash = path.to_bytes().iter().rposition(|byte| *byte == b'/').ok_or(Errno::EINVAL)?;
    let name = CStr::from_bytes_with_nul(&bytes[slash + 1..]).map_err(|_| Errno::EINVAL)?;
    if name.is_empty() || name == c"." || name == c".." {
        return Err(Errno::EINVAL);
    }
    let directory = PathBuf::from_bytes(&bytes[..slash.max(1)])?;
    Ok((open(root, directory.as_c_str(), O_DIRECTORY)?, name))
}

/// A file that must be there already, in a directory of ours, and no symlink.
pub fn open_exactly(directory: FdRef<'_>, name: &CStr) -> sys::Result<Fd> {
    fs::open(directory, name, O_PATH | O_NOFOLLOW, 0)
}
