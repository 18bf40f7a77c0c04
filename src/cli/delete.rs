//! `ocinit delete ID`: removes the state of a stopped container, or (`--force`) of any.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::container::{self, Container};
use super::notices::warn;
use crate::Result;
use crate::engine::delete::{Removal, delete};
use crate::sys::Errno;

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

struct Delete<'a> {
    container: Container<'a>,
    removal: Removal,
}

fn parse<'a>(arguments: &Arguments<'a>) -> Result<Delete<'a>> {
    let is_forced = arguments.has("force");
    let removal = if is_forced { Removal::Forced } else { Removal::OfStopped };
    Ok(Delete { container: container::parse(arguments)?, removal })
}

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let Delete { container: Container { root, id }, removal } = parse(arguments)?;
    match delete(&root.open()?, id, removal, &mut crate::memory::claim().engine, &warn) {
        Err(error) if removal == Removal::Forced && error.errno() == Errno::ENOENT => Ok(0),
        done => done.map(|()| 0),
    }
}
