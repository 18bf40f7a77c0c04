//! zstd (RFC 8878), fed in pieces of any size. libzstd decodes the blocks; this file reads their
//! frames.
//!
//! Several frames are one stream, and skippable frames may stand anywhere (zstd:chunked ends with
//! them). Errors: another format, a reserved bit, a dictionary, a window larger than
//! [`ZSTD_WINDOW_BYTES`], malformed blocks, a wrong checksum or content size, an end within a
//! frame, other bytes after one.
//!
//! The window is the content that a frame refers back to; it takes memory. The header gives its
//! size: for a frame of a single segment, the whole content. It is never more than a known content
//! size.

use crate::limits::ZSTD_WINDOW_BYTES;
use crate::sys::zstd::{Fault, Stream, workspace_words};
use crate::{Error, Result};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The first byte may be 50 to 5f.
const MAGIC_SKIPPABLE: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];
/// Magic number and size of a skippable frame.
const SKIPPABLE_HEADER_BYTES: usize = 8;
/// Magic number, descriptor, window, dictionary's number, content size.
const HEADER_BYTES_MAX: usize = 18;

/// libzstd refuses a header with a larger window, even if the content is small.
const NAMED_WINDOW_BYTES_MAX: u64 = 1 << 31;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before the first byte of a frame, or in its header.
    Header,
    /// Number of bytes of a skippable frame that are still to come.
    Skip(u32),
    Blocks,
}

/// A zstd stream being read.
pub struct Decoder<'w> {
    stage: Stage,
    /// A header, which may arrive in pieces.
    header: [u8; HEADER_BYTES_MAX],
    filled: usize,
    /// A frame of either kind has ended.
    frames: bool,
    stream: Stream<'w>,
}

impl<'w> Decoder<'w> {
    /// Returns the words of memory for a decoder of any stream. It touches only the part that a
    /// frame's window needs.
    pub fn workspace_words() -> usize {
        workspace_words(ZSTD_WINDOW_BYTES as usize)
    }

