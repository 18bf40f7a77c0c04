//! All that a layout holds, for those who want to see everything and choose nothing: indexes,
//! images, artifacts.
//!
//! `index.json` (or `refs/`) is gone over in its order, and what a nested index lists follows the
//! entry that led to it: with a list of what is still to do instead of recursion, within the limits
//! that choosing has.

use super::candidate::Candidate;
use super::choose::each_at_the_top;
use super::descriptor::{self, Descriptor};
use super::docker;
pub use super::manifest::config_type;
use super::manifest::{self, is_artifact, read_document};
use super::media::{Document, Kind};
use super::platform::{Platform, Rank};
use super::store::{self, Store};
use super::{Compression, Config, ImageMemory, Layer, Wanted};
use crate::codec::digest::Digest;
use crate::codec::json::{Text, Value};
use crate::limits::{
    DOCUMENT_BYTES, INDEX_DEPTH, INDEX_MANIFESTS_MAX, PENDING_INDEXES_MAX, SEARCH_BYTES,
};
use crate::{Context, Error, Result};

type Buffer = [u8; DOCUMENT_BYTES];

/// What a descriptor in an index says that it leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKind {
    /// Another index.
    Index,
    /// A manifest: of an image, or of an artifact that only the manifest tells from one.
    Manifest,
    /// What a builder attests about an image that stands beside it.
    Attestation,
    /// A manifest of an artifact, or something of an unknown media type.
    Artifact,
}

/// One entry of an index.
pub struct IndexEntry<'a> {
    /// The name of the entry at the top that it is or that led to it; empty where that has none.
    pub tag: Text<'a>,
    /// The number of that entry, from 0.
    pub top: usize,
    /// Indexes above it.
    pub depth: u8,
    /// What it leads to.
    pub sort: EntryKind,
    /// The type of its document, or of the artifact.
    pub media_type: Text<'a>,
    /// What it says it runs on.
    pub platform: Platform<'a>,
    /// The digest of the document.
    pub digest: Digest,
    /// The size of the document in bytes.
    pub size: u64,
    /// Why the document or the entry cannot be read. The digest may then be [`Digest::ZERO`].
    pub fault: Option<Error>,
    /// The document is missing. An index may name images of other platforms that were not copied.
    pub is_missing: bool,
    /// The entry, as it stands in its index.
    pub descriptor: Value<'a>,
    media: Option<Document>,
}

/// What is looked at.
#[derive(Clone, Copy, Default)]
pub struct Scope<'a> {
    /// Its tag, its digest or that of an index above it, its place at the top.
    pub wanted: Wanted<'a>,
    /// Only what runs on its platform, which otherwise counts for nothing.
    pub is_of_platform: bool,
}

impl Scope<'_> {
    /// Returns whether an image suits the wanted platform; true if none is wanted.
    pub fn takes(&self, config: &Config<'_>) -> bool {
        !self.is_of_platform || super::check_platform(config, &self.wanted.platform).is_ok()
    }

    /// All that there is.
    pub fn is_everything(&self) -> bool {
        self.wanted.is_any() && !self.is_of_platform
    }
}

/// Shows all entries of all indexes of a layout, with the fault of each that cannot be read. An
/// index whose entries cannot be read is shown again. `top` and `nested` are buffers for the
/// indexes.
pub fn walk_index(
    store: &Store<'_>,
    scope: &Scope<'_>,
    [top, nested]: [&mut Buffer; 2],
    see: &mut dyn FnMut(&IndexEntry<'_>) -> Result<()>,
) -> Result<()> {
    let mut walk =
        Walk { store, scope, pending: heapless::Vec::new(), bytes: 0, count: 0, failed: None, see };
    let result = each_at_the_top(store, &scope.wanted, top, &mut |value, tag, n| {
        value.map_or(Ok(()), |value| walk.top(value, tag, n, nested))
    });
    walk.failed.map_or(result, Err)
}

/// An index that has not been gone over yet.
#[derive(Clone, Copy)]
struct Pending {
    lead: Candidate,
    depth: u8,
    pinned: bool,
}

/// Where an entry stands.
#[derive(Clone, Copy)]
struct At<'a> {
    tag: Text<'a>,
    top: usize,
    depth: u8,
    /// The entry is beneath the index whose digest is wanted.
    pinned: bool,
}

