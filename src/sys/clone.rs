//! clone3(2): a child with new namespaces, a pidfd, and a cgroup from its start.

use super::fd::{Fd, FdRef};
use super::syscall::{command, syscall};
use super::{Errno, Result};
use core::sync::atomic::{AtomicBool, Ordering};

pub use libc::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER,
    CLONE_NEWUTS,
};

/// A time namespace (linux/sched.h). Not for clone(2), where its bit is part of the exit signal.
pub const CLONE_NEWTIME: i32 = 0x80;

/// All flags for namespaces. Others could let the child share this process's memory.
const NAMESPACES: i32 = CLONE_NEWCGROUP
    | CLONE_NEWIPC
    | CLONE_NEWNET
    | CLONE_NEWNS
    | CLONE_NEWPID
    | CLONE_NEWTIME
    | CLONE_NEWUSER
    | CLONE_NEWUTS;

/// The two results of [`fork`].
pub enum Side {
    /// The new process, with a copy of the memory.
    Child,
    /// The calling process, with the child's pid (in our namespace) and a pidfd for it.
    Parent(i32, Fd),
}

static FORKED: AtomicBool = AtomicBool::new(false);

/// Returns whether [`fork`] made this process. In its own pid namespace, a child of PID 1 is PID 1,
/// too.
pub fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// `struct clone_args`, of Linux 5.7.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// clone3(2) like fork(2), with `CLONE_NEW*` flags, in `cgroup` (a directory of cgroup2) if it is
/// given.
///
/// The child has a copy of the memory and of the fds, and only the calling thread. Other threads'
/// unfinished changes stay unfinished there. EINVAL for other flags, such as `CLONE_VM`.
pub fn fork(namespaces: i32, cgroup: Option<FdRef<'_>>) -> Result<Side> {
    clone(namespaces, cgroup, libc::SIGCHLD)
}

/// Does the same, but the new process is a child of our parent: `CLONE_PARENT`. The pid is in our
/// namespace.
pub fn fork_sibling(namespaces: i32) -> Result<Side> {
    clone(namespaces | libc::CLONE_PARENT, None, 0)
}

/// clone(2) with these flags, including `CLONE_PIDFD`, and the `mark` of a system call that needs
/// it (`marked.rs`).
pub(super) fn by_clone(flags: u64, mark: u64) -> Result<Side> {
    let mut pidfd = -1i32;
    // SAFETY: as for clone3(2) below; clone(2) returns the pidfd in the argument for the parent's
    // thread ID.
    let pid = unsafe { syscall!(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0, mark) }?;
    Ok(side(pid, &pidfd))
}

/// Returns the side, by the system call's result.
fn side(pid: usize, pidfd: &i32) -> Side {
    if pid == 0 {
        FORKED.store(true, Ordering::Relaxed);
        return Side::Child;
    }
    // SAFETY: the kernel has just written it.
    Side::Parent(pid as i32, Fd::from_answer(unsafe { core::ptr::read_volatile(pidfd) } as usize))
}

fn clone(namespaces: i32, cgroup: Option<FdRef<'_>>, exit_signal: i32) -> Result<Side> {
    const CLONE_INTO_CGROUP: u64 = 1 << 33;
    if namespaces & !(NAMESPACES | libc::CLONE_PARENT) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut pidfd = -1i32;
    let args = CloneArgs {
        flags: namespaces as u32 as u64
            | libc::CLONE_PIDFD as u64
            | if cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 },
        pidfd: &raw mut pidfd as u64,
        exit_signal: exit_signal as u64,
        cgroup: cgroup.map_or(0, |dir| dir.raw() as u64),
        ..CloneArgs::default()
    };
    // SAFETY: `args` is a `struct clone_args`; without CLONE_VM the child runs on a copy of this
    // stack, so returning twice is sound, as for fork(2); the kernel writes the pidfd to the
    // parent's copy.
    let pid = match unsafe { syscall!(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) } {
        // docker's seccomp profile hides clone3 (ENOSYS) except from the host's root, because a
        // filter cannot see its flags.
        Err(Errno::ENOSYS) if cgroup.is_none() && namespaces & CLONE_NEWTIME == 0 => {
            return by_clone(args.flags | args.exit_signal, 0);
        }
        pid => pid?,
    };
    Ok(side(pid, &pidfd))
}

/// unshare(2) with `CLONE_NEW*` flags.
pub fn unshare(namespaces: i32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_unshare, namespaces) }
}

/// setns(2): joins the namespace that `fd` refers to, which must be of type `kind` (`CLONE_NEW*`).
pub fn join_namespace(fd: FdRef<'_>, kind: i32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_setns, fd.raw(), kind) }
}
