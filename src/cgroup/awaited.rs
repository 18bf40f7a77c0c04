//! Waits for a cgroup, a step at each event: for a line of its cgroup.events, and for its removal.

use super::Cgroup;
use super::processes::PATIENCE_MS;
use super::walk::{Step, is_gone, walk};
use crate::error::{Context, Result};
use crate::io::lossy::{LossyC, On};
use crate::limits::CGROUP_FILE_BYTES;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::{self, Errno, fs, time};
use crate::watch::{Happened, Interest, Loop, Token};
use core::ffi::CStr;

pub(super) const EVENTS: &CStr = c"cgroup.events";

/// Milliseconds until a cgroup's removal is tried again. The last process leaves a moment before,
/// and the kernel does not report that.
const RETRY_MS: u64 = 2;

/// A line that cgroup.events does not have yet. The cgroup has 10 seconds to get it.
pub(super) struct Line {
    file: Fd,
    line: &'static [u8],
    row: Token,
    due: Token,
}

impl Line {
    /// Returns None if the file has the line, or the cgroup is gone.
    pub fn begin(group: FdRef<'_>, line: &'static [u8], events: &mut Loop) -> Result<Option<Line>> {
        let file = match fs::open(group, EVENTS, fs::O_RDONLY, 0) {
            Err(Errno::ENOENT | Errno::ENODEV) => return Ok(None),
            file => file.doing("open cgroup.events")?,
        };
        // The loop reports each change after a read, so none in between is missed.
        if has_line(&file, line).doing("read cgroup.events")? {
            return Ok(None);
        }
        let row = events.add(file.by_ref(), Interest::CHANGE)?;
        let due = events.after(PATIENCE_MS).inspect_err(|_| events.remove(row))?;
        Ok(Some(Line { file, line, row, due }))
    }

    /// Handles an event. Returns the result once it is known: EBUSY after the time limit.
    pub fn step(&mut self, happened: &Happened, events: &mut Loop) -> Option<sys::Result<()>> {
        let done = match *happened {
            Happened::Ready(token, _) if token == self.row => {
                match has_line(&self.file, self.line) {
                    Ok(false) => return None,
                    other => other.map(drop),
                }
            }
            Happened::Due(token) if token == self.due => Err(Errno::EBUSY),
            _ => return None,
        };
        events.remove(self.row);
        events.remove(self.due);
        Some(done)
    }

    /// Runs the loop until it has ended.
    pub fn finish(mut self, events: &mut Loop) -> Result<sys::Result<()>> {
        loop {
            if let Some(done) = self.step(&events.next_event()?, events) {
                return Ok(done);
            }
        }
    }
}

/// A cgroup whose processes were killed: it becomes empty, and is removed with all cgroups beneath.
pub struct Emptying<'g> {
    group: &'g Cgroup,
    line: Option<Line>,
    /// The time of the next attempt to remove it.
    retry: Option<Token>,
    last_progress_us: u64,
}

impl<'g> Emptying<'g> {
    /// Kills its processes. Returns None if it is gone.
    pub fn begin(group: &'g Cgroup, events: &mut Loop) -> Result<Option<Emptying<'g>>> {
        group.kill_all().on("remove cgroup", group.path())?;
        let line = Line::begin(group.directory(), b"populated 0", events).map_err(|error| {
            error.within(format_args!("remove cgroup {}", LossyC(group.path())))
        })?;
        let last_progress_us = time::monotonic_us();
        let mut emptying = Emptying { group, line, retry: None, last_progress_us };
        if emptying.line.is_none() && emptying.sweep(events)? {
            return Ok(None);
        }
        Ok(Some(emptying))
    }

    /// Handles an event. Returns the result once it is known.
    pub fn step(&mut self, happened: &Happened, events: &mut Loop) -> Option<Result<()>> {
        if let Some(line) = &mut self.line {
            let done = line.step(happened, events)?;
            self.line = None;
            if let Err(errno) = done {
                return Some(Err(errno).on("remove cgroup", self.group.path()));
            }
            self.last_progress_us = time::monotonic_us();
        } else if !matches!(*happened, Happened::Due(token) if self.retry == Some(token)) {
            return None;
        }
        match self.sweep(events) {
            Ok(false) => None,
            Ok(true) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        }
    }

    /// Runs the loop until it is gone.
    pub fn finish(mut self, events: &mut Loop) -> Result<()> {
        loop {
            if let Some(done) = self.step(&events.next_event()?, events) {
                return done;
            }
        }
    }

    /// Removes the empty cgroups beneath, and then itself. Returns whether it is gone.
    fn sweep(&mut self, events: &mut Loop) -> Result<bool> {
        let group = self.group;
        let mut progress = false;
        let swept = walk(group.directory(), u64::MAX, &mut |step| match step {
            // Most cgroups have none beneath, and need no visit.
            Step::Found(parent, name) | Step::Left(parent, name) => {
                let gone = is_removed(parent, name)?;
                progress |= gone;
                Ok(!gone)
            }
            Step::Inside(_) => Ok(true),
        });
        if swept.and_then(|()| group.is_removed()).on("remove cgroup", group.path())? {
            return Ok(true);
        }
        if progress {
            self.last_progress_us = time::monotonic_us();
        } else if time::monotonic_us() > self.last_progress_us + PATIENCE_MS * 1000 {
            return Err(Errno::EBUSY).on("remove cgroup", group.path());
        }
        self.retry = Some(events.after(RETRY_MS)?);
        Ok(false)
    }
}

impl Cgroup {
    /// Removes it if it is empty. Returns whether it is gone.
    pub(super) fn is_removed(&self) -> sys::Result<bool> {
        is_removed(CWD, self.path())
    }
}

/// Removes a cgroup, or accepts that it is gone. Returns false if it has processes or cgroups.
fn is_removed(parent: FdRef<'_>, name: &CStr) -> sys::Result<bool> {
    match fs::rmdir(parent, name) {
        Ok(()) => Ok(true),
        Err(errno) if is_gone(errno) => Ok(true),
        Err(Errno::EBUSY | Errno::ENOTEMPTY) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Returns whether cgroup.events has this line. A removed cgroup counts as having it.
pub(super) fn has_line(events: &Fd, line: &[u8]) -> sys::Result<bool> {
    let mut content = [0; CGROUP_FILE_BYTES];
    match fs::read_at(events.by_ref(), &mut content, 0) {
        Err(Errno::ENODEV) => Ok(true),
        length => Ok(content[..length?].split(|byte| *byte == b'\n').any(|one| one == line)),
    }
}
