//! An image in a tar: a layout (oci-archive) or what `docker save` writes, in a file or right on a
//! block device.
//!
//! The tar is gone over once, from header to header; what lies where is kept in a bounded table.
//! Entries may come in any order, and the last one of a name counts. What follows the end of the
//! archive is never looked at: on a block device it is whatever was there before. Links are
//! followed in the table alone: `docker save` wrote a layer that it had written before as a
//! symlink.

use super::name::{Name, key};
use super::tar_index::{Kind, each_entry};
use crate::codec::json;
use crate::codec::tar::Header;
use crate::io::section::Section;
use crate::limits::{ARCHIVE_FILES_MAX, ARCHIVE_LINKS_MAX};
use crate::sys::fd::{Fd, duplicate};
use crate::{Context, Error, Result};

/// A longer `index.json` names images.
const EMPTY_INDEX_BYTES: usize = 1024;

/// The table of contents of an archive.
pub struct ArchiveMemory {
    entries: heapless::Vec<Entry, ARCHIVE_FILES_MAX>,
}

impl ArchiveMemory {
    /// All zeros.
    pub const EMPTY: ArchiveMemory = ArchiveMemory { entries: heapless::Vec::new() };
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

/// What an archive is to be taken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A layout if the archive holds one, else docker's form. Since docker 25 `docker save` writes
    /// both; then a layout that names no image does not count.
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
    /// Goes over the tar, which is somewhere in the first `size` bytes of the file; whether it is
    /// docker's.
    pub fn open(
        file: Fd,
        size: u64,
        form: Form,
        memory: &'m mut ArchiveMemory,
    ) -> Result<(Archive<'m>, bool)> {
        memory.entries.clear();
        let whole = Section { file, offset: 0, size };
        let mut name = Name::TOP;
        each_entry(&whole, &mut |entry| {
            name.set(entry.name);
            let key = name.key();
            let content = match entry.kind {
                Kind::File => Content::File(Place { offset: entry.offset, size: entry.size }),
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
        let is_there = |name: &[u8]| archive.content(key(name)).is_some();
        let is_docker = match form {
            Form::Either if is_there(b"oci-layout") => {
                is_there(b"manifest.json") && archive.lists_nothing()?
            }
            Form::Either => is_there(b"manifest.json") || is_there(b"repositories"),
            form => form == Form::Docker,
        };
        if !is_docker {
            super::document::check_layout_file(archive.file(b"oci-layout")?).doing("archive")?;
        }
        Ok((archive, is_docker))
    }

    /// Returns whether there is an `index.json` that names no image: docker 25 leaves out what has
    /// no tag.
    fn lists_nothing(&self) -> Result<bool> {
        let mut buffer = [0; EMPTY_INDEX_BYTES];
        let Some(index) =
            self.file(b"index.json")?.filter(|file| file.size <= EMPTY_INDEX_BYTES as u64)
        else {
            return Ok(false);
        };
        let index = super::document::read(&index, &mut buffer).and_then(json::check);
        Ok(index.is_ok_and(|index| index.list_or_none("manifests").next().is_none()))
    }

    /// Shows the name of every file right beneath a folder, some perhaps twice; false where there
    /// is none.
    pub fn each_name(
        &self,
        folder: &[u8],
        see: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        let mut is_any = false;
        let mut name = Name::TOP;
        each_entry(&self.section(Place { offset: 0, size: self.size })?, &mut |entry| {
            name.set(entry.name);
            let rest =
                name.as_bytes().strip_prefix(folder).and_then(|rest| rest.strip_prefix(b"/"));
            match rest.filter(|rest| entry.kind == Kind::File && !rest.contains(&b'/')) {
                Some(name) => {
                    is_any = true;
                    see(name)
                }
                None => Ok(()),
            }
        })?;
        Ok(is_any)
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
        let fault = |why: &str| {
            Err(Error::new(format_args!("archive: {}: {why}", crate::io::lossy::Lossy(path))))
        };
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
