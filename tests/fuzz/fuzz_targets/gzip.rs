//! gzip: whatever the bytes are, they inflate or are refused, the same in one piece and in many.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress_with_limit, inflate_flags};
use ocinit::codec::gzip::{Decoder, Window};

/// Output that is no more worth looking at.
const BYTES_MAX: usize = 1 << 20;

struct Ring {
    bytes: Vec<u8>,
    at: usize,
    most: usize,
    all: Vec<u8>,
}

impl Window for Ring {
    fn inflate(
        &mut self,
        state: &mut DecompressorOxide,
        input: &[u8],
    ) -> (TINFLStatus, usize, usize) {
        let flags =
            inflate_flags::TINFL_FLAG_HAS_MORE_INPUT | inflate_flags::TINFL_FLAG_IGNORE_ADLER32;
        let (status, used, made) =
            decompress_with_limit(state, input, &mut self.bytes, self.at, self.most, flags);
        self.all.extend(&self.bytes[self.at..self.at + made]);
        self.at = (self.at + made) % self.bytes.len();
        (status, used, made)
    }

    fn just_written(&self, count: usize) -> &[u8] {
        &self.all[self.all.len() - count..]
    }
}

fn decode(bytes: &[u8], piece: usize, most: usize) -> Option<(Vec<u8>, Option<String>)> {
    let mut ring = Ring { bytes: vec![0; 64 << 10], at: 0, most, all: Vec::new() };
    let mut decoder = Box::new(Decoder::new());
    for mut input in bytes.chunks(piece) {
        while !input.is_empty() {
            match decoder.step(input, &mut ring) {
                Ok((used, made)) => {
                    assert!(used + made > 0, "no progress");
                    input = &input[used..];
                }
                Err(error) => return Some((ring.all, Some(error.to_string()))),
            }
            if ring.all.len() > BYTES_MAX {
                return None;
            }
        }
    }
    loop {
        match decoder.step(&[], &mut ring) {
            Ok((_, 0)) => break,
            Ok(_) => {}
            Err(error) => return Some((ring.all, Some(error.to_string()))),
        }
    }
    Some((ring.all, decoder.finish().err().map(|error| error.to_string())))
}

fuzz_target!(|data: &[u8]| {
    let piece = 1 + data.last().map_or(0, |byte| usize::from(*byte) % 64);
    let (whole, pieces) = (decode(data, usize::MAX, usize::MAX), decode(data, piece, 700));
    if let (Some(whole), Some(pieces)) = (whole, pieces) {
        assert_eq!(whole.1, pieces.1);
        assert!(whole.1.is_some() || whole.0 == pieces.0);
    }
});
