//! The bytes of one JSON document, and the checks of its form.

use super::media::{Document, Kind};
use crate::codec::digest::{Algorithm, Digest, Hasher};
use crate::codec::json::{self, Value};
use crate::io::section::Section;
use crate::io::stored::Stored;
use crate::limits::LAYOUT_FILE_BYTES;
use crate::{Context, Error, Result};

/// Returns the bytes of a document without a digest.
pub(super) fn read<'b>(section: &dyn Stored, buffer: &'b mut [u8]) -> Result<&'b mut [u8]> {
    let (size, limit) = (section.size(), buffer.len());
    if size > limit as u64 {
        return Err(Error::new(format_args!(
            "{size} bytes, more than the {limit} a document may have"
        )));
    }
    let bytes = &mut buffer[..size as usize];
    match section.read_full_at(bytes, 0)? as u64 {
        n if n == size => Ok(bytes),
        n => Err(Error::new(format_args!("ends after {n} of {size} bytes"))),
    }
}

/// Returns the digest of the bytes.
pub(super) fn digest_of(bytes: &[u8], algorithm: Algorithm) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// Refuses a document that one reader takes for a manifest and another for an index
/// (CVE-2021-41190).
pub fn check_form(document: &Value<'_>, kind: Kind, expected: Option<Document>) -> Result<()> {
    if document.require_u64("schemaVersion")? != 2 {
        return Err(document.error_in("schemaVersion", "not 2"));
    }
    if let Some(said) = document.text("mediaType")? {
        let is_right = match expected {
            Some(expected) => said == expected.name(),
            None => Document::named(said).is_some_and(|said| said.kind() == kind),
        };
        if !is_right {
            let expected = expected.map_or("an index", Document::name);
            return Err(Error::new(format_args!(
                "mediaType: {said}, where {expected} is expected"
            )));
        }
    }
    let foreign: &[&str] = match kind {
        Kind::Index => &["layers", "config"],
        _ => &["manifests"],
    };
    for key in foreign {
        if document.get(key)?.is_some() {
            return Err(document.error_in(key, "does not belong into a document of this kind"));
        }
    }
    Ok(())
}

/// Checks `oci-layout`: it must exist and have version 1.0.0, the only one since June 2016.
pub(super) fn check_layout_file(section: Option<Section>) -> Result<()> {
    let look = || {
        let section =
            section.ok_or_else(|| Error::new(format_args!("missing: not an OCI image layout")))?;
        let mut buffer = [0; LAYOUT_FILE_BYTES];
        let value = json::check(read(&section, &mut buffer)?)?;
        let version = value.require_text("imageLayoutVersion")?;
        match version == "1.0.0" {
            true => Ok(()),
            false => {
                Err(Error::new(format_args!("version {version} is not supported, only 1.0.0")))
            }
        }
    };
    look().doing("oci-layout")
}
