//! `ocinit start ID`: the process of a created container executes its program.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::container;
use super::notices::warn;
use crate::container::state::Id;
use crate::{Result, engine};

pub(super) const COMMAND: Command = Command {
    name: "start",
    words: "ID",
    least: 1,
    most: 1,
    about: "Start the process of a created container.",
    flags: &[],
    run: Run::Container(run),
};

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let (root, id) = (container::root(arguments, false)?, Id::check(arguments.word(0))?);
    engine::start::start(&root, id, &mut crate::memory::claim().engine, &warn).map(|()| 0)
}
