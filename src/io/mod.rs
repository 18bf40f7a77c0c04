//! Bytes in and out: the traits for decoders, and files behind them.

pub mod document;
pub mod in_root;
pub mod interrupt;
pub mod kernel_file;
pub mod lossy;
pub mod observer;
pub mod output;
pub mod passwd;
pub mod path;
pub mod section;
pub mod stored;
pub mod strings;
pub mod table;
pub mod text;
pub mod unique;
pub mod units;

use crate::Result;

/// A stream that lends its bytes without a copy.
pub trait Source {
    /// Returns the available bytes, at least one; none only at the end. May wait.
    fn peek(&mut self) -> Result<&[u8]>;

    /// Removes the first `count` of the bytes that `peek` returned last.
    fn consume(&mut self, count: usize);

    /// Skips `count` bytes. Returns how many there were before the end.
    fn skip(&mut self, mut count: u64) -> Result<u64> {
        let mut passed = 0;
        while count > 0 {
            let there = self.peek()?.len() as u64;
            if there == 0 {
                break;
            }
            let step = there.min(count);
            self.consume(step as usize);
            count -= step;
            passed += step;
        }
        Ok(passed)
    }

    /// Fills `buffer`. Returns the number of bytes before the end.
    fn read_full(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let bytes = self.peek()?;
            if bytes.is_empty() {
                break;
            }
            let step = bytes.len().min(buffer.len() - filled);
            buffer[filled..filled + step].copy_from_slice(&bytes[..step]);
            self.consume(step);
            filled += step;
        }
        Ok(filled)
    }
}

/// A slice is a source for tests and fuzz targets.
impl Source for &[u8] {
    fn peek(&mut self) -> Result<&[u8]> {
        Ok(self)
    }

    fn consume(&mut self, count: usize) {
        *self = &self[count..];
    }
}
