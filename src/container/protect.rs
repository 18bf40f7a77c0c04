//! Masked and read-only paths. Every step uses the fd of the found file, so the checked file is the
//! protected one. Files in /proc are found in the procfs that was mounted there, whatever has that
//! name now.

use super::{devices, empty, root};
use crate::error::{Context, Result};
use crate::io::lossy::On;
use crate::io::strings::PackedStrings;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::mount::{self, attr};
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// The directories in which paths are found.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// The container's root.
    pub root: FdRef<'a>,
    /// The procfs at its /proc.
    pub proc: Option<FdRef<'a>>,
}

impl Places<'_> {
    /// Opens a path. Returns None if it is missing: then it needs no protection.
    fn find(&self, path: &CStr) -> crate::sys::Result<Option<Fd>> {
        const PROC: &[u8] = b"/proc/";
        let in_proc = path
            .to_bytes_with_nul()
            .strip_prefix(PROC)
            .and_then(|rest| CStr::from_bytes_with_nul(rest).ok());
        let found = match (self.proc, in_proc) {
            (Some(proc), Some(rest)) => root::open(proc, rest, 0),
            _ => root::open(self.root, path, 0),
        };
        match found {
            Ok(place) => Ok(Some(place)),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

/// Makes each path read-only, with all mounts beneath it.
pub fn make_readonly(places: Places<'_>, paths: PackedStrings<'_>) -> Result<()> {
    paths.iter().try_for_each(|path| readonly(places, path).on("make read-only", path))
}

fn readonly(places: Places<'_>, path: &CStr) -> crate::sys::Result<()> {
    let Some(place) = places.find(path)? else { return Ok(()) };
    if fs::stat(place.by_ref(), c"")?.is_mount_root {
        // Not a second mount, which would also appear on the host if the bind is shared.
        return mount::set_attributes(place.by_ref(), mount::Reach::Tree, attr::RDONLY, 0, 0);
    }
    let tree = mount::clone_tree(place.by_ref(), c"", mount::Reach::Tree)?;
    mount::set_attributes(tree.by_ref(), mount::Reach::Tree, attr::RDONLY, 0, 0)?;
    mount::attach(tree.by_ref(), place.by_ref())
}

/// Hides each path: by an empty read-only directory over a directory, by the null device over any
/// other file.
pub fn mask(places: Places<'_>, paths: PackedStrings<'_>) -> Result<()> {
    let mut covers = Covers { null: None, empty: None };
    paths.iter().try_for_each(|path| {
        cover(places, path, &mut covers).context("mask", &crate::io::lossy::LossyC(path))
    })
}

/// The mounts that hide others.
struct Covers {
    null: Option<Fd>,
    /// The first directory that hides another: kernels before 6.15 copy only attached mounts.
    empty: Option<Fd>,
}

impl Covers {
    /// Returns whether this path is protected already: it may be listed twice, or by two names.
    fn has(&self, here: &fs::Stat) -> crate::sys::Result<bool> {
        let is_same = |cover: &Option<Fd>| match cover {
            Some(cover) => fs::stat(cover.by_ref(), c"")
                .map(|it| (it.device, it.inode) == (here.device, here.inode)),
            None => Ok(false),
        };
        Ok(here.is_mount_root && (is_same(&self.null)? || is_same(&self.empty)?))
    }
}

fn cover(places: Places<'_>, path: &CStr, covers: &mut Covers) -> Result<()> {
    let Some(place) = places.find(path).doing("open")? else { return Ok(()) };
    let place = place.by_ref();
    let here = fs::stat(place, c"").doing("stat")?;
    if covers.has(&here).doing("stat")? {
        return Ok(());
    }
    let cover = if here.kind() != fs::S_IFDIR {
        match &mut covers.null {
            Some(null) => null,
            null => null.insert(devices::null(places.root)?),
        }
    } else {
        match &mut covers.empty {
            Some(empty) => empty,
            first => {
                let tree = first.insert(empty::directory().doing("make a tmpfs")?);
                return mount::attach(tree.by_ref(), place).doing("attach");
            }
        }
    };
    let tree = mount::clone_tree(cover.by_ref(), c"", mount::Reach::Mount).doing("copy a mount")?;
    mount::attach(tree.by_ref(), place).doing("attach")
}
