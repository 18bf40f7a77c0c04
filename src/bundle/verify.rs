//! Verifies every blob of an image or of a whole layout. It writes nothing.
//!
//! First it reads all documents and lists the blobs that they name, each once. Then it verifies the
//! listed blobs. So the total is known from the start, and so are unreferenced blobs.

use crate::codec::digest::{Digest, Hasher};
use crate::image::walk_index::{
    Contents, EntryKind, Scope, docker_images, read_config, walk_index,
};
use crate::image::{Image, ImageMemory, Layer, LayerTypes, Store, read_docker};
use crate::io::observer::Observer;
use crate::io::stored::Stored;
use crate::limits::{DOCUMENT_BYTES, VERIFIED_BLOBS_MAX};
use crate::rootfs::{self, UnpackMemory};
use crate::sys::Errno;
use crate::sys::vm::MappedVec;
use crate::{Context, Error, Result};

/// The blobs to verify, and the counts.
pub struct Work {
    tasks: MappedVec<Task>,
    /// Number of images, of any platform.
    pub images: u64,
    /// Number of artifacts and attestations.
    pub artifacts: u64,
    /// Number of unreferenced blobs.
    pub unreferenced: u64,
    /// Number of files beside the blobs whose names are not digests of a known algorithm.
    pub others: u64,
    /// Number of missing foreign layers, which are optional.
    pub foreign: u64,
}

#[derive(Clone, Copy)]
struct Task {
    layer: Layer,
    /// The manifest that names it, its number and the number of layers; 0 if it is not a layer.
    image: Digest,
    number: u16,
    count: u16,
    /// A document, which was verified when it was read.
    is_done: bool,
}

impl Work {
    /// Reads and verifies all documents in scope, and lists their blobs. If the scope is
    /// everything, it lists unreferenced blobs, too.
    pub fn collect(
        store: &Store<'_>,
        scope: &Scope<'_>,
        indexes: [&mut [u8; DOCUMENT_BYTES]; 2],
        memory: &mut ImageMemory,
    ) -> Result<Work> {
        let mut work = Work {
            tasks: MappedVec::new(VERIFIED_BLOBS_MAX),
            images: 0,
            artifacts: 0,
            unreferenced: 0,
            others: 0,
            foreign: 0,
        };
        if matches!(store, Store::Docker(_)) {
            work.docker(store, scope, indexes, memory)?;
            return Ok(work);
        }
        walk_index(store, scope, indexes, &mut |found| {
            if let Some(fault) = &found.fault {
                return Err(fault.clone());
            }
            let is_manifest = found.is_manifest();
            // A blob that was read as a document is not read again.
            let is_new = work.note(
                &found.digest,
                found.size,
                is_manifest || found.sort == EntryKind::Index,
            )?;
            if !is_manifest || !is_new {
                work.artifacts += u64::from(found.sort != EntryKind::Index && is_new);
                return Ok(());
            }
            let Contents { is_image, config, layers, .. } =
                found.read(store, LayerTypes::Unpackable, memory)?;
            work.note(&config.0, config.1, is_image)?;
            if !is_image {
                work.artifacts += 1;
                return layers
                    .iter()
                    .try_for_each(|part| work.note(part.name(), part.size, false).map(drop));
            }
            let (_, layers) = read_config(store, config, memory)?;
            work.layers(store, &found.digest, layers)
        })?;
        if scope.is_everything() {
            work.others = store.each_blob(&mut |digest, section| {
                if work.note(&digest, section.size, false)? {
                    work.unreferenced += 1;
                }
                Ok(())
            })?;
        }
        Ok(work)
    }

    fn docker(
        &mut self,
        store: &Store<'_>,
        scope: &Scope<'_>,
        [buffer, _]: [&mut [u8; DOCUMENT_BYTES]; 2],
        memory: &mut ImageMemory,
    ) -> Result<()> {
        let mut one = |image: Image<'_>| {
            self.note(&image.manifest, 0, true)?;
            self.layers(store, &image.manifest, image.layers)
        };
        if !scope.wanted.is_any() {
            return one(crate::image::read(store, &scope.wanted, memory)?);
        }
        docker_images(store, buffer, &mut |item| one(read_docker(store, item, memory)?))
    }

    fn layers(&mut self, store: &Store<'_>, image: &Digest, layers: &[Layer]) -> Result<()> {
        self.images += 1;
        for (n, layer) in layers.iter().enumerate() {
            if layer.foreign && store.layer(layer).is_err() {
                self.foreign += 1;
                continue;
            }
            let (number, count) = (n as u16 + 1, layers.len() as u16);
            self.add(&Task { layer: *layer, image: *image, number, count, is_done: false })?;
        }
        Ok(())
    }

    fn note(&mut self, digest: &Digest, size: u64, is_done: bool) -> Result<bool> {
        let layer = Layer::blob(*digest, size);
        self.add(&Task { layer, image: Digest::ZERO, number: 0, count: 0, is_done })
    }

    /// Adds a task. Returns whether it is new. A layer of two images counts once, unless their
    /// diff_ids differ.
    fn add(&mut self, task: &Task) -> Result<bool> {
        let is_same = |known: &Task| {
            known.layer.name() == task.layer.name()
                && (task.number == 0
                    || known.number > 0 && known.layer.diff_id == task.layer.diff_id)
        };
        if self.tasks.iter().any(is_same) {
            return Ok(false);
        }
        let full = |errno| match errno {
            Errno::ENOSPC => Error::new(format_args!("more than {VERIFIED_BLOBS_MAX} blobs")),
            errno => {
                Error::with_errno(format_args!("memory for the list of blobs: {errno}"), errno)
            }
        };
        self.tasks.push(*task).map_err(full).map(|()| true)
    }

    /// Returns the number of blobs, and the sum of their stored bytes.
    pub fn size(&self) -> (u64, u64) {
        (self.tasks.len() as u64, self.tasks.iter().map(|task| task.layer.size).sum())
    }

    /// Verifies the listed blobs, up to the first error.
    pub fn run(
        &self,
        store: &Store<'_>,
        watch: &dyn Observer,
        memory: &mut UnpackMemory,
        buffer: &mut [u8],
    ) -> Result<()> {
        let count = self.tasks.iter().filter(|task| !task.is_done).count();
        for (n, task) in self.tasks.iter().filter(|task| !task.is_done).enumerate() {
            let Task { layer, image, number, count: layers, .. } = task;
            watch.layer(n + 1, count, layer.size);
            let blob = store.layer(layer);
            if *number == 0 {
                let digest = layer.name();
                blob.and_then(|blob| check(&blob, digest, watch, buffer))
                    .context("blob", digest)?;
                continue;
            }
            let verified = blob.and_then(|blob| {
                let (digest, diff_id) = (layer.digest.as_ref(), Some(&layer.diff_id));
                rootfs::verify(&rootfs::Layer { blob: &blob, digest, diff_id, watch }, memory)
            });
            verified.map_err(|error| {
                error.within(format_args!(
                    "image {image}: layer {number} of {layers} {}",
                    layer.name()
                ))
            })?;
        }
        Ok(())
    }
}

/// Verifies a blob by its digest alone.
fn check(
    blob: &dyn Stored,
    digest: &Digest,
    watch: &dyn Observer,
    buffer: &mut [u8],
) -> Result<()> {
    let mut hasher = Hasher::new(digest.algorithm());
    let mut at = 0;
    loop {
        match blob.read_at(buffer, at)? {
            0 => return digest.expect(&hasher.finish()),
            count => {
                hasher.update(&buffer[..count]);
                at += count as u64;
                watch.progress(at)?;
            }
        }
    }
}
