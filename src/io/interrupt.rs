//! The signals that ask a command to stop. Long work holds them back, so that it can clean up.

use crate::sys::Errno;
use crate::sys::signal::{self, SignalSet};
use crate::{Error, Result};

const STOP: [(i32, &str); 3] =
    [(signal::SIGINT, "SIGINT"), (signal::SIGTERM, "SIGTERM"), (signal::SIGHUP, "SIGHUP")];

/// Returns the signals to hold back. An ignored signal stays ignored: if it were blocked, it would
/// become pending.
pub fn to_hold() -> SignalSet {
    let held = STOP.iter().filter(|(number, _)| !signal::is_ignored(*number));
    held.fold(SignalSet::NONE, |set, (number, _)| set.with(*number))
}

/// Returns the name of the pending signal that asks us to stop, if any.
pub fn pending() -> Option<&'static str> {
    let waiting = signal::pending();
    STOP.iter().find(|(number, _)| waiting.has(*number)).map(|(_, name)| *name)
}

/// Returns an error with EINTR if such a signal is pending.
pub fn check() -> Result<()> {
    match pending() {
        Some(name) => Err(Error::with_errno(format_args!("interrupted by {name}"), Errno::EINTR)),
        None => Ok(()),
    }
}