    /// Returns a decoder at the start of a stream.
    pub fn new(workspace: &'w mut [u64]) -> Result<Decoder<'w>> {
        let stream = Stream::new(workspace).ok_or_else(|| error("too little memory"))?;
        Ok(Decoder {
            stage: Stage::Header,
            header: [0; HEADER_BYTES_MAX],
            filled: 0,
            frames: false,
            stream,
        })
    }

    /// Does the same without the frames' checksums, because the caller checks a digest of the
    /// content.
    pub fn without_sum(workspace: &'w mut [u64]) -> Result<Decoder<'w>> {
        let mut decoder = Decoder::new(workspace)?;
        decoder.stream.ignore_checksum();
        Ok(decoder)
    }

    /// Decodes a part of `input` into `output`. Returns (bytes used, bytes written). Both are 0
    /// only if it needs more input or space. At the end the caller passes no input until it writes
    /// nothing.
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize)> {
        let mut rest = input;
        while self.stage != Stage::Blocks {
            if rest.is_empty() {
                return Ok((input.len(), 0));
            }
            match self.stage {
                Stage::Skip(left) => {
                    let count = rest.len().min(left as usize);
                    rest = &rest[count..];
                    self.skip(left - count as u32);
                }
                _ => self.take_header(&mut rest)?,
            }
        }
        let step = self.stream.step(rest, output).map_err(undecodable)?;
        if step.ended {
            self.end();
        }
        Ok((input.len() - rest.len() + step.used, step.made))
    }

    /// Returns an error unless the stream is complete. Called after all input has been used.
    pub fn finish(&self) -> Result<()> {
        match self.stage {
            Stage::Header if self.filled == 0 && self.frames => Ok(()),
            _ => Err(error("truncated")),
        }
    }

    fn end(&mut self) {
        (self.stage, self.filled, self.frames) = (Stage::Header, 0, true);
    }

    fn skip(&mut self, left: u32) {
        match left {
            0 => self.end(),
            left => self.stage = Stage::Skip(left),
        }
    }

    /// Collects at least one byte of a header, and acts on a complete one.
    fn take_header(&mut self, rest: &mut &[u8]) -> Result<()> {
        let wanted = match (self.filled, self.header[0] == MAGIC[0]) {
            (..4, _) => 4,
            (_, false) => SKIPPABLE_HEADER_BYTES,
            (4, true) => 5,
            (_, true) => header_bytes(self.header[4]),
        };
        let count = rest.len().min(wanted - self.filled);
        self.header[self.filled..self.filled + count].copy_from_slice(&rest[..count]);
        self.filled += count;
        *rest = &rest[count..];
        // Check the magic number early, so that even short garbage after a frame is named as such.
        let known = self.filled.min(4);
        let skippable = self.header[0] & 0xf0 == MAGIC_SKIPPABLE[0]
            && self.header[1..known] == MAGIC_SKIPPABLE[1..known];
        if !skippable && self.header[..known] != MAGIC[..known] {
            return Err(error(if self.frames { "garbage after the end" } else { "not zstd data" }));
        }
        if self.filled < wanted || wanted == 4 || (wanted == 5 && header_bytes(self.header[4]) > 5)
        {
            return Ok(());
        }
        if skippable {
            self.skip(little_endian(&self.header[4..SKIPPABLE_HEADER_BYTES]) as u32);
            return Ok(());
        }
        check_header(&self.header[4..wanted])?;
        self.stage = Stage::Blocks;
        match self.stream.step(&self.header[..wanted], &mut []) {
            Ok(step) if step.used == wanted => Ok(()),
            Ok(_) => Err(error("invalid frame header")),
            Err(why) => Err(undecodable(why)),
        }
    }
}

/// Returns the sizes of a frame header's fields (RFC 8878 section 3.1.1.1): window, dictionary's
/// number, content size.
fn fields(descriptor: u8) -> [usize; 3] {
    let single_segment = descriptor & 1 << 5 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content = [usize::from(single_segment), 2, 4, 8][usize::from(descriptor >> 6)];
    [usize::from(!single_segment), dictionary, content]
}

/// Returns the length of a frame's header, including its magic number.
fn header_bytes(descriptor: u8) -> usize {
    5 + fields(descriptor).iter().sum::<usize>()
}

/// Refuses a frame that cannot be decoded here. `header` begins with the descriptor.
fn check_header(header: &[u8]) -> Result<()> {
    let (descriptor, rest) = (header[0], &header[1..]);
    let [window, dictionary, content] = fields(descriptor);
    if descriptor & 1 << 3 != 0 {
        return Err(error("a reserved bit is set"));
    }
    let number = little_endian(&rest[window..window + dictionary]);
    if number != 0 {
        return Err(Error::new(format_args!(
            "zstd: dictionary {number} is needed, and an image has none"
        )));
    }
    let content = match little_endian(&rest[window + dictionary..]) {
        _ if content == 0 => u64::MAX,
        size if content == 2 => size + 256,
        size => size,
    };
    let window = match window {
        0 => content,
        _ => {
            let base = 1u64 << (10 + (rest[0] >> 3));
            base + base / 8 * u64::from(rest[0] & 7)
        }
    };
    if window.min(content) > ZSTD_WINDOW_BYTES || window > NAMED_WINDOW_BYTES_MAX {
        return Err(Error::new(format_args!(
            "zstd: a window of {window} bytes, more than {ZSTD_WINDOW_BYTES}"
        )));
    }
    Ok(())
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

#[cold]
fn undecodable(why: Fault) -> Error {
    match why {
        Fault::CHECKSUM => error("wrong checksum"),
        Fault(code) => Error::new(format_args!("zstd: invalid data (libzstd's error {code})")),
    }
}

#[cold]
fn error(why: &str) -> Error {
    Error::new(format_args!("zstd: {why}"))
}

#[cfg(test)]
mod tests;
