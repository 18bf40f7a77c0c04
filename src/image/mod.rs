//! The image-spec, read only (being written: these are the signatures the rest builds on).

use crate::codec::digest::Digest;
use crate::limits::{DOCUMENT_BYTES, LAYERS_MAX};

/// What reading an image borrows.
pub struct ImageMemory {
    /// One JSON document at a time; the config stays in it.
    pub document: [u8; DOCUMENT_BYTES],
    /// The layers of the chosen image.
    pub layers: heapless::Vec<Layer, LAYERS_MAX>,
}

impl ImageMemory {
    /// All zeros.
    pub const EMPTY: ImageMemory = ImageMemory { document: [0; DOCUMENT_BYTES], layers: heapless::Vec::new() };
}

/// Which image of a layout is wanted.
#[derive(Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// `org.opencontainers.image.ref.name`, or the name in `refs/`.
    pub reference: Option<&'a str>,
    /// The manifest's digest, or that of an index that led to it.
    pub digest: Option<Digest>,
}

/// How a layer's tar is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
}

/// One layer, lowest first.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// Digest of the bytes as they are stored.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
    /// How they are packed.
    pub compression: Compression,
    /// Digest of the tar.
    pub diff_id: Digest,
}
