//! Layouts (image-layout.md): blobs as they are, and an `index.json` that names what was copied.

use super::{Descriptor, Target, copy_layer, hash_blob, put, quoted};
use crate::codec::digest::{Algorithm, Digest};
use crate::codec::json::{Items, Value};
use crate::image::{self, Blob, Compression, Document, Image, ImageMemory, Layer, Part, Store};
use crate::io::output::Sink;
use crate::io::watch::Watch;
use crate::limits::LAYERS_MAX;
use crate::rootfs::UnpackMemory;
use crate::{Context, Result};
use core::fmt::{self, Display};

const TAG: &str = "org.opencontainers.image.ref.name";

/// Copies a manifest or an index of a layout, and all beneath it, byte for byte.
pub fn copy_parts(
    store: &Store<'_>,
    top: &Blob,
    memory: &mut ImageMemory,
    watch: &dyn Watch,
    target: &mut Target<'_>,
    unpack: &mut UnpackMemory,
) -> Result<()> {
    image::parts(store, top, memory, &mut |part| match part {
        Part::Layer(layer, n, count) => copy_layer(store, layer, (n, count), watch, target, unpack),
        Part::Blob(digest, size) => target.copy_blob(&store.blob(digest, size)?, digest).context("blob", digest),
    })
}

/// Copies an image that has no manifest, and makes one: the same for the same image.
pub fn layout_of_docker(
    store: &Store<'_>,
    image: &Image<'_>,
    watch: &dyn Watch,
    target: &mut Target<'_>,
    unpack: &mut UnpackMemory,
) -> Result<Blob> {
    target.copy_blob(&store.config(image)?, &image.id.digest).doing("config")?;
    let mut layers = [Layer::blob(Digest::ZERO, 0); LAYERS_MAX];
    for (n, (layer, its)) in layers.iter_mut().zip(image.layers).enumerate() {
        *layer = *its;
        if layer.compression != Compression::None {
            // Nothing says it, and the blob's name stands before its bytes.
            layer.digest = Some(hash_blob(&store.layer(layer)?, Algorithm::Sha256, None)?);
        }
        copy_layer(store, layer, (n + 1, image.layers.len()), watch, target, unpack)?;
    }
    let manifest = |sink: &mut dyn Sink| {
        let config = Descriptor(Document::CONFIG.name(), &image.id.digest, image.id.size);
        put(sink, format_args!(r#"{}"config":{config}}},"layers":["#, Head(Document::MANIFEST)));
        let mut comma = "";
        for layer in layers.iter().take(image.layers.len()) {
            let layer = Descriptor(image::layer_name(layer.compression), layer.name(), layer.size);
            put(sink, format_args!("{comma}{layer}}}"));
            comma = ",";
        }
        sink.put(b"]}");
    };
    let (digest, size) = target.document("", &manifest)?;
    Ok(Blob { media: Document::MANIFEST, digest, size })
}

/// The layout's own files: `oci-layout`, and an `index.json` with what was copied under its tag, beside those of the
/// `former` entries that have other tags.
pub fn finish_layout(top: &Blob, tag: &str, former: Items<'_>, target: &mut Target<'_>) -> Result<()> {
    let is_same = |entry: &Value<'_>| -> Result<bool> {
        let Some(notes) = entry.get("annotations")? else { return Ok(false) };
        Ok(notes.text(TAG)?.is_some_and(|name| name == tag))
    };
    // Looked at before it is written, where nothing may fail any more.
    former.clone().try_for_each(|entry| is_same(&entry).map(drop)).doing("index.json")?;
    target.document("oci-layout", &|sink| sink.put(br#"{"imageLayoutVersion":"1.0.0"}"#))?;
    let index = |sink: &mut dyn Sink| {
        put(sink, format_args!(r#"{}"manifests":["#, Head(Document::INDEX)));
        for entry in former.clone().filter(|entry| !is_same(entry).unwrap_or(false)) {
            put(sink, format_args!("{},", entry.as_json()));
        }
        let top = Descriptor(top.media.name(), &top.digest, top.size);
        put(sink, format_args!(r#"{top},"annotations":{{"{TAG}":"#));
        quoted(tag.as_bytes(), sink);
        sink.put(b"}}]}");
    };
    target.document("index.json", &index).map(drop)
}

/// How a manifest and an index begin.
struct Head(Document);

impl Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"{{"schemaVersion":2,"mediaType":"{}","#, self.0.name())
    }
}
