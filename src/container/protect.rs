//! Masked and read-only paths. Every step goes through a descriptor of what was found, so that what is protected is
//! what was looked at.

use super::{devices, root};
use crate::error::Result;
use crate::io::show::On;
use crate::io::strings::Words;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::mount::{self, attr};
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// Makes each path read-only, with everything mounted beneath it. What is not there needs no protection.
pub fn make_readonly(root: FdRef<'_>, paths: Words<'_>) -> Result<()> {
    paths.iter().try_for_each(|path| readonly(root, path).on("make read-only", path))
}

fn readonly(root: FdRef<'_>, path: &CStr) -> crate::sys::Result<()> {
    let Some(place) = find(root, path)? else { return Ok(()) };
    let tree = mount::clone_tree(place.by_ref(), c"", true)?;
    mount::set_attributes(tree.by_ref(), true, attr::RDONLY, 0, 0)?;
    mount::attach(tree.by_ref(), place.by_ref())
}

/// Hides each path: an empty read-only directory over a directory, the null device over anything else.
pub fn mask(root: FdRef<'_>, paths: Words<'_>) -> Result<()> {
    if paths.first().is_none() {
        return Ok(());
    }
    let null = devices::null(root)?;
    let mut empty = None;
    paths.iter().try_for_each(|path| cover(root, path, null.by_ref(), &mut empty).on("mask", path))
}

/// `empty` is the first directory laid over another: kernels before 6.15 copy only mounts that are attached.
fn cover(root: FdRef<'_>, path: &CStr, null: FdRef<'_>, empty: &mut Option<Fd>) -> crate::sys::Result<()> {
    let Some(place) = find(root, path)? else { return Ok(()) };
    if fs::stat(place.by_ref(), c"")?.kind() != fs::S_IFDIR {
        let tree = mount::clone_tree(null, c"", false)?;
        return mount::attach(tree.by_ref(), place.by_ref());
    }
    if let Some(empty) = empty {
        let tree = mount::clone_tree(empty.by_ref(), c"", false)?;
        return mount::attach(tree.by_ref(), place.by_ref());
    }
    let context = mount::fs_open(c"tmpfs")?;
    for (key, value) in [(c"source", c"tmpfs"), (c"nr_blocks", c"1"), (c"nr_inodes", c"1"), (c"mode", c"755")] {
        mount::fs_set(context.by_ref(), key, value)?;
    }
    let attributes = attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC;
    let tree = mount::fs_mount(context.by_ref(), attributes)?;
    mount::attach(tree.by_ref(), place.by_ref())?;
    *empty = Some(tree);
    Ok(())
}

fn find(root: FdRef<'_>, path: &CStr) -> crate::sys::Result<Option<Fd>> {
    match root::open(root, path, 0) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}
