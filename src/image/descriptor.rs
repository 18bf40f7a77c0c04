//! Descriptors (descriptor.md), which all other documents refer with.

use crate::codec::digest::Digest;
use crate::codec::json::{Text, Value};
use crate::{Error, Result};

/// A document's reference to another document or a layer.
pub struct Descriptor<'m> {
    /// The type of the document.
    pub media_type: Text<'m>,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
}

impl<'m> Descriptor<'m> {
    /// Reads a descriptor. It never uses `urls` and `data`.
    pub fn read(value: &Value<'m>) -> Result<Descriptor<'m>> {
        // `mediatype` is the spelling of the image-spec's own example in 2016.
        let key = if value.get("mediaType")?.is_some() { "mediaType" } else { "mediatype" };
        let media_type = value.text(key)?.ok_or_else(|| value.error_in("mediaType", "missing"))?;
        let digest = value.require_text("digest")?;
        let size = value.require_u64("size")?;
        Ok(Descriptor { media_type, digest: parse(digest, value)?, size })
    }
}

/// Returns the digest in `value`.
pub fn parse(digest: Text<'_>, value: &Value<'_>) -> Result<Digest> {
    let no_escapes =
        || Error::new(format_args!("digest \"{digest}\": has characters that no digest has"));
    digest
        .as_plain()
        .ok_or_else(no_escapes)
        .and_then(Digest::parse)
        .map_err(|error| value.at(error))
}
