//! `ocinit create ID`: makes a container that waits for its start.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::notices::warn;
use super::{create_options, options};
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
    flags: &options::of_create::<0, { options::SHARED }>([]),
    run: Run::Container(run),
};

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let options = create_options::parse(arguments)?;
    if let Some(format) = options.dry_run {
        return options.print(format);
    }
    own_file::protect()?;
    options.carry_out(&mut |wanted, source, watch| {
        create(wanted, source, watch, &mut crate::memory::claim().engine, &warn).map(|()| 0)
    })
}
