//! `ocinit pause ID`, `ocinit resume ID`: a container's processes stand still, and go on.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::container;
use crate::container::state::Id;
use crate::{Result, engine};

pub(super) const PAUSE: Command = Command {
    name: "pause",
    words: "ID",
    least: 1,
    most: 1,
    about: "Let all processes of a container stand still.",
    flags: &[],
    run: Run::Container(|arguments| freeze(arguments, true)),
};

pub(super) const RESUME: Command = Command {
    name: "resume",
    about: "Let the processes of a container that was paused go on.",
    run: Run::Container(|arguments| freeze(arguments, false)),
    ..PAUSE
};

fn freeze(arguments: &Arguments<'_>, on: bool) -> Result<i32> {
    let (root, id) = (container::root(arguments, false)?, Id::check(arguments.word(0))?);
    engine::pause::freeze(&root, id, on, &mut crate::memory::claim().engine).map(|()| 0)
}
