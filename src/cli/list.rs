//! `ocinit list`: all containers, as a table, as JSON, or by name.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::notices::warn;
use super::options::Format;
use super::print::to_stdout;
use super::{container, options};
use crate::Result;
use crate::codec::json::Writer;
use crate::container::state::{Rfc3339, Root};
use crate::engine::EngineMemory;
use crate::engine::list::{each, owner};
use crate::engine::state_root::StateRoot;
use crate::io::lossy::{Lossy, LossyC};
use crate::io::output::Output;
use crate::io::table::Table;
use core::fmt::Write;

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
    let mut table = Table::new([&"ID", &"PID", &"STATUS", &"BUNDLE", &"CREATED", &"OWNER"])?;
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
