//! The map of a GNU sparse file: which parts of it are stored. Four forms: in the header (old GNU),
//! as pax records (0.0), as one pax record (0.1), before the data (1.0).

use super::header::number;
use crate::io::text::decimal;
use crate::limits::SPARSE_SEGMENTS_MAX;
use core::fmt;

/// A stored part of a sparse file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Segment {
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
}

/// The error of a map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It violates its form's syntax.
    Malformed,
    /// It has more segments than the capacity.
    Full,
    /// Segments overlap, go backwards, or end after the file.
    Inconsistent,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Malformed => f.write_str("malformed sparse map"),
            Fault::Full => write!(f, "sparse map of more than {SPARSE_SEGMENTS_MAX} segments"),
            Fault::Inconsistent => f.write_str("sparse map that contradicts itself or the sizes"),
        }
    }
}

/// The map being read.
pub struct Map {
    segments: [Segment; SPARSE_SEGMENTS_MAX],
    count: usize,
    /// The offset of a segment whose length is still to come.
    pending: Option<u64>,
}

impl Map {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: Map = Map {
        segments: [Segment { offset: 0, length: 0 }; SPARSE_SEGMENTS_MAX],
        count: 0,
        pending: None,
    };

    /// Removes all segments.
    pub fn clear(&mut self) {
        (self.count, self.pending) = (0, None);
    }

    /// Adds the next number of the map: an offset, then a length, and so on.
    pub fn push(&mut self, value: u64) -> Result<(), Fault> {
        match self.pending.take() {
            None => self.pending = Some(value),
            Some(offset) => {
                *self.segments.get_mut(self.count).ok_or(Fault::Full)? =
                    Segment { offset, length: value };
                self.count += 1;
            }
        }
        Ok(())
    }

    /// Adds offset and length fields of the old GNU form. An empty field ends them.
    pub fn push_fields(&mut self, fields: &[u8]) -> Result<(), Fault> {
        for pair in fields.chunks_exact(24) {
            if pair[12] == 0 {
                break;
            }
            for field in [&pair[..12], &pair[12..]] {
                let value = number(field).and_then(|value| u64::try_from(value).ok());
                self.push(value.ok_or(Fault::Malformed)?)?;
            }
        }
        Ok(())
    }

    /// Adds a comma-separated list (form 0.1).
    pub fn push_list(&mut self, text: &[u8]) -> Result<(), Fault> {
        if text.is_empty() {
            return Ok(());
        }
        text.split(|&byte| byte == b',')
            .try_for_each(|value| self.push(decimal(value).ok_or(Fault::Malformed)?))
    }

    /// Returns the segments of a file of `size` bytes with `stored` bytes in the archive.
    pub fn segments(&self, size: u64, stored: u64) -> Result<&[Segment], Fault> {
        let segments = &self.segments[..self.count];
        let (mut end, mut sum) = (0u64, 0u64);
        for segment in segments {
            if segment.offset < end {
                return Err(Fault::Inconsistent);
            }
            end = segment.offset.checked_add(segment.length).ok_or(Fault::Inconsistent)?;
            sum += segment.length;
        }
        if self.pending.is_some() || end > size || sum != stored {
            return Err(Fault::Inconsistent);
        }
        Ok(segments)
    }
}
