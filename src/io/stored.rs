//! Stored bytes that are read by their position.

use super::section::Section;
use crate::Result;

/// Stored bytes of a known length: a part of a file, or a blob of a registry.
pub trait Stored: Sync {
    /// Returns the length in bytes.
    fn size(&self) -> u64;

    /// Reads at `at` bytes from the start. Returns the number of bytes, 0 only at the end. If the
    /// source ends early, the bytes end there.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<usize>;

    /// Returns the part of a file that it is, if any: its blocks can be shared with another file.
    fn file(&self) -> Option<&Section> {
        None
    }

    /// Fills `buffer` from `at`. Returns the number of bytes before the end.
    fn read_full_at(&self, buffer: &mut [u8], at: u64) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], at + filled as u64)? {
                0 => break,
                n => filled += n,
            }
        }
        Ok(filled)
    }
}
