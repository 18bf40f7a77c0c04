//! Unpacks and verifies an image in one pass.

use super::resolve::{ImageQuery, Resolved, resolve};
use super::staged::Staged;
use super::{EngineMemory, Notices, rootless};
use crate::container::userns::Ids;
use crate::io::observer::Observer;
use crate::io::path::PathBuf;
use crate::rootfs::{Applied, Privilege, UnpackMemory};
use crate::sys::fd::FdRef;
use crate::{Result, bundle};
use core::ffi::CStr;

/// An image and the target directory.
pub struct Unpack<'a> {
    /// The image.
    pub image: ImageQuery<'a>,
    /// A new or empty directory.
    pub rootfs: &'a CStr,
    /// For a non-root user, in a user namespace.
    pub is_rootless: bool,
}

/// Unpacks an image into a directory, or leaves nothing behind.
pub fn unpack(
    wanted: &Unpack<'_>,
    watch: &dyn Observer,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<()> {
    let powers = rootless::enter(wanted.is_rootless, &mut Ids::of_caller(), notices);
    let EngineMemory { archive, image, unpack, .. } = memory;
    let resolved = resolve(&wanted.image, archive, image, unpack)?;
    watch.begin(resolved.bytes());
    let mut partial = PathBuf::new();
    let place = Staged::make("rootfs", wanted.rootfs, 0o755, &mut partial, notices)?;
    let applied = make_rootfs(&resolved, place.file(), powers, watch, unpack)?;
    place.commit()?;
    watch.end();
    rootless::report(&applied, notices);
    Ok(())
}

/// Verifies all layers of an image and applies them to the empty directory `root`.
pub fn make_rootfs(
    resolved: &Resolved<'_>,
    root: FdRef<'_>,
    powers: Privilege,
    watch: &dyn Observer,
    memory: &mut UnpackMemory,
) -> Result<Applied> {
    bundle::unpack_layers(&resolved.store, resolved.image.layers, root, powers, watch, memory)
}
