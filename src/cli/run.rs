//! `ocinit run ID`: runs a container from its start to its end, with the exit status of its
//! process.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::create_options::{self, CreateOptions};
use super::notices::warn;
use super::options;
use crate::Result;
use crate::container::own_file;
use crate::engine::run::Stay;
use crate::limits::COMMAND_WORDS_MAX;

pub(super) const COMMAND: Command = Command {
    name: "run",
    words: "ID [ARG]...",
    least: 1,
    most: COMMAND_WORDS_MAX,
    about: "Make a container, start it and stay with it; ends with its process's exit status.",
    flags: &options::of_create::<3, { options::SHARED + 3 }>([
        Flag::switch("detach", b'd', "do not stay"),
        Flag::switch("keep", 0, "the container is not deleted when it has ended"),
        Flag::switch("no-subreaper", 0, "do not look after processes that lose their parent"),
    ]),
    run: Run::Container(run),
};

fn parse<'a>(arguments: &Arguments<'a>) -> Result<(CreateOptions<'a>, Stay)> {
    let stay = Stay {
        attach: options::parse_attach(arguments),
        is_subreaper: !arguments.has("no-subreaper"),
        keeps: arguments.has("keep"),
    };
    Ok((create_options::parse(arguments)?, stay))
}

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let (options, stay) = parse(arguments)?;
    if let Some(format) = options.dry_run {
        return options.print(format);
    }
    own_file::protect()?;
    options.carry_out(&mut |wanted, source, watch| {
        let memory = &mut crate::memory::claim().engine;
        crate::engine::run::run(wanted, &stay, source, watch, memory, &warn).map(i32::from)
    })
}
