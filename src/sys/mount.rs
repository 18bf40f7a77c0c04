//! Mounts: mount(2) split by intent, the file-descriptor calls of Linux 5.2, and changing the root.

use super::Result;
use super::fd::{Fd, FdRef};
use super::syscall::{command, syscall};
use core::ffi::CStr;

pub use libc::{
    MNT_DETACH, MS_BIND, MS_NOATIME, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC,
    MS_RELATIME, MS_REMOUNT, MS_SHARED, MS_SLAVE, MS_STRICTATIME, MS_UNBINDABLE,
};

/// mount_setattr(2) and fsmount(2) attributes.
pub mod attr {
    #![allow(missing_docs)]
    pub const RDONLY: u64 = 0x01;
    pub const NOSUID: u64 = 0x02;
    pub const NODEV: u64 = 0x04;
    pub const NOEXEC: u64 = 0x08;
    pub const ATIME_MASK: u64 = 0x70;
    pub const NOATIME: u64 = 0x10;
    pub const STRICTATIME: u64 = 0x20;
    pub const NODIRATIME: u64 = 0x80;
    pub const IDMAP: u64 = 0x0010_0000;
    pub const NOSYMFOLLOW: u64 = 0x0020_0000;
}

const AT_RECURSIVE: i32 = 0x8000;
const OPEN_TREE_CLONE: i32 = 1;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 0x04;
const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;

/// The mounts that a call changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// The mount alone.
    Mount,
    /// The mount and all below it.
    Tree,
}

impl Reach {
    /// Returns [`Reach::Tree`] if `is_tree`.
    pub fn tree_if(is_tree: bool) -> Reach {
        if is_tree { Reach::Tree } else { Reach::Mount }
    }

    /// Returns AT_RECURSIVE for a tree.
    fn flag(self) -> i32 {
        if self == Reach::Tree { AT_RECURSIVE } else { 0 }
    }
}

/// mount(2) of a new file system. `data` is its comma-separated options.
pub fn mount(source: &CStr, target: &CStr, kind: &CStr, flags: u64, data: &CStr) -> Result<()> {
    // SAFETY: all strings are NUL-terminated and outlive the call.
    unsafe {
        command!(
            libc::SYS_mount,
            source.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            flags,
            data.as_ptr()
        )
    }
}

/// mount(2) with `MS_BIND`, and `MS_REC` for a tree.
pub fn bind(source: &CStr, target: &CStr, reach: Reach) -> Result<()> {
    let flags = MS_BIND | if reach == Reach::Tree { MS_REC } else { 0 };
    // SAFETY: both strings are NUL-terminated and outlive the call; type and data are ignored for a
    // bind.
    unsafe { command!(libc::SYS_mount, source.as_ptr(), target.as_ptr(), 0, flags, 0) }
}

/// mount(2) with `MS_MOVE`.
pub fn move_to(source: &CStr, target: &CStr) -> Result<()> {
    // SAFETY: both strings are NUL-terminated and outlive the call; type and data are ignored for a
    // move.
    unsafe { command!(libc::SYS_mount, source.as_ptr(), target.as_ptr(), 0, libc::MS_MOVE, 0) }
}

/// mount(2) with one of `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE`, and perhaps
/// `MS_REC`.
pub fn set_propagation(target: &CStr, flags: u64) -> Result<()> {
    // SAFETY: `target` is NUL-terminated and outlives the call; source, type and data are ignored.
    unsafe { command!(libc::SYS_mount, 0, target.as_ptr(), 0, flags, 0) }
}

/// mount(2) with `MS_REMOUNT | flags`; with `MS_BIND` in `flags` only this mount's flags change.
pub fn remount(target: &CStr, flags: u64, data: &CStr) -> Result<()> {
    // SAFETY: both strings are NUL-terminated and outlive the call; source and type are ignored.
    unsafe { command!(libc::SYS_mount, 0, target.as_ptr(), 0, flags | MS_REMOUNT, data.as_ptr()) }
}

/// umount2(2) with `MNT_DETACH` or 0; a symlink is not followed.
pub fn unmount(target: &CStr, flags: i32) -> Result<()> {
    // SAFETY: `target` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_umount2, target.as_ptr(), flags | libc::UMOUNT_NOFOLLOW) }
}

/// fsopen(2): returns a context for a file system of this type.
pub fn fs_open(kind: &CStr) -> Result<Fd> {
    // SAFETY: `kind` is NUL-terminated and outlives the call.
    unsafe { syscall!(libc::SYS_fsopen, kind.as_ptr(), 1) }.map(Fd::from_answer)
}

/// fsconfig(2) `FSCONFIG_SET_STRING`.
pub fn fs_set(context: FdRef<'_>, key: &CStr, value: &CStr) -> Result<()> {
    // SAFETY: both strings are NUL-terminated and outlive the call.
    unsafe { command!(libc::SYS_fsconfig, context.raw(), 1, key.as_ptr(), value.as_ptr(), 0) }
}

