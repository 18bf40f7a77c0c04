//! Anonymous files: memfd_create(2) and its seals. [`super::fs`] re-exports them.

use super::fd::{Fd, FdRef};
use super::syscall::{command, syscall};
use super::{Errno, Result};
use core::ffi::CStr;

/// memfd_create(2) of a file that may be sealed, and executed if the machine allows that.
pub fn memory_file(name: &CStr) -> Result<Fd> {
    /// `MFD_EXEC`; kernels before 6.3 neither know nor need it.
    const EXECUTABLE: u32 = 0x10;
    /// `MFD_NOEXEC_SEAL`, which the sysctl vm.memfd_noexec=2 requires.
    const DATA: u32 = 0x08;
    let create = |flags: u32| {
        // SAFETY: `name` is NUL-terminated.
        unsafe {
            syscall!(
                libc::SYS_memfd_create,
                name.as_ptr(),
                libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | flags
            )
        }
    };
    match create(EXECUTABLE) {
        Err(Errno::EINVAL) => create(0).map(Fd::from_answer),
        Err(Errno::EACCES) => create(DATA).map(Fd::from_answer),
        made => made.map(Fd::from_answer),
    }
}

const ALL_SEALS: i32 =
    libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

/// fcntl(2) `F_ADD_SEALS`: the content of a [`memory_file`] never changes again.
pub fn seal(file: FdRef<'_>) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_fcntl, file.raw(), libc::F_ADD_SEALS, ALL_SEALS) }
}

/// fcntl(2) `F_ADD_SEALS`: the size of a [`memory_file`] never changes again.
pub fn seal_size(file: FdRef<'_>) -> Result<()> {
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_fcntl, file.raw(), libc::F_ADD_SEALS, seals) }
}

/// fcntl(2) `F_GET_SEALS`: returns whether [`seal`] was called.
pub fn is_sealed(file: FdRef<'_>) -> bool {
    // SAFETY: no memory is passed.
    let seals = unsafe { syscall!(libc::SYS_fcntl, file.raw(), libc::F_GET_SEALS) };
    seals == Ok(ALL_SEALS as usize)
}
