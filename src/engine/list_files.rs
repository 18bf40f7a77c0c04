//! The merged tree of an image's layers, without unpacking them.

use super::EngineMemory;
use super::resolve::{ImageQuery, resolve};
use crate::io::observer::Observer;
use crate::rootfs::tree::{Tree, merge};
use crate::{Result, bundle};

/// Verifies an image. Returns its merged tree.
pub fn list_files(
    image: &ImageQuery<'_>,
    watch: &dyn Observer,
    memory: &mut EngineMemory,
) -> Result<Tree> {
    let EngineMemory { archive, image: documents, unpack, .. } = memory;
    let resolved = resolve(image, archive, documents, unpack)?;
    watch.begin(resolved.bytes());
    let mut plan = bundle::Plan::NONE;
    loop {
        let mut tree = Tree::new()?;
        let is_done = plan.each_layer(
            &resolved.store,
            resolved.image.layers,
            watch,
            &mut |layer, whiteouts| merge(layer, &mut tree, whiteouts, unpack),
        )?;
        if is_done {
            return Ok(tree);
        }
    }
}
