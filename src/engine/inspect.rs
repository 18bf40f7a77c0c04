//! Shows an image, or the list of images.
//!
//! The names in the JSON are skopeo's if it has them. All documents are verified before any of
//! their text is shown. Layers are not read.

use super::EngineMemory;
use super::resolve::{ImageQuery, index_buffers, open};
use crate::codec::digest::Digest;
use crate::codec::json::{Items, Text, Value};
use crate::image::walk_index::{
    Contents, EntryKind, IndexEntry, Scope, config_type, docker_images, read_config, walk_index,
};
use crate::image::{
    Config, ImageMemory, Layer, LayerTypes, Platform, Store, Wanted, check_platform, read_docker,
};
use crate::limits::{DOCUMENT_BYTES, ERROR_TEXT_BYTES, REFERENCE_BYTES};
use crate::sys::Errno;
use crate::{Error, Result};
use core::ffi::CStr;
use core::fmt::Write;

/// One entry of the list.
#[derive(Clone)]
pub struct Row<'a> {
    /// Its tag, or empty.
    pub tag: Text<'a>,
    /// Further tags, in a docker-archive.
    pub tags: Items<'a>,
    /// Its kind, in a word.
    pub kind: &'static str,
    /// The reason why it cannot be shown.
    pub fault: Option<Error>,
    /// Its media type.
    pub media_type: Text<'a>,
    /// The digest of its manifest or index.
    pub digest: &'a Digest,
    /// The size of that document, in bytes.
    pub size: u64,
    /// The platform it is for.
    pub platform: Platform<'a>,
    /// Its creation time, from its configuration.
    pub created: Text<'a>,
    /// Its layers.
    pub layers: &'a [Layer],
}

