//! How bytes that may be anything are shown in a message.

use crate::sys::Errno;
use core::ffi::CStr;
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
pub struct ShowC<'a>(pub &'a CStr);

impl Display for ShowC<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Show(self.0.to_bytes()).fmt(f)
    }
}

/// What was being done to which file, added to a failure: `open /etc/passwd: permission denied`.
pub trait On<T> {
    /// `doing path: cause`.
    fn on(self, doing: &str, path: &CStr) -> crate::Result<T>;
}

impl<T> On<T> for Result<T, Errno> {
    fn on(self, doing: &str, path: &CStr) -> crate::Result<T> {
        self.map_err(|errno| failed(doing, path, errno))
    }
}

#[cold]
fn failed(doing: &str, path: &CStr, errno: Errno) -> crate::Error {
    crate::Error::with_errno(format_args!("{doing} {}: {errno}", ShowC(path)), errno)
}
