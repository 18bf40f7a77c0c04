//! Waits for fds: epoll(7) and poll(2).

use super::fd::{Fd, FdRef};
use super::syscall::{command, syscall};
use super::{Errno, Result, arch};

pub use libc::{EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI};

/// One event: its flags, and the caller's key.
#[repr(transparent)]
#[derive(Clone, Copy, Default)]
pub struct Event(arch::EpollEvent);

impl Event {
    /// Returns the caller's key.
    pub fn key(self) -> u64 {
        self.0.key
    }

    /// Returns the flags of `EPOLL*`.
    pub fn flags(self) -> u32 {
        self.0.events
    }
}

/// epoll_create1(2).
pub fn new_set() -> Result<Fd> {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_epoll_create1, libc::EPOLL_CLOEXEC) }.map(Fd::from_answer)
}

fn control(set: &Fd, operation: i32, number: i32, flags: i32, key: u64) -> Result<()> {
    let event = arch::EpollEvent { events: flags as u32, key };
    // SAFETY: the kernel reads one `struct epoll_event`.
    unsafe { command!(libc::SYS_epoll_ctl, set.raw(), operation, number, &raw const event) }
}

/// epoll_ctl(2) `ADD`: waits for `flags` on `fd`, reported with `key`.
pub fn add(set: &Fd, fd: FdRef<'_>, flags: i32, key: u64) -> Result<()> {
    control(set, libc::EPOLL_CTL_ADD, fd.raw(), flags, key)
}

/// epoll_ctl(2) `MOD` of the fd of this number. EBADF or ENOENT if it is no longer in the set.
pub fn change(set: &Fd, number: i32, flags: i32, key: u64) -> Result<()> {
    control(set, libc::EPOLL_CTL_MOD, number, flags, key)
}

/// epoll_ctl(2) `DEL` of the fd of this number. EBADF or ENOENT if it is no longer in the set.
pub fn remove(set: &Fd, number: i32) -> Result<()> {
    control(set, libc::EPOLL_CTL_DEL, number, 0, 0)
}

/// epoll_wait(2): returns events within `timeout_ms` milliseconds (-1: for ever). A signal reads as
/// no events.
pub fn wait<'b>(set: &Fd, events: &'b mut [Event], timeout_ms: i32) -> Result<&'b [Event]> {
    let (pointer, room) = (events.as_mut_ptr(), events.len());
    // SAFETY: the kernel writes at most `room` events.
    match unsafe { syscall!(libc::SYS_epoll_pwait, set.raw(), pointer, room, timeout_ms, 0, 8) } {
        Ok(count) => Ok(&events[..count]),
        Err(Errno::EINTR) => Ok(&[]),
        Err(errno) => Err(errno),
    }
}

/// poll(2) of one fd: returns which of `POLLIN`, `POLLOUT`, `POLLHUP`, `POLLERR` hold within
/// `timeout_ms` milliseconds (-1: for ever).
pub fn poll_one(fd: FdRef<'_>, flags: i16, timeout_ms: i32) -> Result<i16> {
    let mut poll = libc::pollfd { fd: fd.raw(), events: flags, revents: 0 };
    // SAFETY: the kernel reads and writes one `struct pollfd`.
    match unsafe { syscall!(libc::SYS_poll, &raw mut poll, 1, timeout_ms) } {
        Ok(_) => Ok(poll.revents),
        Err(Errno::EINTR) => Ok(0),
        Err(errno) => Err(errno),
    }
}

/// ppoll(2) without a timeout. Returns for each fd which of the wanted events (`POLLIN`, ...) hold.
pub fn poll<const N: usize>(asked: [(FdRef<'_>, i16); N]) -> Result<[i16; N]> {
    poll_until(asked, core::ptr::null())
}

/// ppoll(2): does the same within this many milliseconds.
pub fn poll_for<const N: usize>(asked: [(FdRef<'_>, i16); N], ms: u32) -> Result<[i16; N]> {
    poll_until(asked, &[i64::from(ms / 1000), i64::from(ms % 1000) * 1_000_000])
}

fn poll_until<const N: usize>(
    asked: [(FdRef<'_>, i16); N],
    time: *const [i64; 2],
) -> Result<[i16; N]> {
    let mut polls = asked.map(|(fd, events)| libc::pollfd { fd: fd.raw(), events, revents: 0 });
    // SAFETY: the kernel reads and writes `N` times a `struct pollfd`, and the time (a `struct
    // timespec`) if there is one; no signals.
    match unsafe { syscall!(libc::SYS_ppoll, polls.as_mut_ptr(), N, time, 0, 0) } {
        Ok(_) | Err(Errno::EINTR) => Ok(polls.map(|poll| poll.revents)),
        Err(errno) => Err(errno),
    }
}

/// poll(2) without fds: waits this many milliseconds, or until a signal is handled.
pub fn wait_ms(milliseconds: i32) -> Result<()> {
    // SAFETY: no fds are passed.
    unsafe { command!(libc::SYS_poll, 0, 0, milliseconds) }
}
