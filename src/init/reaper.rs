//! Ends what is left when the machine goes off.

use crate::sys::process::{self, Whom};
use crate::sys::{Errno, event, signal};

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
