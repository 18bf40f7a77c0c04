//! CRC-32 as in gzip (RFC 1952 section 8).

use crate::sys::arch::crc32;

/// A checksum in progress.
#[derive(Clone, Copy)]
pub struct Crc32(u32);

impl Crc32 {
    /// The checksum of no bytes.
    pub const NEW: Crc32 = Crc32(!0);

    /// Adds bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        if let Some((folded, used)) = crc32::fold(self.0, bytes) {
            self.0 = by_table(0, &folded);
            bytes = &bytes[used..];
        }
        self.0 = by_table(self.0, bytes);
    }

    /// Returns the checksum of all bytes.
    pub fn value(self) -> u32 {
        !self.0
    }
}

/// The effect of a byte on the state. One table of 1 KiB suffices, because nearly all processors
/// fold by instruction instead.
static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut state = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            state = state >> 1 ^ if state & 1 != 0 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        table[byte] = state;
        byte += 1;
    }
    table
};

fn by_table(state: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(state, |state, &byte| state >> 8 ^ TABLE[usize::from(state as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        for (text, value) in [("", 0), ("a", 0xe8b7be43), ("123456789", 0xcbf43926)] {
            let mut crc = Crc32::NEW;
            crc.update(text.as_bytes());
            assert_eq!(crc.value(), value, "{text}");
        }
    }

    #[test]
    fn folding_and_the_tables_agree_at_every_length_and_split() {
        let bytes: Vec<u8> = (0..700u32).map(|n| ((n * n) >> 3) as u8).collect();
        for length in 0..bytes.len() {
            let mut whole = Crc32::NEW;
            whole.update(&bytes[..length]);
            assert_eq!(whole.0, by_table(!0, &bytes[..length]));
            let mut split = Crc32::NEW;
            split.update(&bytes[..length / 3]);
            split.update(&bytes[length / 3..length]);
            assert_eq!(whole.0, split.0);
        }
    }
}
