//! Sends a signal to a container.

use super::EngineMemory;
use crate::container::state::{Id, Root, Status};
use crate::spec;
use crate::sys::clone::CLONE_NEWPID;
use crate::sys::signal::SIGKILL;
use crate::sys::{Errno, process};
use crate::{Context, Error, Result};

/// The processes that get the signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The container's own process. Its SIGKILL ends the others, too.
    Process,
    /// All processes of the container.
    All,
}

/// Sends `signal`; 0 only checks whether a process exists.
pub fn kill(
    root: &Root,
    id: Id<'_>,
    signal: i32,
    target: Target,
    memory: &mut EngineMemory,
) -> Result<()> {
    let directory = root.container(id)?;
    let state = directory.read(&mut memory.container.state)?;
    // Without a cgroup the container's processes are found by its namespaces.
    let namespaces = match signal == SIGKILL || state.cgroup.is_empty() {
        true => directory.read_config(&mut memory.config).and_then(spec::read_namespaces).ok(),
        false => None,
    };
    let all = namespaces.unwrap_or(0);
    if target == Target::All {
        return state.signal_all(all, signal);
    }
    // The end of a pid namespace's first process ends all others. Without one we kill each process,
    // as runc does.
    if signal == SIGKILL && namespaces.is_some_and(|kinds| kinds & CLONE_NEWPID == 0) {
        let mut count = 0;
        state.each_process(all, &mut |_| count += 1)?;
        if count > 0 {
            return state.signal_all(all, signal);
        }
    }
    let sent = match state.process.open() {
        Some(pidfd) if directory.status(&state) != Status::Stopped => {
            process::kill_pidfd(pidfd.by_ref(), signal)
        }
        _ => Err(Errno::ESRCH),
    };
    match sent {
        // containerd looks for these words.
        Err(Errno::ESRCH) => {
            Err(Error::new(format_args!("container not running: {}", directory.id())))
        }
        sent => sent.doing("send the signal"),
    }
}
