//! `ocinit ps ID`: the processes of a container: their numbers, or what ps(1) says of them.

use super::arguments::{Arguments, choice};
use super::command::{Command, Flag, PASSED_ON, Run};
use super::container;
use crate::codec::json::Writer;
use crate::container::execute;
use crate::container::state::Id;
use crate::engine::processes::processes;
use crate::io::output::{Output, Sink};
use crate::io::text;
use crate::sys::fd::{self, Fd, STDOUT};
use crate::sys::process::{self, Ended, StringVector, Whom};
use crate::sys::{clone, fs};
use crate::{Context, Error, Result};

pub(super) const COMMAND: Command = Command {
    name: "ps",
    words: "ID [PS-OPTION]...",
    least: 1,
    most: PASSED_ON,
    about: "Show the processes of a container. The options behind its ID are those of ps(1), `-ef` where there are none.",
    flags: &[Flag::value(
        "format",
        b'f',
        "table|json",
        "what ps says of them, which is the default, or their numbers",
    )],
    run: Run::Container(run),
};

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let memory = &mut crate::memory::claim().engine;
    let format = arguments.value("format").unwrap_or(c"table");
    let (root, id) = (container::root(arguments, false)?, Id::check(arguments.word(0))?);
    let pids = processes(&root, id, &mut memory.container, &mut memory.config)?;
    let mut output = Output::new(STDOUT);
    match format.to_bytes() {
        b"json" => {
            let mut json = Writer::with_indent(&mut output, "");
            match pids {
                [] => json.null(),
                pids => {
                    json.array();
                    pids.iter().for_each(|pid| json.number(*pid as u64));
                    json.end();
                }
            }
        }
        b"table" => table(arguments, pids, &mut output, &mut memory.strings)?,
        _ => return Err(choice("--format", format, "table nor json")),
    }
    output.finish().doing("write standard output")?;
    Ok(0)
}

/// Runs ps, and passes on its first line and those of these processes.
fn table(
    arguments: &Arguments<'_>,
    pids: &[usize],
    output: &mut Output<'_>,
    buffer: &mut [u8],
) -> Result<()> {
    let (ps, lines) = start(arguments)?;
    let (mut kept, mut column) = (0, None);
    loop {
        let length = fs::read(lines.by_ref(), &mut buffer[kept..]).doing("read what ps says")?;
        if length == 0 {
            break;
        }
        let end = kept + length;
        let whole = buffer[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole == 0 && end == buffer.len() {
            return Err(Error::new(format_args!("a line of ps is longer than {end} bytes")));
        }
        for line in buffer[..whole].split_inclusive(|byte| *byte == b'\n') {
            let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
            let is_shown = match column {
                None => {
                    column = fields.position(|field| field == b"PID");
                    column.is_some()
                }
                Some(column) => {
                    let pid = fields.nth(column).and_then(text::decimal);
                    pid.is_some_and(|pid| pids.binary_search(&(pid as usize)).is_ok())
                }
            };
            if is_shown {
                output.put(line);
            } else if column.is_none() {
                return Err(Error::new(format_args!("couldn't find PID field in ps output")));
            }
        }
        buffer.copy_within(whole..end, 0);
        kept = end - whole;
    }
    match process::wait(Whom::Pidfd(ps.by_ref()), true).doing("wait for ps")? {
        Some((_, Ended::Exited(0))) => Ok(()),
        Some((_, Ended::Exited(127))) => {
            Err(Error::new(format_args!("ps: executable file not found in $PATH")))
        }
        _ => Err(Error::new(format_args!("ps failed"))),
    }
}

/// ps with the words behind the container's id; what it says.
fn start(arguments: &Arguments<'_>) -> Result<(Fd, Fd)> {
    let mut space = [0; crate::limits::COMMAND_WORDS_MAX + 2];
    let own = [c"ps"].into_iter().chain(arguments.words().skip(1));
    let default = if arguments.words().nth(1).is_none() { Some(c"-ef") } else { None };
    let words = StringVector::new(&mut space, own.chain(default)).doing("ps")?;
    let (lines, theirs) = fd::pipe().doing("pipe")?;
    match clone::fork(0, None).doing("start ps")? {
        clone::Side::Parent(_, ps) => Ok((ps, lines)),
        clone::Side::Child => {
            let mut program = crate::io::path::PathBuf::new();
            let path = process::variable(b"PATH").unwrap_or_default().to_bytes();
            if fd::duplicate_to(theirs.by_ref(), 1).is_ok()
                && execute::search(path, b"ps", &mut program)
            {
                process::execute(program.as_c_str(), &words, &StringVector::environment());
            }
            process::exit(crate::error::STATUS_NOT_FOUND.into())
        }
    }
}
