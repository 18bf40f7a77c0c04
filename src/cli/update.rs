//! `ocinit update ID`: other limits for a container that runs.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::container::{self, Container};
use crate::codec::json::Writer;
use crate::engine::update::update;
use crate::io::document;
use crate::io::lossy::LossyC;
use crate::io::output::InMemory;
use crate::io::text::decimal;
use crate::io::units;
use crate::sys::fd::STDIN;
use crate::{Error, Result};

pub(super) const COMMAND: Command = Command {
    name: "update",
    words: "ID",
    least: 1,
    most: 1,
    about: "Change limits of a container. What is not given stays as it is.",
    flags: &[
        Flag::value(
            "resources",
            b'r',
            "FILE|-",
            "a file with linux.resources, or standard input; no other option counts then",
        ),
        Flag::value("memory", 0, "BYTES", "memory; -1 for no limit"),
        Flag::value("memory-swap", 0, "BYTES", "memory and swap together"),
        Flag::value("memory-reservation", 0, "BYTES", "memory that is left to it if possible"),
        Flag::value("kernel-memory", 0, "BYTES", "ignored"),
        Flag::value("kernel-memory-tcp", 0, "BYTES", "ignored"),
        Flag::value("cpu-quota", 0, "US", "microseconds of CPU time in each period"),
        Flag::value("cpu-period", 0, "US", "the period"),
        Flag::value("cpu-burst", 0, "US", "what it may save of its quota"),
        Flag::value("cpu-share", 0, "N", "its share of busy CPUs, 1024 for a common one"),
        Flag::value("cpu-idle", 0, "0|1", "1: only CPU time that nobody else wants"),
        Flag::value("cpu-rt-runtime", 0, "US", "refused: cgroup2 has no such limit"),
        Flag::value("cpu-rt-period", 0, "US", "refused, too"),
        Flag::value("cpuset-cpus", 0, "LIST", "the CPUs it may use: 0-2,5"),
        Flag::value("cpuset-mems", 0, "LIST", "the memory nodes it may use"),
        Flag::value("blkio-weight", 0, "N", "its share of busy disks, 10 to 1000"),
        Flag::value("pids-limit", 0, "N", "processes and threads; -1 for no limit"),
        Flag::value("l3-cache-schema", 0, "TEXT", "refused: limits of Intel RDT are not changed"),
        Flag::value("mem-bw-schema", 0, "TEXT", "refused, too"),
    ],
    run: Run::Container(run),
};

enum Kind {
    Bytes,
    Number,
    List,
}

/// Options, and the members of `linux.resources` that they are, object by object.
const MEMBERS: [(&str, &str, &str, Kind); 14] = [
    ("memory", "memory", "limit", Kind::Bytes),
    ("memory-swap", "memory", "swap", Kind::Bytes),
    ("memory-reservation", "memory", "reservation", Kind::Bytes),
    ("cpu-quota", "cpu", "quota", Kind::Number),
    ("cpu-period", "cpu", "period", Kind::Number),
    ("cpu-burst", "cpu", "burst", Kind::Number),
    ("cpu-share", "cpu", "shares", Kind::Number),
    ("cpu-idle", "cpu", "idle", Kind::Number),
    ("cpu-rt-runtime", "cpu", "realtimeRuntime", Kind::Number),
    ("cpu-rt-period", "cpu", "realtimePeriod", Kind::Number),
    ("cpuset-cpus", "cpu", "cpus", Kind::List),
    ("cpuset-mems", "cpu", "mems", Kind::List),
    ("blkio-weight", "blockIO", "weight", Kind::Number),
    ("pids-limit", "pids", "limit", Kind::Number),
];

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let Container { root, id } = container::parse(arguments)?;
    let root = root.open()?;
    let memory = &mut crate::memory::claim().engine;
    update(&root, id, &|buffer| read(arguments, buffer), memory).map(|()| 0)
}

fn read<'b>(arguments: &Arguments<'_>, buffer: &'b mut [u8]) -> Result<&'b mut [u8]> {
    match arguments.value("resources") {
        None => by_options(arguments, buffer),
        Some(name) if name == c"-" => document::read_open(STDIN, c"standard input", buffer),
        Some(path) => document::read_named(path, buffer),
    }
}

/// Returns the document that says the same as these options.
fn by_options<'b>(arguments: &Arguments<'_>, buffer: &'b mut [u8]) -> Result<&'b mut [u8]> {
    for option in ["l3-cache-schema", "mem-bw-schema"] {
        if arguments.has(option) {
            return Err(Error::new(format_args!(
                "--{option}: limits of Intel RDT are not changed"
            )));
        }
    }
    let (mut sink, mut section) = (InMemory::new(buffer), "");
    let mut json = Writer::with_indent(&mut sink, "");
    json.object();
    for (option, object, key, kind) in &MEMBERS {
        let Some(given) = arguments.value(option).filter(|given| !given.is_empty()) else {
            continue;
        };
        if *object != section {
            if !section.is_empty() {
                json.end();
            }
            section = object;
            json.object_of(section);
        }
        match (kind, number(given.to_bytes(), kind)) {
            (Kind::List, _) => json.string_of(key, given.to_bytes()),
            (_, Some(number)) => json.key(key).signed(number),
            (_, None) => {
                return Err(Error::new(format_args!(
                    "invalid value for {option}: {}",
                    LossyC(given)
                )));
            }
        }
    }
    if !section.is_empty() {
        json.end();
    }
    json.end();
    sink.finish()
}

fn number(text: &[u8], kind: &Kind) -> Option<i64> {
    let (sign, digits) = text.strip_prefix(b"-").map_or((1, text), |digits| (-1, digits));
    let number = match kind {
        Kind::Bytes if sign > 0 => units::size(digits),
        // Of sizes none but -1.
        Kind::Bytes if digits != b"1" => None,
        _ => decimal(digits),
    };
    i64::try_from(number?).ok().map(|number| sign * number)
}
