//! `ocinit delete ID`: removes what is kept of a container that has stopped, or (`--force`) of any.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::container;
use super::notices::warn;
use crate::Result;
use crate::container::state::{Id, Root};
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
    id: Id<'a>,
    root: Root,
    is_forced: bool,
}

fn parse<'a>(arguments: &Arguments<'a>) -> Result<Delete<'a>> {
    Ok(Delete {
        id: Id::check(arguments.word(0))?,
        root: container::root(arguments, false)?,
        is_forced: arguments.has("force"),
    })
}

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let Delete { id, root, is_forced } = parse(arguments)?;
    let removal = if is_forced { Removal::Forced } else { Removal::OfStopped };
    match delete(&root, id, removal, &mut crate::memory::claim().engine, &warn) {
        Err(error) if is_forced && error.errno() == Errno::ENOENT => Ok(0),
        done => done.map(|()| 0),
    }
}
