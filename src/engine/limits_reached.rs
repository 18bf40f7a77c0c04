//! Limits that a container has reached. They are reported at its end, because its exit status does
//! not show them.

use super::{Notice, Notices};
use crate::cgroup::Cgroup;
use crate::container::state::State;
use crate::sys::process::Ended;
use crate::sys::signal::SIGKILL;
use core::ffi::CStr;

/// Sends a notice for each limit that the container reached. It ended with `status`.
pub fn report(state: &State<'_>, status: u8, notices: Notices<'_>) {
    let Ok(Some(group)) = state.group() else { return };
    let group = &group;
    if count(group, c"memory.events", "oom_kill ") > 0 {
        let is_own = status == Ended::Killed(SIGKILL).status();
        notices(&Notice::OutOfMemory { is_own, limit: group.number(c"memory.max") });
    }
    let failed = count(group, c"pids.events", "max ");
    if failed > 0 {
        notices(&Notice::TooManyProcesses { failed, limit: group.number(c"pids.max") });
    }
}

/// Returns the number after `key` in a file with a line for each, or 0.
fn count(group: &Cgroup, file: &CStr, key: &str) -> u64 {
    let mut buffer = [0; 512];
    let text = group.read(file, &mut buffer).unwrap_or_default();
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(key.as_bytes()));
    line.and_then(crate::io::text::decimal).unwrap_or(0)
}
