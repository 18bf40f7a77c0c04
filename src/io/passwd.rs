//! Reads an image's own /etc/passwd and /etc/group, and the host's, field by field, in constant
//! memory.
//!
//! The file is found inside its root, is a regular one, and is read up to a limit: neither a link
//! to the host's (umoci), nor a FIFO or /dev/zero (CVE-2024-9676), nor a file without end
//! (CVE-2026-47262) gets anywhere.

use crate::error::{Context, Error, Result};
use crate::io::lossy::LossyC;
use crate::limits::{PASSWD_BYTES, PASSWD_FIELD_BYTES};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// One field, or as much of it as may matter.
pub struct Field {
    bytes: [u8; PASSWD_FIELD_BYTES],
    len: usize,
    /// It was longer: equal to nothing.
    cut: bool,
}

impl Default for Field {
    fn default() -> Field {
        Field::new()
    }
}

impl Field {
    /// Empty.
    pub const fn new() -> Field {
        Field { bytes: [0; PASSWD_FIELD_BYTES], len: 0, cut: false }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// These bytes instead.
    pub fn set(&mut self, bytes: &[u8]) {
        (self.len, self.cut) = (0, false);
        bytes.iter().for_each(|byte| self.push(*byte));
    }

    /// It was longer than what is kept of it.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The same as another.
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

    /// Whether it is exactly this.
    pub fn is(&self, wanted: &[u8]) -> bool {
        !self.cut && self.bytes() == wanted
    }

    /// The user or group number that it is, if it is one.
    pub fn number(&self) -> Option<u32> {
        if self.cut { None } else { number(self.bytes()) }
    }
}

/// A user or group number: digits only, and not -1, which means "no change" to the kernel.
pub fn number(bytes: &[u8]) -> Option<u32> {
    let number = u32::try_from(crate::io::text::decimal(bytes)?).ok();
    number.filter(|number| *number != u32::MAX)
}

/// What ended a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Another field of the line follows.
    Field,
    /// Another word of the same field follows, after a comma.
    Word,
    /// The line ended.
    Line,
}

/// Whose file it is, and which.
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

/// A file of lines of fields.
pub struct Table {
    name: Name,
    /// None where it is not there.
    file: Option<Fd>,
    buffer: [u8; 4096],
    start: usize,
    end: usize,
    total: u64,
    line: u32,
    /// Another field or word of the line follows, even if it is empty and the file ends there.
    goes_on: bool,
}

impl Table {
    /// Opens `path` in the image's `root`; where there is none, it has no line.
    pub fn open(root: FdRef<'_>, path: &'static CStr) -> Result<Table> {
        let resolve = fs::RESOLVE_IN_ROOT | fs::RESOLVE_NO_MAGICLINKS;
        Table::open_in(root, resolve, Name { whose: "the image's ", path })
    }

    /// Opens the host's `path`; where there is none, it has no line.
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

    /// The next field, ended by a colon, by the line's end, or (where `words`) by a comma. `None`
    /// at the file's end.
    pub fn field(&mut self, field: &mut Field, words: bool) -> Result<Option<End>> {
        field.set(b"");
        let mut any = core::mem::take(&mut self.goes_on);
        loop {
            let byte = match self.byte()? {
                Some(byte) => byte,
                // The last line may lack its end.
                None if any => b'\n',
                None => return Ok(None),
            };
            any = true;
            match byte {
                b'\n' => {
                    self.line += 1;
                    return Ok(Some(End::Line));
                }
                b':' | b',' if byte == b':' || words => {
                    self.goes_on = true;
                    return Ok(Some(if byte == b':' { End::Field } else { End::Word }));
                }
                other => field.push(other),
            }
        }
    }

    /// An error about the line that the last field was on.
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
    // A look before it is opened: opening a device may have an effect.
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
