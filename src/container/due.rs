//! The steps on the host's side while a process starts, as data of its launch. `starting.rs` takes
//! each step at its message.

use super::hooks::HookContext;
use super::state::{Directory, Process, State};
use super::{intel_rdt, net_devices};
use crate::cgroup::Joined;
use crate::error::Result;
use crate::spec::{HookKind, TAKES_CONFIGS};
use core::cell::Cell;

/// The steps on the host's side of one start.
#[derive(Clone, Copy)]
pub struct Due<'a> {
    /// The container, for its hooks and its listener. None: it has neither.
    pub container: Option<HookContext<'a>>,
    /// The state to write when the process is created.
    pub record: Option<&'a Record<'a>>,
    /// The hooks that run when the mounts are made, one kind after the other.
    pub hooks: &'static [HookKind],
    /// Names another cgroup if the process cannot be created in its own.
    pub cgroup: Option<&'a Joined<'a>>,
}

impl<'a> Due<'a> {
    /// Nothing is due.
    pub const NOTHING: Due<'static> =
        Due { container: None, record: None, hooks: &[], cgroup: None };

    /// Returns the record of a process, if there is one. PID 1 keeps none.
    pub(super) fn record(&self) -> Option<&'a Record<'a>> {
        self.record.filter(|_| TAKES_CONFIGS)
    }

    /// Returns the container as it is now.
    pub(super) fn container(&self) -> Option<HookContext<'a>> {
        let state = |context: &HookContext<'a>| match self.record {
            Some(record) => State { process: record.process.get(), ..context.state },
            None => context.state,
        };
        self.container.map(|context| HookContext { state: state(&context), ..context })
    }

    /// Returns whether some hooks are due before the pivot.
    pub fn has_hooks(&self) -> bool {
        let has = |context: HookContext<'_>| {
            self.hooks.iter().any(|kind| !context.spec.hooks.of(*kind).is_empty())
        };
        self.container.is_some_and(has)
    }
}

/// The state of a container that is being made.
pub struct Record<'a> {
    /// Its directory below the state root.
    pub directory: &'a Directory<'a>,
    /// The container, for its hooks.
    pub context: HookContext<'a>,
    /// Its process.
    pub process: &'a Cell<Process>,
}

impl Record<'_> {
    /// The process exists, and has done nothing visible to others yet.
    pub(super) fn process_created(&self, pid: i32) -> Result<()> {
        let Some(process) = Process::now(pid) else { return Ok(()) };
        self.write(process)?;
        let spec = self.context.spec;
        intel_rdt::join(spec, self.directory.id(), pid)?;
        net_devices::hand_over(spec.net_devices, pid)
    }

    /// From now on this is the container's process: the one that set it up has made it, and is
    /// gone.
    pub(super) fn moved(&self, pid: i32) -> Result<()> {
        // If it has died, its next message has the reason.
        Process::now(pid).map_or(Ok(()), |process| self.write(process))
    }

    fn write(&self, process: Process) -> Result<()> {
        self.process.set(process);
        self.directory.write(&State { process, ..self.context.state })
    }
}
