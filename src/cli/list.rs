//! `ocinit list`: all containers, as a table, as JSON, or by name.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::notices::warn;
use super::options::Format;
use super::print::to_stdout;
use super::{container, options};
use crate::codec::json::Writer;
use crate::container::state::{Rfc3339, Root};
use crate::engine::EngineMemory;
use crate::engine::list::{each, owner};
use crate::engine::state_root::StateRoot;
use crate::io::lossy::{Lossy, LossyC};
use crate::io::output::{Output, Sink};
use crate::limits::TABLE_BYTES;
use crate::sys::vm::MappedVec;
use crate::{Context, Error, Result};
use core::fmt::{self, Display, Write};

pub(super) const COMMAND: Command = Command {
    name: "list",
    words: "",
    least: 0,
    most: 0,
    about: "List containers.",
    flags: &[
        Flag::value(
            "format",
            b'f',
            "table|json",
            "for a person, which is the default, or for a program",
        ),
        Flag::switch("quiet", b'q', "only their names"),
    ],
    run: Run::Container(run),
};

const COLUMNS: usize = 6;
/// As Go's tabwriter has it where runc uses it: no column is narrower, and so much stands between
/// two.
const WIDTH_LEAST: usize = 12;
const PADDING: usize = 3;

struct List<'a> {
    root: StateRoot<'a>,
    format: Format,
    /// Only their names, whatever the format.
    only_names: bool,
}

fn parse<'a>(arguments: &Arguments<'a>) -> Result<List<'a>> {
    Ok(List {
        root: container::parse_root(arguments),
        format: options::parse_format(arguments, "table")?,
        only_names: arguments.has("quiet"),
    })
}

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let List { root, format, only_names } = parse(arguments)?;
    let memory = &mut crate::memory::claim().engine;
    let root = root.open_for_list()?;
    to_stdout(|output| match format {
        _ if only_names => root.each(&mut |id| {
            let _ = writeln!(output, "{id}");
            Ok(())
        }),
        Format::Person => as_table(&root, output, memory),
        Format::Program => as_json(&root, output, memory),
    })
    .map(|()| 0)
}

fn as_table(root: &Root, output: &mut Output<'_>, memory: &mut EngineMemory) -> Result<()> {
    let owner = owner()?;
    let mut table = Table::new();
    table.line([&"ID", &"PID", &"STATUS", &"BUNDLE", &"CREATED", &"OWNER"])?;
    each(root, &mut memory.container.state, &warn, &mut |directory, state| {
        let status = directory.status(state);
        table.line([
            &directory.id(),
            &state.pid(status),
            &status.name(),
            &LossyC(state.bundle),
            &Rfc3339(state.created),
            &Lossy(owner.bytes()),
        ])
    })?;
    table.write(output);
    Ok(())
}

fn as_json(root: &Root, output: &mut Output<'_>, memory: &mut EngineMemory) -> Result<()> {
    let owner = owner()?;
    let mut json = Writer::with_indent(output, "");
    let mut is_empty = true;
    let EngineMemory { container, strings, .. } = memory;
    each(root, &mut container.state, &warn, &mut |directory, state| {
        if core::mem::replace(&mut is_empty, false) {
            json.array();
        }
        let status = directory.status(state);
        directory.describe(&mut json, state, status, Some(owner.bytes()), strings);
        Ok(())
    })?;
    if is_empty {
        json.null()
    } else {
        json.end()
    }
    Ok(())
}

/// Lines of a table, kept until it is known how wide each column is.
struct Table {
    /// Each cell with a NUL behind it, which no cell holds.
    cells: MappedVec<u8>,
    widths: [usize; COLUMNS],
}

impl Table {
    fn new() -> Table {
        Table { cells: MappedVec::new(TABLE_BYTES), widths: [WIDTH_LEAST; COLUMNS] }
    }

    fn line(&mut self, cells: [&dyn Display; COLUMNS]) -> Result<()> {
        for (cell, width) in cells.iter().zip(&mut self.widths) {
            let mut counted = Counted { cells: &mut self.cells, count: 0 };
            write!(counted, "{cell}").map_err(|_| {
                Error::new(format_args!("more than {TABLE_BYTES} bytes of a table"))
            })?;
            *width = (*width).max(counted.count + PADDING);
            self.cells.push(0).doing("keep a table")?;
        }
        Ok(())
    }

    fn write(&self, output: &mut Output<'_>) {
        let columns = self.widths.iter().enumerate().cycle();
        for (cell, (n, width)) in self.cells.split(|byte| *byte == 0).zip(columns) {
            if n == 0 && cell.is_empty() {
                // The text behind the last NUL.
                return;
            }
            output.put(cell);
            // Counts characters: bytes that continue one are left out.
            let count = cell.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
            match n + 1 < COLUMNS {
                true => (count..*width).for_each(|_| output.put(b" ")),
                false => output.put(b"\n"),
            }
        }
    }
}

/// Appends a cell's text, and counts its characters.
struct Counted<'t> {
    cells: &'t mut MappedVec<u8>,
    count: usize,
}

impl Write for Counted<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.count += text.chars().count();
        self.cells.extend(text.as_bytes()).map_err(|_| fmt::Error)
    }
}
