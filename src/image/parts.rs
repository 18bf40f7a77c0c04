//! All that a manifest or an index leads to, part by part: for whoever takes an image elsewhere.

use super::choose::{self, Lead};
use super::descriptor::Descriptor;
use super::manifest::{image_of, read_config, read_document};
use super::media::{Document, Kind};
use super::store::{Store, read_verified};
use super::{Blob, ImageMemory, Layer, Wanted};
use crate::codec::json::Value;
use crate::limits::{INDEX_DEPTH, INDEX_MANIFESTS_MAX, SEARCH_BYTES};
use crate::{Context, Error, Result};

/// One part.
pub enum Part<'a> {
    /// A manifest, an index or a configuration, which is what its digest says; or a blob of an artifact.
    Blob(&'a Blob),
    /// A layer of an image: the n-th of so many.
    Layer(&'a Layer, usize, usize),
}

/// The entry of `index.json` that is wanted, be it an index or a manifest, and its tag.
pub fn select<'m>(store: &Store<'_>, wanted: &Wanted<'_>, memory: &'m mut ImageMemory) -> Result<(Blob, &'m str)> {
    let ImageMemory { document, leads, tag, .. } = memory;
    let lead = choose::choose_entry(store, wanted, leads, tag, document)?;
    Ok((lead.blob(), tag))
}

/// Shows everything that there is beneath a manifest or an index, and that itself. A part that is in it many times is
/// shown as often.
pub fn parts(
    store: &Store<'_>,
    top: &Blob,
    memory: &mut ImageMemory,
    see: &mut dyn FnMut(Part<'_>) -> Result<()>,
) -> Result<()> {
    let ImageMemory { document, layers, leads, .. } = memory;
    let mut bytes = 0;
    leads.clear();
    push(leads, top, 0)?;
    while let Some(lead) = leads.pop() {
        let blob = lead.blob();
        bytes += lead.size;
        if bytes > SEARCH_BYTES {
            return Err(Error::new(format_args!("more than {SEARCH_BYTES} bytes of indexes and manifests")));
        }
        let mut follow = || -> Result<()> {
            let value = read_document(store, &lead, document)?;
            see(Part::Blob(&blob))?;
            if lead.media.kind() == Kind::Index {
                if usize::from(lead.depth) >= INDEX_DEPTH {
                    return Err(Error::new(format_args!("nested deeper than {INDEX_DEPTH} indexes")));
                }
                for value in value.list("manifests")? {
                    let blob = blob_of(&value)?;
                    // What nobody knows here cannot lead on.
                    if !push(leads, &blob, lead.depth + 1)? {
                        see(Part::Blob(&blob))?;
                    }
                }
                return Ok(());
            }
            let Some(id) = image_of(&value, layers)? else {
                see(Part::Blob(&blob_of(&value.require("config")?)?))?;
                return value.list("layers")?.try_for_each(|value| see(Part::Blob(&blob_of(&value)?)));
            };
            let mut config = || {
                read_config(read_verified(store, &id.digest, id.size, document)?, layers)?;
                see(Part::Blob(&id))
            };
            config().context("config", &id.digest)?;
            layers.iter().enumerate().try_for_each(|(n, layer)| see(Part::Layer(layer, n + 1, layers.len())))
        };
        follow().context(if lead.media.kind() == Kind::Index { "index" } else { "manifest" }, &lead.digest)?;
    }
    Ok(())
}

/// Takes a document in; false where it is none that leads on.
fn push(leads: &mut choose::Leads, blob: &Blob, depth: u8) -> Result<bool> {
    let Some(lead) = Lead::of(blob, depth) else { return Ok(false) };
    leads.push(lead).map_err(|_| Error::new(format_args!("more than {INDEX_MANIFESTS_MAX} manifests")))?;
    Ok(true)
}

fn blob_of(value: &Value<'_>) -> Result<Blob> {
    let Descriptor { media_type, digest, size } = Descriptor::read(value)?;
    Ok(Blob { media_type: Document::named(media_type).map_or("", Document::name), digest, size })
}
