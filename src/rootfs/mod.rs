//! Applies layers beneath a directory: the image-spec's layer.md, exactly and within fixed memory.
//!
//! A layer's bytes are verified in the same pass that makes its files ([`pipeline`]). Whiteouts
//! hide what lower layers have and nothing else, wherever they stand in the layer. If one may hit
//! an entry of its own layer ([`layer_paths`]), the pass ends and says so. The caller removes
//! everything, and applies that layer in two passes: whiteouts first, then entries. The layer's
//! hard links still reach hidden files ([`hidden`]). So one pass and two give the same result, and
//! a filter's errors never change it.
//!
//! Nothing outside the root can be reached: see [`parents`]. A layer that fails leaves the root
//! half done; the caller, who owns it, removes it.

mod entries;
mod hidden;
mod layer_paths;
mod metadata;
pub mod name;
mod parents;
pub mod pipeline;
mod powers;
pub mod remove;
pub mod stale;
pub mod tree;

use crate::codec::digest::Digest;
use crate::codec::tar::{Archive, TarMemory};
use crate::io::Source;
use crate::io::observer::Observer;
use crate::io::section::Section;
use crate::limits::XATTR_DECODED_BYTES;
use crate::sys::fd::FdRef;
use crate::sys::{Errno, fs, vm};
use crate::{Error, Result};
use entries::Applier;
use hidden::Hidden;
use layer_paths::OwnPaths;
use parents::{Parents, ParentsMemory};
use pipeline::PipelineMemory;
pub use powers::{Downgrades, Privilege};

/// One layer to apply.
pub struct Layer<'a> {
    /// Where its bytes are; `blob.size` is the descriptor's size, already compared with the
    /// file's.
    pub blob: &'a Section,
    /// Digest of the bytes as they are stored, where it is known.
    pub digest: Option<&'a Digest>,
    /// Digest of the tar, if known. It makes checksums inside the compressed file superfluous.
    pub diff_id: Option<&'a Digest>,
    /// Who watches it being read.
    pub watch: &'a dyn Observer,
}

/// What applying a layer came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Applied {
    /// Entries of the tar, whiteouts too.
    pub entries: u64,
    /// Bytes of the tar.
    pub bytes: u64,
    /// Extended attributes that the file system cannot hold and a container can live without.
    pub skipped_xattrs: u64,
    /// What could not be made, for lack of powers.
    pub losses: Downgrades,
    /// Times the layer was read: 1, or 2 if whiteouts came first.
    pub passes: u32,
}

/// How a layer's whiteouts are carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whiteouts {
    /// Not at all: the lowest layer has nothing to hide.
    Nothing,
    /// In their order, until one may hit an entry of its own layer.
    InOrder,
    /// All in a first pass of their own.
    First,
}

/// What unpacking borrows.
pub struct UnpackMemory {
    pipeline: PipelineMemory,
    tar: TarMemory,
    apply: ApplyMemory,
}

impl UnpackMemory {
    /// All zeros.
    pub const EMPTY: UnpackMemory = UnpackMemory {
        pipeline: PipelineMemory::EMPTY,
        tar: TarMemory::EMPTY,
        apply: ApplyMemory::EMPTY,
    };

    /// Returns most of it to the kernel, when all layers are unpacked.
    pub fn release(&mut self) {
        self.pipeline.release();
    }
}

/// What making the entries borrows.
struct ApplyMemory {
    own: OwnPaths,
    parents: ParentsMemory,
    name: name::Name,
    link: name::Name,
    /// A symlink's target with its NUL.
    target: [u8; crate::limits::PATH_BYTES],
    xattr: [u8; XATTR_DECODED_BYTES],
}

impl ApplyMemory {
    const EMPTY: ApplyMemory = ApplyMemory {
        own: OwnPaths::EMPTY,
        parents: ParentsMemory::EMPTY,
        name: name::Name::EMPTY,
        link: name::Name::EMPTY,
        target: [0; crate::limits::PATH_BYTES],
        xattr: [0; XATTR_DECODED_BYTES],
    };
}

/// What of a layer a pass carries out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Everything.
    All,
    /// Whiteouts only.
    Whiteouts,
    /// Entries only.
    Entries,
}

/// The error of a pass that ends because a whiteout may hit an entry of its own layer.
const UNSURE: Errno = Errno::ESTALE;

#[cold]
fn unsure() -> Error {
    Error::with_errno(format_args!("a whiteout of what its own layer adds"), UNSURE)
}

