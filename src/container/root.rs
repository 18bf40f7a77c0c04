//! The container's root directory: how it is entered, and how names in it are resolved.
//!
//! Until the pivot every name from the image or the config is resolved by openat2(2) with the root
//! as `/`. The resulting fd then replaces the name. So a symlink of the image cannot leave the
//! root, and no path is resolved twice.

use super::unmask;
use crate::error::{Context, Result};
use crate::io::in_root;
pub use crate::io::in_root::make_directories;
use crate::io::path::PathBuf;
use crate::limits::PATH_BYTES;
use crate::spec::Root;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::fs::{self, O_DIRECTORY, O_NOFOLLOW, O_PATH};
use crate::sys::mount::{
    self, MNT_DETACH, MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, attr,
};
use crate::sys::{self, Errno};
use core::ffi::CStr;

/// Opens `path` in `root` with `O_PATH` and `flags`.
pub fn open(root: FdRef<'_>, path: &CStr, flags: i32) -> sys::Result<Fd> {
    in_root::open(root, path, flags, 0)
}

/// The directory that a process left for the root directory. unshare(2) moves the current
/// directory, and no other fd, into a new mount namespace. So the process needs no path to the root
/// there. Root of a user namespace may lack access to that path.
pub struct Departure {
    /// Device and inode.
    id: (u64, u64),
}

impl Departure {
    /// Enters `root`.
    pub fn to(root: FdRef<'_>) -> sys::Result<Departure> {
        let id = id(CWD)?;
        mount::chdir_fd(root).map(|()| Departure { id })
    }

    /// Enters the former directory in the new mount namespace, where an old fd is useless. It uses
    /// the path, or a parent of the root directory if the path is inaccessible.
    pub fn back(&self, path: &CStr) -> sys::Result<()> {
        let found = match fs::open(CWD, path, O_PATH | O_DIRECTORY, 0) {
            Ok(directory) if id(directory.by_ref()) == Ok(self.id) => Ok(directory),
            other => self.parent().ok_or(other.err().unwrap_or(Errno::ESTALE)),
        };
        mount::chdir_fd(found?.by_ref())
    }

    fn parent(&self) -> Option<Fd> {
        let mut directory = fs::open(CWD, c".", O_PATH | O_DIRECTORY, 0).ok()?;
        let mut below = id(directory.by_ref()).ok()?;
        while below != self.id {
            directory = fs::open(directory.by_ref(), c"..", O_PATH | O_DIRECTORY, 0).ok()?;
            // `/` is its own parent.
            below = id(directory.by_ref()).ok().filter(|here| *here != below)?;
        }
        Some(directory)
    }
}

fn id(directory: FdRef<'_>) -> sys::Result<(u64, u64)> {
    fs::stat(directory, c"").map(|stat| (stat.device, stat.inode))
}

/// The root before and after the pivot.
pub struct Entered<'t> {
    /// The container's root directory, mounted at `root.path` in this namespace.
    pub new: FdRef<'t>,
    old: Fd,
    /// The old root's mounts may still be shared with the host's.
    shared: bool,
}

