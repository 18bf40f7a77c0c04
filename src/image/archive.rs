//! An image in a tar: a layout (oci-archive) or what `docker save` writes, in a file or right on a block device.
//!
//! The tar is gone over once, from header to header; what lies where is kept in a bounded table. Entries may come in
//! any order, and the last one of a name counts. What follows the end of the archive is never looked at: on a block
//! device it is whatever was there before. Links are followed in the table alone: `docker save` wrote a layer that it
//! had written before as a symlink.

use super::name::{Name, key};
use super::outer::{Kind, each_entry};
use crate::codec::digest::{Algorithm, Digest};
use crate::codec::tar::Header;
use crate::io::path::PathBuf;
use crate::io::section::Section;
use crate::io::text::split_once;
use crate::limits::{ARCHIVE_FILES_MAX, ARCHIVE_LINKS_MAX, ARCHIVE_REFERENCES_MAX, REFERENCE_BYTES};
use crate::sys::fd::{Fd, duplicate};
use crate::{Context, Error, Result};

/// The table of contents of an archive.
pub struct ArchiveMemory {
    entries: heapless::Vec<Entry, ARCHIVE_FILES_MAX>,
    references: heapless::Vec<Reference, ARCHIVE_REFERENCES_MAX>,
}

impl ArchiveMemory {
    /// All zeros.
    pub const EMPTY: ArchiveMemory = ArchiveMemory { entries: heapless::Vec::new(), references: heapless::Vec::new() };
}

/// Where a file lies.
#[derive(Clone, Copy)]
pub struct Place {
    /// In bytes from the start of the file or device.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
}

struct Entry {
    /// Of its name.
    key: u64,
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    File(Place),
    /// The key of what it leads to.
    Link(u64),
    /// A device, a directory or the like.
    Other,
}

struct Reference {
    name: heapless::String<REFERENCE_BYTES>,
    place: Place,
}

/// What an archive is to be taken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A layout where there is one in it, docker's otherwise: `docker save` has written both into one since docker 25.
    Either,
    /// A layout.
    Layout,
    /// What `docker save` writes.
    Docker,
}

/// An image, or several, in a tar.
pub struct Archive<'m> {
    file: Fd,
    /// How far the file or device reaches.
    size: u64,
    memory: &'m ArchiveMemory,
}

impl<'m> Archive<'m> {
    /// Goes over the tar, which is somewhere in the first `size` bytes of the file; whether it is docker's.
    pub fn open(file: Fd, size: u64, form: Form, memory: &'m mut ArchiveMemory) -> Result<(Archive<'m>, bool)> {
        memory.entries.clear();
        memory.references.clear();
        let whole = Section { file, offset: 0, size };
        let mut name = Name::TOP;
        let mut too_many = None;
        each_entry(&whole, &mut |entry| {
            name.set(entry.name);
            let place = Place { offset: entry.offset, size: entry.size };
            let key = name.key();
            let reference = name.as_bytes().strip_prefix(b"refs/").filter(|name| !name.contains(&b'/'));
            let reference = reference.and_then(|name| core::str::from_utf8(name).ok());
            if let Some(tag) = reference.filter(|_| entry.kind == Kind::File) {
                memory.references.retain(|known| known.name != tag);
                match tag.try_into() {
                    Ok(name) if !memory.references.is_full() => drop(memory.references.push(Reference { name, place })),
                    Ok(_) => too_many = Some(("tags", ARCHIVE_REFERENCES_MAX)),
                    Err(_) => too_many = Some(("bytes in a tag", REFERENCE_BYTES)),
                }
            }
            let content = match entry.kind {
                Kind::File => Content::File(place),
                Kind::Symlink => {
                    name.follow_link(entry.link);
                    Content::Link(name.key())
                }
                Kind::HardLink => {
                    name.set(entry.link);
                    Content::Link(name.key())
                }
                Kind::Other => Content::Other,
            };
            let full = |_| Error::new(format_args!("archive: more than {ARCHIVE_FILES_MAX} files"));
            memory.entries.push(Entry { key, content }).map_err(full)
        })?;
        let archive = Archive { file: whole.file, size, memory };
        let is_docker = match form {
            Form::Either => {
                let is_there = |name: &[u8]| archive.content(key(name)).is_some();
                !is_there(b"oci-layout") && (is_there(b"manifest.json") || is_there(b"repositories"))
            }
            form => form == Form::Docker,
        };
        if !is_docker {
            super::store::check_layout_file(archive.file(b"oci-layout")?).doing("archive")?;
            if archive.index()?.is_none() {
                // Where there is an index.json, nobody looks into refs.
                if let Some((what, limit)) = too_many {
                    return Err(Error::new(format_args!("archive: refs: more than {limit} {what}")));
                }
                if archive.memory.references.is_empty() {
                    return Err(Error::new(format_args!(
                        "archive: neither index.json nor refs: not an OCI image layout"
                    )));
                }
            }
        }
        Ok((archive, is_docker))
    }

