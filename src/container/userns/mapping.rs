//! Maps the ids of another process's user namespace.

use super::{MAPS, Map, start_helper, write_file};
use crate::io::lossy::Lossy;
use crate::io::path::PathBuf;
use crate::spec::IdMapping;
use crate::sys::Errno;
use crate::sys::fd::Fd;
use crate::sys::process::Ended;
use crate::watch::children::Helper;
use crate::watch::{Happened, Loop};
use crate::{Context, Error, Result};
use core::fmt::Write;

/// Lines of 33 bytes in a page, of which the kernel takes 340.
const MAP_BYTES: usize = 4095;

/// The maps of a child's new user namespace; the child waits for them. We write them if we may; if
/// not, newuidmap and newgidmap do.
pub struct Mapping<'a> {
    pid: i32,
    mappings: [&'a [IdMapping]; 2],
    /// The number of the map in progress.
    n: usize,
    helper: Helper,
}

impl<'a> Mapping<'a> {
    /// Begins with the users. Returns None if both maps are written.
    pub fn begin(
        pid: i32,
        mappings: [&'a [IdMapping]; 2],
        events: &mut Loop,
    ) -> Result<Option<Mapping<'a>>> {
        Mapping::go_on(pid, mappings, 0, events)
    }

    fn go_on(
        pid: i32,
        mappings: [&'a [IdMapping]; 2],
        from: usize,
        events: &mut Loop,
    ) -> Result<Option<Mapping<'a>>> {
        for n in from..MAPS.len() {
            let written = write(&MAPS[n], mappings[n], pid);
            if let Some((pid_of_helper, pidfd)) = within(n, written)? {
                let helper = Helper::watch(pid_of_helper, pidfd, events)?;
                return Ok(Some(Mapping { pid, mappings, n, helper }));
            }
        }
        Ok(None)
    }

    /// Handles an event. Returns the result once it is known.
    pub fn step(&mut self, happened: &Happened, events: &mut Loop) -> Option<Result<()>> {
        let done = match self.helper.ended(happened)? {
            Ended::Exited(0) => Ok(()),
            // It has said why itself.
            _ => Err(Error::new(format_args!("{} failed", Lossy(MAPS[self.n].program)))),
        };
        let next = within(self.n, done)
            .and_then(|()| Mapping::go_on(self.pid, self.mappings, self.n + 1, events));
        match next {
            Ok(Some(next)) => {
                *self = next;
                None
            }
            Ok(None) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        }
    }

    /// Kills the process that writes a map; the next step reports the failure.
    pub fn kill(&self) {
        self.helper.kill();
    }

    /// Kills it, and collects it here, if the loop cannot.
    pub fn abandon(self, events: &mut Loop) {
        self.helper.abandon(events);
    }
}

/// Returns the map's name in the directory of a process.
fn name(map: &Map) -> &'static [u8] {
    &map.file.to_bytes()[b"/proc/self/".len()..]
}

fn within<T>(n: usize, done: Result<T>) -> Result<T> {
    done.context("map ids", &Lossy(name(&MAPS[n])))
}

/// Writes a map. If we may not, returns the process that does it.
fn write(map: &Map, mappings: &[IdMapping], pid: i32) -> Result<Option<(i32, Fd)>> {
    let mut text = heapless::String::<MAP_BYTES>::new();
    for IdMapping { container, host, size } in mappings {
        let line = format_args!("{container} {host} {size}\n");
        text.write_fmt(line)
            .map_err(|_| Error::new(format_args!("more than {MAP_BYTES} bytes")))?;
    }
    let mut path = PathBuf::new();
    path.set(format_args!("/proc/{pid}/{}", Lossy(name(map)))).doing("name")?;
    match write_file(path.as_c_str(), text.as_bytes()) {
        Err(Errno::EPERM) => {}
        written => return written.doing("write").map(|()| None),
    }
    if let Some(helper) = start_helper(map, mappings, pid, None)? {
        return Ok(Some(helper));
    }
    if map.before.is_some() {
        let mut setgroups = PathBuf::new();
        setgroups.set(format_args!("/proc/{pid}/setgroups")).doing("name")?;
        write_file(setgroups.as_c_str(), b"deny").doing("deny setgroups")?;
    }
    write_file(path.as_c_str(), text.as_bytes()).doing("write").map(|()| None)
}
