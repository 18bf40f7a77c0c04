//! `ocinit run ID`: a container from its start to its end, with the exit status of its process.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::container::{self, Container};
use super::notices::warn;
use super::{making, options};
use crate::container::notify::Relay;
use crate::container::own_file;
use crate::engine::create::Start;
use crate::engine::delete::{Removal, delete, report_limits};
use crate::engine::{self, foreground};
use crate::limits::COMMAND_WORDS_MAX;
use crate::sys::process;
use crate::{Context, Result};

pub(super) const COMMAND: Command = Command {
    name: "run",
    words: "ID [ARG]...",
    least: 1,
    most: COMMAND_WORDS_MAX,
    about: "Make a container, start it and stay with it; ends with its process's exit status.",
    flags: &[
        options::BUNDLE,
        options::IMAGE,
        options::PLATFORM,
        options::REF,
        options::MAX_SIZE,
        options::TTY,
        options::PRIVILEGED,
        options::SECURITY_OPT,
        options::ULIMIT,
        Flag::switch("detach", b'd', "do not stay"),
        Flag::switch("keep", 0, "the container is not deleted when it has ended"),
        Flag::switch("no-subreaper", 0, "do not look after processes that lose their parent"),
        options::CONSOLE,
        options::PID_FILE,
        options::PIDFD,
        options::PRESERVED,
        options::NO_PIVOT,
        options::NO_KEYRING,
        options::DRY_RUN,
        options::PLAN_FORMAT,
    ],
    run: Run::Container(run),
};

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    if arguments.has("dry-run") {
        return making::dry_run(arguments);
    }
    own_file::protect()?;
    let stays = !arguments.has("detach");
    if stays {
        engine::hold_signals()?;
        if !arguments.has("no-subreaper") {
            process::set_subreaper().doing("become a subreaper")?;
        }
    }
    let Container { root, id } = container::parse(arguments)?;
    let root = root.make()?;
    let memory = &mut crate::memory::claim().engine;
    let relay = Relay::of_environment();
    let running = making::make(arguments, &root, id, Start::Now, stays, relay.as_ref(), memory)
        .inspect_err(|_| root.take_back())?;
    if !stays {
        if let Some(relay) = relay {
            relay.wait(running.pid, running.pidfd.by_ref());
        }
        return Ok(0);
    }
    let status = foreground::wait(&running, relay.as_ref())?;
    if !arguments.has("keep") {
        delete(&root, id, Removal::Ended(status), memory, &warn)?;
    } else {
        report_limits(&root, id, status, memory, &warn);
    }
    Ok(status.into())
}
