//! A procfs for a container that joins another's pid namespace, made from outside of that.
//!
//! A procfs shows the pid namespace of the process that opens its context. Before Linux 7 there is
//! no other way to choose it. Processes of that namespace may have CAP_SYS_PTRACE, and could take
//! over the opener. So the opener has no privilege:
//!
//! ```text
//!  intermediate process              maker, in no pid namespace of theirs     opener, in theirs
//!    fork -------------------------> setns for its children; its own user
//!                                    and mount namespace; an empty tmpfs is
//!                                    its root; all fds closed but one
//!    "one more" -------------------> fork ----------------------------------> fsopen
//!    checks it <-------------------- ... <----------------------------------- its context
//!    fsconfig, fsmount, as for any mount
//! ```
//!
//! If user namespaces are forbidden, the opener keeps CAP_SYS_ADMIN, because opening a context
//! needs it. A filter allows maker and opener only eight system calls, so an opener cannot mount
//! anything.

use super::{empty, seccomp};
use crate::error::{Context, Result};
use crate::spec::Spec;
use crate::sync::TryLock;
use crate::sys::clone::{self, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, Side};
use crate::sys::fd::{self, CWD, Fd, FdRef};
use crate::sys::last_work::{self, LastWork};
use crate::sys::mount::{self, MNT_DETACH, MS_REC, MS_SLAVE};
use crate::sys::process::{self, Capabilities};
use crate::sys::seccomp::CALLS_OF_OPENERS;
use crate::sys::{self, Errno, fs, signal, socket};
use crate::watch::children;
use core::sync::atomic::{AtomicI32, Ordering};

/// The intermediate process's end of the socket.
static SOCKET: TryLock<Option<Fd>> = TryLock::new(None);
/// The maker's pid.
static MAKER: AtomicI32 = AtomicI32::new(0);

/// Starts a maker for this pid namespace. EPERM if we may not join the namespace yet.
fn begin(namespace: FdRef<'_>, spec: &Spec<'_>) -> sys::Result<()> {
    let (ours, theirs) = fd::socketpair(libc::SOCK_SEQPACKET)?;
    match clone::fork(0, None)? {
        Side::Child => {
            drop(ours);
            last_work::run(serve, (namespace, &theirs, spec))
        }
        Side::Parent(pid, _) => {
            drop(theirs);
            MAKER.store(pid, Ordering::Relaxed);
            keep(Some(ours));
            answer().map(drop).inspect_err(|_| end())
        }
    }
}

/// Stores a socket. Returns the former one.
fn keep(socket: Option<Fd>) -> Option<Fd> {
    SOCKET.try_lock().and_then(|mut place| core::mem::replace(&mut *place, socket))
}