/// A form of output.
pub trait View {
    /// Returns true if a shown image is also listed when it is the only one.
    fn lists_even_one(&self) -> bool;
    /// Begins the output with the typed name.
    fn begin(&mut self, name: &[u8]);
    /// Shows one of the tags.
    fn tag(&mut self, tag: &Text<'_>);
    /// Shows the chosen image's manifest. A docker-archive has none.
    fn manifest(&mut self, digest: &Digest, manifest: Option<(Value<'_>, u64)>);
    /// Shows its configuration.
    fn config(&mut self, digest: &Digest, config: &Config<'_>, layers: &[Layer]);
    /// Shows one entry of the list.
    fn row(&mut self, row: &Row<'_>);
    /// Ends the output.
    fn end(&mut self);
}

type Indexes<'a> = [&'a mut [u8; DOCUMENT_BYTES]; 2];

/// Shows the selected image, or the list of all. Returns the first error of an entry that was shown
/// nevertheless.
pub fn inspect(
    image: &ImageQuery<'_>,
    view: &mut dyn View,
    memory: &mut EngineMemory,
) -> Result<Option<Error>> {
    let (store, wanted) = open(image, &mut memory.archive, &mut memory.unpack)?;
    let scope = Scope { wanted, is_of_platform: image.platform.is_some() };
    let mut subject = Subject {
        store,
        scope,
        indexes: index_buffers(&mut memory.strings),
        memory: &mut memory.image,
        entries: 0,
        fault: heapless::String::new(),
    };
    subject.show(image.name, view)?;
    match &*subject.fault {
        "" => Ok(None),
        fault => Ok(Some(Error::new(format_args!("{fault}")))),
    }
}

struct Subject<'a, 'm> {
    store: Store<'a>,
    scope: Scope<'a>,
    indexes: Indexes<'m>,
    memory: &'m mut ImageMemory,
    /// Number of entries in scope.
    entries: usize,
    /// The first error of an entry that is shown nevertheless, as text.
    fault: Fault,
}

type Fault = heapless::String<ERROR_TEXT_BYTES>;

/// Keeps the first of several errors.
fn keep(place: &mut Fault, error: &Error) {
    if place.is_empty() && write!(place, "{error}").is_err() {
        place.clear();
        let _ = place.push_str("several entries cannot be read");
    }
}

/// Returns the kind of an entry whose document cannot be read.
fn kind_of_fault(fault: &Error) -> &'static str {
    if fault.errno() == Errno::NONE { "damaged" } else { "unreadable" }
}

impl Subject<'_, '_> {
    fn show(&mut self, words: &CStr, view: &mut dyn View) -> Result<()> {
        let chosen = self.choose()?;
        view.begin(words.to_bytes());
        self.tags(view)?;
        if let Some(digest) = &chosen {
            self.details(digest, view)?;
        }
        if chosen.is_none() || self.entries > 1 || view.lists_even_one() {
            self.rows(chosen.is_some(), view)?;
        }
        view.end();
        Ok(())
    }

    /// Returns the digest of the selected image. None if there are several, or none but other
    /// documents.
    fn choose(&mut self) -> Result<Option<Digest>> {
        let Subject { store, scope, indexes: [top, nested], memory, entries, fault } = self;
        let is_open = scope.wanted.is_any();
        docker_images(store, top, &mut |_| {
            *entries += usize::from(is_open);
            Ok(())
        })?;
        let mut first: Option<Digest> = None;
        let mut name: heapless::String<REFERENCE_BYTES> = heapless::String::new();
        let (mut is_one, mut is_one_name, mut has_faults) = (true, *entries <= 1, false);
        walk_index(store, scope, [top, nested], &mut |found| {
            *entries += 1;
            has_faults |= found.fault.is_some();
            if !found.is_manifest() || found.fault.is_some() {
                return Ok(());
            }
            match is_image(store, scope, found, memory) {
                Ok(true) => {}
                result => {
                    has_faults |= result.is_err();
                    return Ok(());
                }
            }
            let tag = found.tag.as_plain().unwrap_or("");
            match first {
                None => {
                    first = Some(found.digest);
                    let _ = name.push_str(tag);
                }
                Some(first) => {
                    is_one &= first == found.digest;
                    is_one_name &= first == found.digest || name == tag;
                }
            }
            Ok(())
        })?;
        if first.is_some() && is_one {
            return Ok(first);
        }
        if is_open && !is_one_name {
            return Ok(None);
        }
        // Several for one name, or none at all: the selection would take this one, or give the
        // reason.
        match crate::image::read(store, &scope.wanted, memory) {
            Ok(image) => {
                if scope.is_of_platform {
                    check_platform(&image.config, &scope.wanted.platform)?;
                }
                Ok(Some(image.manifest))
            }
            Err(error) if matches!(store, Store::Docker(_)) => Err(error),
            Err(error) if has_faults && *entries > 1 => {
                keep(fault, &error);
                Ok(None)
            }
            Err(_) if *entries > 0 && !has_faults && !scope.is_of_platform => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Shows all tags. An error of another index does not concern this image.
    fn tags(&mut self, view: &mut dyn View) -> Result<()> {
        if let Store::Docker(_) = self.store {
            return docker_images(&self.store, self.indexes[0], &mut |item| {
                item.list("RepoTags")?.try_for_each(|tag| tag.as_text().map(|tag| view.tag(&tag)))
            });
        }
        let Subject { store, indexes: [top, nested], .. } = self;
        let _ = walk_index(store, &Scope::default(), [top, nested], &mut |found| {
            if found.depth == 0 && !found.tag.is_empty() {
                view.tag(&found.tag);
            }
            Ok(())
        });
        Ok(())
    }

    fn details(&mut self, chosen: &Digest, view: &mut dyn View) -> Result<()> {
        if let Store::Docker(_) = self.store {
            let image = crate::image::read(&self.store, &self.scope.wanted, self.memory)?;
            view.manifest(chosen, None);
            view.config(chosen, &image.config, image.layers);
            return Ok(());
        }
        let mut is_done = false;
        let scope = Scope {
            wanted: Wanted { digest: Some(*chosen), ..self.scope.wanted },
            is_of_platform: false,
        };
        let Subject { store, indexes: [top, nested], memory, .. } = self;
        walk_index(store, &scope, [top, nested], &mut |found| {
            if !found.is_manifest() || core::mem::replace(&mut is_done, true) {
                return Ok(());
            }
            let contents = found.read(store, LayerTypes::Any, memory)?;
            view.manifest(&found.digest, Some((contents.document, found.size)));
            let id = contents.config;
            let (config, layers) = read_config(store, id, memory)?;
            view.config(&id.0, &config, layers);
            Ok(())
        })
    }

    /// Shows the list. `is_any` means that an image was shown before.
    fn rows(&mut self, mut is_any: bool, view: &mut dyn View) -> Result<()> {
        let Subject { store, scope, indexes: [top, nested], memory, fault: first_fault, .. } = self;
        docker_images(store, top, &mut |item| {
            if !scope.wanted.is_any() {
                return Ok(());
            }
            let tags = item.list_or_none("RepoTags");
            match read_docker(store, item, memory) {
                Ok(image) => {
                    if scope.takes(&image.config) {
                        let mut row = Row { tags, ..Row::of(&image.manifest) };
                        row.image(&image.config, image.layers);
                        is_any = true;
                        view.row(&row);
                    }
                }
                Err(fault) => {
                    keep(first_fault, &fault);
                    let kind = kind_of_fault(&fault);
                    is_any = true;
                    view.row(&Row { tags, kind, fault: Some(fault), ..Row::of(&Digest::ZERO) });
                }
            }
            Ok(())
        })?;
        walk_index(store, scope, [top, nested], &mut |found| {
            let IndexEntry { tag, media_type, size, platform, .. } = *found;
            let mut row = Row { tag, media_type, size, platform, ..Row::of(&found.digest) };
            row.kind = match (&found.fault, found.sort) {
                (Some(_), _) if found.is_missing => "missing",
                (Some(fault), _) => kind_of_fault(fault),
                (_, EntryKind::Index) => "index",
                (_, EntryKind::Attestation) => "attestation",
                _ => "artifact",
            };
            if let Some(fault) = &found.fault {
                // An index may name images for other platforms that were not copied.
                if !found.is_missing || found.depth == 0 {
                    keep(first_fault, fault);
                }
                row.fault = Some(fault.clone());
            } else if found.is_manifest() {
                match contents(store, scope, found, memory, row.clone(), view) {
                    Ok(is_shown) => {
                        is_any |= is_shown;
                        return Ok(());
                    }
                    Err(fault) => {
                        keep(first_fault, &fault);
                        (row.kind, row.fault) = (kind_of_fault(&fault), Some(fault));
                    }
                }
            }
            is_any = true;
            view.row(&row);
            Ok(())
        })?;
        if !is_any && scope.is_of_platform {
            let wanted = &scope.wanted.platform;
            keep(
                first_fault,
                &Error::new(format_args!("wrong architecture: no image is for {wanted}")),
            );
        }
        Ok(())
    }
}

/// Returns whether an entry leads to all documents of an image of the wanted platform.
fn is_image(
    store: &Store<'_>,
    scope: &Scope<'_>,
    found: &IndexEntry<'_>,
    memory: &mut ImageMemory,
) -> Result<bool> {
    let contents = found.read(store, LayerTypes::Any, memory)?;
    if !contents.is_image {
        return Ok(false);
    }
    let config = contents.config;
    Ok(scope.takes(&read_config(store, config, memory)?.0))
}

/// Shows a manifest as a row. Returns false if the image is for another platform.
fn contents<'r>(
    store: &Store<'_>,
    scope: &Scope<'_>,
    found: &IndexEntry<'_>,
    memory: &'r mut ImageMemory,
    mut row: Row<'r>,
    view: &mut dyn View,
) -> Result<bool> {
    let Contents { is_image, document, config, layers } =
        found.read(store, LayerTypes::Any, memory)?;
    if !is_image {
        let mut row = Row { layers, ..row };
        if found.sort == EntryKind::Manifest {
            row.media_type = config_type(&document)?;
        }
        view.row(&row);
        return Ok(true);
    }
    let (config, layers) = read_config(store, config, memory)?;
    if !scope.takes(&config) {
        return Ok(false);
    }
    row.image(&config, layers);
    view.row(&row);
    Ok(true)
}

impl<'a> Row<'a> {
    /// Returns a row with only a digest.
    fn of(digest: &'a Digest) -> Row<'a> {
        let (tag, platform) = (Text::EMPTY, Platform::default());
        Row {
            tag,
            tags: Items::default(),
            kind: "",
            fault: None,
            media_type: tag,
            digest,
            size: 0,
            platform,
            created: tag,
            layers: &[],
        }
    }

    /// Adds an image and its configuration, which overrides the index.
    fn image(&mut self, config: &Config<'a>, layers: &'a [Layer]) {
        (self.kind, self.layers) = ("image", layers);
        self.platform = Platform::of(config);
        self.created = config.created().unwrap_or(Text::EMPTY);
    }
}
