//! `ocinit start ID`: executes the program of a created container.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::container::{self, Container};
use super::notices::warn;
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
    let Container { root, id } = container::parse(arguments)?;
    engine::start::start(&root.open()?, id, &mut crate::memory::claim().engine, &warn).map(|()| 0)
}
