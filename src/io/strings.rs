//! A block of NUL-terminated strings, decoded once from their source: arguments, environment, mount
//! options.

use crate::error::{Error, Result};
use crate::sys::Errno;
use core::ffi::CStr;
use core::fmt::{self, Write};

/// A growing block in borrowed memory. Its strings live as long as the memory.
pub struct StringBlock<'m> {
    free: &'m mut [u8],
}

impl<'m> StringBlock<'m> {
    /// Returns an empty block in `memory`.
    pub fn new(memory: &'m mut [u8]) -> StringBlock<'m> {
        StringBlock { free: memory }
    }

    /// Copies `bytes`. An error if one is a NUL or the block is full.
    pub fn add(&mut self, bytes: &[u8]) -> Result<&'m CStr> {
        let mut builder = self.begin();
        builder.push(bytes)?;
        builder.finish()
    }

    /// Adds a format's text: `strings.format(format_args!("HOSTNAME={name}"))`.
    pub fn format(&mut self, text: fmt::Arguments<'_>) -> Result<&'m CStr> {
        let mut builder = self.begin();
        builder.push_format(text)?;
        builder.finish()
    }

    /// Begins a string of several pieces. It takes its place in the block when it is finished.
    pub fn begin(&mut self) -> Builder<'_, 'm> {
        Builder { limit: self.free.len(), strings: self, len: 0, failed: None }
    }
}

/// A string of several pieces.
pub struct Builder<'s, 'm> {
    strings: &'s mut StringBlock<'m>,
    len: usize,
    /// End of the string's room, and start of the reserved bytes.
    limit: usize,
    failed: Option<Error>,
}

impl<'m> Builder<'_, 'm> {
    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.contains(&0) {
            return Err(Error::with_errno(
                format_args!("a NUL byte in {}", super::lossy::Lossy(bytes)),
                Errno::EINVAL,
            ));
        }
        self.push_checked(bytes)
    }

    /// Appends bytes that are known to have no NUL.
    pub fn push_checked(&mut self, bytes: &[u8]) -> Result<()> {
        let end = self.len + bytes.len();
        let room = &mut self.strings.free[..self.limit];
        room.get_mut(self.len..end).ok_or_else(full)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// Appends a format's text.
    pub fn push_format(&mut self, text: fmt::Arguments<'_>) -> Result<()> {
        self.write_fmt(text).map_err(|_| self.failed.take().unwrap_or_else(full))
    }

    /// Appends the words of another list.
    pub fn push_words(&mut self, words: PackedStrings<'_>) -> Result<()> {
        self.push_checked(words.bytes)
    }

    /// Returns the number of bytes so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns true if there are no bytes yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.strings.free[..self.len]
    }

    /// Ends a word of a list (see [`Builder::finish_words`]).
    pub fn end_word(&mut self) -> Result<()> {
        self.push_checked(b"\0")
    }

    /// Removes a range of bytes. The bytes after it move up.
    pub fn remove(&mut self, range: core::ops::Range<usize>) {
        self.strings.free.copy_within(range.end..self.len, range.start);
        self.len -= range.len();
    }

    /// Reserves bytes at the end of the block until the string is finished. Returns false if they
    /// do not fit.
    pub fn reserve(&mut self, bytes: usize) -> bool {
        let limit = self.strings.free.len().checked_sub(bytes).filter(|limit| *limit >= self.len);
        self.limit = limit.unwrap_or(self.limit);
        limit.is_some()
    }

    /// Returns the bytes so far, and the reserved bytes.
    pub fn with_reserved(&mut self) -> (&mut [u8], &mut [u8]) {
        let (string, reserved) = self.strings.free.split_at_mut(self.limit);
        (&mut string[..self.len], reserved)
    }

    /// Stores the words, each ended by [`Builder::end_word`], in the block. Returns them.
    pub fn finish_words(self) -> PackedStrings<'m> {
        let (taken, free) = core::mem::take(&mut self.strings.free).split_at_mut(self.len);
        self.strings.free = free;
        PackedStrings { bytes: taken }
    }

    /// Ends the string, stores it in the block and returns it.
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

/// A list of consecutive strings, each ended by a NUL.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct PackedStrings<'m> {
    bytes: &'m [u8],
}

impl<'m> PackedStrings<'m> {
    /// Returns the words of `c"one\0two"`. The literal adds the last NUL.
    pub const fn new(text: &'m [u8]) -> PackedStrings<'m> {
        assert!(text.is_empty() || text[text.len() - 1] == 0, "the last word must end in a NUL");
        PackedStrings { bytes: text }
    }

    /// Returns the words in order.
    pub fn iter(self) -> impl Iterator<Item = &'m CStr> + Clone {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let word = CStr::from_bytes_until_nul(rest).ok()?;
            rest = &rest[word.count_bytes() + 1..];
            Some(word)
        })
    }

    /// Returns the bytes of all words, each with its NUL.
    pub fn as_bytes(self) -> &'m [u8] {
        self.bytes
    }

    /// Calls `see` with each pair of words: name and value.
    pub fn each_pair<E>(
        self,
        see: &mut dyn FnMut(&'m CStr, &'m CStr) -> core::result::Result<(), E>,
    ) -> core::result::Result<(), E> {
        let mut words = self.iter();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            see(name, value)?;
        }
        Ok(())
    }

    /// Returns the first word.
    pub fn first(self) -> Option<&'m CStr> {
        self.iter().next()
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
    Error::with_errno(
        format_args!("arguments, environment and names exceed {limit} bytes"),
        Errno::E2BIG,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_kept_and_the_block_ends() {
        let mut memory = [0u8; 12];
        let mut strings = StringBlock::new(&mut memory);
        let first = strings.add(b"abc").unwrap();
        let second = strings.format(format_args!("{}={}", "K", 1)).unwrap();
        assert_eq!((first, second), (c"abc", c"K=1"));
        assert_eq!(strings.add(b"abcd").unwrap_err().errno(), Errno::E2BIG);
        assert_eq!(strings.add(b"a\0").unwrap_err().errno(), Errno::EINVAL);
        assert_eq!(strings.add(b"abc").unwrap(), c"abc");
    }

    #[test]
    fn words_are_packed_and_walked() {
        let mut memory = [0u8; 12];
        let mut strings = StringBlock::new(&mut memory);
        let mut list = strings.begin();
        for word in [&b"a"[..], b"", b"drop", b"bc"] {
            list.push(word).unwrap();
            list.end_word().unwrap();
        }
        list.remove(3..8);
        assert_eq!(list.as_bytes(), b"a\0\0bc\0");
        assert!(list.push(b"1234567").is_err());
        let words = list.finish_words();
        assert_eq!(words.iter().collect::<Vec<_>>(), [c"a", c"", c"bc"]);
        assert_eq!(strings.add(b"12345").unwrap(), c"12345");
        assert_eq!(PackedStrings::new(b"x\0y\0").iter().count(), 2);
    }
}