fn with_socket<T>(work: impl FnOnce(FdRef<'_>) -> sys::Result<T>) -> sys::Result<T> {
    let place = SOCKET.try_lock().ok_or(Errno::EBUSY)?;
    work(place.as_ref().ok_or(Errno::EBADF)?.by_ref())
}

/// Ends the maker, if there is one.
pub fn end() {
    if let Some(socket) = keep(None) {
        drop(socket);
        let _ = children::await_end_of(MAKER.load(Ordering::Relaxed));
    }
}

/// Returns a file system context for a procfs, from the maker if there is one.
pub fn context() -> sys::Result<Fd> {
    if !is_there() {
        return mount::fs_open(c"proc");
    }
    with_socket(|socket| fs::write(socket, &[1]))?;
    let context = answer()?.ok_or(Errno::EIO)?;
    // A traced opener could send the context of another file system, with a source on the host.
    // Only procfs knows this option.
    mount::fs_set(context.by_ref(), c"hidepid", c"0").map_err(|_| Errno::EPERM)?;
    Ok(context)
}

/// Returns whether contexts come from a maker: then the caller must check the new mounts.
pub fn is_there() -> bool {
    SOCKET.try_lock().is_some_and(|socket| socket.is_some())
}

/// Reads an answer of the maker or an opener: an errno or 0, and the fd with it.
fn answer() -> sys::Result<Option<Fd>> {
    let mut word = [0; 2];
    match with_socket(|socket| socket::receive(socket, &mut word))? {
        (2, file) if word == [0, 0] => Ok(file),
        (2, _) => Err(Errno::new(i32::from(u16::from_le_bytes(word)))),
        _ => Err(Errno::EIO),
    }
}

fn reply(socket: FdRef<'_>, done: sys::Result<Option<Fd>>) {
    let errno = done.as_ref().map_or_else(|errno| errno.number() as u16, |_| 0);
    let file = done.as_ref().ok().and_then(Option::as_ref).map(Fd::by_ref);
    let _ = socket::send(socket, &errno.to_le_bytes(), file);
}

/// Runs the maker.
fn serve((namespace, socket, spec): (FdRef<'_>, &Fd, &Spec<'_>), last: LastWork) -> ! {
    // Others can read an opener's memory.
    last.erase_environment();
    spec.each_secret(&mut |secret| last.erase(secret));
    let done = give_everything_up(namespace, socket, last);
    let is_ready = done.is_ok();
    reply(socket.by_ref(), done.map(|()| None));
    while is_ready && fs::read(socket.by_ref(), &mut [0]) == Ok(1) {
        match clone::fork(0, None) {
            Ok(Side::Child) => {
                reply(socket.by_ref(), mount::fs_open(c"proc").map(Some));
                process::exit(0)
            }
            Ok(Side::Parent(_, opener)) => drop(children::await_end(opener.by_ref())),
            Err(errno) => reply(socket.by_ref(), Err(errno)),
        }
    }
    process::exit(0)
}

fn give_everything_up(namespace: FdRef<'_>, socket: &Fd, last: LastWork) -> sys::Result<()> {
    process::set_parent_death_signal(signal::SIGKILL)?;
    clone::join_namespace(namespace, CLONE_NEWPID)?;
    let is_alone = clone::unshare(CLONE_NEWUSER | CLONE_NEWNS).is_ok();
    if !is_alone {
        clone::unshare(CLONE_NEWNS)?;
    }
    mount::set_propagation(c"/", MS_SLAVE | MS_REC)?;
    let empty = empty::directory()?;
    let old = fs::open(CWD, c"/", fs::O_PATH | fs::O_DIRECTORY, 0)?;
    mount::attach(empty.by_ref(), old.by_ref())?;
    mount::chdir_fd(empty.by_ref())?;
    match mount::pivot_here() {
        Ok(()) => {
            mount::chdir_fd(old.by_ref())?;
            mount::unmount(c".", MNT_DETACH)?;
        }
        // pivot_root(2) cannot leave an initramfs, so it stays beneath.
        Err(Errno::EINVAL) => mount::chroot(c".")?,
        Err(errno) => return Err(errno),
    }
    mount::chdir(c"/")?;
    drop((empty, old));
    last.close_others(0, &[Some(socket.by_ref())])?;
    process::set_dumpable(false)?;
    if !is_alone {
        const ADMIN: u64 = 1 << 21;
        process::set_capabilities(Capabilities {
            effective: ADMIN,
            permitted: ADMIN,
            inheritable: 0,
        })?;
    }
    seccomp::confine(&CALLS_OF_OPENERS)
}

/// Starts a maker for the pid namespace of this file, without the config's secrets. Returns false
/// if we may not yet.
pub fn try_begin(namespace: &Fd, spec: &Spec<'_>) -> Result<bool> {
    match begin(namespace.by_ref(), spec) {
        Ok(()) => Ok(true),
        // EINVAL: the file is not a namespace. The join reports that.
        Err(Errno::EPERM | Errno::EINVAL) => Ok(false),
        Err(errno) => Err(errno).doing("make a procfs for the pid namespace"),
    }
}
