//! Descriptors (descriptor.md): what all other documents are made of.

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

impl<'m> Descriptor<'m> {
    /// Reads a descriptor. Its `urls` and `data` are never used.
    pub fn read(value: &Value<'m>) -> Result<Descriptor<'m>> {
        // `mediatype` is the spelling of the image-spec's own example in 2016.
        let key = if value.get("mediaType")?.is_some() { "mediaType" } else { "mediatype" };
        let media_type = value.text(key)?.ok_or_else(|| value.error_in("mediaType", "missing"))?;
        let digest = value.require_text("digest")?;
        let size = value.require_u64("size")?;
        Ok(Descriptor { media_type, digest: parse(digest, value)?, size })
    }
}

/// The digest that stands in, or is, `value`.
pub fn parse(digest: Text<'_>, value: &Value<'_>) -> Result<Digest> {
    let no_escapes =
        || Error::new(format_args!("digest \"{digest}\": has characters that no digest has"));
    digest
        .as_plain()
        .ok_or_else(no_escapes)
        .and_then(Digest::parse)
        .map_err(|error| value.at(error))
}
