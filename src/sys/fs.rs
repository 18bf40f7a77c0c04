//! Files and directories, all relative to a directory fd.

use super::fd::{Fd, FdRef};
use super::syscall::{command, syscall};
use super::{Errno, Result};
use core::ffi::CStr;
use core::mem::{MaybeUninit, size_of};

pub use super::memory_file::{is_sealed, memory_file, seal, seal_size};
pub use super::stat::{Stat, Time, stat, stat_target};
pub use libc::{
    O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY,
    O_RDWR, O_TMPFILE, O_TRUNC, O_WRONLY, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT,
    S_IFREG, S_IFSOCK, SEEK_CUR, SEEK_SET,
};

/// openat2(2): treat the directory fd as `/`, for absolute paths, `..` and symlinks.
pub const RESOLVE_IN_ROOT: u64 = 0x10;
/// openat2(2): fail with EXDEV if the path leaves the directory.
pub const RESOLVE_BENEATH: u64 = 0x08;
/// openat2(2): fail with ELOOP on any symlink.
pub const RESOLVE_NO_SYMLINKS: u64 = 0x04;
/// openat2(2): fail with ELOOP on the links of /proc that lead out of any root.
pub const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
/// openat2(2): fail with EXDEV if the path crosses a mount point.
pub const RESOLVE_NO_XDEV: u64 = 0x01;

/// openat(2), close-on-exec.
#[inline(never)]
pub fn open(dir: FdRef<'_>, path: &CStr, flags: i32, mode: u32) -> Result<Fd> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    let fd = unsafe {
        syscall!(libc::SYS_openat, dir.raw(), path.as_ptr(), flags | libc::O_CLOEXEC, mode)
    }?;
    Ok(Fd::from_answer(fd))
}

/// openat2(2), close-on-exec, with `RESOLVE_*` flags. `EAGAIN` (a rename raced with `..`) is tried
/// again a few times.
pub fn open_resolved(
    dir: FdRef<'_>,
    path: &CStr,
    flags: i32,
    mode: u32,
    resolve: u64,
) -> Result<Fd> {
    let how: [u64; 3] = [(flags | libc::O_CLOEXEC) as u32 as u64, u64::from(mode), resolve];
    let mut tries = 8;
    loop {
        // SAFETY: `path` is NUL-terminated and `how` is a `struct open_how` of 24 bytes; both
        // outlive the call.
        let fd = unsafe {
            syscall!(libc::SYS_openat2, dir.raw(), path.as_ptr(), how.as_ptr(), size_of_val(&how))
        };
        tries -= 1;
        match fd {
            Err(Errno::EAGAIN) if tries > 0 => continue,
            fd => return fd.map(Fd::from_answer),
        }
    }
}

/// read(2). Returns 0 at the end.
pub fn read(fd: FdRef<'_>, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`.
    retry(|| unsafe { syscall!(libc::SYS_read, fd.raw(), buffer.as_mut_ptr(), buffer.len()) })
}

/// pread64(2). Returns 0 at the end.
pub fn read_at(fd: FdRef<'_>, buffer: &mut [u8], offset: u64) -> Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`.
    retry(|| unsafe {
        syscall!(libc::SYS_pread64, fd.raw(), buffer.as_mut_ptr(), buffer.len(), offset)
    })
}

/// write(2). May write only a part.
pub fn write(fd: FdRef<'_>, bytes: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads at most `bytes.len()` bytes from `bytes`.
    retry(|| unsafe { syscall!(libc::SYS_write, fd.raw(), bytes.as_ptr(), bytes.len()) })
}

/// write(2) until all is written.
pub fn write_all(fd: FdRef<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match write(fd, bytes)? {
            0 => return Err(Errno::EIO),
            n => bytes = &bytes[n..],
        }
    }
    Ok(())
}

