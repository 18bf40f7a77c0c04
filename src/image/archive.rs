//! An image in a tar: a layout (oci-archive) or docker's form, in a file or directly on a block
//! device.
//!
//! One walk over the headers fills a bounded table of contents. Entries may come in any order, and
//! the last one of a name counts. Bytes after the end of the archive are ignored, because a block
//! device keeps old ones there. Links are resolved in the table alone: `docker save` stored a
//! repeated layer as a symlink.

use super::name::{Name, key};
use super::tar_index::{Kind, each_entry};
use super::types::TAKES_DOCKER;
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
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: ArchiveMemory = ArchiveMemory { entries: heapless::Vec::new() };
}

/// The location of a file.
#[derive(Clone, Copy)]
pub struct Place {
    /// Start, in bytes from the start of the file or device.
    pub offset: u64,
    /// Size in bytes.
    pub size: u64,
}

struct Entry {
    /// Key of its name.
    key: u64,
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    File(Place),
    /// The key of its target.
    Link(u64),
    /// A device, a directory or the like.
    Other,
}

/// The form that an archive is read in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A layout if the archive has one, else docker's form. Since docker 25 `docker save` writes
    /// both; a layout that names no image does not count.
    Either,
    /// A layout.
    Layout,
    /// The form of `docker save`.
    Docker,
}

/// One or more images in a tar.
pub struct Archive<'m> {
    file: Fd,
    /// Size of the file or device.
    size: u64,
    memory: &'m ArchiveMemory,
}

impl<'m> Archive<'m> {
    /// Reads the headers of the tar in the first `size` bytes of the file. Returns the archive, and
    /// whether its form is docker's.
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
                TAKES_DOCKER && is_there(b"manifest.json") && archive.lists_nothing()?
            }
            Form::Either => is_there(b"manifest.json") || is_there(b"repositories"),
            form => form == Form::Docker,
        };
        if is_docker && !TAKES_DOCKER {
            return Err(Error::new(format_args!(
                "docker-archive: this ocinit was built without it (features runtime, tools)"
            )));
        }
        if !is_docker {
            super::document::check_layout_file(archive.file(b"oci-layout")?).doing("archive")?;
        }
        Ok((archive, is_docker))
    }

    /// Returns whether `index.json` exists and names no image: docker 25 leaves out untagged
    /// images.
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

    /// Calls `see` with the name of every file directly in a folder, some perhaps twice. Returns
    /// false if the folder does not exist.
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

    /// Returns the regular file of this normalized name.
    pub fn file(&self, name: &[u8]) -> Result<Option<Section>> {
        self.find(name)?.map(|place| self.section(place)).transpose()
    }

    /// Returns the location of the regular file of this name, after links.
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
                None => return fault("a link to a file that is not in the archive"),
            }
        }
        fault("too many links to links")
    }

    fn content(&self, key: u64) -> Option<Content> {
        self.memory.entries.iter().rev().find(|entry| entry.key == key).map(|entry| entry.content)
    }

    /// Returns a part of the archive.
    pub fn section(&self, place: Place) -> Result<Section> {
        let file = duplicate(self.file.by_ref(), 3).doing("archive")?;
        Ok(Section { file, offset: place.offset, size: place.size })
    }
}

/// Returns whether a disk or file that begins with these 512 bytes is a tar.
pub fn looks_like_archive(first: &[u8]) -> bool {
    first.first_chunk().is_some_and(|block| Header::check(block).is_some())
}
