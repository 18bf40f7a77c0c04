//! Writes headers of a tar of regular files, with only names and lengths.

use super::BLOCK;
use super::header::field;

/// The name in a header of kind `L`. Its content is the name of the next file.
pub const LONG_NAME: &[u8] = b"././@LongLink";
/// The longest name that a header holds, in bytes.
pub const NAME_BYTES: usize = field::NAME.end - field::NAME.start;

/// Returns a header in GNU's format: every reader knows it, and it has no limit on a file's length.
/// `kind` is `0` for a file, `L` for a long name.
pub fn header(name: &[u8], kind: u8, size: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let name = &name[..name.len().min(NAME_BYTES)];
    block[field::NAME][..name.len()].copy_from_slice(name);
    for (range, value) in
        [(field::MODE, 0o644), (field::UID, 0), (field::GID, 0), (field::MTIME, 0)]
    {
        octal(&mut block[range], value);
    }
    match size < 1 << 33 {
        true => octal(&mut block[field::SIZE], size),
        // Base 256, big-endian, after a marker bit.
        false => {
            block[field::SIZE.start] = 0x80;
            block[field::SIZE.end - 8..field::SIZE.end].copy_from_slice(&size.to_be_bytes());
        }
    }
    block[field::KIND] = kind;
    block[field::MAGIC.start..field::MAGIC.start + 8].copy_from_slice(b"ustar  \0");
    block[field::CHECKSUM].fill(b' ');
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    octal(&mut block[field::CHECKSUM.start..field::CHECKSUM.end - 1], sum);
    block
}

/// Writes octal digits and a NUL.
fn octal(place: &mut [u8], mut value: u64) {
    let Some((last, digits)) = place.split_last_mut() else { return };
    *last = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value & 7) as u8;
        value >>= 3;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Header;
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (name, size) in [
            ("a", 0),
            ("manifest.json", 0o77_777_777_777),
            (&"x".repeat(100), 1 << 33),
            ("b", 1 << 62),
        ] {
            let block = header(name.as_bytes(), b'0', size);
            let read = Header::check(&block).unwrap();
            assert_eq!(
                (read.name(), read.size(), read.kind()),
                (name.as_bytes(), Some(size as i64), b'0')
            );
            assert_eq!(
                (read.mode(), read.uid(), read.mtime(), read.prefix()),
                (Some(0o644), Some(0), Some(0), &b""[..])
            );
        }
    }
}
