//! Collects ended children: the only caller of waitid(2).

use super::{Happened, Loop, Token};
use crate::Result;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::process::{self, Ended, Whom};
use crate::sys::{self, signal};

/// Collects any ended child. Returns None if there is none.
pub fn ended() -> Option<(i32, Ended)> {
    process::wait(Whom::Any, false).ok().flatten()
}

/// Returns whether there is no child. May collect one to find out.
pub fn are_gone() -> bool {
    process::wait(Whom::Any, false) == Err(sys::Errno::ECHILD)
}

/// Collects the child of this pid if it has ended. No other code may collect it meanwhile, because
/// its pid would then be reused.
pub fn ended_of(pid: i32) -> sys::Result<Option<Ended>> {
    process::wait(Whom::Pid(pid), false).map(|ended| ended.map(|(_, how)| how))
}

/// Waits for the end of the child of this pid, and collects it, for a caller that can do nothing
/// else. Returns its end; None if it is not our child.
pub fn await_end_of(pid: i32) -> Option<Ended> {
    process::wait(Whom::Pid(pid), true).ok().flatten().map(|(_, how)| how)
}

/// Does the same for the child of this pidfd.
pub fn await_end(pidfd: FdRef<'_>) -> sys::Result<Option<Ended>> {
    process::wait(Whom::Pidfd(pidfd), true).map(|ended| ended.map(|(_, how)| how))
}

/// A process of ours with one task, and the row of its end.
pub struct Helper {
    pid: i32,
    pidfd: Fd,
    row: Token,
}

impl Helper {
    /// Waits for its end in the loop. If that is not possible, it is killed.
    pub fn watch(pid: i32, pidfd: Fd, events: &mut Loop) -> Result<Helper> {
        match events.process(pid, pidfd.by_ref()) {
            Ok(row) => Ok(Helper { pid, pidfd, row }),
            Err(error) => {
                let _ = process::kill_pidfd(pidfd.by_ref(), signal::SIGKILL);
                await_end_of(pid);
                Err(error)
            }
        }
    }

    /// Returns its end, if that is the event.
    pub fn ended(&self, happened: &Happened) -> Option<Ended> {
        match *happened {
            Happened::Ended(token, ended) if token == self.row => Some(ended),
            _ => None,
        }
    }

    /// Kills it; the loop reports its end.
    pub fn kill(&self) {
        let _ = process::kill_pidfd(self.pidfd.by_ref(), signal::SIGKILL);
    }

    /// Kills it and collects it here, if the loop cannot.
    pub fn abandon(self, events: &mut Loop) {
        events.remove(self.row);
        self.kill();
        await_end_of(self.pid);
    }
}
