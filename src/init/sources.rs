//! The sources of options: the kernel's command line and the text of `/ocinit.conf`.

use super::cmdline::{Word, Words};
use super::options::{Options, put, refuse_contradictions};
use crate::io::lossy::Lossy;
use crate::limits::COMMAND_LINE_BYTES;
use crate::{Error, Result};

/// The sources of options: the kernel's command line and the text of `/ocinit.conf`.
#[derive(Clone, Copy)]
pub struct OptionSources<'a> {
    /// /proc/cmdline.
    pub line: &'a [u8],
    /// /ocinit.conf; empty if it is missing.
    pub file: &'a [u8],
}

impl<'a> OptionSources<'a> {
    /// Reads every key. An error names the key and its source.
    #[inline(never)]
    pub fn options(self) -> Result<Options<'a>> {
        let mut options = Options::DEFAULT;
        let mut seen = 0u32;
        if self.line.trim_ascii_end().len() >= COMMAND_LINE_BYTES {
            let reason = "its end may have been cut off by the boot loader; long arguments belong in /ocinit.conf";
            return Err(Error::new(format_args!(
                "command line: {COMMAND_LINE_BYTES} bytes or more: {reason}"
            )));
        }
        for word in Words::new(self.line).take_while(|word| *word != super::cmdline::DASHES) {
            if let Some(name) = word.name.strip_prefix(b"ocinit.") {
                put(&mut options, &mut seen, "command line", name, word.value)?;
            }
        }
        for (index, record) in Records::new(self.file).enumerate() {
            let (name, value) = split(record);
            if let Some(name) = name.strip_prefix(b"ocinit.") {
                put(&mut options, &mut seen, "/ocinit.conf", name, value)?;
            } else if name == b"env" {
                put(&mut options, &mut seen, "/ocinit.conf", name, value)?;
            } else if !(name == b"arg" && value.is_some()) {
                // The value may be a secret, so the error shows only the name.
                let (number, name) = (index + 1, Lossy(&name[..name.len().min(64)]));
                let reason = "not ocinit.KEY=VALUE, arg=TEXT or env=NAME=VALUE";
                return Err(Error::new(format_args!(
                    "/ocinit.conf: record {number} ({name}): {reason}"
                )));
            }
        }
        if Words::new(self.line).after_dashes().next().is_some()
            && Records::new(self.file).any(|record| record.starts_with(b"arg="))
        {
            let reason = "arguments are given both after -- and as arg= in /ocinit.conf";
            return Err(Error::new(format_args!("command line: {reason}")));
        }
        refuse_contradictions(&options)?;
        Ok(options)
    }

    /// Returns the container's arguments in order; none means the image's own. Those of the command
    /// line are copied to `space` without their quotes.
    pub fn args<'s>(self, space: &'s mut [u8; COMMAND_LINE_BYTES + 1]) -> Args<'s>
    where
        'a: 's,
    {
        let mut length = 0;
        for Word { name, value } in Words::new(self.line).after_dashes() {
            let pieces =
                [name, if value.is_some() { b"=" } else { b"" }, value.unwrap_or(b""), b"\0"];
            for byte in pieces.into_iter().flatten() {
                // A word and its NUL take no more bytes than the word and the space after it.
                if let Some(place) = space.get_mut(length) {
                    (*place, length) = (*byte, length + 1);
                }
            }
        }
        Args { line: &space[..length], file: Records::new(self.file) }
    }

    /// Returns the container's environment, `NAME=VALUE` each. A later one replaces an earlier one
    /// of the same name.
    pub fn env(self) -> Env<'a> {
        Env { line: Words::new(self.line), file: Records::new(self.file) }
    }
}

/// The container's arguments: those of the command line, each ended by a NUL, then those of the
/// file.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    line: &'a [u8],
    file: Records<'a>,
}

impl<'a> Iterator for Args<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if let Some(end) = self.line.iter().position(|&byte| byte == 0) {
            let word = &self.line[..end];
            self.line = &self.line[end + 1..];
            return Some(word);
        }
        self.file.find_map(|record| record.strip_prefix(b"arg="))
    }
}

/// The container's environment: that of the command line, then that of the file.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    line: Words<'a>,
    file: Records<'a>,
}

impl<'a> Iterator for Env<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        for Word { name, value } in
            self.line.by_ref().take_while(|word| *word != super::cmdline::DASHES)
        {
            if name == b"ocinit.env" && value.is_some() {
                return value;
            }
        }
        // The words after the dashes are arguments.
        self.line = Words::new(b"");
        self.file.find_map(|record| {
            let (name, value) = split(record);
            value.filter(|_| name == b"env" || name == b"ocinit.env")
        })
    }
}

/// The records of `/ocinit.conf`. If the file has a NUL, NULs end them; else they are its lines,
/// without blank ones and comments.
#[derive(Clone, Copy)]
struct Records<'a> {
    rest: &'a [u8],
    binary: bool,
}

impl<'a> Records<'a> {
    fn new(file: &'a [u8]) -> Records<'a> {
        Records { rest: file, binary: file.contains(&0) }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = if self.binary { 0 } else { b'\n' };
        while !self.rest.is_empty() {
            let at = self.rest.iter().position(|&byte| byte == end).unwrap_or(self.rest.len());
            let record = &self.rest[..at];
            self.rest = self.rest.get(at + 1..).unwrap_or(&[]);
            let comment =
                !self.binary && (record.trim_ascii().is_empty() || record.starts_with(b"#"));
            if !record.is_empty() && !comment {
                return Some(record);
            }
        }
        None
    }
}

fn split(record: &[u8]) -> (&[u8], Option<&[u8]>) {
    match record.iter().position(|&byte| byte == b'=') {
        Some(at) => (&record[..at], Some(&record[at + 1..])),
        None => (record, None),
    }
}
