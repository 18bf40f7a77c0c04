//! The image-spec, read only: a layout leads to a manifest, that to a configuration and layers.
//!
//! ```text
//! oci-layout, index.json (or refs/TAG) -> [index …] -> manifest -> config, layers
//! manifest.json (docker save) -------------------------------> config, layers
//! ```
//!
//! Nothing is believed before it is checked: a document's size before it is read, its digest before
//! it is parsed, its own media type against the descriptor's (CVE-2021-41190). Knows nothing about
//! where the layers are unpacked to.

mod archive;
mod choose;
mod config;
mod descriptor;
mod directory;
mod docker;
mod list;
mod manifest;
mod media;
mod name;
mod parts;
mod platform;
mod reference;
mod store;
mod tar_index;
pub mod walk_index;

pub use crate::codec::compression::Compression;
pub use archive::{ArchiveMemory, Form, looks_like_archive};
pub use config::{Config, Texts};
pub use media::{Document, layer_name, sniff};
pub use name::key as path_key;
pub use parts::{Part, descriptor, parts, select, select_artifact};
pub use platform::{Platform, Target};
pub use reference::{check_name, tag as tag_of};
pub use store::Store;

use crate::codec::digest::{Algorithm, Digest};
use crate::codec::json::Value;
use crate::io::section::Section;
use crate::limits::{
    DOCUMENT_BYTES, DOCUMENTS_READ_BYTES, INDEX_MANIFESTS_MAX, LAYERS_MAX, REFERENCE_BYTES,
};
use crate::{Context, Error, Result};
use platform::Rank;

/// What reading an image borrows.
pub struct ImageMemory {
    /// One JSON document at a time; the config stays in it.
    document: [u8; DOCUMENT_BYTES],
    /// The layers of the chosen image.
    layers: heapless::Vec<Layer, LAYERS_MAX>,
    /// What in an index has not been looked at yet.
    leads: heapless::Vec<choose::Candidate, INDEX_MANIFESTS_MAX>,
    /// The tag of the chosen image.
    tag: Tag,
    documents_read: DocumentsRead,
}

/// A tag; empty where there is none, or none that fits.
type Tag = heapless::String<REFERENCE_BYTES>;

impl ImageMemory {
    /// All zeros.
    pub const EMPTY: ImageMemory = ImageMemory {
        document: [0; DOCUMENT_BYTES],
        layers: heapless::Vec::new(),
        leads: heapless::Vec::new(),
        tag: Tag::new(),
        documents_read: DocumentsRead(0),
    };
}

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
    offset: u64,
    /// Their number.
    pub size: u64,
    /// How they are packed, as the media type has it; the bytes may be of another mind.
    pub compression: Compression,
    /// It was not meant to be distributed: its blob may be elsewhere.
    pub foreign: bool,
    /// Digest of the tar.
    pub diff_id: Digest,
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

impl Layer {
    /// The digest that it is known by.
    pub fn name(&self) -> &Digest {
        self.digest.as_ref().unwrap_or(&self.diff_id)
    }
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
    id_offset: u64,
    /// The document that its manifest is; a docker-archive has none.
    pub document: Option<Blob>,
    /// How it wants to be run.
    pub config: Config<'m>,
    /// Its layers, lowest first.
    pub layers: &'m [Layer],
}

/// Finds the wanted image, which must be for the platform that is wanted, with all its layers
/// there.
pub fn open<'m>(
    store: &Store<'_>,
    wanted: &Wanted<'_>,
    memory: &'m mut ImageMemory,
) -> Result<Image<'m>> {
    let image = read(store, wanted, memory);
    let Ok(Image { config, layers, .. }) = &image else { return image };
    check_platform(config, &wanted.platform)?;
    for (n, layer) in layers.iter().enumerate() {
        store
            .layer(layer)
            .map_err(|error| error.within(format_args!("layer {} of {}", n + 1, layers.len())))?;
    }
    image
}

