//! An image's layers, one over the other, become a root file system.

use crate::image::{Layer, Store};
use crate::io::watch::Watch;
use crate::rootfs::{self, Applied, UnpackMemory};
use crate::sys::fd::FdRef;
use crate::{Error, Result};

/// Verifies and applies all layers, lowest first; what they came to together.
pub fn unpack_layers(
    store: &Store<'_>,
    layers: &[Layer],
    root: FdRef<'_>,
    watch: &dyn Watch,
    memory: &mut UnpackMemory,
) -> Result<Applied> {
    let mut total = Applied::default();
    for (n, layer) in layers.iter().enumerate() {
        let within = |error: Error| error.within(format_args!("layer {} of {} {}", n + 1, layers.len(), layer.name()));
        let blob = store.layer(layer).map_err(within)?;
        watch.begin(n + 1, layers.len(), layer.size);
        let layer = rootfs::Layer { blob: &blob, digest: layer.digest.as_ref(), diff_id: &layer.diff_id, watch };
        let applied = rootfs::apply(&layer, root, memory).map_err(within)?;
        total.entries += applied.entries;
        total.bytes += applied.bytes;
        total.skipped_xattrs += applied.skipped_xattrs;
        total.passes += applied.passes;
    }
    Ok(total)
}
