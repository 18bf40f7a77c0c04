//! `ocinit kill ID [SIGNAL]`: sends a signal to a container.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::container;
use crate::container::state::{Id, Status, owns_namespace};
use crate::io::lossy::LossyC;
use crate::sys::signal::{self, SIGKILL};
use crate::sys::{Errno, process};
use crate::{Context, Error, Result};
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

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let memory = crate::memory::claim();
    let signal = parse(arguments.words().nth(1).unwrap_or(c"TERM"))?;
    let root = container::root(arguments, false)?;
    let directory = root.container(Id::check(arguments.word(0))?)?;
    let state = directory.read(&mut memory.container.state)?;
    // Without a cgroup the config tells which processes are the container's.
    let config = match signal == SIGKILL || state.cgroup.is_empty() {
        true => directory.read_config(&mut memory.config).ok(),
        false => None,
    };
    if arguments.has("all") {
        return state.signal_all(config, signal).map(|()| 0);
    }
    // In its own pid namespace the first process takes all others with it. Otherwise, as in runc,
    // we kill each of them.
    if signal == SIGKILL && config.is_some_and(|config| !owns_namespace(config, "pid")) {
        let mut count = 0;
        state.each_process(config, &mut |_| count += 1)?;
        if count > 0 {
            return state.signal_all(config, signal).map(|()| 0);
        }
    }
    let sent = match state.process.open() {
        Some(pidfd) if directory.status(&state) != Status::Stopped => {
            process::kill_pidfd(pidfd.by_ref(), signal)
        }
        _ => Err(Errno::ESRCH),
    };
    match sent {
        // The words that containerd looks for.
        Err(Errno::ESRCH) => {
            Err(Error::new(format_args!("container not running: {}", directory.id())))
        }
        sent => sent.doing("send the signal").map(|()| 0),
    }
}

/// 0 is sent to find out whether anybody would get a signal.
fn parse(text: &CStr) -> Result<i32> {
    let known =
        text.to_str().ok().and_then(|name| if name == "0" { Some(0) } else { signal::parse(name) });
    known.ok_or_else(|| Error::new(format_args!("unknown signal \"{}\"", LossyC(text))))
}
