//! Copies an image to another place: a layout in a directory or a tar, or docker's form.
//!
//! It verifies everything on the way: blobs by their digests. It inflates a layer only if the layer
//! has no digest of its own, or if the target wants it uncompressed; then it verifies the diff_id.
//! If the copy fails, the caller removes the target.

mod docker;
mod layout;
mod target;

pub use docker::docker_archive;
pub use layout::{Entry, begin_layout, copy_parts, finish_layout, layout_of_docker};
pub use target::{Kind, PARTIAL, Target, TargetMemory};

use crate::codec::digest::{Algorithm, Digest, Hasher};
use crate::codec::json::Writer;
use crate::image::{Layer, Store};
use crate::io::Source;
use crate::io::observer::Observer;
use crate::io::output::Sink;
use crate::io::stored::Stored;
use crate::limits::COPY_BYTES;
use crate::rootfs::{self, UnpackMemory};
use crate::sys::fd::FdRef;
use crate::sys::fs;
use crate::{Context, Error, Result};
use core::fmt;

/// Copies the stored bytes of a layer to a file while they are read.
struct Tap<'a> {
    watch: &'a dyn Observer,
    file: FdRef<'a>,
}

impl Observer for Tap<'_> {
    fn layer(&self, n: usize, count: usize, size: u64) {
        self.watch.layer(n, count, size);
    }

    fn progress(&self, at: u64) -> Result<()> {
        self.watch.progress(at)
    }

    fn bytes(&self, stored: &[u8]) -> Result<()> {
        fs::write_all(self.file, stored).doing("write")
    }
}

/// Returns the digest of a blob, and copies it to a file if one is given.
fn hash_blob(
    blob: &dyn Stored,
    algorithm: Algorithm,
    to: Option<FdRef<'_>>,
    watch: &dyn Observer,
) -> Result<Digest> {
    let mut buffer = [0; COPY_BYTES];
    let mut hasher = Hasher::new(algorithm);
    let mut at = 0;
    loop {
        let count = blob.read_at(&mut buffer, at)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        at += count as u64;
        if let Some(file) = to {
            fs::write_all(file, &buffer[..count]).doing("write")?;
        }
        hasher.update(&buffer[..count]);
        watch.progress(at)?;
    }
}

/// Copies a stored layer under its digest, and verifies it and its tar.
fn copy_layer(
    store: &Store<'_>,
    layer: &Layer,
    (n, count): (usize, usize),
    watch: &dyn Observer,
    target: &mut Target<'_>,
    unpack: &mut UnpackMemory,
) -> Result<()> {
    let mut copy = || {
        let blob = store.layer(layer)?;
        watch.layer(n, count, layer.size);
        if !target.begin_blob(layer.name(), layer.size)? {
            // The blob exists, but its diff_id may differ here.
            return read_layer(layer, &blob, watch, unpack, &mut |_| Ok(())).map(drop);
        }
        let tap = Tap { watch, file: target.file() };
        read_layer(layer, &blob, &tap, unpack, &mut |_| Ok(()))?;
        target.end(layer.size)
    };
    copy().map_err(|error| in_layer(error, layer, (n, count)))
}

#[cold]
fn in_layer(error: Error, layer: &Layer, (n, count): (usize, usize)) -> Error {
    error.within(format_args!("layer {n} of {count} {}", layer.name()))
}

/// Verifies a layer and passes on its tar. Returns the tar's length.
fn read_layer(
    layer: &Layer,
    blob: &dyn Stored,
    watch: &dyn Observer,
    unpack: &mut UnpackMemory,
    see: &mut dyn FnMut(&mut dyn Source) -> Result<()>,
) -> Result<u64> {
    let layer =
        rootfs::Layer { blob, digest: layer.digest.as_ref(), diff_id: Some(&layer.diff_id), watch };
    rootfs::read(&layer, unpack, see)
}

/// The open start of a descriptor (descriptor.md): media type, digest, size.
struct Descriptor<'a>(&'a str, &'a Digest, u64);

impl fmt::Display for Descriptor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Descriptor(media_type, digest, size) = self;
        write!(f, r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}"#)
    }
}

/// Writes text without characters that JSON escapes.
fn put(sink: &mut dyn Sink, text: fmt::Arguments<'_>) {
    struct Text<'s>(&'s mut dyn Sink);
    impl fmt::Write for Text<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.put(text.as_bytes());
            Ok(())
        }
    }
    let _ = fmt::write(&mut Text(sink), text);
}

/// Writes a JSON string.
fn quoted(text: &[u8], sink: &mut dyn Sink) {
    Writer::new(sink).string(text);
}
