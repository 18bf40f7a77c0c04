//! The image-spec, read only: a layout leads to a manifest, that to a configuration and layers.
//!
//! ```text
//! oci-layout, index.json (or refs/TAG) -> [index …] -> manifest -> config, layers
//! ```
//!
//! Nothing is believed before it is checked: a document's size before it is read, its digest before it is parsed, its
//! own media type against the descriptor's (CVE-2021-41190). Knows nothing about where the layers are unpacked to.

mod archive;
mod choose;
mod config;
mod descriptor;
mod directory;
mod list;
mod manifest;
mod media;
mod outer;
mod platform;
mod store;

pub use crate::codec::compression::Compression;
pub use archive::{ArchiveMemory, looks_like_archive};
pub use config::{Config, Texts};
pub use store::Store;

use crate::codec::digest::Digest;
use crate::limits::{DOCUMENT_BYTES, INDEX_MANIFESTS_MAX, LAYERS_MAX};
use crate::{Context, Error, Result};

/// What reading an image borrows.
pub struct ImageMemory {
    /// One JSON document at a time; the config stays in it.
    document: [u8; DOCUMENT_BYTES],
    /// The layers of the chosen image.
    layers: heapless::Vec<Layer, LAYERS_MAX>,
    /// What in an index has not been looked at yet.
    leads: heapless::Vec<choose::Lead, INDEX_MANIFESTS_MAX>,
}

impl ImageMemory {
    /// All zeros.
    pub const EMPTY: ImageMemory =
        ImageMemory { document: [0; DOCUMENT_BYTES], layers: heapless::Vec::new(), leads: heapless::Vec::new() };
}

/// Which image of a layout is wanted.
#[derive(Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// `org.opencontainers.image.ref.name`, or the name in `refs/`. Without it there must be only one image.
    pub reference: Option<&'a str>,
    /// The manifest's digest, or that of an index that led to it. Anything else is refused.
    pub digest: Option<Digest>,
}

/// One layer, lowest first.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// Digest of the bytes as they are stored.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
    /// How they are packed, as the media type has it; the bytes may be of another mind.
    pub compression: Compression,
    /// It was not meant to be distributed: its blob may be elsewhere.
    pub foreign: bool,
    /// Digest of the tar.
    pub diff_id: Digest,
}

/// An image: verified documents, and layers whose blobs are there with the right size.
#[derive(Clone, Copy)]
pub struct Image<'m> {
    /// The digest of its manifest.
    pub manifest: Digest,
    /// How it wants to be run.
    pub config: Config<'m>,
    /// Its layers, lowest first.
    pub layers: &'m [Layer],
}

/// The processor and operating system that images must be for, in Go's names.
const MACHINE: (&str, &str) = ("linux", "amd64");

/// Finds the wanted image in a layout and reads its manifest and its configuration.
pub fn open<'m>(store: &Store<'_>, wanted: &Wanted<'_>, memory: &'m mut ImageMemory) -> Result<Image<'m>> {
    let ImageMemory { document, layers, leads } = memory;
    let chosen = choose::choose(store, wanted, leads, document)?;
    let config = manifest::read(store, &chosen, layers, document)
        .map_err(|error| error.within(format_args!("manifest {}", chosen.digest)))?;
    let bytes = store::read_verified(store, &config.0, config.1, document).context("config", &config.0)?;
    let config = manifest::read_config(bytes, layers).context("config", &config.0)?;
    let (os, architecture) = MACHINE;
    if config.os() != os || config.architecture() != architecture {
        return Err(Error::new(format_args!(
            "wrong architecture: the image is for {}/{}, this machine is {os}/{architecture}",
            config.os(),
            config.architecture()
        )));
    }
    for (n, layer) in layers.iter().enumerate() {
        let blob = store.blob(&layer.digest, layer.size).map_err(|error| match layer.foreign {
            true => error.within(format_args!("a foreign layer, which is not part of the image")),
            false => error,
        });
        blob.map_err(|error| error.within(format_args!("layer {} of {}", n + 1, layers.len())))?;
    }
    Ok(Image { manifest: chosen.digest, config, layers })
}

#[cfg(test)]
mod tests;
