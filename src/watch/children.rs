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
