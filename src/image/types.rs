//! The wanted image, and the found one: its documents and layers.

use super::config::Config;
use super::media::Document;
use super::platform::Target;
use crate::codec::compression::Compression;
use crate::codec::digest::Digest;

/// True if images of `docker save` are read: PID 1 alone reads layouts, in a folder or a tar.
pub const TAKES_DOCKER: bool = cfg!(any(feature = "runtime", feature = "tools", test));

/// The selection of an image of a layout.
#[derive(Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// `org.opencontainers.image.ref.name`, the name in `refs/`, or one of docker's `RepoTags`. If
    /// None, there must be only one image.
    pub reference: Option<&'a str>,
    /// The digest of the manifest, or of an index above it. For a docker-archive, which has
    /// neither: the digest of the configuration. Another digest is an error.
    pub digest: Option<Digest>,
    /// The position in `index.json` or `manifest.json`, from 0.
    pub index: Option<usize>,
    /// The platform it must be for.
    pub platform: Target<'a>,
}

impl Wanted<'_> {
    /// Returns true if only the platform is given.
    pub fn is_any(&self) -> bool {
        self.reference.is_none() && self.digest.is_none() && self.index.is_none()
    }
}

/// One layer, lowest first.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// Digest of the stored bytes. A docker-archive does not have it.
    pub digest: Option<Digest>,
    /// The offset in a docker-archive.
    pub(super) offset: u64,
    /// Size of the stored bytes.
    pub size: u64,
    /// Compression by the media type. The bytes may contradict it.
    pub compression: Compression,
    /// A nondistributable layer, whose blob may be elsewhere.
    pub foreign: bool,
    /// Digest of the tar.
    pub diff_id: Digest,
}

impl Layer {
    /// Returns the digest that names it in messages.
    pub fn name(&self) -> &Digest {
        self.digest.as_ref().unwrap_or(&self.diff_id)
    }
}

/// A document, as its descriptor describes it.
#[derive(Clone, Copy, Debug)]
pub struct Blob {
    /// Media type of the document.
    pub media: Document,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
}

/// An image: verified documents, and layers whose blobs exist with the right size.
#[derive(Clone, Copy)]
pub struct Image<'m> {
    /// The digest of its manifest. For a docker-archive, which has none: of its configuration.
    pub manifest: Digest,
    /// Its tag, or empty.
    pub tag: &'m str,
    /// Its configuration's document.
    pub id: Blob,
    /// The offset of that document in a docker-archive.
    pub(super) id_offset: u64,
    /// Its manifest's document. A docker-archive has none.
    pub document: Option<Blob>,
    /// Its configuration.
    pub config: Config<'m>,
    /// Its layers, lowest first.
    pub layers: &'m [Layer],
}