/// pwrite64(2). May write only a part.
pub fn write_at(fd: FdRef<'_>, bytes: &[u8], offset: u64) -> Result<usize> {
    // SAFETY: the kernel reads at most `bytes.len()` bytes from `bytes`.
    retry(|| unsafe { syscall!(libc::SYS_pwrite64, fd.raw(), bytes.as_ptr(), bytes.len(), offset) })
}

/// sendfile(2): copies up to `count` bytes between the files' positions. Returns 0 at the end.
pub fn send_file(from: FdRef<'_>, to: FdRef<'_>, count: usize) -> Result<usize> {
    // SAFETY: no memory is passed.
    retry(|| unsafe { syscall!(libc::SYS_sendfile, to.raw(), from.raw(), 0, count) })
}

/// ioctl(2) `FICLONE`: `to` shares all blocks of `from`. EOPNOTSUPP, EXDEV or EINVAL if the file
/// system cannot.
pub fn share_blocks(from: FdRef<'_>, to: FdRef<'_>) -> Result<()> {
    const FICLONE: u64 = 0x4004_9409;
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_ioctl, to.raw(), FICLONE, from.raw()) }
}

/// lseek(2) `SEEK_SET`, `SEEK_CUR` or `SEEK_END`.
pub fn seek(fd: FdRef<'_>, offset: i64, whence: i32) -> Result<u64> {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_lseek, fd.raw(), offset, whence) }.map(|at| at as u64)
}

/// ftruncate(2): sets the length in bytes; new bytes are a hole.
pub fn truncate(fd: FdRef<'_>, length: u64) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_ftruncate, fd.raw(), length) }
}

/// mkdirat(2).
pub fn mkdir(dir: FdRef<'_>, path: &CStr, mode: u32) -> Result<()> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_mkdirat, dir.raw(), path.as_ptr(), mode) }
}

/// mknodat(2). `mode` includes the file type; `device` is from [`makedev`].
pub fn mknod(dir: FdRef<'_>, path: &CStr, mode: u32, device: u64) -> Result<()> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_mknodat, dir.raw(), path.as_ptr(), mode, device) }
}

/// makedev(3) for mknod(2): the kernel's 12 bits of major and 20 of minor.
pub fn makedev(major: u32, minor: u32) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}

/// symlinkat(2).
pub fn symlink(target: &CStr, dir: FdRef<'_>, path: &CStr) -> Result<()> {
    // SAFETY: both strings are NUL-terminated and outlive the call.
    unsafe { command!(libc::SYS_symlinkat, target.as_ptr(), dir.raw(), path.as_ptr()) }
}

/// linkat(2). The last component of `old` is not followed.
pub fn link(old_dir: FdRef<'_>, old: &CStr, new_dir: FdRef<'_>, new: &CStr) -> Result<()> {
    // SAFETY: both strings are NUL-terminated and outlive the call.
    unsafe {
        command!(libc::SYS_linkat, old_dir.raw(), old.as_ptr(), new_dir.raw(), new.as_ptr(), 0)
    }
}

/// unlinkat(2) of anything but a directory.
#[inline(never)]
pub fn unlink(dir: FdRef<'_>, path: &CStr) -> Result<()> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_unlinkat, dir.raw(), path.as_ptr(), 0) }
}

/// unlinkat(2) of an empty directory.
#[inline(never)]
pub fn rmdir(dir: FdRef<'_>, path: &CStr) -> Result<()> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_unlinkat, dir.raw(), path.as_ptr(), libc::AT_REMOVEDIR) }
}

/// renameat2(2) with flags (0, `RENAME_NOREPLACE`, `RENAME_EXCHANGE`).
pub fn rename(
    old_dir: FdRef<'_>,
    old: &CStr,
    new_dir: FdRef<'_>,
    new: &CStr,
    flags: u32,
) -> Result<()> {
    let (old_dir, new_dir) = (old_dir.raw(), new_dir.raw());
    // SAFETY: both strings are NUL-terminated and outlive the call.
    unsafe { command!(libc::SYS_renameat2, old_dir, old.as_ptr(), new_dir, new.as_ptr(), flags) }
}

