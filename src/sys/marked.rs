//! System calls that carry a mark: an unguessable number in the sixth argument, which none of them
//! uses. A filter can let them pass by it, whatever else it forbids.

use super::clone::{self, Side};
use super::fd::FdRef;
use super::process::{Capabilities, capability_sets};
use super::syscall::{command, syscall};
use super::{Result, system};

/// The mark.
#[derive(Clone, Copy)]
pub struct Mark(u64);

/// The marked system calls, except for clone(2).
pub const CALLS: [u32; 4] = [
    libc::SYS_setsid as u32,
    libc::SYS_capset as u32,
    libc::SYS_recvmmsg as u32,
    libc::SYS_exit_group as u32,
];
/// Only for processes with a limit of processes.
pub const CALL_OF_LIMITS: u32 = libc::SYS_prlimit64 as u32;
/// Only for processes with a terminal.
pub const CALL_OF_TERMINALS: u32 = libc::SYS_ioctl as u32;
/// Only for processes with hooks.
pub const CALL_OF_HOOKS: u32 = libc::SYS_getpid as u32;
/// clone(2), only with these flags.
pub const CLONE: (u32, u32) =
    (libc::SYS_clone as u32, (libc::CLONE_PARENT | libc::CLONE_PIDFD) as u32);

impl Mark {
    /// Returns a new random mark.
    pub fn new() -> Result<Mark> {
        let mut bytes = [0; 8];
        system::random(&mut bytes)?;
        Ok(Mark(u64::from_ne_bytes(bytes)))
    }

    /// Returns its number, for a filter.
    pub fn number(self) -> u64 {
        self.0
    }

    /// clone(2) like [`clone::fork_sibling`].
    pub fn fork_sibling(self) -> Result<Side> {
        clone::by_clone(CLONE.1.into(), self.0)
    }

    /// getpid(2).
    pub fn getpid(self) -> i32 {
        // SAFETY: no memory is passed.
        unsafe { syscall!(libc::SYS_getpid, 0, 0, 0, 0, 0, self.0) }.unwrap_or(0) as i32
    }

    /// setsid(2).
    pub fn new_session(self) -> Result<()> {
        // SAFETY: no memory is passed.
        unsafe { command!(libc::SYS_setsid, 0, 0, 0, 0, 0, self.0) }
    }

    /// capset(2) version 3, of this process.
    pub fn set_capabilities(self, sets: Capabilities) -> Result<()> {
        let (header, data) = capability_sets(sets);
        // SAFETY: a header of version 3 and its two data blocks, both outliving the call.
        unsafe { command!(libc::SYS_capset, header.as_ptr(), data.as_ptr(), 0, 0, 0, self.0) }
    }

    /// prlimit64(2): sets (soft, hard) of one `RLIMIT_*` for this process.
    pub fn set_limit(self, resource: u32, soft: u64, hard: u64) -> Result<()> {
        let limits = [soft, hard];
        // SAFETY: the kernel reads one `struct rlimit64`.
        unsafe { command!(libc::SYS_prlimit64, 0, resource, limits.as_ptr(), 0, 0, self.0) }
    }

    /// ioctl(2) `TIOCSCTTY`: makes this our session's controlling terminal. We must be the session
    /// leader.
    pub fn make_controlling(self, terminal: FdRef<'_>) -> Result<()> {
        // SAFETY: no memory is passed.
        unsafe { command!(libc::SYS_ioctl, terminal.raw(), libc::TIOCSCTTY, 0, 0, 0, self.0) }
    }

    /// recvmmsg(2): receives one message of one byte. Returns `None` if the peer is closed.
    pub fn receive_byte(self, socket: FdRef<'_>) -> Result<Option<u8>> {
        let mut byte = 0u8;
        let vector = [&raw mut byte as usize, 1];
        // struct mmsghdr: name and its length, vectors and their number, control and its length,
        // flags; the answer's length.
        let mut message = [0, 0, vector.as_ptr() as usize, 1, 0, 0, 0, 0];
        // SAFETY: one `struct mmsghdr`, whose one vector is of one byte; all outlive the call.
        unsafe {
            syscall!(libc::SYS_recvmmsg, socket.raw(), message.as_mut_ptr(), 1, 0, 0, self.0)
        }?;
        // SAFETY: both are initialized. Volatile, because the kernel may have written them.
        let (byte, length) = unsafe {
            (
                core::ptr::read_volatile(&raw const byte),
                core::ptr::read_volatile(&raw const message[7]),
            )
        };
        Ok((length as u32 == 1).then_some(byte))
    }

    /// exit_group(2).
    pub fn exit(self, status: i32) -> ! {
        // SAFETY: no memory is passed; the call does not return.
        let _ = unsafe { syscall!(libc::SYS_exit_group, status, 0, 0, 0, 0, self.0) };
        super::process::halt()
    }
}

const _: () = assert!(size_of::<libc::mmsghdr>() == size_of::<[usize; 8]>());
