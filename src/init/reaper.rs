//! Collects children that have ended: PID 1 is the parent of every orphan.

use crate::sys::process::{self, Ended, Whom};
use crate::sys::{Errno, event, signal};

/// Collects all that have ended by now, and shows each.
pub fn collect(see: &mut dyn FnMut(i32, Ended)) {
    while let Ok(Some((pid, ended))) = process::wait(Whom::Any, false) {
        see(pid, ended);
    }
}

/// Kills every process but this one, and waits until all are gone, up to a deadline: one that hangs
/// in the kernel must not keep the machine from going off.
pub fn kill_all() {
    const TURN_MS: i32 = 5;
    const TURNS: u32 = 400;
    let _ = process::kill(-1, signal::SIGKILL);
    for _ in 0..TURNS {
        match process::wait(Whom::Any, false) {
            Ok(Some(_)) => continue,
            Err(Errno::ECHILD) => return,
            _ => {
                let _ = event::wait_ms(TURN_MS);
            }
        }
    }
    crate::warning!("some processes cannot be killed");
}
