//! Retries: their number and their pauses.

use crate::control::Job;
use crate::failure::{Again, Failure, Result};
use std::time::{Duration, SystemTime};

/// Failures in a row without a byte between them.
const FAILURES_MAX: u32 = 3;
/// Failures of one request, with bytes between them.
const TOTAL_MAX: u32 = 64;
/// The longest pause that a server may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Counts the failures of one request.
pub struct Retry<'a> {
    /// Tells the user a line.
    note: &'a dyn Fn(&str),
    /// Waits so long. Returns false if the request is cancelled meanwhile.
    wait: &'a dyn Fn(Duration) -> bool,
    pause: Duration,
    in_a_row: u32,
    total: u32,
}

impl<'a> Retry<'a> {
    /// Nothing has failed. `pause`: the first.
    pub fn new(
        pause: Duration,
        note: &'a dyn Fn(&str),
        wait: &'a dyn Fn(Duration) -> bool,
    ) -> Retry<'a> {
        Retry { note, wait, pause, in_a_row: 0, total: 0 }
    }

    /// Returns after the pause that this failure needs, or the failure itself if it is the last.
    /// `has_progress`: bytes came since the one before.
    pub fn after(&mut self, failure: Failure, has_progress: bool) -> Result<()> {
        self.in_a_row = if has_progress { 1 } else { self.in_a_row + 1 };
        self.total += 1;
        let pause = match failure.again {
            Again::Never => return Err(failure),
            Again::After(pause) if pause > PAUSE_MAX => return Err(failure),
            Again::After(pause) => pause.max(self.pause),
            Again::Later => {
                let doubled = self.pause * (1 << (self.in_a_row - 1).min(6));
                doubled + doubled.mul_f64(f64::from(jitter()) / 1024.0)
            }
        };
        if self.in_a_row >= FAILURES_MAX || self.total >= TOTAL_MAX {
            return Err(failure);
        }
        (self.note)(&format!("{}; trying again in {}", failure.text, seconds(pause)));
        if (self.wait)(pause) { Ok(()) } else { Err(failure) }
    }
}

/// Runs a step until it succeeds or fails for good.
pub fn run<T>(pause: Duration, job: &Job, mut step: impl FnMut() -> Result<T>) -> Result<T> {
    let (note, wait) = (|text: &str| job.note(text), |pause| job.wait(pause));
    let mut retry = Retry::new(pause, &note, &wait);
    loop {
        match step() {
            Ok(value) => return Ok(value),
            Err(failure) => retry.after(failure, false)?,
        }
    }
}

/// `0.5 s`, `10 s`.
pub fn seconds(time: Duration) -> String {
    let tenths = time.as_millis().div_ceil(100);
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        part => format!("{}.{part} s", tenths / 10),
    }
}

/// 0 to 255, by the clock: so that many clients do not come back at once.
fn jitter() -> u8 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |time| time.subsec_micros() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Class;
    use std::cell::RefCell;

    fn failure(again: Again) -> Failure {
        Failure::new(Class::Cut, "cut").again(again)
    }

    #[test]
    fn pauses_grow_and_end_without_progress() {
        let waits = RefCell::new(Vec::new());
        let wait = |time: Duration| {
            waits.borrow_mut().push(time.as_millis());
            true
        };
        let mut retry = Retry::new(Duration::from_millis(100), &|_| {}, &wait);
        assert!(retry.after(failure(Again::Later), false).is_ok());
        assert!(retry.after(failure(Again::Later), false).is_ok());
        assert!(retry.after(failure(Again::Later), false).is_err());
        let waits = waits.borrow();
        assert!((100..125).contains(&waits[0]) && (200..250).contains(&waits[1]), "{waits:?}");
    }

    #[test]
    fn progress_allows_more_but_not_for_ever() {
        let mut retry = Retry::new(Duration::ZERO, &|_| {}, &|_| true);
        let count = (0..1000).take_while(|_| retry.after(failure(Again::Later), true).is_ok());
        assert_eq!(count.count(), TOTAL_MAX as usize - 1);
    }

    #[test]
    fn what_fails_for_good_or_for_long_is_not_tried_again() {
        let notes = RefCell::new(Vec::new());
        let note = |text: &str| notes.borrow_mut().push(text.to_string());
        let mut retry = Retry::new(Duration::ZERO, &note, &|_| true);
        assert!(retry.after(failure(Again::Never), true).is_err());
        assert!(retry.after(failure(Again::After(Duration::from_secs(61))), true).is_err());
        assert!(retry.after(failure(Again::After(Duration::from_millis(1500))), true).is_ok());
        assert_eq!(*notes.borrow(), ["cut; trying again in 1.5 s"]);
        let mut cancelled = Retry::new(Duration::ZERO, &note, &|_| false);
        assert!(cancelled.after(failure(Again::Later), true).is_err());
    }
}
