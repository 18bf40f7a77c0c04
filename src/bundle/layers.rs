//! Applies an image's layers in order, into one root file system.

use crate::image::{Layer, Store};
use crate::io::observer::Observer;
use crate::limits::{LAYERS_MAX, RESTARTS_MAX};
use crate::rootfs::{self, Applied, Privilege, UnpackMemory, Whiteouts};
use crate::sys::fd::FdRef;
use crate::sys::{self, fs};
use crate::{Context, Error, Result};

/// Verifies and applies all layers, lowest first. Returns the sum of their counts. `root` is empty
/// at first. It is emptied again if a layer turns out to need two passes.
pub fn unpack_layers(
    store: &Store<'_>,
    layers: &[Layer],
    root: FdRef<'_>,
    powers: Privilege,
    watch: &dyn Observer,
    memory: &mut UnpackMemory,
) -> Result<Applied> {
    let before = fs::stat(root, c"").doing("stat the root")?;
    let (mut plan, mut passes) = (Plan::NONE, 0);
    loop {
        let mut total = Applied { passes, ..Applied::default() };
        let is_done = plan.each_layer(store, layers, watch, &mut |layer, whiteouts| {
            let Some(applied) = rootfs::apply(layer, root, powers, whiteouts, memory)? else {
                return Ok(false);
            };
            total.entries += applied.entries;
            total.bytes += applied.bytes;
            total.skipped_xattrs += applied.skipped_xattrs;
            total.losses.add(&applied.losses);
            total.passes += applied.passes;
            Ok(true)
        })?;
        if is_done {
            return Ok(total);
        }
        passes = total.passes + 1;
        empty(root, &before).doing("empty the root to unpack again")?;
    }
}

/// Restores the root directory: empty, with its former owner, mode and times.
fn empty(root: FdRef<'_>, before: &fs::Stat) -> sys::Result<()> {
    rootfs::remove::children(root)?;
    fs::chown(root, c"", before.uid, before.gid)?;
    fs::chmod_fd(root, before.mode & 0o7777)?;
    fs::set_times(root, c"", before.modified)
}

/// The layers that are applied in two passes.
pub struct Plan {
    first: [bool; LAYERS_MAX],
    restarts: usize,
}

impl Plan {
    /// No layer is applied in two passes.
    pub const NONE: Plan = Plan { first: [false; LAYERS_MAX], restarts: 0 };

    /// Calls `act` with each layer, lowest first. Returns false as soon as `act` does: that layer
    /// needs two passes, and the caller starts again.
    pub fn each_layer(
        &mut self,
        store: &Store<'_>,
        layers: &[Layer],
        watch: &dyn Observer,
        act: &mut dyn FnMut(&rootfs::Layer<'_>, Whiteouts) -> Result<bool>,
    ) -> Result<bool> {
        let mut unsure = None;
        let mut n = 0;
        each_layer(store, layers, watch, &mut |layer| {
            let whiteouts = match self.first.get(n) {
                _ if n == 0 => Whiteouts::Nothing,
                Some(false) => Whiteouts::InOrder,
                _ => Whiteouts::First,
            };
            if unsure.is_none() && !act(layer, whiteouts)? {
                unsure = Some(n);
            }
            n += 1;
            Ok(())
        })?;
        let Some(n) = unsure else { return Ok(true) };
        self.restarts += 1;
        match self.restarts {
            RESTARTS_MAX.. => self.first.fill(true),
            _ => self.first[n] = true,
        }
        Ok(false)
    }
}

/// Calls `act` with each layer, lowest first. An error names the layer.
pub fn each_layer(
    store: &Store<'_>,
    layers: &[Layer],
    watch: &dyn Observer,
    act: &mut dyn FnMut(&rootfs::Layer<'_>) -> Result<()>,
) -> Result<()> {
    for (n, layer) in layers.iter().enumerate() {
        let act = &mut *act;
        let mut one = || {
            for next in layers[n..].iter().take(store.blobs_ahead()) {
                store.ask_ahead(next.name(), next.size)?;
            }
            let blob = store.layer(layer)?;
            watch.layer(n + 1, layers.len(), layer.size);
            act(&rootfs::Layer {
                blob: &blob,
                digest: layer.digest.as_ref(),
                diff_id: Some(&layer.diff_id),
                watch,
            })
        };
        one().map_err(|error: Error| {
            error.within(format_args!("layer {} of {} {}", n + 1, layers.len(), layer.name()))
        })?;
    }
    Ok(())
}
