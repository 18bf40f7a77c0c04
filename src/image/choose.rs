//! From the top of a layout to one manifest: by tag, by digest, by platform.
//!
//! The search takes `index.json` in order, and nested indexes in their place. A list of pending
//! documents replaces recursion. The rules:
//!
//! - A wanted tag must exist. Without one there must be only one image: one digest, or one name
//!   whose manifests differ by platform. Artifacts and attestations are not images.
//! - A wanted digest is that of the manifest, or of an index above it. It also chooses.
//! - The best platform wins: the machine's own, then a variant of it, then none. Of equals the
//!   first within a nested index wins (image-index.md). Two images of one tag and platform at the
//!   top are refused: umoci calls that ambiguous. containers/image takes the first, but a guess is
//!   not fail-closed.

use super::Wanted;
use super::candidate::{Candidate, Candidates};
use super::descriptor::Descriptor;
use super::list::List;
use super::manifest::{is_artifact, read_document};
use super::media::{Document, Kind};
use super::memory::Tag;
use super::name::Hash;
use super::platform::{Platform, Rank};
use super::store::Store;
use super::top_entries::each_at_the_top;
use crate::codec::digest::Digest;
use crate::codec::json::{Text, Value};
use crate::limits::{DOCUMENT_BYTES, INDEX_DEPTH, INDEX_MANIFESTS_MAX, SEARCH_BYTES};
use crate::{Context, Error, Result};
use core::fmt::Write;

type Buffer = [u8; DOCUMENT_BYTES];

/// The aim of a search.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The manifest of an image.
    Manifest,
    /// One entry of `index.json`, of any kind.
    Entry,
}

/// Returns the manifest or the entry that is wanted.
pub fn choose(
    store: &Store<'_>,
    wanted: &Wanted<'_>,
    goal: Goal,
    leads: &mut Candidates,
    tag: &mut Tag,
    buffer: &mut Buffer,
) -> Result<Candidate> {
    leads.clear();
    tag.clear();
    let mut search = Search {
        store,
        wanted,
        takes_artifacts: goal == Goal::Entry && !wanted.is_any(),
        leads,
        tag,
        tags: List::new(),
        platforms: List::new(),
        others: List::new(),
        bytes: 0,
        best: None,
        rival: None,
        artifact: None,
        unpinned: None,
        is_there: false,
    };
    search.begin(buffer)?;
    if goal == Goal::Entry && search.leads.is_empty() {
        // If no image has the name, it may name an artifact.
        search.takes_artifacts = true;
        search.begin(buffer)?;
    }
    match goal {
        Goal::Entry => search.entry()?,
        Goal::Manifest => search.follow(buffer)?,
    }
    let lead = search.verdict()?;
    let mut is_found = false;
    each_at_the_top(store, wanted, buffer, &mut |value, name, _| {
        let name = name?;
        if value.is_some() && !is_found && hash_of(&name) == lead.name {
            is_found = true;
            search.tag.clear();
            let _ = write!(search.tag, "{name}").map_err(|_| search.tag.clear());
        }
        Ok(())
    })?;
    Ok(lead)
}

/// Returns a hash of the name. On a collision two names would count as one image for two platforms.
fn hash_of(name: &Text<'_>) -> u64 {
    let mut hash = Hash::NEW;
    let _ = write!(hash, "{name}");
    hash.0
}

struct Search<'a> {
    store: &'a Store<'a>,
    wanted: &'a Wanted<'a>,
    /// Entries that are certainly artifacts count, too.
    takes_artifacts: bool,
    leads: &'a mut Candidates,
    /// The tag of the chosen entry.
    tag: &'a mut Tag,
    /// For errors: the tags, the platforms that do not suit, the media types that are not an
    /// image's.
    tags: List,
    platforms: List,
    others: List,
    /// Bytes of nested documents read so far.
    bytes: u64,
    best: Option<Candidate>,
    /// A manifest as good as the best, from another top entry.
    rival: Option<Digest>,
    artifact: Option<Candidate>,
    unpinned: Option<Digest>,
    /// The wanted tag exists.
    is_there: bool,
}

impl<'a> Search<'a> {
    /// Queues the top of the layout: its one image, or the wanted one.
    #[inline(never)]
    fn begin(&mut self, buffer: &mut Buffer) -> Result<()> {
        self.top(buffer)?;
        if self.wanted.reference.is_none() && self.wanted.digest.is_none() && self.has_several() {
            self.leave_artifacts_out(buffer);
            if self.has_several() {
                return Err(Error::new(format_args!(
                    "several images, and no tag to choose by: {}",
                    self.tags
                )));
            }
        }
        Ok(())
    }

