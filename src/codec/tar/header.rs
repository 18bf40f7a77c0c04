//! One header block of 512 bytes, with its fields in v7, POSIX ustar, GNU and star.

use core::ops::Range;

/// A tar consists of blocks of this many bytes.
pub const BLOCK: usize = 512;

pub(super) mod field {
    use core::ops::Range;
    pub const NAME: Range<usize> = 0..100;
    pub const MODE: Range<usize> = 100..108;
    pub const UID: Range<usize> = 108..116;
    pub const GID: Range<usize> = 116..124;
    pub const SIZE: Range<usize> = 124..136;
    pub const MTIME: Range<usize> = 136..148;
    pub const CHECKSUM: Range<usize> = 148..156;
    pub const KIND: usize = 156;
    pub const LINK: Range<usize> = 157..257;
    pub const MAGIC: Range<usize> = 257..263;
    pub const MAJOR: Range<usize> = 329..337;
    pub const MINOR: Range<usize> = 337..345;
    pub const PREFIX: Range<usize> = 345..500;
    /// star keeps times in the prefix's last bytes, and marks that by `tar\0` at the end of the
    /// block.
    pub const STAR_PREFIX: Range<usize> = 345..476;
    pub const STAR_MAGIC: Range<usize> = 508..512;
    /// The old GNU format's sparse map, in the header and in its continuation blocks.
    pub const SPARSE: Range<usize> = 386..482;
    pub const SPARSE_GOES_ON: usize = 482;
    pub const SPARSE_SIZE: Range<usize> = 483..495;
    pub const MORE_SPARSE: Range<usize> = 0..504;
    pub const MORE_SPARSE_GOES_ON: usize = 504;
}

/// Returns the sum of eight bytes, and the number of negative ones if they are signed. Eight at
/// once for speed.
fn sums(bytes: [u8; 8]) -> (i64, i64) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes);
    let pairs = (word & 0x00ff_00ff_00ff_00ff) + (word >> 8 & 0x00ff_00ff_00ff_00ff);
    let sum = pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48;
    (sum as i64, ((word >> 7 & ONES).wrapping_mul(ONES) >> 56) as i64)
}

/// A header block with a correct checksum.
#[derive(Clone, Copy)]
pub struct Header<'b>(pub &'b [u8; BLOCK]);

impl<'b> Header<'b> {
    /// Returns the block as a header if its checksum is correct. Old tars summed signed bytes.
    pub fn check(block: &'b [u8; BLOCK]) -> Option<Header<'b>> {
        let (mut unsigned, mut high) = (8 * i64::from(b' '), 0);
        for word in block.as_chunks::<8>().0 {
            let (sum, negative) = sums(*word);
            (unsigned, high) = (unsigned + sum, high + negative);
        }
        // The checksum's own eight bytes count as spaces.
        let mut own = [0; 8];
        own.copy_from_slice(&block[field::CHECKSUM]);
        let (sum, negative) = sums(own);
        (unsigned, high) = (unsigned - sum, high - negative);
        let signed = unsigned - 256 * high;
        let sum = number(&block[field::CHECKSUM])?;
        (sum == unsigned || sum == signed).then_some(Header(block))
    }

    fn text(self, range: Range<usize>) -> &'b [u8] {
        until_nul(&self.0[range])
    }

    /// Returns the name without its prefix.
    pub fn name(self) -> &'b [u8] {
        self.text(field::NAME)
    }

    /// Returns the part before the name and a `/`, in the formats that have it.
    pub fn prefix(self) -> &'b [u8] {
        match &self.0[field::MAGIC] {
            b"ustar\0" if &self.0[field::STAR_MAGIC] == b"tar\0" => self.text(field::STAR_PREFIX),
            b"ustar\0" => self.text(field::PREFIX),
            // GNU keeps times and a sparse map there, v7 nothing.
            _ => b"",
        }
    }

    /// Returns the target of a link.
    pub fn link(self) -> &'b [u8] {
        self.text(field::LINK)
    }

    /// Returns the type flag.
    pub fn kind(self) -> u8 {
        self.0[field::KIND]
    }

    /// Returns the permissions; some archives include the file type.
    pub fn mode(self) -> Option<i64> {
        number(&self.0[field::MODE])
    }

    /// Returns the owner.
    pub fn uid(self) -> Option<i64> {
        number(&self.0[field::UID])
    }

    /// Returns the group.
    pub fn gid(self) -> Option<i64> {
        number(&self.0[field::GID])
    }

    /// Returns the number of data bytes that follow.
    pub fn size(self) -> Option<i64> {
        number(&self.0[field::SIZE])
    }

    /// Returns the modification time in seconds.
    pub fn mtime(self) -> Option<i64> {
        number(&self.0[field::MTIME])
    }

    /// Returns major and minor number of a device.
    pub fn device(self) -> Option<(i64, i64)> {
        number(&self.0[field::MAJOR]).zip(number(&self.0[field::MINOR]))
    }

    /// Returns the size of an old GNU sparse file, including its holes.
    pub fn sparse_size(self) -> Option<i64> {
        number(&self.0[field::SPARSE_SIZE])
    }

    /// Returns the start of an old GNU sparse map, and whether a continuation block follows.
    pub fn sparse(self) -> (&'b [u8], bool) {
        (&self.0[field::SPARSE], self.0[field::SPARSE_GOES_ON] != 0)
    }
}

/// Returns the map in a continuation block, and whether another block follows.
pub fn more_sparse(block: &[u8; BLOCK]) -> (&[u8], bool) {
    (&block[field::MORE_SPARSE], block[field::MORE_SPARSE_GOES_ON] != 0)
}

/// Returns the bytes before the first NUL.
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or(b"")
}

/// Returns a number. It is octal: digits among spaces, ended by a space, a NUL or the field's end.
/// Or it is GNU's base-256: big-endian and signed, with the first bit set. An empty field is 0.
pub fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        // Without the marker bit it is two's complement.
        let mut value = if first & 0x40 != 0 { -1i128 << 6 } else { 0 } | i128::from(first & 0x3f);
        for &byte in &field[1..] {
            value = value << 8 | i128::from(byte);
        }
        return i64::try_from(value).ok();
    }
    let mut value = 0i64;
    let mut digits = field.iter().skip_while(|&&byte| byte == b' ');
    for &byte in digits.by_ref() {
        match byte {
            b'0'..=b'7' => value = value.checked_mul(8)? + i64::from(byte - b'0'),
            b' ' | 0 => break,
            _ => return None,
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_in_every_form() {
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"77777777777 ", Some(0o77777777777)),
            (b"777777777777", Some(0o777777777777)),
            (b"0000648\0", None),
            (b"-1", None),
            (b"\x80\0\0\0\0\0\x01\x02", Some(0x102)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX)),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", None),
        ] {
            assert_eq!(number(field), value, "{field:?}");
        }
    }
}
