//! `ocinit events ID`: what a container uses, again and again, and when it had too little memory; a
//! line of JSON each.

mod stats;

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::{container, pause, quantity};
use crate::codec::json::Writer;
use crate::container::Cgroup;
use crate::container::state::Status;
use crate::io::lossy::LossyC;
use crate::io::output::Output;
use crate::sys::fd::{Fd, STDOUT};
use crate::sys::{Errno, event, fs, time};
use crate::{Context, Error, Result};
use core::ffi::CStr;
use stats::Files;

pub(super) const COMMAND: Command = Command {
    name: "events",
    words: "ID",
    least: 1,
    most: 1,
    about: "Show what a container uses, and when it had too little memory, until it ends.",
    flags: &[
        Flag::switch("stats", 0, "show what it uses once"),
        Flag::value("interval", 0, "TIME", "how often it is shown: 5s, if not given"),
    ],
    run: Run::Container(run),
};

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    container::with(arguments, false, &mut |directory, state, buffer| {
        let interval = arguments.value("interval").unwrap_or(c"5s");
        let interval_us = quantity::microseconds(interval.to_bytes()).ok_or_else(|| {
            Error::new(format_args!("--interval {}: not a duration", LossyC(interval)))
        })?;
        if interval_us == 0 {
            return Err(Error::new(format_args!("duration interval must be greater than 0")));
        }
        if directory.status(state) == Status::Stopped {
            return Err(Error::new(format_args!(
                "container with id {} is not running",
                directory.id()
            )));
        }
        let group = pause::group(directory, state)?;
        let mut files = Files { group: &group, buffer };
        let id = directory.id().as_c_str();
        match arguments.has("stats") {
            true => tell(id, Some(&mut files))?,
            false => watch(id, &mut files, interval_us)?,
        }
        Ok(0)
    })
}

/// Tells of a container until it has no process any more.
fn watch(id: &CStr, files: &mut Files<'_>, interval_us: u64) -> Result<()> {
    let watched = |group: &Cgroup, name| fs::open(group.directory(), name, fs::O_RDONLY, 0);
    let processes = watched(files.group, c"cgroup.events").doing("watch the container")?;
    // Not where there is no such controller.
    let memory = watched(files.group, c"memory.events").ok();
    let set = event::new_set().doing("watch the container")?;
    for file in [Some(&processes), memory.as_ref()].into_iter().flatten() {
        event::add(&set, file.by_ref(), libc::EPOLLPRI, 0).doing("watch the container")?;
    }
    let mut killed =
        memory.as_ref().and_then(|memory| count(memory, b"oom_kill").ok()).unwrap_or(0);
    let mut next = time::monotonic_us() + interval_us;
    loop {
        // Told of changes after what was read last: all of it is read each time.
        let now =
            memory.as_ref().and_then(|memory| count(memory, b"oom_kill").ok()).unwrap_or(killed);
        if now > killed {
            killed = now;
            tell(id, None)?;
        }
        match count(&processes, b"populated") {
            // The group is gone.
            Ok(0) | Err(Errno::ENODEV) => return Ok(()),
            answer => answer.doing("watch the container")?,
        };
        let left_us = next.saturating_sub(time::monotonic_us());
        if left_us == 0 {
            tell(id, Some(files))?;
            next = time::monotonic_us() + interval_us;
            continue;
        }
        let timeout_ms = left_us.div_ceil(1000).min(1 << 30) as i32;
        event::wait(&set, &mut [event::Event::default()], timeout_ms)
            .doing("watch the container")?;
    }
}

/// A number of a file that has a line for each.
fn count(file: &Fd, key: &[u8]) -> crate::sys::Result<u64> {
    let mut buffer = [0; 512];
    let length = fs::read_at(file.by_ref(), &mut buffer, 0)?;
    Ok(stats::number(&buffer[..length], key).unwrap_or(0))
}

/// Writes one line: what there is in these files, or that memory was too little.
fn tell(id: &CStr, files: Option<&mut Files<'_>>) -> Result<()> {
    let mut output = Output::new(STDOUT);
    let mut json = Writer::with_indent(&mut output, "");
    json.object();
    json.string_of("type", if files.is_some() { b"stats" } else { b"oom" });
    json.string_of("id", id.to_bytes());
    if let Some(files) = files {
        json.object_of("data");
        files.write(&mut json);
        json.end();
    }
    json.end();
    output.finish().doing("write standard output")
}
