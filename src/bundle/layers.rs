//! An image's layers, one over the other, become a root file system.

use crate::image::{Layer, Store};
use crate::rootfs::{self, Applied, UnpackMemory};
use crate::sys::fd::FdRef;
use crate::{Error, Result};

/// Verifies and applies all layers, lowest first; what they came to together.
pub fn unpack_layers(
    store: &Store<'_>,
    layers: &[Layer],
    root: FdRef<'_>,
    memory: &mut UnpackMemory,
) -> Result<Applied> {
    let mut total = Applied::default();
    for (n, layer) in layers.iter().enumerate() {
        let within = |error: Error| error.within(format_args!("layer {} of {} {}", n + 1, layers.len(), layer.digest));
        let blob = store.blob(&layer.digest, layer.size).map_err(within)?;
        let layer = rootfs::Layer { blob: &blob, digest: &layer.digest, diff_id: &layer.diff_id };
        let applied = rootfs::apply(&layer, root, memory).map_err(within)?;
        total.entries += applied.entries;
        total.bytes += applied.bytes;
        total.skipped_xattrs += applied.skipped_xattrs;
        total.passes += applied.passes;
    }
    Ok(total)
}
