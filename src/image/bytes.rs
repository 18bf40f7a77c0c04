//! The stored bytes of a blob or document: a part of a file, or bytes in a registry.

use super::types::TAKES_DOCKER;
use crate::Result;
use crate::io::section::Section;
use crate::io::stored::Stored;
use crate::registry::Remote;

/// The stored bytes of a blob or document.
pub enum Bytes<'s> {
    /// A file of a layout, or a part of an archive.
    File(Section),
    /// A blob of a registry.
    Remote(Remote<'s>),
}

impl Stored for Bytes<'_> {
    fn size(&self) -> u64 {
        match self {
            Bytes::File(section) => section.size,
            Bytes::Remote(remote) => remote.size(),
        }
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<usize> {
        match self {
            Bytes::File(section) => section.read_at(buffer, at),
            Bytes::Remote(remote) if TAKES_DOCKER => remote.read_at(buffer, at),
            Bytes::Remote(_) => Ok(0),
        }
    }

    fn file(&self) -> Option<&Section> {
        match self {
            Bytes::File(section) => Some(section),
            Bytes::Remote(_) => None,
        }
    }
}
