//! `ocinit pause ID`, `ocinit resume ID`: freezes and thaws a container's processes.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::container::{self, Container};
use crate::engine::pause::Freezing;
use crate::{Result, engine};

pub(super) const PAUSE: Command = Command {
    name: "pause",
    words: "ID",
    least: 1,
    most: 1,
    about: "Let all processes of a container stand still.",
    flags: &[],
    run: Run::Container(|arguments| run(arguments, Freezing::Freeze)),
};

pub(super) const RESUME: Command = Command {
    name: "resume",
    about: "Let the processes of a container that was paused go on.",
    run: Run::Container(|arguments| run(arguments, Freezing::Thaw)),
    ..PAUSE
};

fn run(arguments: &Arguments<'_>, wanted: Freezing) -> Result<i32> {
    let Container { root, id } = container::parse(arguments)?;
    engine::pause::freeze(&root.open()?, id, wanted, &mut crate::memory::claim().engine).map(|()| 0)
}
