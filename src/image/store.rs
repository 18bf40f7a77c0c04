//! Where an image's documents and blobs are.

use super::archive::{Archive, Form, Place};
use super::directory::Directory;
use super::document::{check_form, digest_of, read};
use super::media::Kind;
use super::{ArchiveMemory, Image, ImageMemory, Layer};
use crate::codec::digest::{Algorithm, Digest};
use crate::codec::json;
use crate::io::path::PathBuf;
use crate::io::section::Section;
use crate::limits::DOCUMENT_BYTES;
use crate::sys::fd::Fd;
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// An OCI layout, in a directory or in a tar, or what `docker save` writes.
pub enum Store<'m> {
    /// A directory; nothing is ever opened but beneath it.
    Directory(Directory),
    /// An oci-archive: a tar in a file, or right on a block device.
    Archive(Archive<'m>),
    /// A docker-archive: a tar likewise.
    Docker(Archive<'m>),
}

impl<'m> Store<'m> {
    /// The OCI layout in a directory.
    pub fn open_directory(dir: Fd) -> Result<Store<'m>> {
        Directory::open(dir).map(Store::Directory)
    }

    /// What is in a tar, which is somewhere in the first `size` bytes: the length of the file or
    /// block device.
    pub fn open_archive(
        file: Fd,
        size: u64,
        form: Form,
        memory: &'m mut ArchiveMemory,
    ) -> Result<Store<'m>> {
        let (archive, is_docker) = Archive::open(file, size, form, memory)?;
        Ok(if is_docker { Store::Docker(archive) } else { Store::Archive(archive) })
    }

    /// Opens the stored bytes of a layer.
    pub fn layer(&self, layer: &Layer) -> Result<Section> {
        let blob = match (self, &layer.digest) {
            (Store::Docker(archive), _) => {
                archive.section(Place { offset: layer.offset, size: layer.size })
            }
            (_, digest) => self.blob(digest.as_ref().unwrap_or(&layer.diff_id), layer.size),
        };
        blob.map_err(|error| match layer.foreign {
            true => error.within(format_args!("a foreign layer, which is not part of the image")),
            false => error,
        })
    }

    /// Opens a blob, which must be exactly `size` bytes long.
    pub fn blob(&self, digest: &Digest, size: u64) -> Result<Section> {
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

    /// Returns whether there is a blob of this digest, of any size.
    pub fn has(&self, digest: &Digest) -> Result<bool> {
        Ok(self.find(digest)?.is_some())
    }

    /// Shows every blob that there is, whoever refers to it, and some perhaps twice. The number of
    /// files among them whose names are no digests that can be verified.
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
    pub fn config(&self, image: &Image<'_>) -> Result<Section> {
        match self {
            Store::Docker(archive) => {
                archive.section(Place { offset: image.id_offset, size: image.id.size })
            }
            _ => self.blob(&image.id.digest, image.id.size),
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

    /// `index.json`; layouts of 2016 have none.
    pub(super) fn index(&self) -> Result<Option<Section>> {
        self.file(c"index.json")
    }

    /// Shows every tag of a layout of 2016, with its descriptor.
    pub(super) fn references(
        &self,
        see: &mut dyn FnMut(&str, Section) -> Result<()>,
    ) -> Result<()> {
        let mut path = PathBuf::new();
        let is_there = self.each_name(c"refs", &mut |name| {
            // Names are of A-Z a-z 0-9 . _ -; others and hidden files are not tags.
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

    /// The blob of this digest.
    fn find(&self, digest: &Digest) -> Result<Option<Section>> {
        let mut path = PathBuf::new();
        path.set(format_args!("blobs/{}/{}", digest.algorithm().name(), digest.hex()))
            .context("blob", digest)?;
        self.file(path.as_c_str())
    }

    /// A file of a layout, by its path.
    fn file(&self, path: &CStr) -> Result<Option<Section>> {
        match self {
            Store::Directory(directory) => directory.file(path),
            Store::Archive(archive) => archive.file(path.to_bytes()),
            // There the configuration tells what is what.
            Store::Docker(_) => Ok(None),
        }
    }

    /// Shows the name of every file right beneath a folder of a layout; false where there is no
    /// such folder.
    fn each_name(&self, folder: &CStr, see: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        match self {
            Store::Directory(directory) => directory.each_name(folder, see),
            Store::Archive(archive) => archive.each_name(folder.to_bytes(), see),
            Store::Docker(_) => Ok(true),
        }
    }
}

/// The bytes of a document, once they have the size and the digest they should have.
pub(super) fn read_verified<'b>(
    store: &Store<'_>,
    digest: &Digest,
    size: u64,
    buffer: &'b mut [u8; DOCUMENT_BYTES],
) -> Result<&'b mut [u8]> {
    let bytes = read(&store.blob(digest, size)?, buffer)?;
    digest.expect(&digest_of(bytes, digest.algorithm()))?;
    Ok(bytes)
}
