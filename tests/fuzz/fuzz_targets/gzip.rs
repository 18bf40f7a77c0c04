//! gzip: whatever the bytes are, they inflate or are refused, the same in one piece and in many.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::codec::gzip::{Decoder, Window};

/// Output that is no more worth looking at.
const BYTES_MAX: usize = 1 << 20;

fn decode(bytes: &[u8], piece: usize, most: usize) -> Option<(Vec<u8>, Option<String>)> {
    let (mut window, mut decoder) = (Box::new(Window::EMPTY), Box::new(Decoder::new()));
    let (mut output, mut all) = (vec![0; most.min(1 << 16)], Vec::new());
    // An empty piece at the end: what is left to write.
    for mut input in bytes.chunks(piece).chain([&[][..]]) {
        loop {
            match decoder.step(input, &mut window, &mut output) {
                Ok((used, made)) => {
                    all.extend(&output[..made]);
                    assert!(input.is_empty() || used + made > 0, "no progress");
                    if used == input.len() && (made == 0 || used > 0) {
                        break;
                    }
                    input = &input[used..];
                }
                Err(error) => return Some((all, Some(error.to_string()))),
            }
            if all.len() > BYTES_MAX {
                return None;
            }
        }
    }
    Some((all, decoder.finish().err().map(|error| error.to_string())))
}

fuzz_target!(|data: &[u8]| {
    let piece = 1 + data.last().map_or(0, |byte| usize::from(*byte) % 64);
    let (whole, pieces) = (decode(data, usize::MAX, usize::MAX), decode(data, piece, 700));
    if let (Some(whole), Some(pieces)) = (whole, pieces) {
        assert_eq!(whole.1, pieces.1);
        assert!(whole.1.is_some() || whole.0 == pieces.0);
    }
});
