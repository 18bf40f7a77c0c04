//! Collects children that have ended.

use crate::sys;
use crate::sys::process::{self, Ended, Whom};

/// Collects one child that has ended, whichever. Returns None if there is none.
pub fn ended() -> Option<(i32, Ended)> {
    process::wait(Whom::Any, false).ok().flatten()
}

/// Collects the child of this pid if it has ended. Nobody else may collect it meanwhile: only so
/// does the pid stay its own.
pub fn ended_of(pid: i32) -> sys::Result<Option<Ended>> {
    process::wait(Whom::Pid(pid), false).map(|ended| ended.map(|(_, how)| how))
}

/// Waits for the end of the child of this pid, and collects it: for a caller that cannot go on
/// before.
pub fn await_end_of(pid: i32) {
    let _ = process::wait(Whom::Pid(pid), true);
}
