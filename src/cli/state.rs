//! `ocinit state ID`: the state of a container, as JSON.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::container::{self, Container};
use super::print::to_stdout;
use crate::Result;
use crate::codec::json::Writer;
use crate::engine::{self, Lock};

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
    let Container { root, id } = container::parse(arguments)?;
    let (root, memory) = (root.open()?, &mut crate::memory::claim().engine);
    to_stdout(|output| {
        engine::with(&root, id, Lock::No, memory, &mut |directory, state, texts| {
            let mut json = Writer::with_indent(output, "  ");
            // runc has this field, too, and leaves it empty here.
            directory.describe(&mut json, state, directory.status(state), Some(b""), texts);
            Ok(())
        })
    })
    .map(|()| 0)
}
