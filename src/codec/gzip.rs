//! gzip (RFC 1952), fed in pieces of any size and inflated into space of any size.
//!
//! Several members are one stream, and zeros after the last one are padding (builders and tapes
//! leave them). Errors: another format or method, reserved flags, a wrong header checksum,
//! malformed deflate data, a wrong CRC-32 or length, an end before the trailer, other bytes after a
//! member.
//!
//! A match may reach back before its member's start and gets old bytes of the window. The CRC-32 or
//! the digest of the inflated bytes detects that. If the caller checks that digest, the CRC-32 is
//! left out.

use super::crc32::Crc32;
use crate::limits::GZIP_WINDOW_BYTES;
use crate::{Error, Result};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress_with_limit, inflate_flags};

/// The last inflated bytes, which deflate refers back to. Only the decoder uses this memory: its
/// output is copied out, so no other thread reads it.
pub struct Window {
    bytes: [u8; GZIP_WINDOW_BYTES],
    at: usize,
}

impl Window {
    /// The window of an empty stream.
    pub const EMPTY: Window = Window { bytes: [0; GZIP_WINDOW_BYTES], at: 0 };

    /// Returns its memory, which may be given back to the kernel between two streams.
    pub fn memory(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Inflates into `output`. Returns (status, bytes of input used, bytes written).
    fn inflate(
        &mut self,
        state: &mut DecompressorOxide,
        input: &[u8],
        output: &mut [u8],
    ) -> (TINFLStatus, usize, usize) {
        const FLAGS: u32 =
            inflate_flags::TINFL_FLAG_HAS_MORE_INPUT | inflate_flags::TINFL_FLAG_IGNORE_ADLER32;
        let most = output.len().min(self.bytes.len() - self.at);
        let (status, used, made) =
            decompress_with_limit(state, input, &mut self.bytes, self.at, most, FLAGS);
        output[..made].copy_from_slice(&self.bytes[self.at..][..made]);
        self.at = (self.at + made) % self.bytes.len();
        (status, used, made)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// The ten bytes at the start of every member.
    Fixed,
    ExtraLength,
    /// Number of bytes of the extra field that are still to come.
    Extra(u16),
    Name,
    Comment,
    HeaderSum,
    Body,
    Trailer,
    /// After a member: another one, padding, or the end.
    Between,
    Padding,
}

mod flag {
    pub const HEADER_SUM: u8 = 2;
    pub const EXTRA: u8 = 4;
    pub const NAME: u8 = 8;
    pub const COMMENT: u8 = 16;
    pub const RESERVED: u8 = 0xe0;
}

/// A gzip stream being read.
pub struct Decoder {
    stage: Stage,
    flags: u8,
    /// A field, which may arrive in pieces.
    field: [u8; 10],
    filled: usize,
    header_sum: Crc32,
    /// None if the caller checks a digest of the inflated bytes.
    body_sum: Option<Crc32>,
    length: u32,
    /// A member has ended.
    members: bool,
    inflate: DecompressorOxide,
}

impl Decoder {
    /// Returns a decoder at the start of a stream.
    pub fn new() -> Decoder {
        Decoder {
            stage: Stage::Fixed,
            flags: 0,
            field: [0; 10],
            filled: 0,
            header_sum: Crc32::NEW,
            body_sum: Some(Crc32::NEW),
            length: 0,
            members: false,
            inflate: DecompressorOxide::new(),
        }
    }

    /// Does the same without the CRC-32, because the caller checks a digest of the inflated bytes.
    pub fn without_sum() -> Decoder {
        Decoder { body_sum: None, ..Decoder::new() }
    }

    /// Inflates a part of `input` into `output`. Returns (bytes used, bytes written). Both are 0
    /// only if it needs more input or space. At the end the caller passes no input until it writes
    /// nothing. The caller passes the same `window` for the whole stream.
    pub fn step(
        &mut self,
        input: &[u8],
        window: &mut Window,
        output: &mut [u8],
    ) -> Result<(usize, usize)> {
        let mut rest = input;
        while self.stage != Stage::Body {
            if rest.is_empty() {
                return Ok((input.len(), 0));
            }
            self.frame(&mut rest)?;
        }
        let before = input.len() - rest.len();
        let (status, used, made) = window.inflate(&mut self.inflate, rest, output);
        if let Some(sum) = &mut self.body_sum {
            sum.update(&output[..made]);
        }
        self.length = self.length.wrapping_add(made as u32);
        match status {
            TINFLStatus::Done => self.enter(Stage::Trailer),
            TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {}
            _ => return Err(error("invalid deflate data")),
        }
        Ok((before + used, made))
    }

    /// Returns an error unless the stream is complete. Called after all input has been used.
    pub fn finish(&self) -> Result<()> {
        match self.stage {
            Stage::Between | Stage::Padding => Ok(()),
            _ => Err(error("truncated")),
        }
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.filled = 0;
    }

    /// Consumes at least one byte of a member's header or trailer.
    // A frame of its own: 0.2 KB.
    #[inline(never)]
    fn frame(&mut self, rest: &mut &[u8]) -> Result<()> {
        match self.stage {
            Stage::Fixed => {
                let whole = self.field(rest, 10);
                // Check the magic number early, so that even short garbage after a member is named
                // as such.
                let known = self.filled.min(2);
                if self.field[..known] != [0x1f, 0x8b][..known] {
                    return Err(error(if self.members {
                        "garbage after the end"
                    } else {
                        "not gzip data"
                    }));
                }
                if whole {
                    let [_, _, method, flags, ..] = self.field;
                    if method != 8 {
                        return Err(error("a method other than deflate"));
                    } else if flags & flag::RESERVED != 0 {
                        return Err(error("reserved flags are set"));
                    }
                    self.flags = flags;
                    self.header_sum = Crc32::NEW;
                    self.header_sum.update(&self.field);
                    self.after(Stage::Fixed);
                }
            }
            Stage::ExtraLength => {
                if self.field(rest, 2) {
                    self.header_sum.update(&self.field[..2]);
                    match u16::from_le_bytes([self.field[0], self.field[1]]) {
                        0 => self.after(Stage::ExtraLength),
                        length => self.enter(Stage::Extra(length)),
                    }
                }
            }
            Stage::Extra(left) => {
                let count = rest.len().min(usize::from(left));
                self.header_sum.update(&rest[..count]);
                *rest = &rest[count..];
                match left - count as u16 {
                    0 => self.after(Stage::ExtraLength),
                    left => self.stage = Stage::Extra(left),
                }
            }
            Stage::Name | Stage::Comment => {
                let end = rest.iter().position(|&byte| byte == 0);
                let count = end.map_or(rest.len(), |end| end + 1);
                self.header_sum.update(&rest[..count]);
                *rest = &rest[count..];
                if end.is_some() {
                    self.after(self.stage);
                }
            }
            Stage::HeaderSum => {
                if self.field(rest, 2) {
                    if self.field[..2] != self.header_sum.value().to_le_bytes()[..2] {
                        return Err(error("wrong header checksum"));
                    }
                    self.after(Stage::HeaderSum);
                }
            }
            Stage::Body => {}
            Stage::Trailer => {
                if self.field(rest, 8) {
                    if self.body_sum.is_some_and(|sum| self.field[..4] != sum.value().to_le_bytes())
                    {
                        return Err(error("wrong CRC-32"));
                    }
                    if self.field[4..8] != self.length.to_le_bytes() {
                        return Err(error("wrong length"));
                    }
                    self.members = true;
                    self.enter(Stage::Between);
                }
            }
            Stage::Between => self.enter(if rest[0] == 0 { Stage::Padding } else { Stage::Fixed }),
            Stage::Padding => {
                if rest.iter().any(|&byte| byte != 0) {
                    return Err(error("garbage after the end"));
                }
                *rest = &[];
            }
        }
        Ok(())
    }

    /// Goes on to the next header field that the flags announce.
    fn after(&mut self, stage: Stage) {
        const OPTIONAL: [(Stage, u8); 4] = [
            (Stage::ExtraLength, flag::EXTRA),
            (Stage::Name, flag::NAME),
            (Stage::Comment, flag::COMMENT),
            (Stage::HeaderSum, flag::HEADER_SUM),
        ];
        let done = OPTIONAL.iter().position(|(one, _)| *one == stage).map_or(0, |at| at + 1);
        let next = OPTIONAL[done..].iter().find(|(_, flag)| self.flags & flag != 0);
        self.enter(next.map_or(Stage::Body, |(stage, _)| *stage));
        if self.stage == Stage::Body {
            self.inflate.init();
            (self.body_sum, self.length) = (self.body_sum.map(|_| Crc32::NEW), 0);
        }
    }

    /// Collects `size` bytes in `field`. Returns true when it is complete.
    fn field(&mut self, rest: &mut &[u8], size: usize) -> bool {
        let count = rest.len().min(size - self.filled);
        self.field[self.filled..self.filled + count].copy_from_slice(&rest[..count]);
        self.filled += count;
        *rest = &rest[count..];
        self.filled == size
    }
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}

#[cold]
fn error(why: &str) -> Error {
    Error::new(format_args!("gzip: {why}"))
}

#[cfg(test)]
mod tests;
