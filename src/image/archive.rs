//! A layout in a tar (oci-archive), in a file or right on a block device.
//!
//! The tar is gone over once, from header to header; what lies where is kept in a bounded table. Entries may come in
//! any order, and the last one of a name counts. What follows the end of the archive is never looked at: on a block
//! device it is whatever was there before.

use super::outer::OuterTar;
use crate::codec::digest::{Algorithm, Digest};
use crate::codec::tar::Header;
use crate::io::section::Section;
use crate::limits::{ARCHIVE_BLOBS_MAX, ARCHIVE_REFERENCES_MAX, REFERENCE_BYTES};
use crate::sys::fd::{Fd, duplicate};
use crate::{Context, Error, Result};

/// The table of contents of an archive.
pub struct ArchiveMemory {
    blobs: heapless::Vec<Blob, ARCHIVE_BLOBS_MAX>,
    references: heapless::Vec<Reference, ARCHIVE_REFERENCES_MAX>,
}

impl ArchiveMemory {
    /// All zeros.
    pub const EMPTY: ArchiveMemory = ArchiveMemory { blobs: heapless::Vec::new(), references: heapless::Vec::new() };
}

/// Where a file lies.
#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    size: u64,
}

struct Blob {
    key: u64,
    place: Place,
}

struct Reference {
    name: heapless::String<REFERENCE_BYTES>,
    place: Place,
}

/// A layout in a tar.
pub struct Archive<'m> {
    file: Fd,
    index: Option<Place>,
    memory: &'m ArchiveMemory,
}

/// The start of a digest: enough to find a blob by, whose bytes are compared with the whole digest anyway.
fn key(digest: &Digest) -> u64 {
    digest.bytes().iter().take(8).fold(digest.algorithm() as u64, |key, byte| key.rotate_left(8) ^ u64::from(*byte))
}

/// The digest that the name of a blob is, `blobs/` taken off.
fn blob_name(name: &str) -> Option<Digest> {
    let (algorithm, hex) = crate::io::text::split_once(name, b'/')?;
    let algorithm = [Algorithm::Sha256, Algorithm::Sha512].into_iter().find(|known| known.name() == algorithm)?;
    Digest::from_hex(algorithm, hex)
}

impl<'m> Archive<'m> {
    /// Goes over the tar, which is somewhere in the first `size` bytes of the file.
    pub fn open(file: Fd, size: u64, memory: &'m mut ArchiveMemory) -> Result<Archive<'m>> {
        memory.blobs.clear();
        memory.references.clear();
        let whole = Section { file, offset: 0, size };
        let mut buffer = [0; 4096];
        let mut tar = OuterTar::new(whole.reader(&mut buffer), size);
        let (mut layout, mut index, mut too_many) = (None, None, None);
        while let Some(entry) = tar.next().doing("archive")? {
            let name = core::str::from_utf8(tar.name()).unwrap_or("");
            let place = Place { offset: entry.offset, size: entry.size };
            let blob = name.strip_prefix("blobs/").and_then(blob_name);
            let reference =
                name.strip_prefix("refs/").filter(|name| !name.is_empty() && !name.as_bytes().contains(&b'/'));
            if !entry.is_file && (blob.is_some() || name == "oci-layout" || name == "index.json") {
                return Err(Error::new(format_args!("archive: {name}: not a regular file")));
            }
            if let Some(digest) = blob {
                let blob = Blob { key: key(&digest), place };
                let full = |_| Error::new(format_args!("archive: more than {ARCHIVE_BLOBS_MAX} blobs"));
                memory.blobs.push(blob).map_err(full)?;
            } else if let Some(tag) = reference.filter(|_| entry.is_file) {
                memory.references.retain(|known| known.name != tag);
                match tag.try_into() {
                    Ok(name) if !memory.references.is_full() => drop(memory.references.push(Reference { name, place })),
                    Ok(_) => too_many = Some(("tags", ARCHIVE_REFERENCES_MAX)),
                    Err(_) => too_many = Some(("bytes in a tag", REFERENCE_BYTES)),
                }
            } else if name == "oci-layout" {
                layout = Some(place);
            } else if name == "index.json" {
                index = Some(place);
            }
        }
        let archive = Archive { file: whole.file, index, memory };
        super::store::check_layout_file(archive.section(layout)?).doing("archive")?;
        // Where there is an index.json, nobody looks into refs.
        if let (None, Some((what, limit))) = (index, too_many) {
            return Err(Error::new(format_args!("archive: refs: more than {limit} {what}")));
        }
        if index.is_none() && archive.memory.references.is_empty() {
            return Err(Error::new(format_args!("archive: neither index.json nor refs: not an OCI image layout")));
        }
        Ok(archive)
    }

    /// `index.json`; layouts of 2016 have none.
    pub fn index(&self) -> Result<Option<Section>> {
        self.section(self.index)
    }

    /// A blob.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Section>> {
        let key = key(digest);
        self.section(self.memory.blobs.iter().rev().find(|blob| blob.key == key).map(|blob| blob.place))
    }

    /// Shows every tag of a layout of 2016, with its descriptor.
    pub fn references(&self, see: &mut dyn FnMut(&str, Section) -> Result<()>) -> Result<()> {
        for reference in &self.memory.references {
            if let Some(section) = self.section(Some(reference.place))? {
                see(&reference.name, section)?;
            }
        }
        Ok(())
    }

    fn section(&self, place: Option<Place>) -> Result<Option<Section>> {
        let Some(Place { offset, size }) = place else { return Ok(None) };
        let file = duplicate(self.file.by_ref(), 3).doing("archive")?;
        Ok(Some(Section { file, offset, size }))
    }
}

/// Whether a disk or file that begins with these 512 bytes is a tar.
pub fn looks_like_archive(first: &[u8]) -> bool {
    first.first_chunk().is_some_and(|block| Header::check(block).is_some())
}
