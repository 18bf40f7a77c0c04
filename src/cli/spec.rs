//! `ocinit spec`: writes an example config.json.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::options;
use crate::Result;
use crate::engine::example::{For, write_example};
use core::ffi::CStr;

pub(super) const COMMAND: Command = Command {
    name: "spec",
    words: "",
    least: 0,
    most: 0,
    about: "Write a config.json for a root directory of the name rootfs.",
    flags: &[
        options::BUNDLE,
        Flag::switch("rootless", 0, "for an ordinary user, in a user namespace"),
    ],
    run: Run::Container(run),
};

struct Example<'a> {
    bundle: Option<&'a CStr>,
    whose: For,
}

fn parse<'a>(arguments: &Arguments<'a>) -> Example<'a> {
    // Among the global options --rootless has a value and another meaning.
    let is_rootless = arguments.has("rootless") && arguments.value("rootless").is_none();
    Example {
        bundle: arguments.value("bundle"),
        whose: if is_rootless { For::User } else { For::Root },
    }
}

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let Example { bundle, whose } = parse(arguments);
    write_example(bundle, whose).map(|()| 0)
}
