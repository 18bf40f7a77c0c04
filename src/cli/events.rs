//! `ocinit events ID`: a container's resource usage at intervals, and its OOM events, a line of
//! JSON each.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::container::{self, Container};
use super::print::to_stdout;
use crate::codec::json::Writer;
use crate::engine::events::{Event, observe};
use crate::engine::stats::Files;
use crate::io::lossy::LossyC;
use crate::io::units;
use crate::{Error, Result};
use core::ffi::CStr;

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

struct Events<'a> {
    container: Container<'a>,
    /// Microseconds between two reports. None means once.
    interval_us: Option<u64>,
}

fn parse<'a>(arguments: &Arguments<'a>) -> Result<Events<'a>> {
    let container = container::parse(arguments)?;
    let interval_us = interval(arguments.value("interval").unwrap_or(c"5s"))?;
    Ok(Events { container, interval_us: (!arguments.has("stats")).then_some(interval_us) })
}

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let Events { container: Container { root, id }, interval_us } = parse(arguments)?;
    let name = id.as_c_str();
    observe(&root.open()?, id, interval_us, &mut crate::memory::claim().engine, &mut |event| {
        match event {
            Event::Stats(files) => tell(name, Some(files)),
            Event::OutOfMemory => tell(name, None),
        }
    })
    .map(|()| 0)
}

fn interval(text: &CStr) -> Result<u64> {
    match units::microseconds(text.to_bytes(), None) {
        None => Err(Error::new(format_args!("--interval {}: not a duration", LossyC(text)))),
        Some(0) => Err(Error::new(format_args!("duration interval must be greater than 0"))),
        Some(interval_us) => Ok(interval_us),
    }
}

/// Writes one line: the statistics of these files, or an OOM event.
fn tell(id: &CStr, mut files: Option<&mut Files<'_>>) -> Result<()> {
    to_stdout(|output| {
        let mut json = Writer::with_indent(output, "");
        json.object();
        json.string_of("type", if files.is_some() { b"stats" } else { b"oom" });
        json.string_of("id", id.to_bytes());
        if let Some(files) = &mut files {
            json.object_of("data");
            files.write(&mut json);
            json.end();
        }
        json.end();
        Ok(())
    })
}
