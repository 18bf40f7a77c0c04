//! A manifest that may be the wanted one, or an index that may lead to it.

use super::media::Document;
use super::platform::Rank;
use super::types::Blob;
use crate::codec::digest::Digest;
use crate::limits::INDEX_MANIFESTS_MAX;

#[derive(Clone, Copy)]
pub struct Candidate {
    /// The digest of the document.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    pub media: Document,
    /// The rank of its platform.
    pub(super) rank: Rank,
    /// It, or an index above it, has the wanted digest.
    pub(super) pinned: bool,
    /// Indexes above it.
    pub depth: u8,
    /// The number of the top entry that it is or came from.
    pub(super) root: u16,
    /// Hash of that entry's name: entries of one name are one image for many platforms.
    pub(super) name: u64,
}

impl Candidate {
    /// Returns a chosen document.
    pub fn new(digest: Digest, size: u64, media: Document) -> Candidate {
        Candidate {
            digest,
            size,
            media,
            rank: Rank::Unknown,
            pinned: false,
            depth: 0,
            root: 0,
            name: 0,
        }
    }

    /// Returns its descriptor.
    pub fn blob(&self) -> Blob {
        Blob { media: self.media, digest: self.digest, size: self.size }
    }
}

/// Documents that are still to be read.
pub type Candidates = heapless::Vec<Candidate, INDEX_MANIFESTS_MAX>;