    /// Queues the one entry of the top, of any kind.
    fn entry(&mut self) -> Result<()> {
        for lead in self
            .leads
            .iter()
            .filter(|lead| self.wanted.digest.is_none_or(|digest| digest == lead.digest))
        {
            if self.best.is_some_and(|best| best.digest != lead.digest) {
                return Err(Error::new(format_args!(
                    "several manifests and no index over them: choose one by its digest"
                )));
            }
            self.best = Some(*lead);
        }
        Ok(())
    }

    /// Reads `index.json`, or `refs/`.
    fn top(&mut self, buffer: &mut Buffer) -> Result<()> {
        each_at_the_top(self.store, self.wanted, buffer, &mut |value, name, _| {
            let name = name?;
            if !name.is_empty() {
                self.tags.add(&name);
            }
            value.map_or(Ok(()), |value| self.top_entry(value, &name))
        })?;
        self.leads.reverse();
        Ok(())
    }

    /// Considers a top entry that has the wanted tag, or any entry if none is wanted.
    fn top_entry(&mut self, value: &Value<'_>, name: &Text<'_>) -> Result<()> {
        self.is_there = true;
        let origin = Origin {
            rank: Rank::Unknown,
            pinned: false,
            depth: 0,
            name: hash_of(name),
            root: None,
        };
        self.consider(value, &origin)
    }

    /// Queues a descriptor, unless it certainly is not an image's.
    fn consider(&mut self, value: &Value<'_>, origin: &Origin) -> Result<()> {
        if let Some(notes) = value.get("annotations")?
            && notes.get("vnd.docker.reference.type")?.is_some()
            && !self.takes_artifacts
        {
            return Ok(());
        }
        let platform =
            value.get("platform")?.map_or(Ok(Platform::default()), |it| Platform::read(&it))?;
        // BuildKit lists an attestation as an image for an unknown machine.
        if platform.os == "unknown" && !self.takes_artifacts {
            return Ok(());
        }
        let artifact_type =
            value.text("artifactType")?.filter(|kind| !kind.is_empty() && !self.takes_artifacts);
        if let Some(artifact_type) = artifact_type {
            self.others.add(&artifact_type);
            return Ok(());
        }
        let rank =
            if platform.is_given() { platform.rank(&self.wanted.platform) } else { origin.rank };
        if platform.is_given() && rank == Rank::Other {
            self.platforms.add(&platform);
            // At the top it counts as an image, and its digest may be the wanted one.
            if origin.root.is_some() && self.wanted.digest.is_none() {
                return Ok(());
            }
        }
        if let Some(media_type) = value.text("mediaType")?
            && Document::named(media_type).is_none()
        {
            // Its digest may be of an unknown algorithm, but no search wants it.
            self.others.add(&media_type);
            return Ok(());
        }
        let Descriptor { media_type, digest, size } = Descriptor::read(value)?;
        let Some(media) = Document::named(media_type).filter(|media| media.kind() != Kind::Config)
        else {
            self.others.add(&media_type);
            return Ok(());
        };
        let is_pin = self.wanted.digest == Some(digest);
        let root = self.leads.len() as u16;
        let lead = Candidate {
            digest,
            size,
            media,
            // A digest's document is opened, and then judged by its own configuration.
            rank: if is_pin { rank.max(Rank::Unknown) } else { rank },
            pinned: origin.pinned || is_pin,
            depth: origin.depth,
            root: origin.root.unwrap_or(root),
            name: origin.name,
        };
        self.leads.push(lead).map_err(|_| {
            Error::new(format_args!("more than {INDEX_MANIFESTS_MAX} manifests to choose from"))
        })
    }

    /// Returns whether the top entries are more than one image: neither one digest nor one name.
    fn has_several(&self) -> bool {
        let Some(first) = self.leads.first() else { return false };
        self.leads.iter().any(|lead| lead.digest != first.digest && lead.name != first.name)
    }

    /// Removes artifacts that only their manifests tell from images, such as signatures. Unreadable
    /// entries stay.
    fn leave_artifacts_out(&mut self, buffer: &mut Buffer) {
        let (store, bytes) = (self.store, &mut self.bytes);
        self.leads.retain(|lead| !leads_to_artifact(store, lead, bytes, buffer));
    }

