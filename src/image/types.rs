//! The image that is wanted, and what was found: its documents and layers.

use super::config::Config;
use super::media::Document;
use super::platform::Target;
use crate::codec::compression::Compression;
use crate::codec::digest::Digest;

/// Which image of a layout is wanted.
#[derive(Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// `org.opencontainers.image.ref.name`, the name in `refs/`, or one of docker's `RepoTags`.
    /// Without it there must be only one image.
    pub reference: Option<&'a str>,
    /// The manifest's digest, or that of an index that led to it; of a docker-archive, which has
    /// neither, that of the configuration. Anything else is refused.
    pub digest: Option<Digest>,
    /// Its place in `index.json` or `manifest.json`, from 0.
    pub index: Option<usize>,
    /// What it must run on.
    pub platform: Target<'a>,
}

impl Wanted<'_> {
    /// Nothing says which, but for the platform.
    pub fn is_any(&self) -> bool {
        self.reference.is_none() && self.digest.is_none() && self.index.is_none()
    }
}

/// One layer, lowest first.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// Digest of the bytes as they are stored; a docker-archive does not have it.
    pub digest: Option<Digest>,
    /// Where they are in a docker-archive.
    pub(super) offset: u64,
    /// Their number.
    pub size: u64,
    /// How they are packed, as the media type has it; the bytes may be of another mind.
    pub compression: Compression,
    /// It was not meant to be distributed: its blob may be elsewhere.
    pub foreign: bool,
    /// Digest of the tar.
    pub diff_id: Digest,
}

impl Layer {
    /// The digest that it is known by.
    pub fn name(&self) -> &Digest {
        self.digest.as_ref().unwrap_or(&self.diff_id)
    }
}

/// A document, as a descriptor tells of it.
#[derive(Clone, Copy, Debug)]
pub struct Blob {
    /// What it is.
    pub media: Document,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
}

/// An image: verified documents, and layers whose blobs are there with the right size.
#[derive(Clone, Copy)]
pub struct Image<'m> {
    /// The digest of its manifest; in a docker-archive, which has none, of its configuration.
    pub manifest: Digest,
    /// Its tag; empty where it has none.
    pub tag: &'m str,
    /// The document that its configuration is.
    pub id: Blob,
    /// Where that lies in a docker-archive.
    pub(super) id_offset: u64,
    /// The document that its manifest is; a docker-archive has none.
    pub document: Option<Blob>,
    /// How it wants to be run.
    pub config: Config<'m>,
    /// Its layers, lowest first.
    pub layers: &'m [Layer],
}
