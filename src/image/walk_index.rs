//! A walk over all of a layout: indexes, images, artifacts. It chooses nothing.
//!
//! It takes `index.json` (or `refs/`) in order. The entries of a nested index follow the entry that
//! led to it. A list of pending indexes replaces recursion; the limits are those of `choose`.

use super::candidate::Candidate;
use super::descriptor::{self, Descriptor};
use super::docker;
pub use super::manifest::config_type;
use super::manifest::{self, LayerTypes, is_artifact, read_document};
use super::media::{Document, Kind};
use super::platform::{Platform, Rank};
use super::store::{self, Store};
use super::top_entries::each_at_the_top;
use super::{Compression, Config, ImageMemory, Layer, Wanted};
use crate::codec::digest::Digest;
use crate::codec::json::{Text, Value};
use crate::limits::{
    DOCUMENT_BYTES, INDEX_DEPTH, INDEX_MANIFESTS_MAX, PENDING_INDEXES_MAX, SEARCH_BYTES,
};
use crate::{Context, Error, Result};

type Buffer = [u8; DOCUMENT_BYTES];

/// The kind of document that a descriptor leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKind {
    /// Another index.
    Index,
    /// A manifest of an image, or of an artifact that only the manifest can tell.
    Manifest,
    /// A builder's attestation about a neighbouring image.
    Attestation,
    /// An artifact's manifest, or a document of an unknown media type.
    Artifact,
}

/// One entry of an index.
pub struct IndexEntry<'a> {
    /// The tag of the top entry that it is or that led to it. Empty if that has no tag.
    pub tag: Text<'a>,
    /// The number of that top entry, from 0.
    pub top: usize,
    /// Number of indexes above it.
    pub depth: u8,
    /// The kind of its document.
    pub sort: EntryKind,
    /// The media type of its document, or the type of the artifact.
    pub media_type: Text<'a>,
    /// The platform in its descriptor.
    pub platform: Platform<'a>,
    /// The digest of the document.
    pub digest: Digest,
    /// The size of the document in bytes.
    pub size: u64,
    /// The reason why the document or the entry cannot be read. The digest may then be
    /// [`Digest::ZERO`].
    pub fault: Option<Error>,
    /// The document is missing. An index may name images of other platforms that were not copied.
    pub is_missing: bool,
    /// The descriptor in its index.
    pub descriptor: Value<'a>,
    media: Option<Document>,
}

/// The entries to look at.
#[derive(Clone, Copy, Default)]
pub struct Scope<'a> {
    /// A tag, a digest (its own or of an index above it), a place at the top.
    pub wanted: Wanted<'a>,
    /// Only entries of the wanted platform; otherwise the platform is ignored.
    pub is_of_platform: bool,
}

impl Scope<'_> {
    /// Returns whether an image suits the wanted platform, or true if none is wanted.
    pub fn takes(&self, config: &Config<'_>) -> bool {
        !self.is_of_platform || super::check_platform(config, &self.wanted.platform).is_ok()
    }

    /// Returns true if the scope has no restriction.
    pub fn is_everything(&self) -> bool {
        self.wanted.is_any() && !self.is_of_platform
    }
}

/// Calls `see` with each entry of each index, with an error for each unreadable one. An index whose
/// entries cannot be read is reported again. `top` and `nested` are buffers for the indexes.
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

/// An index whose entries are still to be read.
#[derive(Clone, Copy)]
struct Pending {
    lead: Candidate,
    depth: u8,
    pinned: bool,
}

/// The position of an entry.
#[derive(Clone, Copy)]
struct At<'a> {
    tag: Text<'a>,
    top: usize,
    depth: u8,
    /// The entry is beneath the index of the wanted digest.
    pinned: bool,
}

struct Walk<'a, 's> {
    store: &'a Store<'s>,
    scope: &'a Scope<'a>,
    pending: heapless::Vec<Pending, PENDING_INDEXES_MAX>,
    /// Bytes of nested indexes, and the number of entries of all.
    bytes: u64,
    count: usize,
    /// An error that no index caused; it ends the walk.
    failed: Option<Error>,
    see: &'a mut dyn FnMut(&IndexEntry<'_>) -> Result<()>,
}

impl Walk<'_, '_> {
    /// Walks over a top entry, and all beneath it.
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

    /// Reports a malformed entry, or a malformed `index`.
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

/// A verified manifest's contents.
pub struct Contents<'m> {
    /// It is an image's manifest.
    pub is_image: bool,
    /// The manifest itself.
    pub document: Value<'m>,
    /// Digest and size (bytes) of its configuration.
    pub config: (Digest, u64),
    /// Its layers, without diff_ids; or an artifact's parts.
    pub layers: &'m [Layer],
}

impl IndexEntry<'_> {
    /// Returns whether the entry leads to a manifest of any kind.
    pub fn is_manifest(&self) -> bool {
        self.sort != EntryKind::Index && self.media.is_some()
    }

    /// Reads the manifest of this entry. With [`LayerTypes::Unpackable`], an image's layers must
    /// be of types that can be unpacked.
    pub fn read<'m>(
        &self,
        store: &Store<'_>,
        types: LayerTypes,
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
        let config = manifest::layers_and_config(
            &document,
            if is_image { types } else { LayerTypes::Any },
            layers,
        )
        .map_err(within)?;
        Ok(Contents { is_image, document, config, layers })
    }
}

/// Reads the configuration of the image whose manifest was read last, and fills in the layers'
/// diff_ids.
pub fn read_config<'m>(
    store: &Store<'_>,
    (digest, size): (Digest, u64),
    memory: &'m mut ImageMemory,
) -> Result<(Config<'m>, &'m [Layer])> {
    let ImageMemory { document, layers, documents_read, .. } = memory;
    documents_read.add(size)?;
    let bytes = store::read_verified(store, Kind::Config, (&digest, size), document)
        .context("config", &digest)?;
    let config = manifest::read_config(bytes, layers).context("config", &digest)?;
    Ok((config, layers))
}

/// Calls `see` with each item of `manifest.json` of a docker-archive.
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
    /// Returns a layer of which only digest and size are known.
    pub fn blob(digest: Digest, size: u64) -> Layer {
        let (digest, diff_id) = (Some(digest), Digest::ZERO);
        Layer { digest, offset: 0, size, compression: Compression::None, foreign: false, diff_id }
    }
}
