//! An image that is never unpacked to its end, for tests of what happens meanwhile.

use std::path::{Path, PathBuf};

use super::images::{Image, Layer};
use super::layout;
use super::tar::{Header, Tar};

/// Returns an image with a file of many gigabytes of zeros. Its end is never reached, so its
/// digests are wrong.
pub fn endless(directory: &Path) -> PathBuf {
    let mut tar = Tar::new()
        .entry(&Header { size: 0o77777777777, ..Header::new("zeros", b'0') }, b"")
        .finish();
    tar.truncate(512);
    let image =
        Image::empty().layer(Layer { diff_id: layout::sha256(b""), stored: tar, gzip: false });
    let (mut layout, stored) = image.write(&directory.join("image"));
    let blob = std::fs::OpenOptions::new()
        .write(true)
        .open(layout.path(&stored.layers[0].digest))
        .unwrap();
    blob.set_len(512 + 0o77777777777 + 513).unwrap();
    // The manifest says how long it is.
    let size = blob.metadata().unwrap().len();
    let layer = layout::Blob { size, ..stored.layers[0].clone() };
    let manifest = layout.blob(image.manifest_json(&stored.config, &[layer]).as_bytes());
    layout.entries = vec![manifest.descriptor(layout::MANIFEST, "")];
    layout.write_index();
    layout.directory
}
