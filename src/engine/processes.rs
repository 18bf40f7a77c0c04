//! Lists the processes of a container.

use crate::container::state::{Id, Root};
use crate::container::{ContainerMemory, execute};
use crate::io::output::{Output, Sink};
use crate::io::text;
use crate::limits::PROCESS_STRINGS_MAX;
use crate::spec;
use crate::sys::fd::{self, Fd};
use crate::sys::process::{self, Ended, StringVector};
use crate::sys::{clone, fs};
use crate::watch::children;
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// Returns the pids of the container's processes, in order.
pub fn processes<'m>(
    root: &Root,
    id: Id<'_>,
    memory: &'m mut ContainerMemory,
    config: &mut [u8],
) -> Result<&'m [usize]> {
    let directory = root.container(id)?;
    let state = directory.read(&mut memory.state)?;
    let (pids, mut count) = (&mut memory.pointers, 0);
    let mut is_full = false;
    let namespaces = match state.cgroup.is_empty() {
        true => directory.read_config(config).and_then(spec::read_namespaces),
        false => Ok(0),
    };
    state.each_process(namespaces.unwrap_or(0), &mut |pid| match pids.get_mut(count) {
        Some(place) => (*place, count) = (pid as usize, count + 1),
        None => is_full = true,
    })?;
    if is_full {
        return Err(Error::new(format_args!("more than {PROCESS_STRINGS_MAX} processes")));
    }
    let pids = &mut pids[..count];
    pids.sort_unstable();
    Ok(pids)
}

/// Runs ps(1) with these words behind its name, `-ef` if there are none. Passes on its first line
/// and those of these processes.
pub fn describe(
    pids: &[usize],
    words: &mut dyn Iterator<Item = &CStr>,
    output: &mut Output<'_>,
    buffer: &mut [u8],
) -> Result<()> {
    let (ps, lines) = start(words)?;
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
    match children::await_end(ps.by_ref()).doing("wait for ps")? {
        Some(Ended::Exited(0)) => Ok(()),
        Some(Ended::Exited(127)) => {
            Err(Error::new(format_args!("ps: executable file not found in $PATH")))
        }
        _ => Err(Error::new(format_args!("ps failed"))),
    }
}

/// Starts ps. Returns its pidfd, and the pipe that its output comes from.
fn start(words: &mut dyn Iterator<Item = &CStr>) -> Result<(Fd, Fd)> {
    let mut space = [0; crate::limits::COMMAND_WORDS_MAX + 2];
    let first = words.next().unwrap_or(c"-ef");
    let words = [c"ps", first].into_iter().chain(words);
    let words = StringVector::new(&mut space, words).doing("ps")?;
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
