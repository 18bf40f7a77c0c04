//! `ocinit list`: all containers, as a table, as JSON, or by name.

use super::arguments::{Arguments, choice};
use super::command::{Command, Flag, Run};
use super::container;
use super::notices::warn;
use crate::codec::json::Writer;
use crate::container::state::Rfc3339;
use crate::engine::list::each;
use crate::io::lossy::{Lossy, LossyC};
use crate::io::output::{Output, Sink};
use crate::io::passwd::{End, Field, Table as Passwd};
use crate::limits::TABLE_BYTES;
use crate::sys::fd::STDOUT;
use crate::sys::process;
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

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let memory = &mut crate::memory::claim().engine;
    let root = container::root_of_all(arguments)?;
    let format = arguments.value("format").unwrap_or(c"table");
    let mut output = Output::new(STDOUT);
    let space = &mut memory.container.state;
    match format.to_bytes() {
        b"table" | b"json" if arguments.has("quiet") => root.each(&mut |id| {
            let _ = writeln!(output, "{id}");
            Ok(())
        })?,
        b"table" => {
            let owner = owner()?;
            let mut table = Table::new();
            table.line([&"ID", &"PID", &"STATUS", &"BUNDLE", &"CREATED", &"OWNER"])?;
            each(&root, space, &warn, &mut |directory, state| {
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
            table.write(&mut output);
        }
        b"json" => {
            let owner = owner()?;
            let mut json = Writer::with_indent(&mut output, "");
            let mut is_empty = true;
            each(&root, space, &warn, &mut |directory, state| {
                if core::mem::replace(&mut is_empty, false) {
                    json.array();
                }
                directory.describe(
                    &mut json,
                    state,
                    directory.status(state),
                    Some(owner.bytes()),
                    &mut memory.strings,
                );
                Ok(())
            })?;
            if is_empty { json.null() } else { json.end() }
        }
        _ => return Err(choice("--format", format, "table nor json")),
    }
    output.finish().doing("write standard output")?;
    Ok(0)
}

/// Returns the owner's name, or `#` and its number: the caller, as we read no other user's state.
fn owner() -> Result<Field> {
    let uid = process::effective_uid();
    let mut table = Passwd::open_on_host(c"/etc/passwd")?;
    let (mut name, mut field, mut column) = (Field::new(), Field::new(), 0);
    while let Some(end) = table.field(&mut field, false)? {
        match column {
            0 => name.copy(&field),
            2 if field.number() == Some(uid) => return Ok(name),
            _ => {}
        }
        column = if end == End::Line { 0 } else { column + 1 };
    }
    let mut text: heapless::String<16> = heapless::String::new();
    let _ = write!(text, "#{uid}");
    name.set(text.as_bytes());
    Ok(name)
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
