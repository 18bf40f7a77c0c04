//! The documents of a registry that were fetched, in a file in memory.

use crate::codec::digest::Digest;
use crate::limits::{REGISTRY_DOCUMENTS_BYTES, REGISTRY_DOCUMENTS_MAX};
use crate::sys::fd::Fd;
use crate::sys::fs;
use crate::{Context, Error, Result};

struct Kept {
    digest: Digest,
    offset: u64,
    size: u64,
}

/// Documents by their digests. The reader of one verifies it, as with a disk.
pub struct Documents {
    file: Fd,
    end: u64,
    kept: heapless::Vec<Kept, REGISTRY_DOCUMENTS_MAX>,
}

impl Documents {
    /// Returns an empty store.
    pub fn new() -> Result<Documents> {
        let file = fs::memory_file(c"documents").doing("make a file")?;
        Ok(Documents { file, end: 0, kept: heapless::Vec::new() })
    }

    /// Returns whether a document is kept.
    pub fn has(&self, digest: &Digest) -> bool {
        self.kept.iter().any(|kept| kept.digest == *digest)
    }

    /// Reads a document at `at`. Returns None if it is not kept.
    pub fn read(&self, digest: &Digest, buffer: &mut [u8], at: u64) -> Result<Option<usize>> {
        let Some(kept) = self.kept.iter().find(|kept| kept.digest == *digest) else {
            return Ok(None);
        };
        let room = kept.size.saturating_sub(at).min(buffer.len() as u64) as usize;
        fs::read_at(self.file.by_ref(), &mut buffer[..room], kept.offset + at)
            .doing("read a document")
            .map(Some)
    }

    /// Begins a document. Forgets all if there is no room for one more.
    pub fn begin(&mut self) -> Result<()> {
        if self.kept.is_full() || self.end > REGISTRY_DOCUMENTS_BYTES {
            self.kept.clear();
            self.end = 0;
        }
        // A part of a document that failed.
        fs::truncate(self.file.by_ref(), self.end).doing("keep a document")?;
        fs::seek(self.file.by_ref(), self.end as i64, libc::SEEK_SET).doing("keep a document")?;
        Ok(())
    }

    /// Appends bytes to the document.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        fs::write_all(self.file.by_ref(), bytes).doing("keep a document")
    }

    /// Ends the document.
    pub fn keep(&mut self, digest: Digest, size: u64) -> Result<()> {
        let kept = Kept { digest, offset: self.end, size };
        self.end += size;
        self.kept.push(kept).map_err(|_| Error::new(format_args!("too many documents")))
    }
}
