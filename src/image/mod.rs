//! The image-spec, read only: a layout leads to a manifest, that to a configuration and layers.
//!
//! ```text
//! oci-layout, index.json (or refs/TAG) -> [index …] -> manifest -> config, layers
//! manifest.json (docker save) -------------------------------> config, layers
//! ```
//!
//! Each document is checked first: its size before it is read, its digest before it is parsed, its
//! own media type against the descriptor's (CVE-2021-41190). This room does not know where layers
//! are unpacked.

mod archive;
mod bytes;
mod candidate;
mod choose;
mod config;
mod descriptor;
mod directory;
mod docker;
mod document;
mod list;
mod manifest;
mod media;
mod memory;
mod name;
mod parts;
mod platform;
mod reference;
#[cfg_attr(not(any(feature = "runtime", feature = "tools", test)), path = "repository_stub.rs")]
mod repository;
mod store;
mod tar_index;
mod top_entries;
mod types;
pub mod walk_index;

pub use crate::codec::compression::Compression;
pub use archive::{ArchiveMemory, Form, looks_like_archive};
pub use bytes::Bytes;
pub use config::{Config, Texts};
pub use manifest::LayerTypes;
pub use media::{Document, layer_name, sniff};
pub use memory::ImageMemory;
pub use name::key as path_key;
pub use parts::{Part, descriptor, parts, select, select_artifact};
pub use platform::{Platform, Target};
pub use reference::{RegistryName, check_name, registry_name, tag as tag_of};
pub use repository::Repository;
pub use store::Store;
pub use types::{Blob, Image, Layer, Wanted};

use crate::codec::digest::{Algorithm, Digest};
use crate::codec::json::Value;
use crate::io::stored::Stored;
use crate::{Context, Error, Result};
use media::Kind;
use platform::Rank;
use types::TAKES_DOCKER;

/// Finds the wanted image. It must be for the wanted platform, and all its layers must exist.
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

/// Finds the wanted image and reads its manifest and configuration, for any platform.
pub fn read<'m>(
    store: &Store<'_>,
    wanted: &Wanted<'_>,
    memory: &'m mut ImageMemory,
) -> Result<Image<'m>> {
    let ImageMemory { document, layers, leads, tag, .. } = memory;
    tag.clear();
    let (blob, id, id_offset, bytes) = match store {
        Store::Docker(archive) if TAKES_DOCKER => {
            let (section, expected) = docker::choose(archive, wanted, layers, tag, document)?;
            let (id, bytes) = docker_config(&section, &[expected, wanted.digest], document)?;
            (None, id, section.offset, bytes)
        }
        _ => {
            let chosen =
                choose::choose(store, wanted, choose::Goal::Manifest, leads, tag, document)?;
            let id = manifest::read(store, &chosen, layers, document)
                .context("manifest", &chosen.digest)?;
            let bytes = store::read_verified(store, Kind::Config, (&id.digest, id.size), document)
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

/// Returns a docker-archive's configuration: its document and bytes, which must have all expected
/// digests.
fn docker_config<'b>(
    section: &dyn Stored,
    expected: &[Option<Digest>],
    buffer: &'b mut [u8],
) -> Result<(Blob, &'b mut [u8])> {
    let bytes = document::read(section, buffer).doing("config")?;
    let digest = document::digest_of(bytes, Algorithm::Sha256);
    expected.iter().flatten().try_for_each(|right| right.expect(&digest)).doing("config")?;
    Ok((Blob { media: Document::CONFIG, digest, size: section.size() }, bytes))
}

#[cfg(test)]
mod tests;
