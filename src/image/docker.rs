//! Archives of `docker save` and `podman save`: `manifest.json` names a configuration and layers
//! for each image.
//!
//! ```text
//! manifest.json -> [{"Config": PATH, "RepoTags": [TAG…], "Layers": [PATH…]}…]
//! ```
//!
//! Its paths are only keys of the archive's table of contents. The archive has no digests but the
//! diff_ids in the configuration, and the configuration's own in its name. `docker save` before
//! 1.10 wrote no manifest.json.

use super::archive::Archive;
use super::list::List;
use super::media;
use super::reference::same_reference;
use super::{Layer, Wanted};
use crate::codec::digest::{Algorithm, Digest};
use crate::codec::json::{self, Text, Value};
use crate::io::section::Section;
use crate::io::text::last_of;
use crate::limits::LAYERS_MAX;
use crate::{Context, Error, Result};

type Layers = heapless::Vec<Layer, LAYERS_MAX>;

/// Reads the item of the wanted image: its layers, without their diff_ids, and its configuration
/// with the digest in its name.
pub fn choose(
    archive: &Archive<'_>,
    wanted: &Wanted<'_>,
    layers: &mut Layers,
    tag: &mut super::memory::Tag,
    buffer: &mut [u8],
) -> Result<(Section, Option<Digest>)> {
    let mut read = || -> Result<(Section, Option<Digest>)> {
        let document = document(archive, buffer)?;
        of_item(archive, &item(&document, wanted, tag)?, layers)
    };
    read().doing("manifest.json")
}

/// Returns the image of an item of `manifest.json`: its layers, and its configuration with the
/// digest in its name.
pub fn of_item(
    archive: &Archive<'_>,
    item: &Value<'_>,
    layers: &mut Layers,
) -> Result<(Section, Option<Digest>)> {
    layers.clear();
    for value in item.list("Layers")? {
        let section = named_file(archive, &value)?;
        let compression = media::sniff(&section).map_err(|error| value.at(error))?;
        let Section { offset, size, .. } = section;
        let layer = Layer {
            digest: None,
            offset,
            size,
            compression,
            foreign: false,
            diff_id: Digest::ZERO,
        };
        layers
            .push(layer)
            .map_err(|_| item.error_in("Layers", super::manifest::TOO_MANY_LAYERS))?;
    }
    let config = item.require("Config")?;
    Ok((named_file(archive, &config)?, id(config.as_text()?)))
}

/// Calls `see` with each item of `manifest.json`.
pub fn each(
    archive: &Archive<'_>,
    buffer: &mut [u8],
    see: &mut dyn FnMut(&Value<'_>) -> Result<()>,
) -> Result<()> {
    let mut look = || document(archive, buffer)?.items()?.try_for_each(|item| see(&item));
    look().doing("manifest.json")
}

/// Returns `manifest.json`.
fn document<'b>(archive: &Archive<'_>, buffer: &'b mut [u8]) -> Result<Value<'b>> {
    match archive.file(b"manifest.json")? {
        Some(file) => json::check(super::document::read(&file, buffer)?),
        None if archive.file(b"repositories")?.is_some() => Err(Error::new(format_args!(
            "missing: an archive of docker before 1.10 (repositories) is not supported: save the image again"
        ))),
        None => Err(Error::new(format_args!("missing: not what docker save writes"))),
    }
}

/// Returns the file at the path in `value`.
fn named_file(archive: &Archive<'_>, value: &Value<'_>) -> Result<Section> {
    let path = value.as_text()?;
    // docker writes no path that needs escapes.
    let file = archive.file(path.as_plain().unwrap_or("").as_bytes());
    let missing = || Error::new(format_args!("{path}: not in the archive"));
    file.and_then(|file| file.ok_or_else(missing)).map_err(|error| value.at(error))
}

/// Returns the digest in a configuration's name: `HEX.json`, `blobs/sha256/HEX`, `sha256:HEX`.
fn id(path: Text<'_>) -> Option<Digest> {
    let path = path.as_plain()?;
    let name = path.get(last_of(path, b'/').map_or(0, |slash| slash + 1)..)?;
    let name = name.strip_prefix("sha256:").unwrap_or(name);
    Digest::from_hex(Algorithm::Sha256, name.strip_suffix(".json").unwrap_or(name))
}

/// Returns the item of the wanted image. Several names of one configuration are one image.
fn item<'m>(
    document: &Value<'m>,
    wanted: &Wanted<'_>,
    found_tag: &mut super::memory::Tag,
) -> Result<Value<'m>> {
    let mut found: Option<Value<'m>> = None;
    let (mut tags, mut several) = (List::new(), false);
    for (n, item) in document.items()?.enumerate() {
        let config = item.require_text("Config")?;
        let (mut has_tag, mut first) = (wanted.reference.is_none(), "");
        for value in item.list("RepoTags")? {
            let text = value.as_text()?;
            tags.add(&text);
            let tag = text.as_plain().unwrap_or("");
            has_tag |= wanted.reference.is_some_and(|wanted| same_reference(tag, wanted));
            if first.is_empty() && !tag.is_empty() {
                first = super::reference::tag(tag).unwrap_or("");
            }
        }
        let is_pinned =
            wanted.digest.as_ref().is_none_or(|digest| id(config).is_none_or(|id| id == *digest));
        if !has_tag || !is_pinned || wanted.index.is_some_and(|index| index != n) {
            continue;
        }
        match &found {
            Some(former) => several |= former.require_text("Config")? != config,
            None => {
                super::memory::set_tag(found_tag, first);
                found = Some(item);
            }
        }
    }
    match (found, wanted.reference) {
        (Some(_), _) if several => Err(Error::new(format_args!(
            "several images, and nothing to choose by: {tags}, or @0, @1 and so on"
        ))),
        (Some(item), _) => Ok(item),
        (None, Some(tag)) if tags.count == 0 => {
            Err(Error::new(format_args!("no tag \"{tag}\", nor any other")))
        }
        (None, Some(tag)) => Err(Error::new(format_args!("no tag \"{tag}\", there is: {tags}"))),
        (None, None) => {
            Err(Error::new(format_args!("holds no image, or not the one that is wanted")))
        }
    }
}