/// Attaches the detached mount `tree` at the current directory, `root.path`. Hooks find it there
/// and still execute the host's programs. A path would be resolved twice, and may pass directories
/// that root of a user namespace cannot search.
///
/// `propagation` is the config's `rootfsPropagation`, or 0 if that is absent. Then new mounts of
/// the host still arrive beneath binds of its directories, and none goes the other way. With
/// `MS_SHARED` binds of the host's shared mounts stay shared. The root itself stays private until
/// [`apply_root_flags`].
pub fn enter(tree: FdRef<'_>, propagation: u64) -> Result<Entered<'_>> {
    let shared = propagation & MS_SHARED != 0;
    match propagation {
        // Mounts here must not reach the host through the root directory's mount, and pivot_root(2)
        // refuses a shared one.
        _ if shared => {
            let holder = holder().doing("find the mount of the root directory")?;
            mount::set_attributes(holder.by_ref(), mount::Reach::Mount, 0, 0, MS_PRIVATE)
        }
        PRIVATE_ALL => mount::set_propagation(c"/", PRIVATE_ALL),
        _ => mount::set_propagation(c"/", MS_SLAVE | MS_REC),
    }
    .doing("part with the host's mounts")?;
    let old = fs::open(CWD, c"/", O_PATH | O_DIRECTORY, 0).doing("open /")?;
    let of_tree = if matches!(propagation & !MS_REC, 0 | MS_SLAVE) { MS_SLAVE } else { MS_PRIVATE };
    mount::set_attributes(tree, mount::Reach::Tree, 0, 0, of_tree)
        .doing("set the root's propagation")?;
    mount::attach(tree, CWD).doing("attach the root directory")?;
    Ok(Entered { new: tree, old, shared })
}

const PRIVATE_ALL: u64 = MS_PRIVATE | MS_REC;

/// Returns the root of the mount that the current directory is on.
fn holder() -> sys::Result<Fd> {
    let mut directory = fs::open(CWD, c".", O_PATH | O_DIRECTORY, 0)?;
    // A directory's depth is limited by the length of its path.
    for _ in 0..PATH_BYTES {
        if fs::stat(directory.by_ref(), c"")?.is_mount_root {
            return Ok(directory);
        }
        directory = fs::open(directory.by_ref(), c"..", O_PATH | O_DIRECTORY, 0)?;
    }
    Err(Errno::ELOOP)
}

impl Entered<'_> {
    /// Makes it `/`, and detaches the old root with all mounts on it. With `no_pivot` the old root
    /// stays beneath.
    pub fn pivot(self, no_pivot: bool) -> Result<()> {
        if no_pivot {
            return self.move_over();
        }
        mount::chdir_fd(self.new).doing("enter the root directory")?;
        match mount::pivot_here() {
            // `/` is shared and not a mount. Not earlier, because binds made before must stay
            // shared.
            Err(Errno::EINVAL) if self.shared => {
                mount::set_propagation(c"/", MS_PRIVATE).and_then(|()| mount::pivot_here())
            }
            done => done,
        }
        .doing("pivot_root")?;
        mount::chdir_fd(self.old.by_ref()).doing("enter the old root")?;
        if self.shared {
            // Otherwise the host would lose the mounts, too.
            mount::set_propagation(c".", MS_SLAVE | MS_REC).doing("part with the host's mounts")?;
        }
        mount::unmount(c".", MNT_DETACH).doing("take away the old root")?;
        mount::chdir(c"/").doing("chdir /")
    }

    /// Moves the root over an old root that cannot be detached (an initramfs). Unmounts, if
    /// possible, all mounts beneath that would let the container mount a procfs or sysfs without
    /// masks.
    fn move_over(self) -> Result<()> {
        if self.shared {
            mount::set_propagation(c"/", MS_PRIVATE).doing("part with the host's mounts")?;
        }
        unmask::take_away(self.new).doing("take away the host's procfs and sysfs")?;
        match mount::attach(self.new, self.old.by_ref()) {
            // The root directory is `/` itself, and is mounted over it already.
            Ok(()) | Err(Errno::ELOOP) => {}
            Err(errno) => return Err(errno).doing("move the root directory over /"),
        }
        chroot(self.new)
    }
}

/// Enters `root` only by chroot(2), for a container without its own mount namespace.
pub fn chroot(root: FdRef<'_>) -> Result<()> {
    mount::chdir_fd(root).doing("enter the root directory")?;
    mount::chroot(c".").doing("chroot")?;
    mount::chdir(c"/").doing("chdir /")
}

/// Applies the root's flags when all mounts and files in it are made.
pub fn apply_root_flags(root: FdRef<'_>, wanted: &Root<'_>) -> Result<()> {
    if wanted.readonly {
        mount::set_attributes(root, mount::Reach::Mount, attr::RDONLY, 0, 0)
            .doing("make the root directory read-only")?;
    }
    let propagation = wanted.propagation() & !MS_REC;
    if matches!(propagation, MS_SHARED | MS_UNBINDABLE) {
        let all = wanted.propagation() & MS_REC != 0;
        mount::set_attributes(root, mount::Reach::tree_if(all), 0, 0, propagation)
            .doing("set the root's propagation")?;
    }
    Ok(())
}

/// Opens the directory of `path` in `root`. Returns it and the last component, which is not
/// followed. `make` makes missing directories.
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
    let place = if make {
        make_directories(root, directory, 0)
    } else {
        open(root, directory, O_DIRECTORY)
    };
    Ok((place?, name))
}

/// Opens an existing file, not a symlink, in a directory of ours.
pub fn open_exactly(directory: FdRef<'_>, name: &CStr) -> sys::Result<Fd> {
    fs::open(directory, name, O_PATH | O_NOFOLLOW, 0)
}