/// Returns an error unless the image is for the wanted platform. The config must name one.
pub fn check_platform(config: &Config<'_>, wanted: &Target<'_>) -> Result<()> {
    let platform = Platform::of(config);
    match platform.rank(wanted) {
        Rank::Other | Rank::Unknown => Err(Error::new(format_args!(
            "wrong architecture: the image is for {platform}, {} {wanted}",
            wanted.role()
        ))),
        _ => Ok(()),
    }
}

/// Finds the wanted image and reads its manifest and its configuration, whatever it is for.
pub fn read<'m>(
    store: &Store<'_>,
    wanted: &Wanted<'_>,
    memory: &'m mut ImageMemory,
) -> Result<Image<'m>> {
    let ImageMemory { document, layers, leads, tag, .. } = memory;
    tag.clear();
    let (blob, id, id_offset, bytes) = match store {
        Store::Docker(archive) => {
            let (section, expected) = docker::choose(archive, wanted, layers, tag, document)?;
            let (id, bytes) = docker_config(&section, &[expected, wanted.digest], document)?;
            (None, id, section.offset, bytes)
        }
        _ => {
            let chosen = choose::choose(store, wanted, false, leads, tag, document)?;
            let id = manifest::read(store, &chosen, layers, document)
                .context("manifest", &chosen.digest)?;
            let bytes = store::read_verified(store, &id.digest, id.size, document)
                .context("config", &id.digest)?;
            (Some(chosen.blob()), id, 0, bytes)
        }
    };
    let config = manifest::read_config(bytes, layers).context("config", &id.digest)?;
    Ok(Image {
        manifest: blob.unwrap_or(id).digest,
        tag,
        id,
        id_offset,
        document: blob,
        config,
        layers,
    })
}

/// Reads the image of an item of a docker-archive's `manifest.json`.
pub fn read_docker<'m>(
    store: &Store<'_>,
    item: &Value<'_>,
    memory: &'m mut ImageMemory,
) -> Result<Image<'m>> {
    let ImageMemory { document, layers, tag, documents_read, .. } = memory;
    let Store::Docker(archive) = store else {
        return Err(Error::new(format_args!("not a docker-archive")));
    };
    let (section, expected) = docker::of_item(archive, item, layers).doing("manifest.json")?;
    documents_read.add(section.size)?;
    let (id, bytes) = docker_config(&section, &[expected], document)?;
    let config = manifest::read_config(bytes, layers).context("config", &id.digest)?;
    Ok(Image {
        manifest: id.digest,
        tag,
        id,
        id_offset: section.offset,
        document: None,
        config,
        layers,
    })
}

/// A docker-archive's configuration: its document and bytes, which must have all digests that are
/// expected.
fn docker_config<'b>(
    section: &Section,
    expected: &[Option<Digest>],
    buffer: &'b mut [u8],
) -> Result<(Blob, &'b mut [u8])> {
    let bytes = store::read(section, buffer).doing("config")?;
    let digest = store::digest_of(bytes, Algorithm::Sha256);
    expected.iter().flatten().try_for_each(|right| right.expect(&digest)).doing("config")?;
    Ok((Blob { media: Document::CONFIG, digest, size: section.size }, bytes))
}

/// Bytes of manifests and configurations that a command has read to show all images: a hostile
/// index names one of the largest size thousands of times.
struct DocumentsRead(u64);

impl DocumentsRead {
    fn add(&mut self, size: u64) -> Result<()> {
        self.0 = self.0.saturating_add(size);
        match self.0 {
            ..=DOCUMENTS_READ_BYTES => Ok(()),
            _ => Err(Error::new(format_args!(
                "more than {DOCUMENTS_READ_BYTES} bytes of manifests and configurations to read"
            ))),
        }
    }
}

fn set_tag(place: &mut Tag, tag: &str) {
    place.clear();
    let _ = place.push_str(tag);
}

#[cfg(test)]
mod tests;
