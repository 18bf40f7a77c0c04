//! How a layer's tar is packed.
//!
//! A layer's first bytes decide, not its media type: builders mislabel, and docker, podman and
//! buildah read such images because they look, too. Nothing is lost by it: the digests say whether
//! the bytes are the layer's.

/// The ways a layer may be packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// zstd (RFC 8878).
    Zstd,
}

impl Compression {
    /// Bytes at the start of a layer that [`Compression::of`] wants to see, where there are as
    /// many.
    pub const LOOKED_AT_BYTES: usize = 262;

    /// How a layer that starts so is packed.
    pub fn of(start: &[u8]) -> Compression {
        // A tar's first bytes are a file's name, which may be anything.
        if start.get(257..262) == Some(b"ustar") {
            return Compression::None;
        }
        match start {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            // A frame, or one to be skipped.
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
        // A tar whose first file has an odd name.
        for name in [&b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd"] {
            let mut block = [0; 512];
            block[..name.len()].copy_from_slice(name);
            assert_ne!(Compression::of(&block), Compression::None);
            block[257..262].copy_from_slice(b"ustar");
            assert_eq!(Compression::of(&block), Compression::None);
        }
    }
}
