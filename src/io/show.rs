//! How bytes that may be anything are shown in a message.

use core::fmt::{self, Display};

/// Bytes as text: what is not UTF-8 as `\xNN`. (An `Error` escapes control characters itself.)
pub struct Show<'a>(pub &'a [u8]);

impl Display for Show<'_> {
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

/// A C string shown the same way.
pub struct ShowC<'a>(pub &'a core::ffi::CStr);

impl Display for ShowC<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Show(self.0.to_bytes()).fmt(f)
    }
}
