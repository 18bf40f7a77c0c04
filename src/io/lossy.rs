//! Bytes of any content, shown in a message.

use crate::error::{ESCAPE_BYTES, visible};
use crate::sys::Errno;
use core::ffi::CStr;
use core::fmt::{self, Display};

/// Shows bytes as text, with `\xNN` for bytes that are not UTF-8. `Error` and the log also escape
/// deceptive characters.
pub struct Lossy<'a>(pub &'a [u8]);

impl Display for Lossy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Shows the start and the end of long bytes, so that the text after them fits the message. A
/// message has [`crate::limits::ERROR_TEXT_BYTES`]; a name may have four times as many.
pub struct Elided<'a>(pub &'a [u8]);

impl Display for Elided<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = fitting(&mut self.0.iter(), 192);
        let end = fitting(&mut self.0[start..].iter().rev(), 64);
        Lossy(&self.0[..start]).fmt(f)?;
        if start + end < self.0.len() {
            f.write_str("…")?;
        }
        Lossy(&self.0[self.0.len() - end..]).fmt(f)
    }
}

/// Returns how many of the bytes take at most `room` when shown. A byte outside ASCII may take
/// four.
fn fitting(bytes: &mut dyn Iterator<Item = &u8>, mut room: usize) -> usize {
    let mut count = 0;
    for &byte in bytes {
        let width = if matches!(byte, b' '..=b'~') { 1 } else { 4 };
        if width > room {
            break;
        }
        (room, count) = (room - width, count + 1);
    }
    count
}

/// Shows a C string like [`Lossy`].
pub struct LossyC<'a>(pub &'a CStr);

impl Display for LossyC<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Lossy(self.0.to_bytes()).fmt(f)
    }
}

/// Shows bytes like [`Lossy`] in a line of output, with the escapes of messages: none of them ends
/// the line.
pub struct OneLine<'a>(pub &'a [u8]);

impl Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; ESCAPE_BYTES];
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                let shown = visible(character, &mut buffer);
                f.write_str(core::str::from_utf8(shown).unwrap_or_default())?;
            }
            Lossy(chunk.invalid()).fmt(f)?;
        }
        Ok(())
    }
}

/// Adds the action and the file to a failure: `open /etc/passwd: permission denied`.
pub trait On<T> {
    /// Returns the error `doing path: cause`.
    fn on(self, doing: &str, path: &CStr) -> crate::Result<T>;
}

impl<T> On<T> for Result<T, Errno> {
    fn on(self, doing: &str, path: &CStr) -> crate::Result<T> {
        self.map_err(|errno| failed(doing, path, errno))
    }
}

#[cold]
fn failed(doing: &str, path: &CStr, errno: Errno) -> crate::Error {
    crate::Error::with_errno(format_args!("{doing} {}: {errno}", LossyC(path)), errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_shown_by_their_ends() {
        let show = |bytes: &[u8]| Elided(bytes).to_string();
        assert_eq!((show(b""), show(b"etc/\xff")), ("".into(), "etc/\\xff".into()));
        let whole = "a".repeat(256);
        assert_eq!(show(whole.as_bytes()), whole);
        assert_eq!(
            show(format!("{whole}{whole}z").as_bytes()),
            format!("{}…{}z", &whole[..192], &whole[..63])
        );
        for byte in [b"\xff", b"\n", "é".as_bytes()] {
            assert!(
                crate::Error::new(format_args!("{}", Elided(&byte.repeat(5000)))).to_string().len()
                    <= 260
            );
        }
    }
}