    /// `index.json`; layouts of 2016 have none.
    pub fn index(&self) -> Result<Option<Section>> {
        self.file(b"index.json")
    }

    /// A blob.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Section>> {
        let path = PathBuf::format(format_args!("blobs/{}/{}", digest.algorithm().name(), digest.hex()));
        self.file(path.context("blob", digest)?.as_bytes())
    }

    /// Shows every tag of a layout of 2016, with its descriptor.
    pub fn references(&self, see: &mut dyn FnMut(&str, Section) -> Result<()>) -> Result<()> {
        for reference in &self.memory.references {
            see(&reference.name, self.section(reference.place)?)?;
        }
        Ok(())
    }

    /// Shows every blob that there is, by its name. The number of files whose names are no digests that can be verified.
    pub fn each_blob(&self, see: &mut dyn FnMut(Digest, Section) -> Result<()>) -> Result<u64> {
        let whole = self.section(Place { offset: 0, size: self.size })?;
        let (mut name, mut others) = (Name::TOP, 0);
        each_entry(&whole, &mut |entry| {
            name.set(entry.name);
            let path = name.as_bytes().strip_prefix(b"blobs/").filter(|_| entry.kind == Kind::File);
            let Some(path) = path else { return Ok(()) };
            let parts = core::str::from_utf8(path).ok().and_then(|path| split_once(path, b'/'));
            let digest = parts.and_then(|(algorithm, hex)| {
                let known =
                    [Algorithm::Sha256, Algorithm::Sha512].into_iter().find(|known| known.name() == algorithm)?;
                Digest::from_hex(known, hex)
            });
            match digest {
                // The last one of a name counts.
                Some(digest) => self.blob(&digest)?.map_or(Ok(()), |section| see(digest, section)),
                None => {
                    others += 1;
                    Ok(())
                }
            }
        })?;
        Ok(others)
    }

    /// The regular file of this name, which is in the one form.
    pub fn file(&self, name: &[u8]) -> Result<Option<Section>> {
        self.find(name)?.map(|place| self.section(place)).transpose()
    }

    /// Where the regular file of this name lies; links are followed.
    fn find(&self, path: &[u8]) -> Result<Option<Place>> {
        let mut name = Name::TOP;
        name.set(path);
        let mut key = name.key();
        let fault = |why: &str| Err(Error::new(format_args!("archive: {}: {why}", crate::io::show::Show(path))));
        for links in 0..=ARCHIVE_LINKS_MAX {
            match self.content(key) {
                Some(Content::File(place)) => return Ok(Some(place)),
                Some(Content::Link(target)) => key = target,
                Some(Content::Other) => return fault("not a regular file"),
                None if links == 0 => return Ok(None),
                None => return fault("a link that leads to nothing in the archive"),
            }
        }
        fault("a link that leads from link to link")
    }

    fn content(&self, key: u64) -> Option<Content> {
        self.memory.entries.iter().rev().find(|entry| entry.key == key).map(|entry| entry.content)
    }

    /// A part of the archive.
    pub fn section(&self, place: Place) -> Result<Section> {
        let file = duplicate(self.file.by_ref(), 3).doing("archive")?;
        Ok(Section { file, offset: place.offset, size: place.size })
    }
}

/// Whether a disk or file that begins with these 512 bytes is a tar.
pub fn looks_like_archive(first: &[u8]) -> bool {
    first.first_chunk().is_some_and(|block| Header::check(block).is_some())
}
