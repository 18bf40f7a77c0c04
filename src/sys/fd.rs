//! Fds: an owned one is closed on drop, a borrowed one cannot outlive its owner.

use super::syscall::{command, syscall};
use super::{Errno, Result};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicI32, Ordering};

/// An owned fd, closed on drop. As wide as an [`Errno`], for its reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Fd(i64);

/// A borrowed fd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdRef<'a>(i32, PhantomData<&'a Fd>);

/// The current directory, for system calls that take a directory fd.
pub const CWD: FdRef<'static> = FdRef(libc::AT_FDCWD, PhantomData);
/// Standard input.
pub const STDIN: FdRef<'static> = FdRef(0, PhantomData);
/// Standard output.
pub const STDOUT: FdRef<'static> = FdRef(1, PhantomData);
/// Standard error.
pub const STDERR: FdRef<'static> = FdRef(2, PhantomData);

impl Fd {
    /// Takes ownership of an fd by its number.
    ///
    /// # Safety
    /// It is open, and nothing else owns it.
    pub const unsafe fn from_raw(raw: i32) -> Fd {
        Fd(raw as i64)
    }

    /// Returns the fd that a system call made.
    pub(super) fn from_answer(answer: usize) -> Fd {
        Fd(answer as i64)
    }

    /// Borrows it.
    pub fn by_ref(&self) -> FdRef<'_> {
        FdRef(self.0 as i32, PhantomData)
    }

    /// Returns the number.
    pub fn raw(&self) -> i32 {
        self.0 as i32
    }

    /// Keeps it open for the life of the process.
    pub fn leak(self) -> FdRef<'static> {
        FdRef(self.into_raw(), PhantomData)
    }

    /// Gives up ownership without closing.
    pub fn into_raw(self) -> i32 {
        let raw = self.0 as i32;
        core::mem::forget(self);
        raw
    }

    /// close(2), with its result: a file system may report a failed write only here.
    pub fn close(self) -> Result<()> {
        // SAFETY: `self` owns the descriptor and is forgotten by `into_raw`, so it is closed once.
        unsafe { command!(libc::SYS_close, self.into_raw()) }
    }
}

impl Drop for Fd {
    // Out of line, because there are hundreds of drops.
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: `self` owns the fd, and it is not used after its drop.
        let _ = unsafe { syscall!(libc::SYS_close, self.0) };
    }
}

impl FdRef<'_> {
    /// Borrows an fd by its number.
    ///
    /// # Safety
    /// It stays open for `'a`.
    pub const unsafe fn from_raw<'a>(raw: i32) -> FdRef<'a> {
        FdRef(raw, PhantomData)
    }

    /// Returns the number.
    pub const fn raw(self) -> i32 {
        self.0
    }
}

/// A fd that stays open for the life of the process, for a signal's or a panic's code, which gets
/// no argument.
pub struct StaticFd(AtomicI32);

impl StaticFd {
    /// Returns an empty place.
    pub const fn empty() -> StaticFd {
        StaticFd(AtomicI32::new(-1))
    }

    /// Returns a place with this fd.
    pub const fn new(fd: FdRef<'static>) -> StaticFd {
        StaticFd(AtomicI32::new(fd.0))
    }

    /// Stores `fd`. Returns the former one.
    pub fn replace(&self, fd: FdRef<'static>) -> Option<FdRef<'static>> {
        StaticFd::of(self.0.swap(fd.0, Ordering::Relaxed))
    }

    /// Returns the fd, if there is one.
    pub fn get(&self) -> Option<FdRef<'static>> {
        StaticFd::of(self.0.load(Ordering::Relaxed))
    }

    fn of(raw: i32) -> Option<FdRef<'static>> {
        // Only `FdRef<'static>`s were stored.
        (raw != -1).then_some(FdRef(raw, PhantomData))
    }
}

/// fcntl(2) `F_DUPFD_CLOEXEC`: returns a further fd of the same open file, at least `least`.
pub fn duplicate(fd: FdRef<'_>, least: i32) -> Result<Fd> {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_fcntl, fd.raw(), libc::F_DUPFD_CLOEXEC, least) }
        .map(Fd::from_answer)
}