/// Verifies a layer and shows its tar to `see`; the tar's length in bytes.
pub fn read(
    layer: &Layer<'_>,
    memory: &mut UnpackMemory,
    see: &mut dyn FnMut(&mut dyn Source) -> Result<()>,
) -> Result<u64> {
    vm::forbid_huge_pages(memory);
    pipeline::run(layer, &mut memory.pipeline, see).map(|((), bytes)| bytes)
}

/// Verifies a layer and applies it beneath `root` in the same pass. Returns None if one pass does
/// not suffice: then the root is useless, and the layer must be applied with [`Whiteouts::First`].
pub fn apply(
    layer: &Layer<'_>,
    root: FdRef<'_>,
    powers: Privilege,
    whiteouts: Whiteouts,
    memory: &mut UnpackMemory,
) -> Result<Option<Applied>> {
    vm::forbid_huge_pages(memory);
    let umask = fs::umask(0);
    let applied = apply_passes(layer, (root, powers), whiteouts, memory);
    fs::umask(umask);
    match applied {
        Err(error) if error.errno() == UNSURE && whiteouts == Whiteouts::InOrder => Ok(None),
        applied => applied.map(Some),
    }
}

/// Verifies a layer and makes nothing of it; also that it is a tar throughout. The number of its
/// entries.
pub fn verify(layer: &Layer<'_>, memory: &mut UnpackMemory) -> Result<u64> {
    vm::forbid_huge_pages(memory);
    let UnpackMemory { pipeline, tar, .. } = memory;
    let (entries, _) = pipeline::run(layer, pipeline, |source| {
        let (mut archive, mut entries) = (Archive::new(source, tar), 0);
        while archive.next(tar)?.is_some() {
            entries += 1;
        }
        Ok(entries)
    })?;
    Ok(entries)
}

fn apply_passes(
    layer: &Layer<'_>,
    place: (FdRef<'_>, Privilege),
    whiteouts: Whiteouts,
    memory: &mut UnpackMemory,
) -> Result<Applied> {
    memory.apply.own.clear();
    let mut applied = Applied::default();
    let pass = if whiteouts == Whiteouts::Nothing { Pass::Entries } else { Pass::All };
    if whiteouts != Whiteouts::First {
        apply_once(layer, place, memory, pass, None, &mut applied)?;
        return Ok(applied);
    }
    let mut hidden = Hidden::new(place.0)?;
    apply_once(layer, place, memory, Pass::Whiteouts, Some(&mut hidden), &mut applied)?;
    apply_once(layer, place, memory, Pass::Entries, Some(&mut hidden), &mut applied)?;
    hidden.remove()?;
    Ok(applied)
}

/// One pass over the layer.
fn apply_once(
    layer: &Layer<'_>,
    place: (FdRef<'_>, Privilege),
    memory: &mut UnpackMemory,
    pass: Pass,
    hidden: Option<&mut Hidden<'_>>,
    applied: &mut Applied,
) -> Result<()> {
    let UnpackMemory { pipeline, tar, apply } = memory;
    applied.passes += 1;
    applied.entries = 0;
    let make =
        |source: &mut dyn Source| make_entries(source, place, tar, apply, (pass, hidden), applied);
    let ((), bytes) = pipeline::run(layer, pipeline, make)?;
    applied.bytes = bytes;
    Ok(())
}

/// Applies a tar beneath `root` that somebody else vouches for, in one pass: what remains of
/// unpacking when nothing is inflated and hashed, which the benchmark takes as a floor.
pub fn apply_tar(
    source: &mut dyn Source,
    root: FdRef<'_>,
    memory: &mut UnpackMemory,
) -> Result<Applied> {
    memory.apply.own.clear();
    let umask = fs::umask(0);
    let mut applied = Applied { passes: 1, ..Applied::default() };
    let place = (root, Privilege::Root);
    let made = make_entries(
        source,
        place,
        &mut memory.tar,
        &mut memory.apply,
        (Pass::All, None),
        &mut applied,
    );
    fs::umask(umask);
    made.map(|_| applied)
}

fn make_entries(
    source: &mut dyn Source,
    (root, powers): (FdRef<'_>, Privilege),
    tar: &mut TarMemory,
    apply: &mut ApplyMemory,
    pass: (Pass, Option<&mut Hidden<'_>>),
    applied: &mut Applied,
) -> Result<()> {
    let mut archive = Archive::new(source, tar);
    let parents = Parents::new(root, &mut apply.parents);
    let setting = (powers, &mut apply.xattr[..]);
    let mut applier =
        Applier::new(parents, &mut apply.own, setting, &mut apply.target, pass, applied);
    while let Some(entry) = archive.next(tar)? {
        applier.entry(&entry, &mut archive, &mut apply.name, &mut apply.link)?;
    }
    applier.finish()
}
