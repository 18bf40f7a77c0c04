//! seccomp(2): a filter of the system calls of this process and of its children.

use super::fd::Fd;
use super::syscall::syscall;
use super::{Errno, Result};
use crate::limits::SECCOMP_INSTRUCTIONS_MAX;

/// Logs every action but "allow".
pub const FLAG_LOG: u32 = 1 << 1;
/// Does not disable speculative store bypass for the process.
pub const FLAG_SPEC_ALLOW: u32 = 1 << 2;
/// Returns a fd for notifications.
pub const FLAG_NEW_LISTENER: u32 = 1 << 3;
/// Only a fatal signal interrupts a system call that was notified.
pub const FLAG_WAIT_KILLABLE_RECV: u32 = 1 << 5;

/// Return values of a filter. The lower half of an errno's and of a tracer's is a number.
pub const RETURN_KILL_PROCESS: u32 = 0x8000_0000;
/// Kills the thread with SIGSYS.
pub const RETURN_KILL_THREAD: u32 = 0;
/// Sends the thread SIGSYS.
pub const RETURN_TRAP: u32 = 0x0003_0000;
/// The system call fails with this errno.
pub const RETURN_ERRNO: u32 = 0x0005_0000;
/// Notifies the listener, which decides.
pub const RETURN_NOTIFY: u32 = 0x7fc0_0000;
/// Passes the tracer this number.
pub const RETURN_TRACE: u32 = 0x7ff0_0000;
/// Allows the system call, and logs it.
pub const RETURN_LOG: u32 = 0x7ffc_0000;
/// Allows the system call.
pub const RETURN_ALLOW: u32 = 0x7fff_0000;

/// The system calls of the process that opens a procfs in another's pid namespace, and of its
/// parent.
pub const CALLS_OF_OPENERS: [u32; 8] = [
    libc::SYS_read as u32,
    libc::SYS_sendmsg as u32,
    libc::SYS_clone as u32,
    libc::SYS_clone3 as u32,
    libc::SYS_waitid as u32,
    libc::SYS_fsopen as u32,
    libc::SYS_close as u32,
    libc::SYS_exit_group as u32,
];

/// The system calls of the init of `--init`.
pub const CALLS_OF_INITS: [u32; 4] = [
    libc::SYS_rt_sigtimedwait as u32,
    libc::SYS_waitid as u32,
    libc::SYS_kill as u32,
    libc::SYS_exit_group as u32,
];

/// `SECCOMP_SET_MODE_FILTER` with these instructions, each a `struct sock_filter` as one number.
/// Returns the listener, close-on-exec, if it was asked for. E2BIG if the program exceeds the
/// kernel's limit.
pub fn set_filter(flags: u32, program: &[u64]) -> Result<Option<Fd>> {
    const SECCOMP_SET_MODE_FILTER: u32 = 1;
    if program.len() > SECCOMP_INSTRUCTIONS_MAX {
        return Err(Errno::E2BIG);
    }
    // struct sock_fprog: u16 length, padding, the address.
    let program = [program.len(), program.as_ptr() as usize];
    // SAFETY: the kernel reads one `struct sock_fprog` and as many instructions as it says, all of
    // which outlive the call.
    let answer =
        unsafe { syscall!(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program.as_ptr()) }?;
    Ok((flags & FLAG_NEW_LISTENER != 0).then(|| Fd::from_answer(answer)))
}

const _: () = assert!(
    size_of::<libc::sock_fprog>() == size_of::<[usize; 2]>() && size_of::<libc::sock_filter>() == 8
);
