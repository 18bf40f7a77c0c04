//! A container's name.

use crate::io::lossy::{Elided, LossyC};
use crate::limits::NAME_BYTES;
use crate::sys::Errno;
use crate::{Error, Result};
use core::ffi::CStr;
use core::fmt::{self, Display};

/// A container's name of `[A-Za-z0-9_+.-]`, so that it is one path component and one word of a
/// line.
#[derive(Clone, Copy)]
pub struct Id<'a>(pub(super) &'a CStr);

impl<'a> Id<'a> {
    /// Checks a name from the command line or a directory.
    pub fn check(name: &'a CStr) -> Result<Id<'a>> {
        let bytes = name.to_bytes();
        let fits =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-' | b'.');
        match !matches!(bytes, b"" | b"." | b"..")
            && bytes.len() <= NAME_BYTES
            && bytes.iter().all(fits)
        {
            true => Ok(Id(name)),
            false => Err(Error::with_errno(
                format_args!("invalid container ID format: {}", Elided(bytes)),
                Errno::EINVAL,
            )),
        }
    }

    /// Returns its bytes.
    pub fn as_c_str(self) -> &'a CStr {
        self.0
    }
}

impl Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        LossyC(self.0).fmt(f)
    }
}
