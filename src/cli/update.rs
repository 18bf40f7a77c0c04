//! `ocinit update ID`: changes the limits of a running container.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::container::{self, Container};
use crate::engine::update::{Document, Update, update};
use crate::io::lossy::LossyC;
use crate::io::text::decimal;
use crate::io::units;
use crate::spec::Limit;
use crate::spec::limit::{Amount, LimitRow, rows};
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
        Flag::value("cpu-idle", 0, "0|1", "1: only idle CPU time"),
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

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let (Container { root, id }, wanted) = parse(arguments)?;
    update(&root.open()?, id, &wanted, &mut crate::memory::claim().engine).map(|()| 0)
}

fn parse<'a>(arguments: &Arguments<'a>) -> Result<(Container<'a>, Update<'a>)> {
    let container = container::parse(arguments)?;
    let document = arguments.value("resources").map(|path| match path == c"-" {
        true => Document::StandardInput,
        false => Document::File(path),
    });
    let mut wanted = Update { document, limits: heapless::Vec::new() };
    if wanted.document.is_none() {
        parse_limits(arguments, &mut wanted)?;
    }
    Ok((container, wanted))
}

fn parse_limits<'a>(arguments: &Arguments<'a>, wanted: &mut Update<'a>) -> Result<()> {
    for option in ["l3-cache-schema", "mem-bw-schema"] {
        if arguments.has(option) {
            return Err(Error::new(format_args!(
                "--{option}: limits of Intel RDT are not changed"
            )));
        }
    }
    for (key, row) in rows().filter(|(_, row)| !row.option.is_empty()) {
        let Some(given) = arguments.value(row.option).filter(|given| !given.is_empty()) else {
            continue;
        };
        let amount = match row.json {
            b'\'' => Some(Amount::Text(given)),
            _ => number(given.to_bytes(), row).map(Amount::Number),
        };
        let amount = amount.ok_or_else(|| {
            Error::new(format_args!("invalid value for {}: {}", row.option, LossyC(given)))
        })?;
        row.check(amount)?;
        // There is room for every row.
        let _ = wanted.limits.push(Limit { key, amount });
    }
    Ok(())
}

fn number(text: &[u8], row: &LimitRow) -> Option<i64> {
    let (sign, digits) = text.strip_prefix(b"-").map_or((1, text), |digits| (-1, digits));
    let number = match row.is_size() {
        true if sign > 0 => units::size(digits),
        // The only negative size is -1.
        true if digits != b"1" => None,
        _ => decimal(digits),
    };
    i64::try_from(number?).ok().map(|number| sign * number)
}
