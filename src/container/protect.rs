//! Masked and read-only paths. Every step goes through a descriptor of what was found, so that what
//! is protected is what was looked at; and what is in /proc is found in the procfs that was mounted
//! there, whatever has that name now.

use super::{devices, empty, root};
use crate::error::{Context, Result};
use crate::io::lossy::On;
use crate::io::strings::PackedStrings;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::mount::{self, attr};
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// Where paths are found.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// The container's root.
    pub root: FdRef<'a>,
    /// The procfs at its /proc.
    pub proc: Option<FdRef<'a>>,
}

impl Places<'_> {
    /// What is not there needs no protection.
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

/// Makes each path read-only, with everything mounted beneath it.
pub fn make_readonly(places: Places<'_>, paths: PackedStrings<'_>) -> Result<()> {
    paths.iter().try_for_each(|path| readonly(places, path).on("make read-only", path))
}

fn readonly(places: Places<'_>, path: &CStr) -> crate::sys::Result<()> {
    let Some(place) = places.find(path)? else { return Ok(()) };
    if fs::stat(place.by_ref(), c"")?.is_mount_root {
        // No second mount: on a bind shared with the host it would appear there, too.
        return mount::set_attributes(place.by_ref(), true, attr::RDONLY, 0, 0);
    }
    let tree = mount::clone_tree(place.by_ref(), c"", true)?;
    mount::set_attributes(tree.by_ref(), true, attr::RDONLY, 0, 0)?;
    mount::attach(tree.by_ref(), place.by_ref())
}

/// Hides each path: an empty read-only directory over a directory, the null device over anything
/// else.
pub fn mask(places: Places<'_>, paths: PackedStrings<'_>) -> Result<()> {
    let mut covers = Covers { null: None, empty: None };
    paths.iter().try_for_each(|path| {
        cover(places, path, &mut covers).context("mask", &crate::io::lossy::LossyC(path))
    })
}

/// What is laid over others.
struct Covers {
    null: Option<Fd>,
    /// The first directory laid over another: kernels before 6.15 copy only mounts that are
    /// attached.
    empty: Option<Fd>,
}

impl Covers {
    /// Returns whether this place is protected already: a path may be listed twice, or by two
    /// names.
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
    let tree = mount::clone_tree(cover.by_ref(), c"", false).doing("copy a mount")?;
    mount::attach(tree.by_ref(), place).doing("attach")
}
