//! The compression of a layer's tar.
//!
//! A layer's first bytes decide, not its media type. Builders mislabel layers, and docker, podman
//! and buildah look at the bytes, too. The digests still verify the bytes.

/// The compressions of a layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// A plain tar.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// zstd (RFC 8878).
    Zstd,
}

impl Compression {
    /// Number of first bytes of a layer that [`Compression::of`] looks at.
    pub const LOOKED_AT_BYTES: usize = 262;

    /// Returns the compression of a layer with these first bytes.
    pub fn of(start: &[u8]) -> Compression {
        // A tar begins with a file's name, which may have any bytes.
        if start.get(257..262) == Some(b"ustar") {
            return Compression::None;
        }
        match start {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            // A frame, or a skippable one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_say_it() {
        for (start, compression) in [
            (&b""[..], Compression::None),
            (b"\x1f", Compression::None),
            (b"\x1f\x8b", Compression::Gzip),
            (b"\x1f\x8b\x08", Compression::Gzip),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
            (b"\x28\xb5\x2f", Compression::None),
            (b"\x5e\x2a\x4d\x18....", Compression::Zstd),
            (b"\x60\x2a\x4d\x18....", Compression::None),
            (b"etc/passwd", Compression::None),
        ] {
            assert_eq!(Compression::of(start), compression, "{start:?}");
        }
        // A tar whose first file's name is a magic number.
        for name in [&b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd"] {
            let mut block = [0; 512];
            block[..name.len()].copy_from_slice(name);
            assert_ne!(Compression::of(&block), Compression::None);
            block[257..262].copy_from_slice(b"ustar");
            assert_eq!(Compression::of(&block), Compression::None);
        }
    }
}