struct Walk<'a, 's> {
    store: &'a Store<'s>,
    scope: &'a Scope<'a>,
    pending: heapless::Vec<Pending, PENDING_INDEXES_MAX>,
    /// Bytes of nested indexes, and entries of all.
    bytes: u64,
    count: usize,
    /// What ended the walk was no fault of an index.
    failed: Option<Error>,
    see: &'a mut dyn FnMut(&IndexEntry<'_>) -> Result<()>,
}

impl Walk<'_, '_> {
    /// An entry of the top, and all beneath it.
    fn top(
        &mut self,
        value: &Value<'_>,
        tag: Result<Text<'_>>,
        top: usize,
        nested: &mut Buffer,
    ) -> Result<()> {
        let (tag, fault) = tag.map_or_else(|fault| (Text::EMPTY, Some(fault)), |tag| (tag, None));
        let at = At { tag, top, depth: 0, pinned: false };
        match fault {
            None => self.entry(value, &at)?,
            Some(fault) => self.odd(value, &at, None, fault)?,
        }
        while let Some(Pending { lead, depth, pinned }) = self.pending.pop() {
            self.bytes = self.bytes.saturating_add(lead.size);
            let mut look = || {
                if usize::from(depth) > INDEX_DEPTH {
                    return Err(Error::new(format_args!(
                        "nested deeper than {INDEX_DEPTH} indexes"
                    )));
                }
                if self.bytes > SEARCH_BYTES {
                    return Err(Error::new(format_args!(
                        "more than {SEARCH_BYTES} bytes of indexes"
                    )));
                }
                let mut values = read_document(self.store, &lead, nested)?.list("manifests")?;
                values.try_for_each(|value| self.entry(&value, &At { depth, pinned, ..at }))
            };
            match look().context("index", &lead.digest) {
                Err(fault) if self.failed.is_none() => {
                    self.odd(
                        value,
                        &At { depth: depth - 1, pinned, ..at },
                        Some(lead.digest),
                        fault,
                    )?;
                }
                result => result?,
            }
        }
        Ok(())
    }

    /// Shows a malformed entry, or a malformed `index`.
    fn odd(
        &mut self,
        value: &Value<'_>,
        at: &At<'_>,
        index: Option<Digest>,
        fault: Error,
    ) -> Result<()> {
        if self.scope.wanted.digest.is_some() && !at.pinned {
            return Ok(());
        }
        let own = || value.require_text("digest").and_then(|text| descriptor::parse(text, value));
        let digest = index.or_else(|| own().ok()).unwrap_or(Digest::ZERO);
        self.show(&IndexEntry {
            tag: at.tag,
            top: at.top,
            depth: at.depth,
            sort: if index.is_some() { EntryKind::Index } else { EntryKind::Artifact },
            media_type: Text::EMPTY,
            platform: Platform::default(),
            digest,
            size: 0,
            fault: Some(fault),
            is_missing: false,
            descriptor: *value,
            media: None,
        })
    }

    fn show(&mut self, found: &IndexEntry<'_>) -> Result<()> {
        (self.see)(found).inspect_err(|error| self.failed = Some(error.clone()))
    }

    fn entry(&mut self, value: &Value<'_>, at: &At<'_>) -> Result<()> {
        self.count += 1;
        if self.count > INDEX_MANIFESTS_MAX {
            return Err(Error::new(format_args!("more than {INDEX_MANIFESTS_MAX} manifests")));
        }
        match self.read(value, at) {
            Err(fault) if self.failed.is_none() => self.odd(value, at, None, fault),
            result => result,
        }
    }

