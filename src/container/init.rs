//! The tiny init between (`--init`): PID 1 of the namespace, with the privileges of the process it
//! looks after.
//!
//! It waits by rt_sigtimedwait(2) and not by the event loop, because a loop has fds, and takes
//! system calls that its filter does not allow.
//! It has no descriptor open, so that an end of file means what it says, and cannot be traced (its
//! /proc/1/exe is ocinit's binary). All signals are blocked since before the fork: none is lost,
//! and PID 1 gets even those that the kernel would keep from it. What a terminal sends goes to the
//! terminal's foreground group, which is the process's own: it leads the session.

use super::seccomp;
use crate::sys::last_work::LastWork;
use crate::sys::mount;
use crate::sys::process;
use crate::sys::seccomp::CALLS_OF_INITS;
use crate::sys::signal::{self, SIGCHLD, SignalSet};
use crate::watch::children;

/// Passes signals on to `payload`, reaps whatever ends, and ends as the payload does.
pub fn reap_and_forward(payload: i32, last: LastWork) -> ! {
    // Neither can fail in a way that matters here.
    let _ = last.close_others(0, &[]);
    let _ = mount::chdir(c"/");
    let _ = process::set_parent_death_signal(0);
    let _ = process::set_name(c"init");
    // Not the container's filter, which may forbid these calls. A container that may trace this
    // process can make no others through it.
    let _ = seccomp::confine(&CALLS_OF_INITS);
    loop {
        match signal::wait(SignalSet::ALL) {
            SIGCHLD => reap(payload),
            // ESRCH: it has just ended, and a SIGCHLD waits.
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
