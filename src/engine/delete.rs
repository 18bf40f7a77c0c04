//! Removes a container: its cgroup, bundle and state.

use super::{EngineMemory, Lock, Notice, Notices, image_bundle, limits_reached};
use crate::container::hooks::{self, HookContext};
use crate::container::intel_rdt;
use crate::container::state::{Directory, Id, Root, State, StateMemory, Status};
use crate::limits::END_WAIT_MS;
use crate::spec::{self, HookKind, Spec, SpecMemory};
use crate::sys::clone::CLONE_NEWPID;
use crate::sys::signal::{self, SignalSet};
use crate::sys::{Errno, process};
use crate::watch::{Happened, Interest, Loop};
use crate::{Context, Error, Result};

/// Stands for a config that cannot be read.
const NOTHING: &Spec<'_> = &Spec::NONE;

/// The containers that may be removed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// A stopped one, or one that was never started.
    OfStopped,
    /// One in any state.
    Forced,
    /// One whose process ended with this status. Reports the limits that it reached first.
    Ended(u8),
}

/// Removes a container.
pub fn delete(
    root: &Root,
    id: Id<'_>,
    removal: Removal,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<()> {
    let is_forced = removal != Removal::OfStopped;
    let mut directory = root.container(id)?;
    if removal == Removal::Forced {
        free(&directory, &mut memory.container.state);
    }
    directory.lock()?;
    let state = match directory.read(&mut memory.container.state) {
        // `create` died before it wrote state.json.
        Err(error) if error.errno() == Errno::ENOENT => State::UNKNOWN,
        Err(error) if is_forced => {
            notices(&Notice::Failed(&error));
            State::UNKNOWN
        }
        state => state?,
    };
    let mut room = SpecMemory::new(&mut memory.strings, &mut memory.lists);
    let spec =
        directory.read_config(&mut memory.config).and_then(|config| spec::read(config, &mut room));
    let spec = spec.as_ref().unwrap_or(NOTHING);
    match directory.status(&state) {
        Status::Stopped => {}
        // As in runc and crun: containerd wants to delete a container that was never started.
        Status::Created => end(&directory, &state, spec)?,
        _ if is_forced => end(&directory, &state, spec)?,
        status => {
            return Err(Error::new(format_args!(
                "cannot delete container {id} that is not stopped: {}",
                status.name()
            )));
        }
    }
    if let Removal::Ended(status) = removal {
        limits_reached::report(&state, status, notices);
    }
    crate::debug!("container {id}: its process has ended");
    state.remove_rest()?;
    // Before the state, which records the bundle.
    image_bundle::remove(&state, notices)?;
    directory.remove()?;
    crate::debug!("container {id}: its cgroup, bundle and state are removed");
    intel_rdt::remove(spec, id);
    // Hooks run last, when no file of the container is left.
    let context = HookContext { spec, id, state, status: Status::Stopped };
    if let Err(error) = hooks::run(&context, HookKind::Poststop) {
        notices(&Notice::Failed(&error));
    }
    Ok(())
}

/// Reports the limits that a container reached. It ended with `status`, and is not deleted.
pub fn report_limits(
    root: &Root,
    id: Id<'_>,
    status: u8,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) {
    let _ = super::with(root, id, Lock::No, memory, &mut |_, state, _| {
        limits_reached::report(state, status, notices);
        Ok(())
    });
}

/// Kills a starting container in a frozen cgroup, because its `create` waits for it and holds the
/// lock.
fn free(directory: &Directory<'_>, memory: &mut StateMemory) {
    if directory.is_locked_by_others()
        && let Ok(state) = directory.read(memory)
        && let Ok(Some(group)) = state.group()
        && group.stands_still()
    {
        let _ = group.kill_all();
    }
}

/// Kills the container's process and waits for its end. Its parent collects it.
fn end(directory: &Directory<'_>, state: &State<'_>, spec: &Spec<'_>) -> Result<()> {
    let Some(pidfd) = state.process.open() else { return Ok(()) };
    // Without a cgroup the other processes are found by this one's namespaces, while it lives.
    let is_read = !spec.source.is_empty();
    if is_read && spec.namespaces & CLONE_NEWPID == 0 && state.group()?.is_none() {
        state.signal_all(spec.namespaces, signal::SIGKILL)?;
    }
    match process::kill_pidfd(pidfd.by_ref(), signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => return Err(errno).doing("kill the container"),
    }
    // A pidfd can be read at the end of its process. It is not our child, or not ours to collect.
    let mut events = Loop::new(SignalSet::NONE)?;
    events.add(pidfd.by_ref(), Interest::READ)?;
    events.after(END_WAIT_MS)?;
    match events.next_event()? {
        Happened::Due(_) => {
            Err(Error::new(format_args!("container {}: its process does not end", directory.id())))
        }
        _ => Ok(()),
    }
}
