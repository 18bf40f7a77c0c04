//! `ocinit state ID`: what a container is doing, as JSON.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::container;
use crate::codec::json::Writer;
use crate::container::state::Id;
use crate::engine;
use crate::io::output::Output;
use crate::sys::fd::STDOUT;
use crate::{Context, Result};

pub(super) const COMMAND: Command = Command {
    name: "state",
    words: "ID",
    least: 1,
    most: 1,
    about: "Show the state of a container.",
    flags: &[],
    run: Run::Container(run),
};

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let (root, id) = (container::root(arguments, false)?, Id::check(arguments.word(0))?);
    let memory = &mut crate::memory::claim().engine;
    let mut output = Output::new(STDOUT);
    engine::with(&root, id, false, memory, &mut |directory, state, texts| {
        let mut json = Writer::with_indent(&mut output, "  ");
        // runc has this field, too, and leaves it empty here.
        directory.describe(&mut json, state, directory.status(state), Some(b""), texts);
        Ok(())
    })?;
    output.finish().doing("write standard output").map(|()| 0)
}
