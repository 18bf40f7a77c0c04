//! Archives for `docker load` and `podman load`: uncompressed layers, named by their diff_ids, and
//! manifest.json at the end.

use super::{Target, in_layer, put, quoted, read_layer};
use crate::image::{Compression, Image, Store, sniff, tag_of};
use crate::io::Source;
use crate::io::observer::Observer;
use crate::io::output::Sink;
use crate::io::path::PathBuf;
use crate::rootfs::UnpackMemory;
use crate::sys::fd::FdRef;
use crate::sys::fs;
use crate::{Context, Result};

/// Copies an image with its layers uncompressed. `name` is its new name: `NAME` or `NAME:TAG`.
pub fn docker_archive(
    store: &Store<'_>,
    image: &Image<'_>,
    name: Option<&str>,
    watch: &dyn Observer,
    target: &mut Target<'_>,
    unpack: &mut UnpackMemory,
) -> Result<()> {
    let id = &image.id;
    if target.begin(format_args!("{}.json", id.digest.hex()), id.size)? {
        target.fill(&store.config(image)?, &id.digest, watch).doing("config")?;
    }
    for (n, layer) in image.layers.iter().enumerate() {
        let mut copy = || {
            let blob = store.layer(layer)?;
            watch.layer(n + 1, image.layers.len(), layer.size);
            let size = match sniff(&blob)? {
                Compression::None => layer.size,
                _ if target.can_wait() => 0,
                // The length precedes the bytes, so the layer is unpacked twice.
                _ => read_layer(layer, &blob, watch, unpack, &mut |_| Ok(()))?,
            };
            if target.begin(format_args!("{}.tar", layer.diff_id.hex()), size)? {
                let file = target.file();
                let size = read_layer(layer, &blob, watch, unpack, &mut |tar| pour(tar, file))?;
                target.end(size)?;
            }
            Ok(())
        };
        copy().map_err(|error| in_layer(error, layer, (n + 1, image.layers.len())))?;
    }
    let mut whole_name = PathBuf::new();
    if let Some(name) = name {
        let tag = if tag_of(name).is_some() { "" } else { ":latest" };
        whole_name.set(format_args!("{name}{tag}")).context("name", &name)?;
    }
    let manifest = |sink: &mut dyn Sink| {
        put(sink, format_args!(r#"[{{"Config":"{}.json","RepoTags":"#, id.digest.hex()));
        match whole_name.as_bytes() {
            b"" => sink.put(b"null"),
            name => {
                sink.put(b"[");
                quoted(name, sink);
                sink.put(b"]");
            }
        }
        sink.put(br#","Layers":["#);
        let mut comma = "";
        for layer in image.layers {
            put(sink, format_args!(r#"{comma}"{}.tar""#, layer.diff_id.hex()));
            comma = ",";
        }
        sink.put(b"]}]");
    };
    target.document("manifest.json", &manifest).map(drop)
}

/// Writes a whole tar.
fn pour(tar: &mut dyn Source, file: FdRef<'_>) -> Result<()> {
    loop {
        let bytes = tar.peek()?;
        let count = bytes.len();
        if count == 0 {
            return Ok(());
        }
        fs::write_all(file, bytes).doing("write")?;
        tar.consume(count);
    }
}