/// readlinkat(2): returns the target's bytes, cut at the buffer's end. With an empty `path`, `dir`
/// must be a symlink (O_PATH).
pub fn readlink<'b>(dir: FdRef<'_>, path: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    // SAFETY: `path` is NUL-terminated; the kernel writes at most `buffer.len()` bytes to `buffer`.
    let n = unsafe {
        syscall!(libc::SYS_readlinkat, dir.raw(), path.as_ptr(), buffer.as_mut_ptr(), buffer.len())
    }?;
    Ok(&buffer[..n])
}

/// fchownat(2) of the file itself, never of a link's target. An empty `path` means `dir`.
#[inline(never)]
pub fn chown(dir: FdRef<'_>, path: &CStr, uid: u32, gid: u32) -> Result<()> {
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH;
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_fchownat, dir.raw(), path.as_ptr(), uid, gid, flags) }
}

/// fchmod(2).
pub fn chmod_fd(fd: FdRef<'_>, mode: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_fchmod, fd.raw(), mode) }
}

/// fchmodat(2): **follows a symlink**. For a new name in a directory that no other user writes.
pub fn chmod(dir: FdRef<'_>, path: &CStr, mode: u32) -> Result<()> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_fchmodat, dir.raw(), path.as_ptr(), mode) }
}

/// utimensat(2): sets modification and access time of the file itself, never of a link's target. An
/// empty `path` means the open file `dir`.
pub fn set_times(dir: FdRef<'_>, path: &CStr, time: Time) -> Result<()> {
    let one = [time.seconds, i64::from(time.nanoseconds)];
    let times: [[i64; 2]; 2] = [one, one];
    let (path, flags) = match path.is_empty() {
        true => (core::ptr::null(), 0),
        false => (path.as_ptr(), libc::AT_SYMLINK_NOFOLLOW),
    };
    // SAFETY: `path` is null (then `dir` is meant) or NUL-terminated; `times` is two `struct
    // timespec`.
    unsafe { command!(libc::SYS_utimensat, dir.raw(), path, times.as_ptr(), flags) }
}

/// faccessat2(2) with the effective ids. `how` is of `R_OK`, `W_OK`, `X_OK`.
pub fn access(dir: FdRef<'_>, path: &CStr, how: i32) -> Result<()> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_faccessat2, dir.raw(), path.as_ptr(), how, libc::AT_EACCESS) }
}

