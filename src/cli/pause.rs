//! `ocinit pause ID`, `ocinit resume ID`: a container's processes stand still, and go on.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::container;
use crate::container::Cgroup;
use crate::container::state::{Directory, State, Status};
use crate::{Error, Result};

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
    container::with(arguments, true, &mut |directory, state, _| {
        let is_right = match directory.status(state) {
            Status::Created | Status::Running => on,
            Status::Paused => !on,
            _ => false,
        };
        if !is_right {
            let what = if on { "running" } else { "paused" };
            return Err(Error::new(format_args!("container not {what}: {}", directory.id())));
        }
        group(directory, state)?.freeze(on).map(|()| 0)
    })
}

/// The control group that a command needs.
pub(super) fn group(directory: &Directory<'_>, state: &State<'_>) -> Result<Cgroup> {
    state
        .group()?
        .ok_or_else(|| Error::new(format_args!("container {} has no cgroup", directory.id())))
}
