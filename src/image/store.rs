//! The source of an image's documents and blobs.

use super::archive::{Archive, Form, Place};
use super::bytes::Bytes;
use super::directory::Directory;
use super::document::{check_form, digest_of, read};
use super::media::Kind;
use super::repository::Repository;
use super::types::TAKES_DOCKER;
use super::{ArchiveMemory, Image, ImageMemory, Layer};
use crate::codec::digest::{Algorithm, Digest};
use crate::codec::json;
use crate::io::path::PathBuf;
use crate::io::section::Section;
use crate::limits::{DOCUMENT_BYTES, REGISTRY_BLOBS_AHEAD};
use crate::registry::Sort;
use crate::sys::fd::Fd;
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// An OCI layout in a directory or a tar, or an archive of `docker save`.
pub enum Store<'m> {
    /// A directory; every name is opened beneath it.
    Directory(Directory),
    /// An oci-archive: a tar in a file, or directly on a block device.
    Archive(Archive<'m>),
    /// A docker-archive: a tar in a file, or directly on a block device.
    Docker(Archive<'m>),
    /// A repository of a registry, of which one manifest or index is named.
    Registry(Repository),
}

impl<'m> Store<'m> {
    /// Opens the OCI layout in a directory.
    pub fn open_directory(dir: Fd) -> Result<Store<'m>> {
        Directory::open(dir).map(Store::Directory)
    }

    /// Opens a tar in the first `size` bytes of a file or block device.
    pub fn open_archive(
        file: Fd,
        size: u64,
        form: Form,
        memory: &'m mut ArchiveMemory,
    ) -> Result<Store<'m>> {
        let (archive, is_docker) = Archive::open(file, size, form, memory)?;
        Ok(if TAKES_DOCKER && is_docker { Store::Docker(archive) } else { Store::Archive(archive) })
    }

    /// Opens the stored bytes of a layer.
    pub fn layer(&self, layer: &Layer) -> Result<Bytes<'_>> {
        let blob = match (self, &layer.digest) {
            (Store::Docker(archive), _) if TAKES_DOCKER => {
                archive.section(Place { offset: layer.offset, size: layer.size }).map(Bytes::File)
            }
            (_, digest) => self.blob(digest.as_ref().unwrap_or(&layer.diff_id), layer.size),
        };
        blob.map_err(|error| match layer.foreign {
            true => error.within(format_args!("a foreign layer, which is not part of the image")),
            false => error,
        })
    }

    /// Opens a blob, which must be exactly `size` bytes long. A registry is asked when it is read.
    pub fn blob(&self, digest: &Digest, size: u64) -> Result<Bytes<'_>> {
        match self {
            Store::Registry(repository) if TAKES_DOCKER => {
                Ok(repository.stored(Sort::Blob, digest, size))
            }
            _ => self.section(digest, size).map(Bytes::File),
        }
    }

    /// Returns the number of blobs that it is asked for before the first of them is read.
    pub fn blobs_ahead(&self) -> usize {
        if matches!(self, Store::Registry(_)) { REGISTRY_BLOBS_AHEAD } else { 0 }
    }

    /// Asks for a blob that is soon read, if that saves time.
    pub fn ask_ahead(&self, digest: &Digest, size: u64) -> Result<()> {
        match self {
            Store::Registry(repository) if TAKES_DOCKER => repository.ask_ahead(digest, size),
            _ => Ok(()),
        }
    }

    /// Opens a document of this kind, which must be exactly `size` bytes long.
    fn document(&self, kind: Kind, digest: &Digest, size: u64) -> Result<Bytes<'_>> {
        let sort = if kind == Kind::Config { Sort::Config } else { Sort::Manifest };
        match self {
            Store::Registry(repository) if TAKES_DOCKER => {
                Ok(repository.stored(sort, digest, size))
            }
            _ => self.section(digest, size).map(Bytes::File),
        }
    }

    fn section(&self, digest: &Digest, size: u64) -> Result<Section> {
        let Some(blob) = self.find(digest)? else {
            return Err(Error::new(format_args!("blob {digest}: missing")));
        };
        if blob.size != size {
            let there = blob.size;
            return Err(Error::new(format_args!(
                "blob {digest}: size mismatch: expected {size} bytes, found {there}"
            )));
        }
        Ok(blob)
    }

    /// Returns whether a blob of this digest exists, of any size.
    ///
    /// A registry is not asked: a blob that is missing there is an error when it is read.
    pub fn has(&self, digest: &Digest) -> Result<bool> {
        Ok(matches!(self, Store::Registry(_)) || self.find(digest)?.is_some())
    }

    /// Calls `see` with every blob, referenced or not, some perhaps twice. Returns the number of
    /// files among them whose names are not digests of a known algorithm.
    pub fn each_blob(&self, see: &mut dyn FnMut(Digest, Section) -> Result<()>) -> Result<u64> {
        let mut others = 0;
        for (algorithm, folder) in
            [(Algorithm::Sha256, c"blobs/sha256"), (Algorithm::Sha512, c"blobs/sha512")]
        {
            self.each_name(folder, &mut |name| {
                let digest = core::str::from_utf8(name)
                    .ok()
                    .and_then(|name| Digest::from_hex(algorithm, name));
                let Some(digest) = digest else {
                    others += 1;
                    return Ok(());
                };
                self.find(&digest)?.map_or(Ok(()), |section| see(digest, section))
            })?;
        }
        Ok(others)
    }

    /// Opens an image's configuration.
    pub fn config(&self, image: &Image<'_>) -> Result<Bytes<'_>> {
        match self {
            Store::Docker(archive) if TAKES_DOCKER => {
                let place = Place { offset: image.id_offset, size: image.id.size };
                archive.section(place).map(Bytes::File)
            }
            _ => self.document(Kind::Config, &image.id.digest, image.id.size),
        }
    }

    /// Reads `index.json`. Returns None if it is missing: in a layout of 2016, or an unfinished
    /// one.
    pub fn index_document<'b>(
        &self,
        memory: &'b mut ImageMemory,
    ) -> Result<Option<json::Value<'b>>> {
        let Some(section) = self.index()? else { return Ok(None) };
        let index = read(&section, &mut memory.document).and_then(json::check);
        let checked = index.and_then(|index| check_form(&index, Kind::Index, None).map(|()| index));
        checked.doing("index.json").map(Some)
    }

    /// Returns whether it is a layout of 2016: tags in `refs`, and no `index.json`.
    pub fn is_of_2016(&self) -> Result<bool> {
        Ok(self.index()?.is_none() && self.each_name(c"refs", &mut |_| Ok(()))?)
    }

    /// Returns `index.json`. Layouts of 2016 have none.
    pub(super) fn index(&self) -> Result<Option<Bytes<'_>>> {
        match self {
            Store::Registry(repository) if TAKES_DOCKER => repository.index().map(Some),
            _ => Ok(self.file(c"index.json")?.map(Bytes::File)),
        }
    }

    /// Calls `see` with every tag of a layout of 2016, and its descriptor.
    pub(super) fn references(
        &self,
        see: &mut dyn FnMut(&str, Section) -> Result<()>,
    ) -> Result<()> {
        let mut path = PathBuf::new();
        let is_there = self.each_name(c"refs", &mut |name| {
            // Names consist of A-Z a-z 0-9 . _ -; others and hidden files are not tags.
            let Some(name) = core::str::from_utf8(name).ok().filter(|name| !name.starts_with('.'))
            else {
                return Ok(());
            };
            path.set(format_args!("refs/{name}")).context("refs", &name)?;
            self.file(path.as_c_str())?.map_or(Ok(()), |section| see(name, section))
        })?;
        match is_there {
            true => Ok(()),
            false => Err(Error::new(format_args!("neither index.json nor refs"))),
        }
    }

    /// Returns the blob of this digest.
    fn find(&self, digest: &Digest) -> Result<Option<Section>> {
        let mut path = PathBuf::new();
        path.set(format_args!("blobs/{}/{}", digest.algorithm().name(), digest.hex()))
            .context("blob", digest)?;
        self.file(path.as_c_str())
    }

    /// Opens a file of a layout by its path.
    fn file(&self, path: &CStr) -> Result<Option<Section>> {
        match self {
            Store::Directory(directory) => directory.file(path),
            Store::Archive(archive) => archive.file(path.to_bytes()),
            // In docker's form the configuration has all names; a registry has no files.
            Store::Docker(_) | Store::Registry(_) => Ok(None),
        }
    }

    /// Calls `see` with the name of every file directly in a folder of a layout. Returns false if
    /// the folder does not exist.
    fn each_name(&self, folder: &CStr, see: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        match self {
            Store::Directory(directory) => directory.each_name(folder, see),
            Store::Archive(archive) => archive.each_name(folder.to_bytes(), see),
            Store::Docker(_) | Store::Registry(_) => Ok(true),
        }
    }
}

/// Returns the bytes of a document after a check of its size and digest.
pub(super) fn read_verified<'b>(
    store: &Store<'_>,
    kind: Kind,
    (digest, size): (&Digest, u64),
    buffer: &'b mut [u8; DOCUMENT_BYTES],
) -> Result<&'b mut [u8]> {
    let bytes = read(&store.document(kind, digest, size)?, buffer)?;
    digest.expect(&digest_of(bytes, digest.algorithm()))?;
    Ok(bytes)
}
