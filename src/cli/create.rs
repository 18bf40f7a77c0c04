//! `ocinit create ID`: a container that waits for its start.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::container::{self, Container};
use super::{making, options};
use crate::Result;
use crate::container::notify::Relay;
use crate::container::own_file;
use crate::engine::create::Start;
use crate::limits::COMMAND_WORDS_MAX;

pub(super) const COMMAND: Command = Command {
    name: "create",
    words: "ID [ARG]...",
    least: 1,
    most: COMMAND_WORDS_MAX,
    about: "Make a container, which waits for its start.",
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
    let Container { root, id } = container::parse(arguments)?;
    let root = root.make()?;
    let memory = &mut crate::memory::claim().engine;
    let relay = Relay::of_environment();
    making::make(arguments, &root, id, Start::Later, false, relay.as_ref(), memory)
        .inspect_err(|_| root.take_back())?;
    Ok(0)
}
