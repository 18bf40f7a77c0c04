//! Applies layers beneath a directory: the image-spec's layer.md, exactly and within fixed memory.
//!
//! The pass that makes a layer's files also verifies its bytes ([`pipeline`]). Whiteouts hide only
//! files of lower layers, in any order of the entries. If a whiteout may hit an entry of its own
//! layer ([`layer_paths`]), the pass ends and says so. The caller removes everything, and applies
//! that layer in two passes: whiteouts first, then entries. The layer's hard links still reach
//! hidden files ([`hidden`]). So one pass and two give the same result, and a false positive of the
//! filter never changes it.
//!
//! No entry can reach outside the root (see [`parents`]). A layer that fails leaves the root
//! incomplete; the caller, who owns it, removes it.

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
use crate::io::stored::Stored;
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
    /// The stored bytes. Their size is the descriptor's, already compared with the file's.
    pub blob: &'a dyn Stored,
    /// Digest of the stored bytes, if known.
    pub digest: Option<&'a Digest>,
    /// Digest of the tar, if known. It makes checksums inside the compressed file superfluous.
    pub diff_id: Option<&'a Digest>,
    /// The observer of the progress.
    pub watch: &'a dyn Observer,
}

/// The counts of an applied layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Applied {
    /// Entries of the tar, including whiteouts.
    pub entries: u64,
    /// Bytes of the tar.
    pub bytes: u64,
    /// Extended attributes that the file system cannot hold and that a container can do without.
    pub skipped_xattrs: u64,
    /// The properties that could not be made for lack of privilege.
    pub losses: Downgrades,
    /// Times the layer was read: 1, or 2 if whiteouts came first.
    pub passes: u32,
}

/// The handling of a layer's whiteouts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whiteouts {
    /// Ignored: the lowest layer hides nothing.
    Nothing,
    /// In order, until one may hit an entry of its own layer.
    InOrder,
    /// All in a first pass of their own.
    First,
}

/// The buffers for unpacking.
pub struct UnpackMemory {
    pipeline: PipelineMemory,
    tar: TarMemory,
    apply: ApplyMemory,
}

impl UnpackMemory {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: UnpackMemory = UnpackMemory {
        pipeline: PipelineMemory::EMPTY,
        tar: TarMemory::EMPTY,
        apply: ApplyMemory::EMPTY,
    };

    /// Returns most of the memory to the kernel after the last layer.
    pub fn release(&mut self) {
        self.pipeline.release();
    }
}

/// The buffers for making entries.
struct ApplyMemory {
    own: OwnPaths,
    parents: ParentsMemory,
    name: name::Name,
    link: name::Name,
    /// A symlink's target and its NUL.
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

/// The part of a layer that a pass carries out.
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

/// Verifies a layer and passes its tar to `see`. Returns the tar's length in bytes.
pub fn read(
    layer: &Layer<'_>,
    memory: &mut UnpackMemory,
    see: &mut dyn FnMut(&mut dyn Source) -> Result<()>,
) -> Result<u64> {
    vm::forbid_huge_pages(memory);
    pipeline::run(layer, &mut memory.pipeline, see).map(|((), bytes)| bytes)
}

/// Verifies a layer and applies it beneath `root` in the same pass. Returns None if one pass does
/// not suffice. Then the root is useless, and the caller applies the layer with
/// [`Whiteouts::First`].
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

/// Verifies a layer, and that it is a tar throughout. Makes no files. Returns the number of its
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

/// Makes one pass over the layer.
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

/// Applies a trusted tar beneath `root`, in one pass. The benchmark takes this as a floor, because
/// it neither inflates nor hashes.
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