/// fsconfig(2) `FSCONFIG_SET_FLAG`.
pub fn fs_set_flag(context: FdRef<'_>, key: &CStr) -> Result<()> {
    // SAFETY: `key` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_fsconfig, context.raw(), 0, key.as_ptr(), 0, 0) }
}

/// fsconfig(2) `FSCONFIG_CMD_CREATE` and fsmount(2) with attributes from [`attr`]: returns a
/// detached mount.
pub fn fs_mount(context: FdRef<'_>, attributes: u64) -> Result<Fd> {
    // SAFETY: no memory is passed.
    unsafe {
        syscall!(libc::SYS_fsconfig, context.raw(), 6, 0, 0, 0)?;
        syscall!(libc::SYS_fsmount, context.raw(), 1, attributes)
    }
    .map(Fd::from_answer)
}

/// open_tree(2) with `OPEN_TREE_CLONE`: returns a detached copy of the mount at `path`, as for a
/// bind mount. The last component is followed; an empty `path` means `dir`.
pub fn clone_tree(dir: FdRef<'_>, path: &CStr, reach: Reach) -> Result<Fd> {
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC | libc::AT_EMPTY_PATH | reach.flag();
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { syscall!(libc::SYS_open_tree, dir.raw(), path.as_ptr(), flags) }.map(Fd::from_answer)
}

/// move_mount(2): attaches the mount `tree` at the open `target`, so that no path is resolved
/// again.
pub fn attach(tree: FdRef<'_>, target: FdRef<'_>) -> Result<()> {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    let empty = c"".as_ptr();
    // SAFETY: the empty strings are NUL-terminated.
    unsafe { command!(libc::SYS_move_mount, tree.raw(), empty, target.raw(), empty, flags) }
}

/// mount_setattr(2) (Linux 5.12) of the mount that `mount` is the root of: `set` and `clear` from
/// [`attr`], `propagation` 0 or one of `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE`.
pub fn set_attributes(
    mount: FdRef<'_>,
    reach: Reach,
    set: u64,
    clear: u64,
    propagation: u64,
) -> Result<()> {
    set_attribute_words(mount, reach, &[set, clear, propagation, 0])
}

/// mount_setattr(2) `MOUNT_ATTR_IDMAP` of a detached mount: maps owners by the user namespace
/// `namespace`.
pub fn set_id_mapping(mount: FdRef<'_>, reach: Reach, namespace: FdRef<'_>) -> Result<()> {
    set_attribute_words(mount, reach, &[attr::IDMAP, 0, 0, namespace.raw() as u64])
}

fn set_attribute_words(mount: FdRef<'_>, reach: Reach, request: &[u64; 4]) -> Result<()> {
    let flags = libc::AT_EMPTY_PATH | reach.flag();
    let (pointer, size) = (request.as_ptr(), size_of_val(request));
    // SAFETY: the path is NUL-terminated; `request` is a `struct mount_attr` of 32 bytes; both
    // outlive the call.
    unsafe { command!(libc::SYS_mount_setattr, mount.raw(), c"".as_ptr(), flags, pointer, size) }
}

/// fspick(2): returns a context for [`fs_reconfigure`] of the file system at `mount`.
pub fn fs_pick(mount: FdRef<'_>) -> Result<Fd> {
    const FSPICK_CLOEXEC: u32 = 1;
    const FSPICK_EMPTY_PATH: u32 = 8;
    // SAFETY: the empty path is NUL-terminated.
    unsafe {
        syscall!(libc::SYS_fspick, mount.raw(), c"".as_ptr(), FSPICK_CLOEXEC | FSPICK_EMPTY_PATH)
    }
    .map(Fd::from_answer)
}

/// fsconfig(2) `FSCONFIG_CMD_RECONFIGURE`.
pub fn fs_reconfigure(context: FdRef<'_>) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_fsconfig, context.raw(), 7, 0, 0, 0) }
}

/// pivot_root(2) of `.` onto itself. The current directory becomes the root, and the old root is
/// mounted over it, to be detached by `unmount(c".", MNT_DETACH)`.
pub fn pivot_here() -> Result<()> {
    // SAFETY: both strings are NUL-terminated.
    unsafe { command!(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) }
}

/// chroot(2).
pub fn chroot(path: &CStr) -> Result<()> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_chroot, path.as_ptr()) }
}

/// chdir(2).
pub fn chdir(path: &CStr) -> Result<()> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_chdir, path.as_ptr()) }
}

/// fchdir(2).
pub fn chdir_fd(dir: FdRef<'_>) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_fchdir, dir.raw()) }
}

/// getcwd(2). ENOENT if the directory is removed. A path that begins `(unreachable)` is outside the
/// root.
pub fn current_directory(buffer: &mut [u8]) -> Result<&CStr> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`.
    unsafe { syscall!(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) }?;
    CStr::from_bytes_until_nul(buffer).map_err(|_| super::Errno::ERANGE)
}
