//! Carries out the lines of limits: checks that a cgroup takes them, and writes them.

use super::lines::{Facts, Line, lines};
use super::read;
use super::undo::Undo;
use crate::io::lossy::{Lossy, LossyC};
use crate::io::path::PathBuf;
use crate::io::text::decimal;
use crate::limits::CGROUP_FILE_BYTES;
use crate::spec::TAKES_CONFIGS;
use crate::spec::limit::{Amount, Limit, LimitKey, LimitKind, number_of};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::{self, Errno, fs};
use crate::{Error, Result};
use core::ffi::CStr;
use core::fmt::{self, Write};

/// Checks that a machine with these controllers, or without cgroup2, could have the limits.
pub(super) fn check_machine(limits: &[Limit<'_>], controllers: Option<&[u8]>) -> Result<()> {
    lines(limits, &Facts::NEW, &mut |line| match controllers {
        None => Err(Error::new(format_args!(
            "{}: there is no cgroup2 at /sys/fs/cgroup, so there are no limits",
            line.from
        ))),
        Some(list) if is_among(controller_of(line), list) => Ok(()),
        Some(_) => Err(missing(line, "on this machine")),
    })
}

/// Sets the limits of a cgroup without processes.
pub(super) fn set(limits: &[Limit<'_>], group: FdRef<'_>) -> Result<()> {
    lines(limits, &facts(limits, group, false), &mut |line| put(group, line, Mode::Write(None)))
}

/// Changes the limits of a cgroup: checks all of them before it writes one. `undo` keeps what is
/// written over.
pub(super) fn update(limits: &[Limit<'_>], group: FdRef<'_>, undo: &mut Undo) -> Result<()> {
    let facts = facts(limits, group, true);
    lines(limits, &facts, &mut |line| put(group, line, Mode::Check))?;
    lines(limits, &facts, &mut |line| put(group, line, Mode::Write(Some(undo))))
}

/// Returns what of this cgroup the limits depend on.
fn facts(limits: &[Limit<'_>], group: FdRef<'_>, is_update: bool) -> Facts {
    let has = |file: &CStr| fs::access(group, file, 0).is_ok();
    let is_asked = |kind| limits.iter().any(|limit| limit.key.row().kind == kind);
    let mut facts = Facts::NEW;
    if is_asked(LimitKind::Memory) {
        // Without the file it is an error, unless the kernel has no swap at all.
        facts.has_swap =
            has(LimitKey::SWAP.row().file) || fs::access(CWD, c"/proc/swaps", 0).is_ok();
        if TAKES_CONFIGS && number_of(limits, LimitKey::CHECK).is_some() {
            facts.used = current(group, c"memory.current");
        }
        if is_update {
            facts.memory = current(group, LimitKey::MEMORY.row().file);
            facts.swap = current(group, LimitKey::SWAP.row().file);
        }
    }
    if matches!(number_of(limits, LimitKey::QUOTA), None | Some(0)) && is_asked(LimitKind::Quota) {
        facts.quota = current(group, LimitKey::QUOTA.row().file);
    }
    if !TAKES_CONFIGS {
        return facts;
    }
    if is_asked(LimitKind::Weight) || is_asked(LimitKind::DeviceWeight) {
        facts.has_bfq = has(c"io.bfq.weight");
    }
    // All sizes of one kernel have the file, or none.
    let size = limits.iter().find_map(|limit| match limit.amount {
        Amount::Pages { size, .. } => Some(size),
        _ => None,
    });
    if let Some(size) = size {
        let mut name = PathBuf::new();
        let is_name = name.set(format_args!("hugetlb.{}.rsvd.max", LossyC(size))).is_ok();
        facts.has_rsvd = is_name && has(name.as_c_str());
    }
    facts
}

/// The mode of a line.
enum Mode<'u> {
    /// Nothing is written.
    Check,
    /// It is written; the former content is kept.
    Write(Option<&'u mut Undo>),
}

fn put(group: FdRef<'_>, line: &Line<'_>, mode: Mode<'_>) -> Result<()> {
    let Line { file, value, from } = *line;
    let mut done = fs::access(group, file, 0);
    if let (Ok(()), Mode::Write(undo)) = (done, mode) {
        if let Some(undo) = undo {
            undo.keep(group, file)?;
        }
        done = write_lines(group, file, value);
    }
    match done {
        Ok(()) => Ok(()),
        // Without ENOENT's text, because docker would report a missing program.
        Err(Errno::ENOENT) if !has_controller(group, line) => Err(missing(
            line,
            match is_threaded(group) {
                true => {
                    "in the control group: it may hold threads alone, as a cgroup above it has processes of its own"
                }
                false => "in the control group",
            },
        )),
        Err(Errno::ENOENT) => {
            Err(Error::new(format_args!("{from}: this kernel has no {}", LossyC(file))))
        }
        Err(errno) => Err(Error::with_errno(
            format_args!("{from}: write {value} to {}: {errno}", LossyC(file)),
            errno,
        )),
    }
}

/// Returns the controller that a line is for.
fn controller_of<'l>(line: &Line<'l>) -> &'l [u8] {
    line.file.to_bytes().split(|byte| *byte == b'.').next().unwrap_or_default()
}

/// Returns whether a list has the controller. `cgroup` is in each.
fn is_among(controller: &[u8], list: &[u8]) -> bool {
    controller == b"cgroup" || list.split(u8::is_ascii_whitespace).any(|one| one == controller)
}

fn has_controller(group: FdRef<'_>, line: &Line<'_>) -> bool {
    let mut buffer = [0; CGROUP_FILE_BYTES];
    let list = read(group, c"cgroup.controllers", &mut buffer).unwrap_or_default();
    is_among(controller_of(line), list)
}

#[cold]
fn missing(line: &Line<'_>, what: &str) -> Error {
    let name = Lossy(controller_of(line));
    Error::new(format_args!("{}: no controller {name} {what}", line.from))
}

/// Returns the first number of a file; -1 for `max`, or if it cannot be read.
fn current(group: FdRef<'_>, file: &CStr) -> i64 {
    let mut buffer = [0; CGROUP_FILE_BYTES];
    let text = read(group, file, &mut buffer).unwrap_or_default();
    let number = text.split(u8::is_ascii_whitespace).next().and_then(decimal);
    number.map_or(-1, |number| number as i64)
}

/// Returns whether the cgroup is threaded, because one above it has processes.
pub(super) fn is_threaded(group: FdRef<'_>) -> bool {
    let mut buffer = [0; CGROUP_FILE_BYTES];
    read(group, c"cgroup.type", &mut buffer).is_ok_and(|kind| kind.starts_with(b"threaded"))
}

/// Writes each line of `text` by one write(2).
fn write_lines(group: FdRef<'_>, name: &CStr, text: fmt::Arguments<'_>) -> sys::Result<()> {
    let file = fs::open(group, name, fs::O_WRONLY | fs::O_NOFOLLOW, 0)?;
    let mut lines = Lines { file, line: PathBuf::new(), count: 0, failed: None };
    let written = lines.write_fmt(text);
    match lines.failed {
        Some(errno) => Err(errno),
        None if written.is_err() => Err(Errno::ENAMETOOLONG),
        // An empty text is one empty value.
        None if lines.line.as_bytes().is_empty() && lines.count > 0 => Ok(()),
        None => fs::write_all(lines.file.by_ref(), lines.line.as_bytes()),
    }
}

struct Lines {
    file: Fd,
    line: PathBuf,
    count: usize,
    failed: Option<Errno>,
}

impl Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.as_bytes().split_inclusive(|byte| *byte == b'\n') {
            self.line.push_bytes(piece).map_err(|_| fmt::Error)?;
            if piece.ends_with(b"\n") {
                if let Err(errno) = fs::write_all(self.file.by_ref(), self.line.as_bytes()) {
                    self.failed = Some(errno);
                    return Err(fmt::Error);
                }
                self.line.truncate(0);
                self.count += 1;
            }
        }
        Ok(())
    }
}
