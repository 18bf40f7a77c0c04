//! Reads /etc/passwd and /etc/group of an image or the host, field by field, in constant memory.
//!
//! An image's file is found inside its root, is a regular file, and is read up to a limit. So a
//! link to the host's file (umoci), a FIFO or /dev/zero (CVE-2024-9676) and an endless file
//! (CVE-2026-47262) fail.

use crate::error::{Context, Error, Result};
use crate::io::lossy::LossyC;
use crate::limits::{PASSWD_BYTES, PASSWD_FIELD_BYTES};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// The form of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// One value.
    Whole,
    /// A list of names, read one at a time.
    List,
}

/// One field, cut at the length that may matter.
pub struct Field {
    bytes: [u8; PASSWD_FIELD_BYTES],
    len: usize,
    /// The field was longer, so it equals nothing.
    cut: bool,
}

impl Default for Field {
    fn default() -> Field {
        Field::new()
    }
}

impl Field {
    /// Returns an empty field.
    pub const fn new() -> Field {
        Field { bytes: [0; PASSWD_FIELD_BYTES], len: 0, cut: false }
    }

    /// Returns the field's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Replaces the bytes.
    pub fn set(&mut self, bytes: &[u8]) {
        (self.len, self.cut) = (0, false);
        bytes.iter().for_each(|byte| self.push(*byte));
    }

    /// Returns true if the field was longer than its kept bytes.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Becomes a copy of `other`.
    pub fn copy(&mut self, other: &Field) {
        self.set(other.bytes());
        self.cut = other.cut;
    }

    fn push(&mut self, byte: u8) {
        match self.bytes.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            None => self.cut = true,
        }
    }

    /// Returns true if the whole field equals `wanted`.
    pub fn is(&self, wanted: &[u8]) -> bool {
        !self.cut && self.bytes() == wanted
    }

    /// Returns the field as a user or group ID, if it is one.
    pub fn number(&self) -> Option<u32> {
        if self.cut { None } else { number(self.bytes()) }
    }
}

/// Returns a user or group ID: digits only, and not -1, which the kernel reads as "no change".
pub fn number(bytes: &[u8]) -> Option<u32> {
    let number = u32::try_from(crate::io::text::decimal(bytes)?).ok();
    number.filter(|number| *number != u32::MAX)
}

/// The end of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// A colon: another field of the line follows.
    Field,
    /// A comma: another word of the same field follows.
    Word,
    /// The line's end.
    Line,
}

/// The file's name, and whether it is the image's.
#[derive(Clone, Copy)]
struct Name {
    whose: &'static str,
    path: &'static CStr,
}

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}{}", self.whose, LossyC(self.path))
    }
}

/// A file with a line for each user or group, and fields in a line.
pub struct Table {
    name: Name,
    /// None if the file does not exist.
    file: Option<Fd>,
    buffer: [u8; 4096],
    start: usize,
    end: usize,
    total: u64,
    line: u32,
    /// Another field or word of the line follows, even if it is empty at the file's end.
    goes_on: bool,
}

impl Table {
    /// Opens `path` in the image's `root`. A missing file has no lines.
    pub fn open(root: FdRef<'_>, path: &'static CStr) -> Result<Table> {
        let resolve = fs::RESOLVE_IN_ROOT | fs::RESOLVE_NO_MAGICLINKS;
        Table::open_in(root, resolve, Name { whose: "the image's ", path })
    }

    /// Opens the host's `path`. A missing file has no lines.
    pub fn open_on_host(path: &'static CStr) -> Result<Table> {
        Table::open_in(CWD, 0, Name { whose: "", path })
    }

    fn open_in(root: FdRef<'_>, resolve: u64, name: Name) -> Result<Table> {
        let file = find(root, resolve, &name)?;
        Ok(Table {
            name,
            file,
            buffer: [0; 4096],
            start: 0,
            end: 0,
            total: 0,
            line: 1,
            goes_on: false,
        })
    }

    /// Reads the next field. A colon, the line's end or (in a list) a comma ends it. Returns
    /// `None` at the file's end.
    pub fn field(&mut self, field: &mut Field, kind: FieldKind) -> Result<Option<End>> {
        field.set(b"");
        let mut any = core::mem::take(&mut self.goes_on);
        loop {
            let byte = match self.byte()? {
                Some(byte) => byte,
                // The last line may lack its newline.
                None if any => b'\n',
                None => return Ok(None),
            };
            any = true;
            match byte {
                b'\n' => {
                    self.line += 1;
                    return Ok(Some(End::Line));
                }
                b':' | b',' if byte == b':' || kind == FieldKind::List => {
                    self.goes_on = true;
                    return Ok(Some(if byte == b':' { End::Field } else { End::Word }));
                }
                other => field.push(other),
            }
        }
    }

    /// Returns an error about the line of the last field.
    pub fn error(&self, ended: End, why: &str) -> Error {
        let line = self.line - u32::from(ended == End::Line);
        Error::new(format_args!("line {line} of {}: {why}", self.name))
    }

    fn byte(&mut self) -> Result<Option<u8>> {
        if self.start == self.end {
            let Some(file) = &self.file else { return Ok(None) };
            let count = fs::read(file.by_ref(), &mut self.buffer).context("read", &self.name)?;
            (self.start, self.end) = (0, count);
            self.total += count as u64;
            if self.total > PASSWD_BYTES {
                return Err(Error::new(format_args!("{} exceeds {PASSWD_BYTES} bytes", self.name)));
            }
            if count == 0 {
                return Ok(None);
            }
        }
        self.start += 1;
        Ok(Some(self.buffer[self.start - 1]))
    }
}

fn find(root: FdRef<'_>, resolve: u64, name: &Name) -> Result<Option<Fd>> {
    let mut found = None;
    // O_PATH first, for a check of the type: opening a device may have an effect.
    for flags in [fs::O_PATH, fs::O_RDONLY | fs::O_NONBLOCK | fs::O_NOCTTY] {
        let file = match fs::open_resolved(root, name.path, flags, 0, resolve) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            file => file.context("open", name)?,
        };
        if fs::stat(file.by_ref(), c"").context("stat", name)?.kind() != fs::S_IFREG {
            return Err(Error::new(format_args!("{name} is not a regular file")));
        }
        found = Some(file);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_bad_number_is_no_number() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"4294967294"), Some(4294967294));
        for bad in [
            "",
            "-1",
            "+1",
            " 1",
            "1 ",
            "0x1",
            "abc",
            "4294967295",
            "4294967296",
            "18446744073709551616",
        ] {
            assert_eq!(number(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