    fn read(&mut self, value: &Value<'_>, at: &At<'_>) -> Result<()> {
        let At { tag, top, depth, pinned } = *at;
        let platform =
            value.get("platform")?.map_or(Ok(Platform::default()), |it| Platform::read(&it))?;
        let Descriptor { media_type, digest, size } = Descriptor::read(value)?;
        let media = Document::named(media_type).filter(|media| media.kind() != Kind::Config);
        let artifact_type = value.text("artifactType")?.filter(|kind| !kind.is_empty());
        let notes = value.get("annotations")?;
        let attests =
            notes.map_or(Ok(None), |notes| notes.get("vnd.docker.reference.type"))?.is_some();
        let sort = match media.map(Document::kind) {
            Some(Kind::Index) => EntryKind::Index,
            _ if attests || platform.os == "unknown" => EntryKind::Attestation,
            Some(_) if artifact_type.is_none() => EntryKind::Manifest,
            _ => EntryKind::Artifact,
        };
        if self.scope.is_of_platform && platform.rank(&self.scope.wanted.platform) == Rank::Other {
            return Ok(());
        }
        let fault = self.store.blob(&digest, size).err();
        let is_missing = fault.is_some() && self.store.has(&digest).is_ok_and(|is_there| !is_there);
        let is_pinned =
            self.scope.wanted.digest.as_ref().is_none_or(|wanted| pinned || *wanted == digest);
        if let (Some(media), EntryKind::Index, None) = (media, sort, &fault) {
            let pending = Pending {
                lead: Candidate::new(digest, size, media),
                depth: depth + 1,
                pinned: is_pinned,
            };
            let full =
                |_| Error::new(format_args!("more than {PENDING_INDEXES_MAX} indexes in one"));
            self.pending.push(pending).map_err(full)?;
        }
        if !is_pinned {
            return Ok(());
        }
        let media_type = artifact_type.unwrap_or(media_type);
        let descriptor = *value;
        self.show(&IndexEntry {
            tag,
            top,
            depth,
            sort,
            media_type,
            platform,
            digest,
            size,
            fault,
            is_missing,
            descriptor,
            media,
        })
    }
}

/// What a manifest holds, verified.
pub struct Contents<'m> {
    /// It is an image's.
    pub is_image: bool,
    /// The manifest itself.
    pub document: Value<'m>,
    /// The digest of its configuration, and the size in bytes.
    pub config: (Digest, u64),
    /// Its layers, without diff_ids; an artifact's parts.
    pub layers: &'m [Layer],
}

impl IndexEntry<'_> {
    /// Whether it leads to a manifest, of whatever.
    pub fn is_manifest(&self) -> bool {
        self.sort != EntryKind::Index && self.media.is_some()
    }

    /// Reads the manifest that this entry leads to. If it `is_strict`, an image's layers must be of
    /// types that can be unpacked.
    pub fn read<'m>(
        &self,
        store: &Store<'_>,
        is_strict: bool,
        memory: &'m mut ImageMemory,
    ) -> Result<Contents<'m>> {
        let ImageMemory { document: buffer, layers, documents_read, .. } = memory;
        documents_read.add(self.size)?;
        let media = self
            .media
            .ok_or_else(|| Error::new(format_args!("{}: not a manifest", self.digest)))?;
        let within = |error: Error| error.within(format_args!("manifest {}", self.digest));
        let document = read_document(store, &Candidate::new(self.digest, self.size, media), buffer)
            .map_err(within)?;
        let is_image =
            self.sort == EntryKind::Manifest && !is_artifact(&document).map_err(within)?;
        let config = manifest::layers_and_config(&document, is_image && is_strict, layers)
            .map_err(within)?;
        Ok(Contents { is_image, document, config, layers })
    }
}

/// Reads the configuration of an image whose manifest was read last, and gives each layer its
/// diff_id.
pub fn read_config<'m>(
    store: &Store<'_>,
    (digest, size): (Digest, u64),
    memory: &'m mut ImageMemory,
) -> Result<(Config<'m>, &'m [Layer])> {
    let ImageMemory { document, layers, documents_read, .. } = memory;
    documents_read.add(size)?;
    let bytes = store::read_verified(store, &digest, size, document).context("config", &digest)?;
    let config = manifest::read_config(bytes, layers).context("config", &digest)?;
    Ok((config, layers))
}

/// Shows what `manifest.json` says of each image of a docker-archive.
pub fn docker_images(
    store: &Store<'_>,
    buffer: &mut Buffer,
    see: &mut dyn FnMut(&Value<'_>) -> Result<()>,
) -> Result<()> {
    match store {
        Store::Docker(archive) => docker::each(archive, buffer, see),
        _ => Ok(()),
    }
}

impl Layer {
    /// Bytes of which nothing is known but their digest.
    pub fn blob(digest: Digest, size: u64) -> Layer {
        let (digest, diff_id) = (Some(digest), Digest::ZERO);
        Layer { digest, offset: 0, size, compression: Compression::None, foreign: false, diff_id }
    }
}
