//! All that a manifest or an index leads to, part by part: for whoever takes an image elsewhere.

use super::choose::{self, Lead};
use super::descriptor::Descriptor;
use super::manifest::{image_of, read_config, read_document};
use super::media::{Document, Kind};
use super::store::{Store, read_verified};
use super::{Blob, ImageMemory, Layer, Wanted};
use crate::codec::digest::Digest;
use crate::codec::json::Value;
use crate::limits::{INDEX_DEPTH, INDEX_MANIFESTS_MAX, SEARCH_BYTES};
use crate::{Context, Error, Result};

/// One part.
pub enum Part<'a> {
    /// A manifest, an index or a configuration, which is what its digest says; or a blob of an artifact. Its size in bytes.
    Blob(&'a Digest, u64),
    /// A layer of an image: the n-th of so many.
    Layer(&'a Layer, usize, usize),
}

/// The entry of `index.json` that is wanted, be it an index or a manifest, and its tag.
pub fn select<'m>(store: &Store<'_>, wanted: &Wanted<'_>, memory: &'m mut ImageMemory) -> Result<(Blob, &'m str)> {
    let ImageMemory { document, leads, tag, .. } = memory;
    let lead = choose::choose(store, wanted, true, leads, tag, document)?;
    Ok((lead.blob(), tag))
}

type See<'a> = &'a mut dyn FnMut(Part<'_>) -> Result<()>;

/// Shows everything that there is beneath a manifest or an index, and that itself. A part that is in it many times is
/// shown as often.
pub fn parts(store: &Store<'_>, top: &Blob, memory: &mut ImageMemory, see: See<'_>) -> Result<()> {
    let ImageMemory { document, layers, leads, .. } = memory;
    let mut bytes = 0;
    leads.clear();
    push(leads, Lead::new(top.digest, top.size, top.media))?;
    while let Some(lead) = leads.pop() {
        bytes += lead.size;
        if bytes > SEARCH_BYTES {
            return Err(Error::new(format_args!("more than {SEARCH_BYTES} bytes of indexes and manifests")));
        }
        let mut look = || -> Result<()> {
            let value = read_document(store, &lead, document)?;
            see(Part::Blob(&lead.digest, lead.size))?;
            if lead.media.kind() == Kind::Index {
                if usize::from(lead.depth) >= INDEX_DEPTH {
                    return Err(Error::new(format_args!("nested deeper than {INDEX_DEPTH} indexes")));
                }
                return value.list("manifests")?.try_for_each(|value| follow(&value, lead.depth + 1, leads, see));
            }
            let Some(id) = image_of(&value, layers)? else {
                show(&value.require("config")?, see)?;
                return value.list("layers")?.try_for_each(|value| show(&value, see));
            };
            let mut config = || {
                read_config(read_verified(store, &id.digest, id.size, document)?, layers)?;
                see(Part::Blob(&id.digest, id.size))
            };
            config().context("config", &id.digest)?;
            layers.iter().enumerate().try_for_each(|(n, layer)| see(Part::Layer(layer, n + 1, layers.len())))
        };
        look().context(if lead.media.kind() == Kind::Index { "index" } else { "manifest" }, &lead.digest)?;
    }
    Ok(())
}

/// Takes in what leads on, and shows what does not.
fn follow(value: &Value<'_>, depth: u8, leads: &mut choose::Leads, see: See<'_>) -> Result<()> {
    let Descriptor { media_type, digest, size } = Descriptor::read(value)?;
    match Document::named(media_type).filter(|media| media.kind() != Kind::Config) {
        Some(media) => {
            let mut lead = Lead::new(digest, size, media);
            lead.depth = depth;
            push(leads, lead)
        }
        // What nobody knows here cannot lead on.
        None => see(Part::Blob(&digest, size)),
    }
}

fn push(leads: &mut choose::Leads, lead: Lead) -> Result<()> {
    leads.push(lead).map_err(|_| Error::new(format_args!("more than {INDEX_MANIFESTS_MAX} manifests")))
}

/// Shows what a descriptor tells of.
fn show(value: &Value<'_>, see: See<'_>) -> Result<()> {
    let Descriptor { digest, size, .. } = Descriptor::read(value)?;
    see(Part::Blob(&digest, size))
}
