//! The container's root directory: how it is entered, and how names in it are resolved.
//!
//! Until the pivot every name from the image or the config is resolved by openat2(2) with the root as `/`, to a
//! descriptor that is then used instead of the name: no symlink of the image leads out, and no path is walked twice.

use crate::error::{Context, Result};
use crate::io::inside;
pub use crate::io::inside::make_directories;
use crate::io::path::PathBuf;
use crate::spec::Root;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::fs::{self, O_DIRECTORY, O_NOFOLLOW, O_PATH};
use crate::sys::mount::{self, MNT_DETACH, MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, attr};
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
    /// The old root's mounts may still be shared with the host's.
    shared: bool,
}

/// Attaches `tree`, a mount that is nowhere yet, over this namespace's `/`, where a pivot needs no path to find it.
///
/// `propagation` is the config's `rootfsPropagation`, 0 where it says nothing: then what the host mounts still arrives
/// beneath binds of its directories, and nothing goes the other way. With `MS_SHARED` binds of the host's shared mounts
/// stay shared; the root itself is nobody's but the container's before [`settle`].
pub fn enter(tree: FdRef<'_>, propagation: u64) -> Result<Entered<'_>> {
    let shared = propagation & MS_SHARED != 0;
    let of_host = match propagation {
        _ if shared => MS_PRIVATE,
        PRIVATE_ALL => PRIVATE_ALL,
        _ => MS_SLAVE | MS_REC,
    };
    mount::set_propagation(c"/", of_host).doing("part with the host's mounts")?;
    let old = fs::open(CWD, c"/", O_PATH | O_DIRECTORY, 0).doing("open /")?;
    let of_tree = if matches!(propagation & !MS_REC, 0 | MS_SLAVE) { MS_SLAVE } else { MS_PRIVATE };
    mount::set_attributes(tree, true, 0, 0, of_tree).doing("set the root's propagation")?;
    mount::attach(tree, old.by_ref()).doing("attach the root directory")?;
    Ok(Entered { new: tree, old, shared })
}

const PRIVATE_ALL: u64 = MS_PRIVATE | MS_REC;

impl Entered<'_> {
    /// Makes it `/`, and takes the old root away with everything on it; or, where `no_pivot` says so, leaves it below.
    pub fn pivot(self, no_pivot: bool) -> Result<()> {
        if no_pivot {
            return self.chroot();
        }
        mount::chdir_fd(self.new).doing("enter the root directory")?;
        mount::pivot_here().doing("pivot_root")?;
        mount::chdir_fd(self.old.by_ref()).doing("enter the old root")?;
        if self.shared {
            // Or it would be taken away from the host.
            mount::set_propagation(c".", MS_SLAVE | MS_REC).doing("part with the host's mounts")?;
        }
        mount::unmount(c".", MNT_DETACH).doing("take away the old root")?;
        mount::chdir(c"/").doing("chdir /")
    }

    /// Where the old root cannot be taken away (an initramfs): it stays below the new one. What of it would let
    /// the container mount a procfs or sysfs without masks goes, where that is possible.
    fn chroot(self) -> Result<()> {
        for path in [c"/proc", c"/sys"] {
            if self.shared {
                let _ = mount::set_propagation(path, MS_SLAVE | MS_REC);
            }
            let _ = mount::unmount(path, MNT_DETACH);
        }
        mount::chdir_fd(self.new).doing("enter the root directory")?;
        mount::chroot(c".").doing("chroot")?;
        mount::chdir(c"/").doing("chdir /")
    }
}

/// What the root becomes when nothing more is mounted or made in it.
pub fn settle(root: FdRef<'_>, wanted: &Root<'_>) -> Result<()> {
    if wanted.readonly {
        mount::set_attributes(root, false, attr::RDONLY, 0, 0).doing("make the root directory read-only")?;
    }
    let propagation = wanted.propagation & !MS_REC;
    if matches!(propagation, MS_SHARED | MS_UNBINDABLE) {
        let all = wanted.propagation & MS_REC != 0;
        mount::set_attributes(root, all, 0, 0, propagation).doing("set the root's propagation")?;
    }
    Ok(())
}

/// The directory of `path` opened in `root`, and the last component, which is not followed. What is missing of the
/// directory is made where `make` says so.
pub fn open_parent<'p>(root: FdRef<'_>, path: &'p CStr, make: bool) -> sys::Result<(Fd, &'p CStr)> {
    let bytes = path.to_bytes_with_nul();
    let start = path.to_bytes().iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let name = CStr::from_bytes_with_nul(&bytes[start..]).map_err(|_| Errno::EINVAL)?;
    if name.is_empty() || name == c"." || name == c".." {
        return Err(Errno::EINVAL);
    }
    let mut directory = PathBuf::from_bytes(b"/")?;
    directory.push_bytes(&bytes[..start])?;
    let directory = directory.as_c_str();
    let place = if make { make_directories(root, directory, 0) } else { open(root, directory, O_DIRECTORY) };
    Ok((place?, name))
}

/// A file that must be there already, in a directory of ours, and no symlink.
pub fn open_exactly(directory: FdRef<'_>, name: &CStr) -> sys::Result<Fd> {
    fs::open(directory, name, O_PATH | O_NOFOLLOW, 0)
}
