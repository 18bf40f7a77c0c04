//! A block of NUL-terminated strings: arguments, environment, mount options, decoded from their source once.

use crate::error::{Error, Result};
use crate::sys::Errno;
use core::ffi::CStr;
use core::fmt::{self, Write};

/// A growing block in borrowed memory. Strings put in live as long as the memory.
pub struct Strings<'m> {
    free: &'m mut [u8],
}

impl<'m> Strings<'m> {
    /// An empty block in `memory`.
    pub fn new(memory: &'m mut [u8]) -> Strings<'m> {
        Strings { free: memory }
    }

    /// A copy of `bytes`. An error where there is a NUL among them or the block is full.
    pub fn add(&mut self, bytes: &[u8]) -> Result<&'m CStr> {
        let mut builder = self.begin();
        builder.push(bytes)?;
        builder.finish()
    }

    /// The string that a format makes: `strings.format(format_args!("HOSTNAME={name}"))`.
    pub fn format(&mut self, text: fmt::Arguments<'_>) -> Result<&'m CStr> {
        let mut builder = self.begin();
        match builder.write_fmt(text) {
            Ok(()) => builder.finish(),
            Err(_) => Err(builder.failed.unwrap_or_else(full)),
        }
    }

    /// A string that is put together piece by piece; nothing is taken until it is finished.
    pub fn begin(&mut self) -> Builder<'_, 'm> {
        Builder { strings: self, len: 0, failed: None }
    }
}

/// A string being put together.
pub struct Builder<'s, 'm> {
    strings: &'s mut Strings<'m>,
    len: usize,
    failed: Option<Error>,
}

impl<'m> Builder<'_, 'm> {
    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.contains(&0) {
            return Err(Error::with_errno(format_args!("a NUL byte in {}", super::show::Show(bytes)), Errno::EINVAL));
        }
        let end = self.len + bytes.len();
        self.strings.free.get_mut(self.len..end).ok_or_else(full)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// Ends the string and takes its place in the block.
    pub fn finish(self) -> Result<&'m CStr> {
        if self.len >= self.strings.free.len() {
            return Err(full());
        }
        let (taken, free) = core::mem::take(&mut self.strings.free).split_at_mut(self.len + 1);
        self.strings.free = free;
        taken[self.len] = 0;
        CStr::from_bytes_with_nul(taken).map_err(|_| full())
    }
}

impl Write for Builder<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes()).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}

#[cold]
fn full() -> Error {
    let limit = crate::limits::STRINGS_BYTES;
    Error::with_errno(format_args!("arguments, environment and names exceed {limit} bytes"), Errno::E2BIG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_kept_and_the_block_ends() {
        let mut memory = [0u8; 12];
        let mut strings = Strings::new(&mut memory);
        let first = strings.add(b"abc").unwrap();
        let second = strings.format(format_args!("{}={}", "K", 1)).unwrap();
        assert_eq!((first, second), (c"abc", c"K=1"));
        assert_eq!(strings.add(b"abcd").unwrap_err().errno(), Errno::E2BIG);
        assert_eq!(strings.add(b"a\0").unwrap_err().errno(), Errno::EINVAL);
        assert_eq!(strings.add(b"abc").unwrap(), c"abc");
    }
}
