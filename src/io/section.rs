//! A part of a file: a blob in its own file or inside an archive.

use super::Source;
use super::stored::Stored;
use crate::sys::fd::Fd;
use crate::sys::fs;
use crate::{Context, Result};

/// `size` bytes of `file` from `offset`.
#[derive(Debug)]
pub struct Section {
    /// The file or block device.
    pub file: Fd,
    /// Start of the section, in bytes.
    pub offset: u64,
    /// Length of the section, in bytes.
    pub size: u64,
}

impl Stored for Section {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<usize> {
        let room = (self.size.saturating_sub(at)).min(buffer.len() as u64) as usize;
        if room == 0 {
            return Ok(0);
        }
        fs::read_at(self.file.by_ref(), &mut buffer[..room], self.offset + at).doing("read")
    }

    fn file(&self) -> Option<&Section> {
        Some(self)
    }
}

impl Section {
    /// Returns a reader from the section's start, through `buffer`.
    pub fn reader<'a>(&'a self, buffer: &'a mut [u8]) -> SectionReader<'a> {
        SectionReader { section: self, buffer, next: 0, start: 0, end: 0 }
    }
}

/// Reads a [`Section`] in order. Skipping bytes costs no read.
pub struct SectionReader<'a> {
    section: &'a Section,
    buffer: &'a mut [u8],
    /// The part of the section that the buffer gets next.
    next: u64,
    /// The unread part of the buffer.
    start: usize,
    end: usize,
}

impl SectionReader<'_> {
    /// Returns the reader's position, in bytes from the section's start.
    pub fn position(&self) -> u64 {
        self.next - (self.end - self.start) as u64
    }
}

impl Source for SectionReader<'_> {
    fn peek(&mut self) -> Result<&[u8]> {
        if self.start == self.end {
            let n = self.section.read_at(self.buffer, self.next)?;
            (self.start, self.end) = (0, n);
            self.next += n as u64;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }

    fn skip(&mut self, count: u64) -> Result<u64> {
        let position = self.position();
        let passed = count.min(self.section.size.saturating_sub(position));
        if passed <= (self.end - self.start) as u64 {
            self.start += passed as usize;
        } else {
            (self.start, self.end) = (0, 0);
            self.next = position + passed;
        }
        Ok(passed)
    }
}
