//! Descriptors (descriptor.md) and platforms (image-index.md): the fixed parts of documents, read by serde.

use crate::codec::digest::Digest;
use crate::codec::json::{Text, Value};
use crate::{Error, Result};

/// What a document says about another document, or about a layer.
pub struct Descriptor<'m> {
    /// What it is.
    pub media_type: Text<'m>,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'m> {
    #[serde(borrow)]
    media_type: Option<Text<'m>>,
    // The spelling of the image-spec's own example in 2016.
    #[serde(borrow)]
    mediatype: Option<Text<'m>>,
    #[serde(borrow)]
    digest: Option<Text<'m>>,
    size: Option<u64>,
}

impl<'m> Descriptor<'m> {
    /// Reads a descriptor. Its `urls` and `data` are never used.
    pub fn read(value: &Value<'m>) -> Result<Descriptor<'m>> {
        let fields: Fields<'m> = value.read("").map_err(|_| explain(value))?;
        let media_type =
            fields.media_type.or(fields.mediatype).ok_or_else(|| value.fault_of("mediaType", "missing"))?;
        let digest = fields.digest.ok_or_else(|| value.fault_of("digest", "missing"))?;
        let size = fields.size.ok_or_else(|| value.fault_of("size", "missing"))?;
        // A digest with escapes is none, and reads as one that is too short.
        let digest = Digest::parse(digest.as_plain().unwrap_or("")).map_err(|error| value.blame(error))?;
        Ok(Descriptor { media_type, digest, size })
    }
}

/// serde-json-core does not say which field it did not like, so they are looked at one by one.
#[cold]
fn explain(value: &Value<'_>) -> Error {
    let look = || {
        for key in ["mediaType", "mediatype", "digest"] {
            value.text(key)?;
        }
        value.get("size")?.map(|size| size.as_u64()).transpose()
    };
    look().err().unwrap_or_else(|| value.fault("not a descriptor"))
}

/// What a manifest in an index is for.
#[derive(serde::Deserialize)]
pub struct Platform<'m> {
    /// In Go's names.
    #[serde(borrow)]
    pub architecture: Option<Text<'m>>,
    /// In Go's names.
    #[serde(borrow)]
    pub os: Option<Text<'m>>,
    /// Of the architecture: `v8`.
    #[serde(borrow)]
    pub variant: Option<Text<'m>>,
}
