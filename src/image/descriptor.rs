//! Descriptors (descriptor.md): what all other documents are made of, and so the one struct that serde reads
//! (each costs 3 KB of code).

use crate::Result;
use crate::codec::digest::Digest;
use crate::codec::json::{Text, Value};

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
struct Fields<'m> {
    #[serde(borrow, rename = "mediaType")]
    media_type: Text<'m>,
    #[serde(borrow)]
    digest: Text<'m>,
    size: u64,
}

impl<'m> Descriptor<'m> {
    /// Reads a descriptor. Its `urls` and `data` are never used.
    pub fn read(value: &Value<'m>) -> Result<Descriptor<'m>> {
        let Fields { media_type, digest, size } = value.read("").or_else(|_| explain(value))?;
        // A digest with escapes is none.
        let digest = Digest::parse(digest.as_plain().unwrap_or("")).map_err(|error| value.blame(error))?;
        Ok(Descriptor { media_type, digest, size })
    }
}

/// serde-json-core does not say which field it did not like, so they are looked at one by one. What comes through is
/// the spelling of the image-spec's own example in 2016.
#[cold]
fn explain<'m>(value: &Value<'m>) -> Result<Fields<'m>> {
    let key = if value.get("mediaType")?.is_some() { "mediaType" } else { "mediatype" };
    let media_type = value.text(key)?.ok_or_else(|| value.fault_of("mediaType", "missing"))?;
    let (digest, size) = (value.require("digest")?.as_text()?, value.require("size")?.as_u64()?);
    Ok(Fields { media_type, digest, size })
}
