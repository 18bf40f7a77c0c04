//! `ocinit create ID`: a container that waits for its start.

use super::{Arguments, Command, Run, container, making};
use crate::Result;
use crate::container::own_file;
use crate::container::state::Id;

pub(super) const COMMAND: Command = Command {
    name: "create",
    words: "ID",
    least: 1,
    most: 1,
    about: "Make a container, which waits for its start.",
    flags: &[
        making::BUNDLE,
        making::CONSOLE,
        making::PID_FILE,
        making::PIDFD,
        making::PRESERVED,
        making::NO_PIVOT,
        making::NO_KEYRING,
    ],
    run: Run::Container(run),
};

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    own_file::protect()?;
    let (root, id) = (container::root(arguments, true)?, Id::check(arguments.word(0))?);
    let memory = crate::memory::claim();
    making::make(arguments, &root, id, [true, false], memory)?;
    Ok(0)
}
