//! Media types: the OCI's, docker's, and those of the image-spec's drafts.

use super::Compression;
use crate::codec::json::Text;
use crate::io::stored::Stored;
use crate::{Error, Result};

/// The kind of a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A list of manifests.
    Index,
    /// One image.
    Manifest,
    /// An image's configuration.
    Config,
}

/// Media types of documents.
const DOCUMENTS: [(&str, Kind); 8] = [
    ("application/vnd.oci.image.index.v1+json", Kind::Index),
    ("application/vnd.oci.image.manifest.v1+json", Kind::Manifest),
    ("application/vnd.oci.image.config.v1+json", Kind::Config),
    ("application/vnd.docker.distribution.manifest.list.v2+json", Kind::Index),
    ("application/vnd.docker.distribution.manifest.v2+json", Kind::Manifest),
    ("application/vnd.docker.container.image.v1+json", Kind::Config),
    // Until 1.0.0-rc4, and in 0.1.
    ("application/vnd.oci.image.manifest.list.v1+json", Kind::Index),
    ("application/vnd.oci.image.serialization.config.v1+json", Kind::Config),
];

/// A media type of a document: its index in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Document(u8);

impl Document {
    /// The OCI's type of an index.
    pub const INDEX: Document = Document(0);
    /// The OCI's type of a manifest.
    pub const MANIFEST: Document = Document(1);
    /// The OCI's type of a configuration.
    pub const CONFIG: Document = Document(2);

    /// Returns the media type of this name, if it is in the table.
    pub fn of(name: &str) -> Option<Document> {
        DOCUMENTS.iter().position(|(known, _)| name == *known).map(|at| Document(at as u8))
    }

    /// Returns the media type of this name, if it is in the table.
    pub fn named(name: Text<'_>) -> Option<Document> {
        Document::of(name.as_plain()?)
    }

    /// Returns the kind of its document.
    pub fn kind(self) -> Kind {
        DOCUMENTS[usize::from(self.0)].1
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        DOCUMENTS[usize::from(self.0)].0
    }
}

/// Media types of layers, without the suffix for the compression; true for foreign layers.
const LAYERS: [(&str, bool); 7] = [
    ("application/vnd.oci.image.layer.v1.tar", false),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar", true),
    ("application/vnd.docker.image.rootfs.diff.tar", false),
    ("application/vnd.docker.image.rootfs.foreign.diff.tar", true),
    // Until 1.0.0-rc1, and in 0.1.
    ("application/vnd.oci.image.layer.tar", false),
    ("application/vnd.oci.image.layer.nondistributable.tar", true),
    ("application/vnd.oci.image.rootfs.tar", false),
];

/// Returns the compression that a layer's media type names, and whether it is foreign. An unknown
/// compression is an error with its name. The unpacker goes by the bytes (see [`Compression`]).
pub fn layer(name: Text<'_>) -> Result<(Compression, bool)> {
    let fault = |why: &str| Error::new(format_args!("media type {name}: {why}"));
    let plain = name.as_plain().unwrap_or("");
    let known =
        LAYERS.iter().find_map(|(base, foreign)| Some((plain.strip_prefix(base)?, *foreign)));
    let (packing, foreign) = known.ok_or_else(|| fault("not a layer of an image"))?;
    match packing {
        "" => Ok((Compression::None, foreign)),
        "+gzip" | ".gzip" => Ok((Compression::Gzip, foreign)),
        "+zstd" | ".zstd" => Ok((Compression::Zstd, foreign)),
        _ if packing.ends_with("+encrypted") => Err(fault("the layer is encrypted")),
        _ => Err(fault("unknown compression")),
    }
}

/// Returns the media type of a layer with this compression.
pub fn layer_name(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "application/vnd.oci.image.layer.v1.tar",
        Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
    }
}

/// Returns the compression of a layer by its first bytes.
pub fn sniff(layer: &dyn Stored) -> Result<Compression> {
    let mut start = [0; Compression::LOOKED_AT_BYTES];
    let count = layer.read_full_at(&mut start, 0)?;
    let compression = Compression::of(&start[..count]);
    let other = match start {
        _ if compression != Compression::None || &start[257..] == b"ustar" => {
            return Ok(compression);
        }
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => "bzip2",
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "xz",
        _ => return Ok(compression),
    };
    Err(Error::new(format_args!("compressed with {other}, which images may not use")))
}
