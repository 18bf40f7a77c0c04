//! zstd: whatever the bytes are, they are decoded or refused, the same in one piece and in many.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::codec::zstd::Decoder;

/// libzstd's stack protector compares with it (.cargo/config.toml); here it may be any constant.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
static __stack_chk_guard: usize = 0x5eed;

/// Output that is no more worth looking at.
const BYTES_MAX: usize = 1 << 20;

fn decode(
    workspace: &mut [u64],
    bytes: &[u8],
    piece: usize,
    most: usize,
) -> Option<(Vec<u8>, Option<String>)> {
    let mut decoder = Decoder::new(workspace).expect("enough memory");
    let (mut all, mut output) = (Vec::new(), vec![0; most]);
    for mut input in bytes.chunks(piece).chain([&[][..]]) {
        loop {
            let at_the_end = input.is_empty();
            match decoder.step(input, &mut output) {
                Ok((used, made)) => {
                    assert!(at_the_end || used + made > 0, "no progress");
                    all.extend(&output[..made]);
                    input = &input[used..];
                    if input.is_empty() && (!at_the_end || made == 0) {
                        break;
                    }
                }
                Err(error) => {
                    // It goes on failing.
                    assert!(decoder.step(b"x", &mut output).is_err() && decoder.finish().is_err());
                    return Some((all, Some(error.to_string())));
                }
            }
            if all.len() > BYTES_MAX {
                return None;
            }
        }
    }
    Some((all, decoder.finish().err().map(|error| error.to_string())))
}

fuzz_target!(|data: &[u8]| {
    thread_local! {
        // Its pages stay untouched until a frame wants them.
        static WORKSPACE: std::cell::RefCell<Vec<u64>> = std::cell::RefCell::new(vec![0; Decoder::workspace_words()]);
    }
    WORKSPACE.with_borrow_mut(|workspace| {
        let piece = 1 + data.last().map_or(0, |byte| usize::from(*byte) % 64);
        let whole = decode(workspace, data, usize::MAX, 128 << 10);
        let pieces = decode(workspace, data, piece, 700);
        if let (Some(whole), Some(pieces)) = (whole, pieces) {
            // In pieces a fault may be met before it would be in one.
            assert_eq!(whole.1.is_some(), pieces.1.is_some(), "{:?} {:?}", whole.1, pieces.1);
            assert!(whole.1.is_some() || whole.0 == pieces.0);
        }
    });
});
