//! Layouts (image-layout.md): blobs as they are, and an `index.json` that names what was copied.

use super::{Descriptor, Target, copy_layer, hash_blob, quoted};
use crate::codec::digest::{Algorithm, Digest};
use crate::codec::json::Value;
use crate::image::{self, Blob, Compression, Image, ImageMemory, Part, Store};
use crate::io::output::Sink;
use crate::io::watch::Watch;
use crate::limits::LAYERS_MAX;
use crate::rootfs::UnpackMemory;
use crate::{Context, Result};

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
        Part::Blob(blob) => {
            let section = store.blob(&blob.digest, blob.size)?;
            target.copy_blob(&section, &blob.digest).context("blob", &blob.digest)
        }
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
    let mut digests: heapless::Vec<Digest, LAYERS_MAX> = heapless::Vec::new();
    for (n, layer) in image.layers.iter().enumerate() {
        let mut layer = *layer;
        if layer.compression != Compression::None {
            // Nothing says it, and the blob's name stands before its bytes.
            layer.digest = Some(hash_blob(&store.layer(&layer)?, Algorithm::Sha256, None)?);
        }
        copy_layer(store, &layer, (n + 1, image.layers.len()), watch, target, unpack)?;
        let _ = digests.push(*layer.name());
    }
    let manifest = |sink: &mut dyn Sink| {
        sink.put(br#"{"schemaVersion":2,"mediaType":""#);
        sink.put(image::MANIFEST.as_bytes());
        sink.put(br#"","config":"#);
        Descriptor(image::CONFIG, &image.id.digest, image.id.size).put(sink);
        sink.put(br#"},"layers":["#);
        let mut comma = "";
        for (layer, digest) in image.layers.iter().zip(&digests) {
            sink.put(comma.as_bytes());
            Descriptor(image::layer_name(layer.compression), digest, layer.size).put(sink);
            comma = "},";
        }
        sink.put(if digests.is_empty() { b"]}" } else { b"}]}" });
    };
    let (digest, size) = target.document("", &manifest)?;
    Ok(Blob { media_type: image::MANIFEST, digest, size })
}

/// The layout's own files: `oci-layout`, and an `index.json` with what was copied under its tag, beside what stood in
/// `former` under other tags.
pub fn finish_layout(top: &Blob, tag: &str, former: Option<Value<'_>>, target: &mut Target<'_>) -> Result<()> {
    let is_same = |entry: &Value<'_>| -> Result<bool> {
        let Some(notes) = entry.get("annotations")? else { return Ok(false) };
        Ok(notes.text(TAG)?.is_some_and(|name| name == tag))
    };
    // Looked at before it is written, where nothing may fail any more.
    let entries = former.map(|index| index.list("manifests")).transpose().doing("index.json")?;
    for entry in entries.clone().into_iter().flatten() {
        is_same(&entry).doing("index.json")?;
    }
    target.document("oci-layout", &|sink| sink.put(br#"{"imageLayoutVersion":"1.0.0"}"#))?;
    let index = |sink: &mut dyn Sink| {
        sink.put(br#"{"schemaVersion":2,"mediaType":""#);
        sink.put(image::INDEX.as_bytes());
        sink.put(br#"","manifests":["#);
        for entry in entries.clone().into_iter().flatten().filter(|entry| !is_same(entry).unwrap_or(false)) {
            sink.put(entry.as_json().as_bytes());
            sink.put(b",");
        }
        Descriptor(top.media_type, &top.digest, top.size).put(sink);
        sink.put(br#","annotations":{""#);
        sink.put(TAG.as_bytes());
        sink.put(b"\":");
        quoted(tag.as_bytes(), sink);
        sink.put(b"}}]}");
    };
    target.document("index.json", &index).map(drop)
}
