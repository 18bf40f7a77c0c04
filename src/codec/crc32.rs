//! CRC-32 as gzip has it (RFC 1952 section 8).

use crate::sys::cpu;

/// A checksum in progress.
#[derive(Clone, Copy)]
pub struct Crc32(u32);

impl Crc32 {
    /// The checksum of nothing.
    pub const NEW: Crc32 = Crc32(!0);

    /// Takes more bytes in.
    pub fn update(&mut self, mut bytes: &[u8]) {
        if let Some((folded, used)) = cpu::fold_crc32(self.0, bytes) {
            self.0 = by_table(0, &folded);
            bytes = &bytes[used..];
        }
        self.0 = by_table(self.0, bytes);
    }

    /// The checksum of all bytes.
    pub fn value(self) -> u32 {
        !self.0
    }
}

/// `TABLES[n][byte]`: what `byte` does to the state `n` bytes later. Four, 4 KiB, as most processors fold instead.
static TABLES: [[u32; 256]; 4] = {
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut state = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            state = state >> 1 ^ if state & 1 != 0 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        tables[0][byte] = state;
        byte += 1;
    }
    let mut entry = 0;
    while entry < 3 * 256 {
        let before = tables[entry / 256][entry % 256];
        tables[entry / 256 + 1][entry % 256] = before >> 8 ^ tables[0][before as usize & 255];
        entry += 1;
    }
    tables
};

fn by_table(mut state: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let [a, b, c, d] = (state ^ u32::from_le_bytes(*word)).to_le_bytes().map(usize::from);
        state = TABLES[3][a] ^ TABLES[2][b] ^ TABLES[1][c] ^ TABLES[0][d];
    }
    for &byte in rest {
        state = state >> 8 ^ TABLES[0][(state as u8 ^ byte) as usize];
    }
    state
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
