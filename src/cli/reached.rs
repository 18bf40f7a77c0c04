//! Limits that a container has reached: reported at its end, as its exit status does not show them.

use crate::container::Cgroup;
use crate::container::state::State;
use crate::sys::process::Ended;
use crate::sys::signal::SIGKILL;
use core::ffi::CStr;
use core::fmt::{self, Display};

/// Warns of each limit that the container, which ended with `status`, has reached.
pub(super) fn warn(state: &State<'_>, status: u8) {
    let Ok(Some(group)) = state.group() else { return };
    let group = &group;
    if count(group, c"memory.events", "oom_kill ") > 0 {
        let who = match status == Ended::Killed(SIGKILL).status() {
            true => "the container",
            false => "a process of the container",
        };
        match group.number(c"memory.max") {
            Some(limit) => {
                crate::warning!("out of memory: {who} was killed (limit {})", Bytes(limit))
            }
            None => crate::warning!("out of memory: {who} was killed"),
        }
    }
    let failed = count(group, c"pids.events", "max ");
    if failed > 0 {
        match group.number(c"pids.max") {
            Some(limit) => {
                crate::warning!("too many processes: {failed} could not be made (limit {limit})")
            }
            None => crate::warning!("too many processes: {failed} could not be made"),
        }
    }
}

/// The number behind `key` in a file with a line for each; 0 if there is none.
fn count(group: &Cgroup, file: &CStr, key: &str) -> u64 {
    let mut buffer = [0; 512];
    let text = group.read(file, &mut buffer).unwrap_or_default();
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(key.as_bytes()));
    line.and_then(crate::io::text::decimal).unwrap_or(0)
}

/// Bytes in the largest unit that they are a multiple of.
struct Bytes(u64);

impl Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if self.0 > 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{} {unit}", self.0 >> shift);
            }
        }
        write!(f, "{} bytes", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_exactly() {
        for (bytes, text) in [
            (32 << 20, "32 MiB"),
            (1 << 30, "1 GiB"),
            (1536 << 20, "1536 MiB"),
            (4096, "4 KiB"),
            (1001, "1001 bytes"),
            (0, "0 bytes"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }
}
