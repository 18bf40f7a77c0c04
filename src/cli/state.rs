//! `ocinit state ID`: what a container is doing, as JSON.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::container;
use crate::codec::json::Writer;
use crate::container::state::Id;
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
    let memory = crate::memory::claim();
    let root = container::root(arguments, false)?;
    let directory = root.container(Id::check(arguments.word(0))?)?;
    let state = directory.read(&mut memory.container.state)?;
    let mut output = Output::new(STDOUT);
    let mut json = Writer::with_indent(&mut output, "  ");
    // runc has this field, too, and leaves it empty here.
    directory.describe(&mut json, &state, directory.status(&state), Some(b""), &mut memory.strings);
    output.finish().doing("write standard output")?;
    Ok(0)
}
