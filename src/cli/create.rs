//! `ocinit create ID`: makes a container that waits for its start.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::making::{self, Typed};
use super::notices::warn;
use super::options;
use crate::Result;
use crate::container::own_file;
use crate::engine::create::create;
use crate::limits::COMMAND_WORDS_MAX;

pub(super) const COMMAND: Command = Command {
    name: "create",
    words: "ID [ARG]...",
    least: 1,
    most: COMMAND_WORDS_MAX,
    about: "Make a container, which waits for its start.",
    flags: &options::of_making::<0, { options::SHARED }>([]),
    run: Run::Container(run),
};

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let making = match making::parse(arguments)? {
        Typed::Plan(dry_run) => return dry_run.print(),
        Typed::Make(making) => making,
    };
    own_file::protect()?;
    making.carry_out(&mut |wanted, source, watch| {
        create(wanted, source, watch, &mut crate::memory::claim().engine, &warn).map(|()| 0)
    })
}
