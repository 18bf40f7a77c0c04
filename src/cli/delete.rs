//! `ocinit delete ID`: removes what is kept of a container that has stopped, or (`--force`) of any.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::{container, reached, temporary};
use crate::container::hooks::{self, HookContext};
use crate::container::intel_rdt;
use crate::container::state::{Directory, Id, Root, State, StateMemory, Status, owns_namespace};
use crate::limits::END_WAIT_MS;
use crate::memory::Memory;
use crate::sys::{Errno, event, process, signal};
use crate::{Context, Error, Result};

pub(super) const COMMAND: Command = Command {
    name: "delete",
    words: "ID",
    least: 1,
    most: 1,
    about: "Remove what is left of a container that has stopped.",
    flags: &[Flag::switch(
        "force",
        b'f',
        "kill it first, if need be; no error where there is none",
    )],
    run: Run::Container(run),
};

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let memory = crate::memory::claim();
    let id = Id::check(arguments.word(0))?;
    let root = container::root(arguments, false)?;
    let is_forced = arguments.has("force");
    match delete(&root, id, if is_forced { Removal::Forced } else { Removal::OfStopped }, memory) {
        Err(error) if is_forced && error.errno() == Errno::ENOENT => Ok(0),
        done => done.map(|()| 0),
    }
}

/// Which containers are removed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// One that has stopped, or was never started.
    OfStopped,
    /// One in any state.
    Forced,
    /// One whose process has ended with this status: limits that it reached are reported first.
    Ended(u8),
}

/// Removes a container.
pub(super) fn delete(root: &Root, id: Id<'_>, removal: Removal, memory: &mut Memory) -> Result<()> {
    let is_forced = removal != Removal::OfStopped;
    let mut directory = root.container(id)?;
    if removal == Removal::Forced {
        free(&directory, &mut memory.container.state);
    }
    directory.lock()?;
    let state = match directory.read(&mut memory.container.state) {
        // Whoever made it died before there was anything to remember.
        Err(error) if error.errno() == Errno::ENOENT => State::UNKNOWN,
        Err(error) if is_forced => {
            crate::warning!("{error}");
            State::UNKNOWN
        }
        state => state?,
    };
    match directory.status(&state) {
        Status::Stopped => {}
        // As runc and crun have it, and containerd wants it: what was never started may go.
        Status::Created => end(&directory, &state, &mut memory.config)?,
        _ if is_forced => end(&directory, &state, &mut memory.config)?,
        status => {
            return Err(Error::new(format_args!(
                "cannot delete container {id} that is not stopped: {}",
                status.name()
            )));
        }
    }
    if let Removal::Ended(status) = removal {
        reached::warn(&state, status);
    }
    crate::debug!("container {id}: its process has ended");
    state.remove_rest()?;
    // Hooks come last, when there is no file of the container's left.
    let document = directory.read_config(&mut memory.config).ok();
    // Before the state, which records that there is one.
    temporary::remove(&state)?;
    directory.remove()?;
    crate::debug!("container {id}: its cgroup, bundle and state are removed");
    intel_rdt::remove(document, id);
    let context = HookContext { document, id, state, status: Status::Stopped };
    if let Err(error) = hooks::run(&context, "poststop", true) {
        crate::warning!("{error}");
    }
    Ok(())
}

/// Kills a container that is being made in a frozen cgroup: its `create` waits for it, and holds
/// the lock meanwhile.
fn free(directory: &Directory<'_>, memory: &mut StateMemory) {
    if directory.is_locked_by_others()
        && let Ok(state) = directory.read(memory)
        && let Ok(Some(group)) = state.group()
        && group.stands_still()
    {
        let _ = group.kill_all();
    }
}

/// Kills the container's process and sees it end. Whose child it is collects it.
fn end(directory: &Directory<'_>, state: &State<'_>, buffer: &mut [u8]) -> Result<()> {
    let Some(pidfd) = state.process.open() else { return Ok(()) };
    // Without a cgroup the other processes are found by this one's namespaces, while it lives.
    if state.group()?.is_none()
        && let Ok(config) = directory.read_config(buffer)
        && !owns_namespace(config, "pid")
    {
        state.signal_all(Some(config), signal::SIGKILL)?;
    }
    match process::kill_pidfd(pidfd.by_ref(), signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => return Err(errno).doing("kill the container"),
    }
    match event::poll_one(pidfd.by_ref(), libc::POLLIN, END_WAIT_MS)
        .doing("wait for the container's end")?
    {
        0 => {
            Err(Error::new(format_args!("container {}: its process does not end", directory.id())))
        }
        _ => Ok(()),
    }
}
