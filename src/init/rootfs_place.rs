//! The place of the container's root file system: in memory, or in our directory on a disk.
//!
//! On a disk everything lies beneath [`DIRECTORY`], which is ours if it is empty or has [`MARKER`]:
//!
//! ```text
//! /ocinit-rootfs/made-anew-at-each-boot    the marker
//! /ocinit-rootfs/root/                     the container's root
//! ```
//!
//! The marker is made before all else, so a power cut at any moment leaves a directory that is
//! still ours.

use super::{early, sysfs};
use crate::engine::machine::SHM_BYTES;
use crate::io::lossy::LossyC;
use crate::io::path::PathBuf;
use crate::io::units::Share;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::fs::{self, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY};
use crate::sys::{Errno, mount, system, xattr};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// Mount point of the tmpfs.
const PLACE: &CStr = c"/run/rootfs";
const DIRECTORY: &CStr = c"ocinit-rootfs";
const MARKER: &CStr = c"made-anew-at-each-boot";
const ROOT: &CStr = c"root";

/// Makes a tmpfs of this size. A share of memory is limited to the budget.
#[inline(never)]
pub fn in_memory(size: Share, budget: Budget) -> Result<Fd> {
    let bytes = match size {
        Share::Bytes(bytes) => bytes,
        Share::Percent(percent) => {
            let total = system::total_memory().doing("size of memory")?;
            (total / 100 * percent).min(budget.root)
        }
    };
    early::make_directory(PLACE)?;
    let files = bytes / PAGE_BYTES + MORE_FILES;
    let data =
        PathBuf::format(format_args!("mode=0755,nr_inodes={files},size={bytes}")).doing("tmpfs")?;
    // Not "rootfs": some programs hide mounts of that name.
    mount::mount(c"tmpfs", PLACE, c"tmpfs", 0, data.as_c_str())
        .doing("mount tmpfs for the root")?;
    early::open_directory(PLACE)
}

/// Bytes of a page, which each non-empty file takes.
const PAGE_BYTES: u64 = 4096;
/// Inodes for directories, links and empty files, which take no page.
const MORE_FILES: u64 = 16 << 10;

/// The largest size of each tmpfs, in bytes; together at most the free memory. So a writer gets
/// ENOSPC before the kernel kills a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// The root file system.
    pub root: u64,
    /// /dev/shm.
    pub shm: u64,
}

impl Budget {
    /// Returns the budget for this machine's available memory.
    #[inline(never)]
    pub fn of_machine() -> Budget {
        let kibibytes = sysfs::line(c"/proc/meminfo", "MemAvailable:");
        Budget::of(
            kibibytes.map_or_else(
                || system::total_memory().unwrap_or(0) / 2,
                |kibibytes| kibibytes << 10,
            ),
        )
    }

    /// Returns the shares of `available` bytes. A tenth stays for processes and the kernel's
    /// caches.
    fn of(available: u64) -> Budget {
        let shm = (available / 6).min(SHM_BYTES);
        Budget { shm, root: available - available / 10 - shm }
    }
}

/// Remounts the root's file system with nodev.
pub fn forbid_devices(root: FdRef<'_>) {
    // The root lies on one of these two mounts.
    let disk = early::open_directory(super::disk::ROOTFS_DISK_PLACE);
    for place in [Some(root), disk.as_ref().ok().map(Fd::by_ref)].into_iter().flatten() {
        let _ = mount::set_attributes(place, mount::Reach::Mount, mount::attr::NODEV, 0, 0);
    }
}

/// Makes an empty directory on a disk's file system, whose root is `disk`.
#[inline(never)]
pub fn on_disk(disk: FdRef<'_>) -> Result<Fd> {
    make(disk).doing("/ocinit-rootfs")
}

#[inline(never)]
fn make(disk: FdRef<'_>) -> Result<Fd> {
    match fs::mkdir(disk, DIRECTORY, 0o700) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno).doing("make"),
    }
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    let ours = fs::open(disk, DIRECTORY, flags, 0).doing("not a directory of ours, left alone")?;
    let (ours, at) = (&ours, ours.by_ref());
    if fs::stat(at, MARKER).is_err() {
        if !is_empty(ours)? {
            return Err(Error::new(format_args!(
                "not empty and without our marker, so not ours: left alone"
            )));
        }
        fs::open(at, MARKER, O_WRONLY | O_CREAT | O_EXCL, 0o600).doing("make the marker")?;
        // The marker must be on the disk before any other file.
        fs::sync_fs(at).doing("write the marker")?;
    }
    remove_last_root(at)?;
    fs::mkdir(at, ROOT, 0o755).doing("make root")?;
    fs::open(at, ROOT, flags, 0).doing("open root")
}

/// Removes the last boot's root, even files that its container made immutable.
fn remove_last_root(ours: FdRef<'_>) -> Result<()> {
    let mut kept = PathBuf::new();
    let removed = crate::rootfs::remove::tree_with(ours, ROOT, &mut |directory, name, errno| {
        let _ = kept.set(format_args!("{}", LossyC(name)));
        errno == Errno::EPERM && make_mutable(directory, name)
    });
    match removed {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => {
            Err(errno).context("remove the root of the last boot:", &LossyC(kept.as_c_str()))
        }
    }
}

/// Clears the flags "immutable" and "append only" of a file or directory, and of its parent.
/// Returns true if one of them had such a flag.
fn make_mutable(directory: FdRef<'_>, name: &CStr) -> bool {
    let kind = fs::open(directory, name, fs::O_PATH | O_NOFOLLOW, 0)
        .and_then(|file| Ok(fs::stat(file.by_ref(), c"")?.kind()));
    let mut changed = xattr::clear_protection(directory).unwrap_or(false);
    // Only files and directories can have these flags; opening a device may have an effect.
    if matches!(kind, Ok(fs::S_IFREG | fs::S_IFDIR))
        && let Ok(file) = fs::open(directory, name, O_RDONLY | O_NOFOLLOW | fs::O_NONBLOCK, 0)
    {
        changed |= xattr::clear_protection(file.by_ref()).unwrap_or(false);
    }
    changed
}

fn is_empty(dir: &Fd) -> Result<bool> {
    let mut buffer = [0; 1024];
    let bytes = fs::read_directory(dir.by_ref(), &mut buffer).doing("read")?;
    Ok(fs::entries(bytes).next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_shared_memory_fit_into_memory() {
        assert_eq!(Budget::of(4000 << 20), Budget { root: 3536 << 20, shm: 64 << 20 });
        assert_eq!(Budget::of(600 << 20), Budget { root: 476 << 20, shm: 64 << 20 });
        assert_eq!(Budget::of(60 << 20), Budget { root: 44 << 20, shm: 10 << 20 });
        assert_eq!(Budget::of(0), Budget { root: 0, shm: 0 });
    }
}
