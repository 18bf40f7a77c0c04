//! All parts that a manifest or an index leads to, for a copy of the image.

use super::candidate::{self, Candidate};
use super::choose::{self, Goal};
use super::descriptor::Descriptor;
use super::manifest::{is_artifact, read_document};
use super::media::{self, Document, Kind};
use super::store::Store;
use super::walk_index::{Scope, walk_index};
use super::{Blob, ImageMemory, Wanted};
use crate::codec::digest::Digest;
use crate::codec::json::Value;
use crate::limits::{DOCUMENT_BYTES, INDEX_DEPTH, INDEX_MANIFESTS_MAX, SEARCH_BYTES};
use crate::{Context, Error, Result};

/// One part: a manifest, an index, a configuration, a layer, or a blob of an artifact.
pub struct Part<'a> {
    /// Digest of its bytes.
    pub digest: &'a Digest,
    /// Length in bytes.
    pub size: u64,
    /// For a layer or an artifact's blob: its number from 1, and the count.
    pub layer: Option<(usize, usize)>,
}

/// Returns the wanted entry of `index.json` (an index or a manifest), and its tag.
pub fn select<'m>(
    store: &Store<'_>,
    wanted: &Wanted<'_>,
    memory: &'m mut ImageMemory,
) -> Result<(Blob, &'m str)> {
    let ImageMemory { document, leads, tag, .. } = memory;
    let lead = choose::choose(store, wanted, Goal::Entry, leads, tag, document)?;
    Ok((lead.blob(), tag))
}

/// Returns the wanted entry of `index.json` and its tag, if it leads to an artifact's manifest.
pub fn select_artifact<'m>(
    store: &Store<'_>,
    wanted: &Wanted<'_>,
    memory: &'m mut ImageMemory,
) -> Result<Option<(Blob, &'m str)>> {
    let ImageMemory { document, leads, tag, .. } = memory;
    let lead = choose::choose(store, wanted, Goal::Entry, leads, tag, document)?;
    let is_it = lead.media.kind() == Kind::Manifest
        && is_artifact(&read_document(store, &lead, document)?)?;
    Ok(is_it.then_some((lead.blob(), tag)))
}

/// Copies a document's descriptor from its index to `place`. Returns it; empty if there is none, or
/// if it does not fit.
pub fn descriptor<'b>(
    store: &Store<'_>,
    wanted: &Wanted<'_>,
    digest: &Digest,
    indexes: [&mut [u8; DOCUMENT_BYTES]; 2],
    place: &'b mut [u8],
) -> &'b mut [u8] {
    let mut length = 0;
    let scope =
        Scope { wanted: Wanted { digest: Some(*digest), ..*wanted }, is_of_platform: false };
    // Errors of other entries do not matter here.
    let _ = walk_index(store, &scope, indexes, &mut |found| {
        let text = found.descriptor.as_json().as_bytes();
        if let Some(place) =
            place.get_mut(..text.len()).filter(|_| length == 0 && found.digest == *digest)
        {
            place.copy_from_slice(text);
            length = text.len();
        }
        Ok(())
    });
    &mut place[..length]
}

type See<'a> = &'a mut dyn FnMut(Part<'_>) -> Result<()>;

/// Calls `see` with each part beneath a manifest or an index, and with that itself. It repeats a
/// part that occurs several times.
///
/// Reads only descriptors and trusts their media types, because nothing is unpacked here. Skips a
/// missing foreign layer, because it is not part of the image.
pub fn parts(store: &Store<'_>, top: &Blob, memory: &mut ImageMemory, see: See<'_>) -> Result<()> {
    let ImageMemory { document, leads, .. } = memory;
    let mut bytes = 0;
    leads.clear();
    push(leads, Candidate::new(top.digest, top.size, top.media))?;
    while let Some(lead) = leads.pop() {
        bytes += lead.size;
        if bytes > SEARCH_BYTES {
            return Err(Error::new(format_args!(
                "more than {SEARCH_BYTES} bytes of indexes and manifests"
            )));
        }
        let mut look = || -> Result<()> {
            let value = read_document(store, &lead, document)?;
            see(Part { digest: &lead.digest, size: lead.size, layer: None })?;
            if lead.media.kind() == Kind::Index {
                if usize::from(lead.depth) >= INDEX_DEPTH {
                    return Err(Error::new(format_args!(
                        "nested deeper than {INDEX_DEPTH} indexes"
                    )));
                }
                return value
                    .list("manifests")?
                    .try_for_each(|value| follow(&value, lead.depth + 1, leads, see));
            }
            show(&value.require("config")?, None, see)?;
            let count = value.list("layers")?.count();
            value.list("layers")?.enumerate().try_for_each(|(n, layer)| {
                let Descriptor { media_type, digest, size } = Descriptor::read(&layer)?;
                let is_foreign = media::layer(media_type).is_ok_and(|(_, is_foreign)| is_foreign);
                if is_foreign && !store.has(&digest)? {
                    return Ok(());
                }
                see(Part { digest: &digest, size, layer: Some((n + 1, count)) })
            })
        };
        look().context(
            if lead.media.kind() == Kind::Index { "index" } else { "manifest" },
            &lead.digest,
        )?;
    }
    Ok(())
}

/// Queues manifests and indexes, and calls `see` with other parts.
fn follow(
    value: &Value<'_>,
    depth: u8,
    leads: &mut candidate::Candidates,
    see: See<'_>,
) -> Result<()> {
    let Descriptor { media_type, digest, size } = Descriptor::read(value)?;
    match Document::named(media_type).filter(|media| media.kind() != Kind::Config) {
        Some(media) => {
            let mut lead = Candidate::new(digest, size, media);
            lead.depth = depth;
            push(leads, lead)
        }
        // An unknown media type has no children.
        None => see(Part { digest: &digest, size, layer: None }),
    }
}

fn push(leads: &mut candidate::Candidates, lead: Candidate) -> Result<()> {
    leads
        .push(lead)
        .map_err(|_| Error::new(format_args!("more than {INDEX_MANIFESTS_MAX} manifests")))
}

/// Calls `see` with the part that a descriptor names.
fn show(value: &Value<'_>, layer: Option<(usize, usize)>, see: See<'_>) -> Result<()> {
    let Descriptor { digest, size, .. } = Descriptor::read(value)?;
    see(Part { digest: &digest, size, layer })
}
