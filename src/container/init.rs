//! The small init of `--init`: PID 1 of the namespace, with the privileges of the payload.
//!
//! It waits by rt_sigtimedwait(2), because the event loop needs fds and system calls that its
//! filter forbids. It has no fds open, so that the payload's closed pipes report the end of file.
//! It cannot be traced (its /proc/1/exe is ocinit's binary).
//!
//! All signals are blocked since before the fork: none is lost, and PID 1 gets even those that the
//! kernel would drop. A terminal sends its signals to the foreground process group, which is the
//! payload's: it leads the session.

use super::seccomp;
use crate::sys::last_work::LastWork;
use crate::sys::mount;
use crate::sys::process;
use crate::sys::seccomp::CALLS_OF_INITS;
use crate::sys::signal::{self, SIGCHLD, SignalSet};
use crate::watch::children;

/// Forwards signals to `payload`, reaps every child, and ends with the payload's status.
pub fn reap_and_forward(payload: i32, last: LastWork) -> ! {
    // A failure of either does not matter here.
    let _ = last.close_others(0, &[]);
    let _ = mount::chdir(c"/");
    let _ = process::set_parent_death_signal(0);
    let _ = process::set_name(c"init");
    // Not the container's filter, which may forbid these system calls. A container that traces this
    // process gains no others.
    let _ = seccomp::confine(&CALLS_OF_INITS);
    loop {
        match signal::wait(SignalSet::ALL) {
            SIGCHLD => reap(payload),
            // ESRCH: it has just ended, and a SIGCHLD is pending.
            number => drop(process::kill(payload, number)),
        }
    }
}

/// One SIGCHLD may stand for many children.
fn reap(payload: i32) {
    while let Some((pid, ended)) = children::ended() {
        if pid == payload {
            process::exit(ended.status().into());
        }
    }
}
