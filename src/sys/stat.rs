//! The attributes of a file: statx(2).

use super::Result;
use super::fd::FdRef;
use super::fs::makedev;
use super::syscall::syscall;
use core::ffi::CStr;
use core::mem::{MaybeUninit, size_of};
use libc::S_IFMT;

/// Seconds since 1970 (negative before) and nanoseconds (0 to 999,999,999).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Time {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// Nanoseconds in addition.
    pub nanoseconds: u32,
}

/// The result of statx(2).
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// Type and mode.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of hard links.
    pub links: u32,
    /// Length in bytes.
    pub size: u64,
    /// Inode number, unique on its device.
    pub inode: u64,
    /// Device number of its file system, from [`makedev`].
    pub device: u64,
    /// Major and minor number of a character or block device.
    pub rdev: (u32, u32),
    /// Last modification.
    pub modified: Time,
    /// ID of the mount through which it was reached.
    pub mount_id: u64,
    /// The file is the root of a mount.
    pub is_mount_root: bool,
}

impl Stat {
    /// Returns the file type, to compare with `S_IF*`.
    pub fn kind(&self) -> u32 {
        self.mode & S_IFMT
    }
}

/// statx(2) of the file itself, never of a link's target. An empty `path` means `dir`.
pub fn stat(dir: FdRef<'_>, path: &CStr) -> Result<Stat> {
    statx(dir, path, libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH)
}

/// statx(2) of a path's target.
pub fn stat_target(dir: FdRef<'_>, path: &CStr) -> Result<Stat> {
    statx(dir, path, 0)
}

fn statx(dir: FdRef<'_>, path: &CStr, flags: i32) -> Result<Stat> {
    let mut buffer = MaybeUninit::<libc::statx>::zeroed();
    let mask = libc::STATX_BASIC_STATS | libc::STATX_MNT_ID;
    // SAFETY: `path` is NUL-terminated; the kernel fills one `struct statx`, and zeros are valid
    // for the rest.
    let s = unsafe {
        syscall!(libc::SYS_statx, dir.raw(), path.as_ptr(), flags, mask, buffer.as_mut_ptr())?;
        buffer.assume_init()
    };
    Ok(Stat {
        mode: u32::from(s.stx_mode),
        uid: s.stx_uid,
        gid: s.stx_gid,
        links: s.stx_nlink,
        size: s.stx_size,
        inode: s.stx_ino,
        device: makedev(s.stx_dev_major, s.stx_dev_minor),
        rdev: (s.stx_rdev_major, s.stx_rdev_minor),
        modified: Time { seconds: s.stx_mtime.tv_sec, nanoseconds: s.stx_mtime.tv_nsec },
        mount_id: s.stx_mnt_id,
        is_mount_root: s.stx_attributes & libc::STATX_ATTR_MOUNT_ROOT as u64 != 0,
    })
}

const _: () = assert!(size_of::<libc::statx>() == 256);
