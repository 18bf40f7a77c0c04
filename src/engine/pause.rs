//! Freezes and thaws a container's processes.

use super::{EngineMemory, Lock};
use crate::cgroup::Cgroup;
use crate::container::state::{Directory, Id, Root, State, Status};
use crate::{Error, Result};

/// The wanted state of the processes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Freezing {
    /// Freezes them.
    Freeze,
    /// Thaws them.
    Thaw,
}

/// Freezes the container's processes, or thaws them.
pub fn freeze(root: &Root, id: Id<'_>, wanted: Freezing, memory: &mut EngineMemory) -> Result<()> {
    let on = wanted == Freezing::Freeze;
    super::with(root, id, Lock::Yes, memory, &mut |directory, state, _| {
        let is_right = match directory.status(state) {
            Status::Created | Status::Running => on,
            Status::Paused => !on,
            _ => false,
        };
        if !is_right {
            let what = if on { "running" } else { "paused" };
            return Err(Error::new(format_args!("container not {what}: {}", directory.id())));
        }
        group(directory, state)?.freeze(on)
    })
}

/// Returns the container's cgroup, or an error if it has none.
pub(super) fn group(directory: &Directory<'_>, state: &State<'_>) -> Result<Cgroup> {
    state
        .group()?
        .ok_or_else(|| Error::new(format_args!("container {} has no cgroup", directory.id())))
}
