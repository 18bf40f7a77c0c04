//! The manifest (manifest.md) and the configuration (config.md) of one image.

use super::candidate::Candidate;
use super::config::Config;
use super::descriptor::{self, Descriptor};
use super::document::check_form;
use super::media::{self, Document, Kind};
use super::store::{Store, read_verified};
use super::{Blob, Compression, Layer};
use crate::codec::digest::Digest;
use crate::codec::json::{self, Text, Value};
use crate::limits::{DOCUMENT_BYTES, LAYERS_MAX};
use crate::{Error, Result};

type Layers = heapless::Vec<Layer, LAYERS_MAX>;

/// Reads the manifest or index of a descriptor, and checks it against the descriptor.
pub fn read_document<'b>(
    store: &Store<'_>,
    lead: &Candidate,
    buffer: &'b mut [u8; DOCUMENT_BYTES],
) -> Result<Value<'b>> {
    let value =
        json::check(read_verified(store, lead.media.kind(), (&lead.digest, lead.size), buffer)?)?;
    check_form(&value, lead.media.kind(), Some(lead.media))?;
    Ok(value)
}

/// Returns the configuration's media type.
#[inline(never)]
pub fn config_type<'m>(manifest: &Value<'m>) -> Result<Text<'m>> {
    manifest.require("config")?.require_text("mediaType")
}

/// Returns whether the configuration is not an image's: then the manifest is an artifact's.
pub fn is_artifact(manifest: &Value<'_>) -> Result<bool> {
    Ok(Document::named(config_type(manifest)?).is_none_or(|media| media.kind() != Kind::Config))
}

/// Reads a manifest. Returns its layers, without their diff_ids, and its configuration.
pub fn read(
    store: &Store<'_>,
    lead: &Candidate,
    layers: &mut Layers,
    buffer: &mut [u8; DOCUMENT_BYTES],
) -> Result<Blob> {
    let manifest = read_document(store, lead, buffer)?;
    match image_of(&manifest, layers)? {
        Some(id) => Ok(id),
        None => {
            let media_type = config_type(&manifest)?;
            Err(Error::new(format_args!(
                "an artifact and not an image: its config is {media_type}"
            )))
        }
    }
}

/// Reads a manifest. Returns its layers, without their diff_ids, and its configuration; None for an
/// artifact's.
pub fn image_of(manifest: &Value<'_>, layers: &mut Layers) -> Result<Option<Blob>> {
    if is_artifact(manifest)? {
        return Ok(None);
    }
    let (digest, size) = layers_and_config(manifest, LayerTypes::Unpackable, layers)?;
    Ok(Some(Blob { media: Document::CONFIG, digest, size }))
}

/// The types that layers may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LayerTypes {
    /// Those that can be unpacked.
    Unpackable,
    /// Any.
    Any,
}

/// Returns the layers of a manifest, without their diff_ids, and digest and size of its
/// configuration. Layers that are not unpacked may have any type.
pub fn layers_and_config(
    manifest: &Value<'_>,
    types: LayerTypes,
    layers: &mut Layers,
) -> Result<(Digest, u64)> {
    let is_strict = types == LayerTypes::Unpackable;
    let config = Descriptor::read(&manifest.require("config")?)?;
    layers.clear();
    for value in manifest.list("layers")? {
        let Descriptor { media_type, digest, size } = Descriptor::read(&value)?;
        let (compression, foreign) = match media::layer(media_type) {
            Err(error) if is_strict => return Err(value.at(error)),
            known => known.unwrap_or((Compression::None, false)),
        };
        if is_strict && size == 0 && compression != Compression::None {
            return Err(value.at(Error::new(format_args!("0 bytes cannot be {media_type}"))));
        }
        let digest = Some(digest);
        let layer = Layer { digest, offset: 0, size, compression, foreign, diff_id: Digest::ZERO };
        layers.push(layer).map_err(|_| manifest.error_in("layers", TOO_MANY_LAYERS))?;
    }
    Ok((config.digest, config.size))
}

/// The error for a list of layers beyond the limit.
pub const TOO_MANY_LAYERS: &str = "more than 1024 layers";
const _: () = assert!(LAYERS_MAX == 1024);

/// Reads a verified configuration, and fills in the layers' diff_ids.
pub fn read_config<'m>(bytes: &'m mut [u8], layers: &mut Layers) -> Result<Config<'m>> {
    let document = json::check(bytes)?;
    let config = Config::read(document)?;
    let rootfs = document.require("rootfs")?;
    if rootfs.require_text("type")? != "layers" {
        return Err(rootfs.error_in("type", "not layers"));
    }
    let mut count = 0;
    for value in rootfs.list("diff_ids")? {
        let diff_id = descriptor::parse(value.as_text()?, &value)?;
        if let Some(layer) = layers.get_mut(count) {
            layer.diff_id = diff_id;
        }
        count += 1;
    }
    match layers.len() {
        there if there == count => Ok(config),
        there => Err(Error::new(format_args!(
            "rootfs.diff_ids: {count} of them, the manifest has {there} layers"
        ))),
    }
}
