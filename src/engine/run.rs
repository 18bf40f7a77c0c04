//! Runs a container from its creation to its end.

use super::create::{Create, How, Source, Start, make};
use super::delete::{Removal, delete, report_limits};
use super::{Attach, EngineMemory, Notices, foreground, hold_signals};
use crate::container::notify::Relay;
use crate::io::observer::Observer;
use crate::sys::process;
use crate::{Context, Result};

/// The options of `run` beside those of the container.
pub struct Stay {
    /// The caller attends it in the foreground.
    pub attach: Attach,
    /// Orphaned processes become the caller's children.
    pub is_subreaper: bool,
    /// The container is not deleted at its end.
    pub keeps: bool,
}

/// Makes a container and starts it. Returns its process's exit status after its end and its
/// deletion, or 0 at once if the caller does not attend it.
pub fn run(
    wanted: &Create<'_>,
    stay: &Stay,
    source: Source<'_>,
    watch: &dyn Observer,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<u8> {
    let (attach, id) = (stay.attach, wanted.id);
    if attach == Attach::Yes {
        hold_signals()?;
        if stay.is_subreaper {
            process::set_subreaper().doing("become a subreaper")?;
        }
    }
    let root = wanted.root.make()?;
    let relay = Relay::of_environment();
    let how = How { root: &root, start: Start::Now, attach, relay: relay.as_ref() };
    let running = make(wanted, &how, source, watch, memory, notices)?;
    if attach == Attach::No {
        if let Some(relay) = relay {
            relay.wait(running.pid, running.pidfd.by_ref());
        }
        return Ok(0);
    }
    let status = foreground::wait(&running, relay.as_ref())?;
    if stay.keeps {
        report_limits(&root, id, status, memory, notices);
    } else {
        delete(&root, id, Removal::Ended(status), memory, notices)?;
    }
    Ok(status)
}