/// getdents64(2): fills the buffer with directory entries, for [`entries`]. Returns nothing at the
/// end.
pub fn read_directory<'b>(dir: FdRef<'_>, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`.
    let n =
        unsafe { syscall!(libc::SYS_getdents64, dir.raw(), buffer.as_mut_ptr(), buffer.len()) }?;
    Ok(&buffer[..n])
}

/// One directory entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'b> {
    /// Its name.
    pub name: &'b CStr,
    /// Its type (`DT_DIR`, …), or `DT_UNKNOWN` if the file system does not say.
    pub kind: u8,
    /// Its inode number.
    pub inode: u64,
    /// The position after it, for [`seek`].
    pub next: i64,
}

/// Iterates over the result of [`read_directory`], without `.` and `..`.
pub fn entries(mut bytes: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    core::iter::from_fn(move || {
        loop {
            // struct linux_dirent64: u64 inode, i64 offset, u16 length, u8 type, name with NUL.
            let length = usize::from(u16::from_ne_bytes(bytes.get(16..18)?.try_into().ok()?));
            let (record, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            let name = CStr::from_bytes_until_nul(record.get(19..)?).ok()?;
            if name != c"." && name != c".." {
                let inode = u64::from_ne_bytes(record[..8].try_into().ok()?);
                let next = i64::from_ne_bytes(record[8..16].try_into().ok()?);
                return Some(Entry { name, kind: record[18], inode, next });
            }
        }
    })
}

/// ioctl(2) `BLKGETSIZE64`: returns the size of a block device in bytes.
pub fn device_size(fd: FdRef<'_>) -> Result<u64> {
    const BLKGETSIZE64: u64 = 0x8008_1272;
    let mut size = 0u64;
    // SAFETY: the kernel writes one u64 to `size`.
    unsafe { syscall!(libc::SYS_ioctl, fd.raw(), BLKGETSIZE64, &raw mut size) }?;
    Ok(size)
}

/// fstatfs(2): returns whether the mount of `fd` is read-only.
pub fn is_on_readonly_mount(fd: FdRef<'_>) -> Result<bool> {
    // `struct statfs` in words, because glibc's definition, for fuzz targets, hides the flags.
    const FLAGS: usize = 10;
    let mut words = [0u64; size_of::<libc::statfs>() / 8];
    // SAFETY: the kernel fills one `struct statfs`, which is as long.
    unsafe { syscall!(libc::SYS_fstatfs, fd.raw(), words.as_mut_ptr()) }?;
    Ok(words[FLAGS] & libc::ST_RDONLY != 0)
}

/// fstatfs(2): returns (file system type, block size in bytes, blocks, free blocks).
pub fn statfs(fd: FdRef<'_>) -> Result<(i64, u64, u64, u64)> {
    let mut buffer = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the kernel fills one `struct statfs`.
    let s = unsafe {
        syscall!(libc::SYS_fstatfs, fd.raw(), buffer.as_mut_ptr())?;
        buffer.assume_init()
    };
    Ok((s.f_type as i64, s.f_bsize as u64, s.f_blocks, s.f_bavail))
}

/// sync(2): writes every file system to its disk.
pub fn sync() {
    // SAFETY: no memory is passed.
    let _ = unsafe { syscall!(libc::SYS_sync) };
}

/// syncfs(2): writes the file system of `fd` to its disk.
pub fn sync_fs(fd: FdRef<'_>) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_syncfs, fd.raw()) }
}

/// fsync(2): writes this file to its disk.
pub fn sync_file(fd: FdRef<'_>) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_fsync, fd.raw()) }
}

/// flock(2) with `LOCK_*`. EAGAIN if it is locked and `LOCK_NB` is set.
pub fn lock(fd: FdRef<'_>, operation: i32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_flock, fd.raw(), operation) }
}

/// umask(2): sets the mode bits that new files lack. Returns the former ones.
pub fn umask(mask: u32) -> u32 {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_umask, mask) }.unwrap_or(0) as u32
}

fn retry(mut call: impl FnMut() -> Result<usize>) -> Result<usize> {
    loop {
        match call() {
            Err(Errno::EINTR) => continue,
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fd::CWD;
    use super::*;

    #[test]
    fn a_directory_lists_its_entries() {
        let dir = open(CWD, c"src", O_RDONLY | O_DIRECTORY, 0).unwrap();
        let mut buffer = [0; 4096];
        let bytes = read_directory(dir.by_ref(), &mut buffer).unwrap();
        let names: Vec<_> = entries(bytes).map(|entry| entry.name).collect();
        assert!(names.contains(&c"lib.rs") && !names.contains(&c".."));
    }

    #[test]
    fn a_path_cannot_leave_its_root() {
        let dir = open(CWD, c"src", O_RDONLY | O_DIRECTORY, 0).unwrap();
        let inside = open_resolved(dir.by_ref(), c"/../../lib.rs", O_RDONLY, 0, RESOLVE_IN_ROOT);
        assert!(inside.is_ok());
        let outside = open_resolved(dir.by_ref(), c"../Cargo.toml", O_RDONLY, 0, RESOLVE_BENEATH);
        assert_eq!(outside.unwrap_err(), Errno::EXDEV);
    }

    #[test]
    fn device_numbers_are_the_kernels() {
        assert_eq!(makedev(1, 3), 0x103);
        assert_eq!(makedev(0xfff, 0xfffff), 0xffffffff);
        assert_eq!(makedev(259, 300), libc::makedev(259, 300));
    }
}