/// dup3(2): makes fd `target` refer to the open file of `fd`, and keeps it open at exec. If both
/// are the same number, only clears close-on-exec.
pub fn duplicate_to(fd: FdRef<'_>, target: i32) -> Result<()> {
    if fd.raw() == target {
        return set_cloexec(fd, false);
    }
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_dup3, fd.raw(), target, 0) }
}

/// fcntl(2) `F_SETFD`.
pub fn set_cloexec(fd: FdRef<'_>, on: bool) -> Result<()> {
    let flags = if on { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_fcntl, fd.raw(), libc::F_SETFD, flags) }
}

/// fcntl(2) `F_GETFD`: returns whether it is open and not close-on-exec. That holds for inherited
/// fds, but not for our own.
pub fn is_inherited(number: u32) -> bool {
    // SAFETY: no memory is passed.
    let flags = unsafe { syscall!(libc::SYS_fcntl, number, libc::F_GETFD) };
    flags == Ok(0)
}

/// Opens /dev/null on each of 0, 1 and 2 that is closed. Otherwise the next opened file would
/// become a standard stream, so this must come before any other open(2).
pub fn fill_standard_streams() -> Result<()> {
    for number in [STDIN, STDOUT, STDERR] {
        // SAFETY: no memory is passed.
        if let Err(Errno::EBADF) = unsafe { syscall!(libc::SYS_fcntl, number.raw(), libc::F_GETFD) }
        {
            // The lowest free number is this one, because all lower ones are open. SAFETY: the path
            // ends in NUL.
            unsafe {
                syscall!(libc::SYS_openat, CWD.raw(), c"/dev/null".as_ptr(), libc::O_RDWR, 0)
            }?;
        }
    }
    Ok(())
}

/// fcntl(2) `F_SETFL` with or without `O_NONBLOCK`.
pub fn set_nonblocking(fd: FdRef<'_>, on: bool) -> Result<()> {
    // SAFETY: no memory is passed.
    let flags = unsafe { syscall!(libc::SYS_fcntl, fd.raw(), libc::F_GETFL) }? as i32;
    let flags = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_fcntl, fd.raw(), libc::F_SETFL, flags) }
}

/// close_range(2) `CLOEXEC`: marks every fd from `first` up close-on-exec.
pub fn set_cloexec_from(first: u32) -> Result<()> {
    const CLOSE_RANGE_CLOEXEC: i32 = 1 << 2;
    // SAFETY: no memory is passed, and no fd is closed.
    unsafe { command!(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) }
}

/// close_range(2): closes `first` to `last`.
///
/// # Safety
/// No [`Fd`] or [`FdRef`] of that range is used or dropped again, because its number may be reused.
pub(super) unsafe fn close_range(first: u32, last: u32) -> Result<()> {
    // SAFETY: no memory is passed; the caller guarantees the owners.
    unsafe { command!(libc::SYS_close_range, first, last, 0) }
}

/// pipe2(2): returns (read end, write end).
pub fn pipe() -> Result<(Fd, Fd)> {
    let mut pair = [0i32; 2];
    // SAFETY: the kernel writes two descriptors to `pair`.
    unsafe { syscall!(libc::SYS_pipe2, pair.as_mut_ptr(), libc::O_CLOEXEC) }?;
    Ok(pair.map(|raw| Fd::from_answer(raw as usize)).into())
}

/// fcntl(2) `F_SETPIPE_SZ`: gives a pipe room for this many bytes. EPERM above the user's limit.
pub fn set_pipe_size(pipe: FdRef<'_>, bytes: i32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_fcntl, pipe.raw(), libc::F_SETPIPE_SZ, bytes) }
}

/// socketpair(2) of `AF_UNIX`, of kind `SOCK_STREAM` or `SOCK_SEQPACKET`.
pub fn socketpair(kind: i32) -> Result<(Fd, Fd)> {
    let mut pair = [0i32; 2];
    // SAFETY: the kernel writes two descriptors to `pair`.
    unsafe {
        syscall!(
            libc::SYS_socketpair,
            libc::AF_UNIX,
            kind | libc::SOCK_CLOEXEC,
            0,
            pair.as_mut_ptr()
        )
    }?;
    Ok(pair.map(|raw| Fd::from_answer(raw as usize)).into())
}
