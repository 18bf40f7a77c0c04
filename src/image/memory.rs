//! The memory that reading an image borrows.

use super::candidate::Candidates;
use super::types::Layer;
use crate::limits::{DOCUMENT_BYTES, DOCUMENTS_READ_BYTES, LAYERS_MAX, REFERENCE_BYTES};
use crate::{Error, Result};

/// What reading an image borrows.
pub struct ImageMemory {
    /// One JSON document at a time; the config stays in it.
    pub(super) document: [u8; DOCUMENT_BYTES],
    /// The layers of the chosen image.
    pub(super) layers: heapless::Vec<Layer, LAYERS_MAX>,
    /// What in an index has not been looked at yet.
    pub(super) leads: Candidates,
    /// The tag of the chosen image.
    pub(super) tag: Tag,
    pub(super) documents_read: DocumentsRead,
}

/// A tag; empty where there is none, or none that fits.
pub(super) type Tag = heapless::String<REFERENCE_BYTES>;

impl ImageMemory {
    /// All zeros.
    pub const EMPTY: ImageMemory = ImageMemory {
        document: [0; DOCUMENT_BYTES],
        layers: heapless::Vec::new(),
        leads: heapless::Vec::new(),
        tag: Tag::new(),
        documents_read: DocumentsRead(0),
    };
}

/// Bytes of manifests and configurations that a command has read to show all images: a hostile
/// index names one of the largest size thousands of times.
pub(super) struct DocumentsRead(u64);

impl DocumentsRead {
    pub(super) fn add(&mut self, size: u64) -> Result<()> {
        self.0 = self.0.saturating_add(size);
        match self.0 {
            ..=DOCUMENTS_READ_BYTES => Ok(()),
            _ => Err(Error::new(format_args!(
                "more than {DOCUMENTS_READ_BYTES} bytes of manifests and configurations to read"
            ))),
        }
    }
}

pub(super) fn set_tag(place: &mut Tag, tag: &str) {
    place.clear();
    let _ = place.push_str(tag);
}
