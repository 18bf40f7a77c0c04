//! Executes the program of a created container.

use super::delete::{Removal, delete};
use super::{EngineMemory, Notices};
use crate::container::hooks::{self, HookContext};
use crate::container::notify::Relay;
use crate::container::report::Report;
use crate::container::start_socket;
use crate::container::starting;
use crate::container::state::{Id, Root, Status};
use crate::spec::{self, HookKind, SpecMemory};
use crate::{Error, Result};

/// Starts the container. With a service manager it returns when the container is ready or has
/// ended.
pub fn start(
    root: &Root,
    id: Id<'_>,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<()> {
    let mut directory = root.container(id)?;
    directory.lock()?;
    let state = directory.read(&mut memory.container.state)?;
    let mut room = SpecMemory::new(&mut memory.strings, &mut memory.lists);
    let spec = spec::read(directory.read_config(&mut memory.config)?, &mut room)?;
    let report = spec.is_filtered().then(Report::with_file).transpose()?;
    let file = report.as_ref().map(|(_, file)| file.by_ref());
    let channel = match directory.status(&state) {
        Status::Created => start_socket::release(directory.fd(), file)?,
        Status::Stopped => {
            return Err(Error::new(format_args!("cannot start a container that has stopped")));
        }
        _ => return Err(Error::new(format_args!("cannot start an already running container"))),
    };
    let Some(channel) = channel else { return Err(start_socket::nobody_waits()) };
    let relay = Relay::of_environment();
    if let Some(relay) = &relay {
        relay.listen(&directory)?;
    }
    let pidfd = state.process.open();
    let context = HookContext { spec: &spec, id, state, status: Status::Running };
    starting::release(&channel, report.as_ref().map(|(report, _)| report))?;
    let done = hooks::run(&context, HookKind::Poststart);
    if done.is_err() {
        // A container whose poststart hooks fail is stopped and destroyed (runtime-spec 1.3).
        drop(directory);
        delete(root, id, Removal::Forced, memory, notices)?;
        return done;
    }
    // Unlock the container, so that other commands may use it while it gets ready.
    drop(directory);
    if let (Some(relay), Some(pidfd)) = (relay, pidfd) {
        relay.wait(state.process.pid, pidfd.by_ref());
    }
    Ok(())
}
