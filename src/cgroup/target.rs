//! The target of limits: a cgroup, or a dry run that checks whether they could be set.

use super::undo::Undo;
use super::{FILE_BYTES, read};
use crate::codec::json::Value;
use crate::io::lossy::Lossy;
use crate::io::path::PathBuf;
use crate::io::text::decimal;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::{self, Errno, fs};
use crate::{Error, Result};
use core::ffi::CStr;
use core::fmt::{self, Write};

/// Gets a file of a cgroup, and a value.
pub type See<'a> = &'a mut dyn FnMut(&[u8], fmt::Arguments<'_>);

/// The target of limits.
pub(super) struct Target<'a> {
    /// The cgroup. None for a dry run before there is one.
    group: Option<FdRef<'a>>,
    /// The controllers of this machine; None without cgroup2.
    controllers: Option<&'a [u8]>,
    /// The cgroup has limits already.
    pub(super) is_update: bool,
    /// A dry run: checks everything and writes nothing.
    is_dry: bool,
    is_count: bool,
    written: usize,
    /// Gets each file and what would be written to it.
    see: Option<See<'a>>,
    /// Keeps what is written over.
    undo: Option<&'a mut Undo>,
}

impl<'a> Target<'a> {
    /// Limits for a cgroup: when it is made, or later with `is_update`.
    pub(super) fn of(group: FdRef<'a>, is_update: bool) -> Target<'a> {
        Target { group: Some(group), is_update, is_dry: false, ..Target::dry(None) }
    }

    /// A group that has limits, of which what is written over is kept.
    pub(super) fn update(group: FdRef<'a>, undo: &'a mut Undo) -> Target<'a> {
        Target { undo: Some(undo), ..Target::of(group, true) }
    }

    /// A dry run for a cgroup that has limits already.
    pub(super) fn dry_update(group: FdRef<'a>) -> Target<'a> {
        Target { is_dry: true, ..Target::of(group, true) }
    }

    /// A dry run for a machine with these controllers, or without cgroup2.
    pub(super) fn dry(controllers: Option<&'a [u8]>) -> Target<'a> {
        Target {
            group: None,
            controllers,
            is_update: false,
            is_dry: true,
            is_count: false,
            written: 0,
            see: None,
            undo: None,
        }
    }

    /// A dry run that counts the lines.
    pub(super) fn count() -> Target<'a> {
        Target { is_count: true, ..Target::dry(None) }
    }

    /// A dry run that shows the lines.
    pub(super) fn show(see: See<'a>) -> Target<'a> {
        Target { see: Some(see), ..Target::count() }
    }

    /// Returns how many lines were written, or would be.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    /// Writes `text` to a file line by line, as the kernel takes one line at a time.
    pub(super) fn put(
        &mut self,
        value: &Value<'_>,
        file: &[u8],
        text: fmt::Arguments<'_>,
    ) -> Result<()> {
        self.written += 1;
        if let Some(see) = &mut self.see {
            see(file, text);
        }
        let controller = file.split(|byte| *byte == b'.').next().unwrap_or_default();
        let missing = |what: &str| {
            let name = Lossy(controller);
            value.at(Error::new(format_args!("no controller {name} {what}")))
        };
        let Some(group) = self.group else {
            return match self.controllers {
                _ if self.is_count => Ok(()),
                None => {
                    Err(value
                        .error("there is no cgroup2 at /sys/fs/cgroup, so there are no limits"))
                }
                Some(list) => {
                    let mut known = list.split(u8::is_ascii_whitespace);
                    match controller == b"cgroup" || known.any(|one| one == controller) {
                        true => Ok(()),
                        false => Err(missing("on this machine")),
                    }
                }
            };
        };
        let mut name = PathBuf::new();
        let mut done = name.push_bytes(file).and_then(|()| fs::access(group, name.as_c_str(), 0));
        if done.is_ok() && !self.is_dry {
            if let Some(undo) = &mut self.undo {
                undo.keep(group, name.as_c_str())?;
            }
            done = write_lines(group, name.as_c_str(), text);
        }
        match done {
            Ok(()) => Ok(()),
            // Not ENOENT's text: docker would report a missing program.
            Err(Errno::ENOENT) if !self.has(group, controller) => {
                Err(missing(match is_threaded(group) {
                    true => {
                        "in the control group: it may hold threads alone, as a cgroup above it has processes of its own"
                    }
                    false => "in the control group",
                }))
            }
            Err(Errno::ENOENT) => {
                Err(value.at(Error::new(format_args!("this kernel has no {}", Lossy(file)))))
            }
            Err(errno) => Err(value.at(Error::with_errno(
                format_args!("write {text} to {}: {errno}", Lossy(file)),
                errno,
            ))),
        }
    }

    fn has(&self, group: FdRef<'_>, controller: &[u8]) -> bool {
        let mut buffer = [0; FILE_BYTES];
        let list = read(group, c"cgroup.controllers", &mut buffer).unwrap_or_default();
        controller == b"cgroup" || list.split(u8::is_ascii_whitespace).any(|one| one == controller)
    }

    /// Returns whether the kernel lacks a file; false if there is no cgroup yet.
    pub(super) fn lacks(&self, file: &core::ffi::CStr) -> bool {
        self.group.is_some_and(|group| fs::access(group, file, 0).is_err())
    }

    /// Returns the first number of a file; -1 for `max`, or without a cgroup.
    pub(super) fn current(&self, file: &core::ffi::CStr) -> i64 {
        let mut buffer = [0; FILE_BYTES];
        let text =
            self.group.and_then(|group| read(group, file, &mut buffer).ok()).unwrap_or_default();
        let number = text.split(u8::is_ascii_whitespace).next().and_then(decimal);
        number.map_or(-1, |number| number as i64)
    }
}

/// Returns whether the cgroup is threaded, because one above it has processes.
pub(super) fn is_threaded(group: FdRef<'_>) -> bool {
    let mut buffer = [0; FILE_BYTES];
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
