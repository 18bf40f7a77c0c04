//! `ocinit list`: all containers, as a table, as JSON, or by name.

use super::{Arguments, Command, Flag, Run, choice, container};
use crate::codec::json::Writer;
use crate::container::state::{Directory, Id, Rfc3339, Root, State, StateMemory};
use crate::io::fields::{End, Field, Table};
use crate::io::output::Output;
use crate::io::show::{Show, ShowC};
use crate::sys::Errno;
use crate::sys::fd::STDOUT;
use crate::{Context, Result};
use core::fmt::{self, Display, Write};

pub(super) const COMMAND: Command = Command {
    name: "list",
    words: "",
    least: 0,
    most: 0,
    about: "List containers.",
    flags: &[
        Flag::value("format", b'f', "table|json", "for a person, which is the default, or for a program"),
        Flag::switch("quiet", b'q', "only their names"),
    ],
    run: Run::Container(run),
};

const COLUMNS: usize = 6;
/// As Go's tabwriter has it where runc uses it: no column is narrower, and so much stands between two.
const WIDTH_LEAST: usize = 12;
const PADDING: usize = 3;

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let memory = crate::memory::claim();
    let root = container::root(arguments, false)?;
    let format = arguments.value("format").unwrap_or(c"table");
    let mut output = Output::new(STDOUT);
    let space = &mut memory.container.state;
    match format.to_bytes() {
        b"table" | b"json" if arguments.has("quiet") => root.each(&mut |id| {
            let _ = writeln!(output, "{id}");
            Ok(())
        })?,
        b"table" => {
            let mut widths = [0; COLUMNS];
            // First how wide each column is, then the same again to be seen.
            for is_shown in [false, true] {
                let mut line = Line { output: is_shown.then_some(&mut output), widths: &mut widths };
                line.cells([&"ID", &"PID", &"STATUS", &"BUNDLE", &"CREATED", &"OWNER"]);
                each(&root, space, &mut |directory, state| {
                    let (owner, status) = (owner(state.owner)?, directory.status(state));
                    line.cells([
                        &directory.id(),
                        &state.pid(status),
                        &status.name(),
                        &ShowC(state.bundle),
                        &Rfc3339(state.created),
                        &Show(owner.bytes()),
                    ]);
                    Ok(())
                })?;
            }
        }
        b"json" => {
            let mut json = Writer::with_indent(&mut output, "");
            let mut is_empty = true;
            each(&root, space, &mut |directory, state| {
                if core::mem::replace(&mut is_empty, false) {
                    json.array();
                }
                let owner = owner(state.owner)?;
                directory.describe(&mut json, state, directory.status(state), Some(owner.bytes()), &mut memory.strings);
                Ok(())
            })?;
            if is_empty { json.null() } else { json.end() }
        }
        _ => return Err(choice("--format", format, "table nor json")),
    }
    output.finish().doing("write standard output")?;
    Ok(0)
}

/// Shows all containers. One that cannot be read keeps nobody from the others; one that is not there any more, or not yet,
/// is not there.
fn each(
    root: &Root,
    space: &mut StateMemory,
    see: &mut dyn FnMut(&Directory<'_>, &State<'_>) -> Result<()>,
) -> Result<()> {
    root.each(&mut |id: Id<'_>| {
        let directory = root.container(id);
        match directory.as_ref().map_err(|error| *error).and_then(|directory| Ok((directory, directory.read(space)?))) {
            Ok((directory, state)) => see(directory, &state),
            Err(error) if error.errno() == Errno::ENOENT => Ok(()),
            Err(error) => {
                crate::warning!("{error}");
                Ok(())
            }
        }
    })
}

/// The user's name, or `#` and the number.
fn owner(uid: u32) -> Result<Field> {
    let mut table = Table::open_on_host(c"/etc/passwd")?;
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

/// Lines of a table.
struct Line<'l, 'o> {
    output: Option<&'l mut Output<'o>>,
    widths: &'l mut [usize; COLUMNS],
}

impl Line<'_, '_> {
    fn cells(&mut self, cells: [&dyn Display; COLUMNS]) {
        for (n, (cell, width)) in cells.iter().zip(self.widths.iter_mut()).enumerate() {
            let mut counted = Counted { output: self.output.as_deref_mut(), count: 0 };
            let _ = write!(counted, "{cell}");
            *width = WIDTH_LEAST.max(counted.count + PADDING).max(*width);
            if n + 1 < COLUMNS {
                let padding = *width - counted.count;
                let _ = write!(counted, "{:padding$}", "");
            } else {
                let _ = counted.write_str("\n");
            }
        }
    }
}

/// Counts characters, and passes them on where somebody sees them.
struct Counted<'l, 'o> {
    output: Option<&'l mut Output<'o>>,
    count: usize,
}

impl Write for Counted<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.count += text.chars().count();
        self.output.as_mut().map_or(Ok(()), |output| output.write_str(text))
    }
}
