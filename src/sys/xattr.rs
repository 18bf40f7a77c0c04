//! Extended attributes.

use super::Result;
use super::fd::FdRef;
use super::syscall::{command, syscall};
use core::ffi::CStr;

/// fsetxattr(2).
pub fn set_fd(fd: FdRef<'_>, name: &CStr, value: &[u8]) -> Result<()> {
    // SAFETY: `name` is NUL-terminated; the kernel reads `value.len()` bytes of `value`.
    unsafe {
        command!(libc::SYS_fsetxattr, fd.raw(), name.as_ptr(), value.as_ptr(), value.len(), 0)
    }
}

/// lsetxattr(2) of the file itself; `path` is relative to the current directory.
pub fn set(path: &CStr, name: &CStr, value: &[u8]) -> Result<()> {
    let (bytes, len) = (value.as_ptr(), value.len());
    // SAFETY: both strings are NUL-terminated; the kernel reads `len` bytes of `value`.
    unsafe { command!(libc::SYS_lsetxattr, path.as_ptr(), name.as_ptr(), bytes, len, 0) }
}

/// fgetxattr(2) without a buffer: returns the value's length. ENODATA if there is none.
pub fn length_fd(fd: FdRef<'_>, name: &CStr) -> Result<usize> {
    // SAFETY: `name` is NUL-terminated; with a length of 0 the kernel writes nothing.
    unsafe { syscall!(libc::SYS_fgetxattr, fd.raw(), name.as_ptr(), 0, 0) }
}

/// fgetxattr(2): returns the value. ERANGE if the buffer is too small.
pub fn get_fd<'b>(fd: FdRef<'_>, name: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    // SAFETY: `name` is NUL-terminated; the kernel writes at most `buffer.len()` bytes to `buffer`.
    let n = unsafe {
        syscall!(libc::SYS_fgetxattr, fd.raw(), name.as_ptr(), buffer.as_mut_ptr(), buffer.len())
    }?;
    Ok(&buffer[..n])
}

/// lremovexattr(2) of the file itself; `path` is relative to the current directory.
pub fn remove(path: &CStr, name: &CStr) -> Result<()> {
    // SAFETY: both strings are NUL-terminated and outlive the call.
    unsafe { command!(libc::SYS_lremovexattr, path.as_ptr(), name.as_ptr()) }
}

/// flistxattr(2): returns NUL-terminated names. ERANGE if the buffer is too small.
pub fn list_fd<'b>(fd: FdRef<'_>, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`.
    let n = unsafe { syscall!(libc::SYS_flistxattr, fd.raw(), buffer.as_mut_ptr(), buffer.len()) }?;
    Ok(&buffer[..n])
}

/// fremovexattr(2).
pub fn remove_fd(fd: FdRef<'_>, name: &CStr) -> Result<()> {
    // SAFETY: `name` is NUL-terminated and outlives the call.
    unsafe { command!(libc::SYS_fremovexattr, fd.raw(), name.as_ptr()) }
}

/// ioctl(2) `FS_IOC_GETFLAGS` and `FS_IOC_SETFLAGS`: clears "immutable" and "append only" of an
/// open file. Returns true if it had one of them.
pub fn clear_protection(file: FdRef<'_>) -> Result<bool> {
    const GET_FLAGS: u64 = 0x8008_6601;
    const SET_FLAGS: u64 = 0x4008_6602;
    const IMMUTABLE_OR_APPEND: u32 = 0x10 | 0x20;
    // The requests encode 8 bytes, but the kernel reads and writes four.
    let mut flags = [0u32; 2];
    // SAFETY: the kernel writes to `flags`, which outlives the call.
    unsafe { syscall!(libc::SYS_ioctl, file.raw(), GET_FLAGS, flags.as_mut_ptr()) }?;
    if flags[0] & IMMUTABLE_OR_APPEND == 0 {
        return Ok(false);
    }
    flags[0] &= !IMMUTABLE_OR_APPEND;
    // SAFETY: the kernel reads from `flags`, which outlives the call.
    unsafe { syscall!(libc::SYS_ioctl, file.raw(), SET_FLAGS, flags.as_ptr()) }.map(|_| true)
}
