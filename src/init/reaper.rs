//! Ends the remaining processes before the machine goes off.

use crate::Result;
use crate::sys::process;
use crate::sys::signal::{self, SIGCHLD, SignalSet};
use crate::watch::{Happened, Loop, children};

/// Milliseconds for killed processes to end. One that hangs in the kernel must not keep the machine
/// running.
const PATIENCE_MS: u64 = 2000;

/// Kills every process but this one, and waits until all are gone.
pub fn kill_all() {
    let _ = process::kill(-1, signal::SIGKILL);
    if !are_gone_in_time().unwrap_or(false) {
        crate::warning!("some processes cannot be killed");
    }
}

fn are_gone_in_time() -> Result<bool> {
    // It collects all children: SIGCHLD is blocked since the boot.
    let mut events = Loop::new(SignalSet::NONE.with(SIGCHLD))?;
    events.after(PATIENCE_MS)?;
    while !children::are_gone() {
        events.wait(None)?;
        while let Some(happened) = events.take()? {
            if let Happened::Due(_) = happened {
                return Ok(children::are_gone());
            }
        }
    }
    Ok(true)
}