    /// Reads pending documents until the list is empty.
    fn follow(&mut self, buffer: &mut Buffer) -> Result<()> {
        while let Some(lead) = self.leads.pop() {
            if lead.rank == Rank::Other {
                continue;
            }
            if lead.media.kind() == Kind::Index {
                let result = self.nested(&lead, buffer);
                // With a wanted digest, errors elsewhere do not matter.
                if lead.pinned || self.wanted.digest.is_none() {
                    result.context("index", &lead.digest)?;
                }
                continue;
            }
            if self.wanted.digest.is_some() && !lead.pinned {
                self.unpinned.get_or_insert(lead.digest);
            } else if lead.rank == Rank::Unknown
                && leads_to_artifact(self.store, &lead, &mut self.bytes, buffer)
            {
                self.artifact = Some(lead);
            } else {
                self.compare(lead);
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn nested(&mut self, lead: &Candidate, buffer: &mut Buffer) -> Result<()> {
        if usize::from(lead.depth) >= INDEX_DEPTH {
            return Err(Error::new(format_args!("nested deeper than {INDEX_DEPTH} indexes")));
        }
        if !spend(&mut self.bytes, lead) {
            return Err(Error::new(format_args!(
                "more than {SEARCH_BYTES} bytes of indexes and manifests to search"
            )));
        }
        let index = read_document(self.store, lead, buffer)?;
        let Candidate { rank, pinned, depth, name, root, .. } = *lead;
        let origin = Origin { rank, pinned, depth: depth + 1, name, root: Some(root) };
        let start = self.leads.len();
        for value in index.list("manifests")? {
            self.consider(&value, &origin)?;
        }
        self.leads[start..].reverse();
        Ok(())
    }

    fn compare(&mut self, lead: Candidate) {
        match &self.best {
            Some(best) if best.rank > lead.rank => (),
            Some(best) if best.rank == lead.rank => {
                if best.root != lead.root && best.digest != lead.digest {
                    self.rival = Some(lead.digest);
                }
            }
            _ => {
                self.best = Some(lead);
                self.rival = None;
            }
        }
    }

    #[inline(never)]
    fn verdict(&self) -> Result<Candidate> {
        let Wanted { reference, digest, index, platform } = self.wanted;
        if let Some(tag) = reference.filter(|_| !self.is_there) {
            return Err(match self.tags.count {
                0 => Error::new(format_args!(
                    "no tag \"{tag}\": the images of this layout have no tags"
                )),
                _ => Error::new(format_args!("no tag \"{tag}\", there is: {}", self.tags)),
            });
        }
        if let Some(index) = index.filter(|_| !self.is_there) {
            return Err(Error::new(format_args!("no image @{index} in index.json")));
        }
        match (self.best.or(self.artifact), self.rival) {
            (Some(best), None) => return Ok(best),
            (Some(best), Some(rival)) => {
                let first = best.digest;
                let name = reference.unwrap_or("the layout");
                return Err(Error::new(format_args!(
                    "{name} names two images, {first} and {rival}: choose by digest"
                )));
            }
            _ => (),
        }
        Err(match (digest, self.unpinned) {
            (Some(digest), Some(found)) => {
                Error::new(format_args!("digest {digest} is wanted, the image is {found}: refused"))
            }
            _ if self.platforms.count > 0 => Error::new(format_args!(
                "wrong architecture: the image is for {}, {} {platform}",
                self.platforms,
                platform.role()
            )),
            (Some(digest), None) => {
                Error::new(format_args!("digest {digest} is wanted, and no image has it: refused"))
            }
            _ if self.others.count > 0 => {
                Error::new(format_args!("no image, only {}", self.others))
            }
            _ => Error::new(format_args!("the layout holds no image")),
        })
    }
}

/// The properties that a descriptor inherits from its index.
struct Origin {
    rank: Rank,
    pinned: bool,
    depth: u8,
    name: u64,
    root: Option<u16>,
}

/// Counts a document's bytes. Returns whether it may still be read.
fn spend(bytes: &mut u64, lead: &Candidate) -> bool {
    *bytes = bytes.saturating_add(lead.size);
    *bytes <= SEARCH_BYTES
}

/// Returns whether the candidate is a manifest that certainly is an artifact's.
fn leads_to_artifact(
    store: &Store<'_>,
    lead: &Candidate,
    bytes: &mut u64,
    buffer: &mut Buffer,
) -> bool {
    lead.media.kind() == Kind::Manifest
        && spend(bytes, lead)
        && read_document(store, lead, buffer)
            .and_then(|manifest| is_artifact(&manifest))
            .unwrap_or(false)
}
