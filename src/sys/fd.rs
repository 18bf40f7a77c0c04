//! File descriptors: owned ones are closed when dropped, borrowed ones cannot outlive their owner.

use super::syscall::{command, syscall};
use super::{Errno, Result};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicI32, Ordering};

/// A descriptor of ours, closed on drop. As wide as an [`Errno`](super::Errno), see there.
#[derive(Debug, PartialEq, Eq)]
pub struct Fd(i64);

/// A descriptor somebody else owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdRef<'a>(i32, PhantomData<&'a Fd>);

/// The current directory, for calls that take a directory descriptor.
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

    /// What a system call that makes a descriptor returned.
    pub(super) fn from_answer(answer: usize) -> Fd {
        Fd(answer as i64)
    }

    /// Borrows it.
    pub fn by_ref(&self) -> FdRef<'_> {
        FdRef(self.0 as i32, PhantomData)
    }

    /// The number.
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

    /// close(2), with its result: the last chance of a file system to say that a write failed.
    pub fn close(self) -> Result<()> {
        // SAFETY: `self` owns the descriptor and is forgotten by `into_raw`, so it is closed once.
        unsafe { command!(libc::SYS_close, self.into_raw()) }
    }
}

impl Drop for Fd {
    // Out of line: there are hundreds of drops.
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: `self` owns the descriptor, and nobody can use it after its drop.
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

    /// The number.
    pub const fn raw(self) -> i32 {
        self.0
    }
}

/// A place for an fd that stays open for the life of the process: for a signal's or a panic's code,
/// which gets no argument.
pub struct StaticFd(AtomicI32);

impl StaticFd {
    /// Holds nothing yet.
    pub const fn empty() -> StaticFd {
        StaticFd(AtomicI32::new(-1))
    }

    /// Holds this one at first.
    pub const fn new(fd: FdRef<'static>) -> StaticFd {
        StaticFd(AtomicI32::new(fd.0))
    }

    /// Puts `fd` in the place. Returns what was there.
    pub fn replace(&self, fd: FdRef<'static>) -> Option<FdRef<'static>> {
        StaticFd::of(self.0.swap(fd.0, Ordering::Relaxed))
    }

    /// Returns what is there.
    pub fn get(&self) -> Option<FdRef<'static>> {
        StaticFd::of(self.0.load(Ordering::Relaxed))
    }

    fn of(raw: i32) -> Option<FdRef<'static>> {
        // Only `FdRef<'static>`s were put there.
        (raw != -1).then_some(FdRef(raw, PhantomData))
    }
}

/// fcntl(2) `F_DUPFD_CLOEXEC`: a second descriptor for the same open file, at least `least`.
pub fn duplicate(fd: FdRef<'_>, least: i32) -> Result<Fd> {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_fcntl, fd.raw(), libc::F_DUPFD_CLOEXEC, least) }
        .map(Fd::from_answer)
}

/// dup3(2): makes number `target` refer to the open file of `fd`; it stays open across exec.
/// Where they are the same number, only close-on-exec is cleared.
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

/// fcntl(2) `F_GETFD`: whether it is open and stays so across exec, as what we were given is and
/// what we open is not.
pub fn is_inherited(number: u32) -> bool {
    // SAFETY: no memory is passed.
    let flags = unsafe { syscall!(libc::SYS_fcntl, number, libc::F_GETFD) };
    flags == Ok(0)
}

/// Opens /dev/null on each of 0, 1 and 2 that is closed: else the next opened file would become a
/// standard stream. Must be called before any other file is opened.
pub fn fill_standard_streams() -> Result<()> {
    for number in [STDIN, STDOUT, STDERR] {
        // SAFETY: no memory is passed.
        if let Err(Errno::EBADF) = unsafe { syscall!(libc::SYS_fcntl, number.raw(), libc::F_GETFD) }
        {
            // The lowest free number is this one, as all below it are open.
            // SAFETY: the path ends in NUL.
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
/// No [`Fd`] or [`FdRef`] of that range is used or dropped again: its number may be another file's.
pub(super) unsafe fn close_range(first: u32, last: u32) -> Result<()> {
    // SAFETY: no memory is passed; the caller vouches for the owners.
    unsafe { command!(libc::SYS_close_range, first, last, 0) }
}

/// pipe2(2): (read end, write end).
pub fn pipe() -> Result<(Fd, Fd)> {
    let mut pair = [0i32; 2];
    // SAFETY: the kernel writes two descriptors to `pair`.
    unsafe { syscall!(libc::SYS_pipe2, pair.as_mut_ptr(), libc::O_CLOEXEC) }?;
    Ok(pair.map(|raw| Fd::from_answer(raw as usize)).into())
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
