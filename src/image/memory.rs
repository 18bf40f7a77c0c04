//! The memory that reading an image borrows.

use super::candidate::Candidates;
use super::types::Layer;
use crate::limits::{DOCUMENT_BYTES, DOCUMENTS_READ_BYTES, LAYERS_MAX, REFERENCE_BYTES};
use crate::{Error, Result};

/// The buffers for reading an image.
pub struct ImageMemory {
    /// One JSON document at a time, at last the configuration.
    pub(super) document: [u8; DOCUMENT_BYTES],
    /// The layers of the chosen image.
    pub(super) layers: heapless::Vec<Layer, LAYERS_MAX>,
    /// Entries of indexes that are still to be read.
    pub(super) leads: Candidates,
    /// The tag of the chosen image.
    pub(super) tag: Tag,
    pub(super) documents_read: DocumentsRead,
}

/// A tag; empty if there is none, or if it does not fit.
pub(super) type Tag = heapless::String<REFERENCE_BYTES>;

impl ImageMemory {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: ImageMemory = ImageMemory {
        document: [0; DOCUMENT_BYTES],
        layers: heapless::Vec::new(),
        leads: heapless::Vec::new(),
        tag: Tag::new(),
        documents_read: DocumentsRead(0),
    };
}

/// Bytes of manifests and configurations that a command has read to list all images. It is limited,
/// because a hostile index names one large document thousands of times.
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
