//! An image's layers, one over the other, become a root file system.

use crate::image::{Layer, Store};
use crate::io::watch::Watch;
use crate::rootfs::{self, Applied, Powers, UnpackMemory};
use crate::sys::fd::FdRef;
use crate::{Error, Result};

/// Verifies and applies all layers, lowest first; what they came to together.
pub fn unpack_layers(
    store: &Store<'_>,
    layers: &[Layer],
    root: FdRef<'_>,
    powers: Powers,
    watch: &dyn Watch,
    memory: &mut UnpackMemory,
) -> Result<Applied> {
    let mut total = Applied::default();
    each_layer(store, layers, watch, &mut |layer| {
        let applied = rootfs::apply(layer, root, powers, memory)?;
        total.entries += applied.entries;
        total.bytes += applied.bytes;
        total.skipped_xattrs += applied.skipped_xattrs;
        total.losses.add(&applied.losses);
        total.passes += applied.passes;
        Ok(())
    })?;
    Ok(total)
}

/// Does something with each layer, lowest first. An error says which one it was.
pub fn each_layer(
    store: &Store<'_>,
    layers: &[Layer],
    watch: &dyn Watch,
    act: &mut dyn FnMut(&rootfs::Layer<'_>) -> Result<()>,
) -> Result<()> {
    for (n, layer) in layers.iter().enumerate() {
        let act = &mut *act;
        let mut one = || {
            let blob = store.layer(layer)?;
            watch.begin(n + 1, layers.len(), layer.size);
            act(&rootfs::Layer { blob: &blob, digest: layer.digest.as_ref(), diff_id: &layer.diff_id, watch })
        };
        one().map_err(|error: Error| {
            error.within(format_args!("layer {} of {} {}", n + 1, layers.len(), layer.name()))
        })?;
    }
    Ok(())
}
