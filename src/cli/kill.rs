//! `ocinit kill ID [SIGNAL]`: sends a signal to a container.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::container::{self, Container};
use crate::engine::kill::{Target, kill};
use crate::io::lossy::LossyC;
use crate::sys::signal;
use crate::{Error, Result};
use core::ffi::CStr;

pub(super) const COMMAND: Command = Command {
    name: "kill",
    words: "ID [SIGNAL]",
    least: 1,
    most: 2,
    about: "Send a signal, by number or name, to the process of a container; SIGTERM where none is given.",
    flags: &[Flag::switch("all", b'a', "to all of its processes")],
    run: Run::Container(run),
};

struct Kill<'a> {
    signal: i32,
    container: Container<'a>,
    target: Target,
}

fn parse<'a>(arguments: &Arguments<'a>) -> Result<Kill<'a>> {
    Ok(Kill {
        signal: signal_of(arguments.words().nth(1).unwrap_or(c"TERM"))?,
        container: container::parse(arguments)?,
        target: if arguments.has("all") { Target::All } else { Target::Process },
    })
}

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let Kill { signal, container: Container { root, id }, target } = parse(arguments)?;
    kill(&root.open()?, id, signal, target, &mut crate::memory::claim().engine).map(|()| 0)
}

/// Returns the signal's number. 0 only checks whether the process exists.
fn signal_of(text: &CStr) -> Result<i32> {
    let known =
        text.to_str().ok().and_then(|name| if name == "0" { Some(0) } else { signal::parse(name) });
    known.ok_or_else(|| Error::new(format_args!("unknown signal \"{}\"", LossyC(text))))
}
