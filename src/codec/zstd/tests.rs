use super::*;

const TEXT: &[u8] = b"hello, hello, hello, hello, hello, hello, hello, hello\n";
/// As `zstd -19 --check` writes it from a pipe: a window of 8 MiB, no content size, a checksum.
const PACKED: &[u8] = &[
    0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x68, 0x75, 0x00, 0x00, 0x40, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x2c,
    0x20, 0x0a, 0x01, 0x00, 0x28, 0x2a, 0x46, 0x0a, 0xb1, 0xc6, 0x59,
];

/// Decodes everything, with at most `piece` bytes of input and `most` of output at a time.
fn decode(bytes: &[u8], piece: usize, most: usize) -> Result<Vec<u8>> {
    let mut workspace = vec![0; Decoder::workspace_words()];
    let mut decoder = Decoder::new(&mut workspace)?;
    let (mut all, mut output) = (Vec::new(), vec![0; most]);
    for mut input in bytes.chunks(piece) {
        while !input.is_empty() {
            let (used, made) = decoder.step(input, &mut output)?;
            assert!(used + made > 0, "no progress");
            input = &input[used..];
            all.extend(&output[..made]);
        }
    }
    loop {
        match decoder.step(&[], &mut output)? {
            (_, 0) => break,
            (_, made) => all.extend(&output[..made]),
        }
    }
    decoder.finish()?;
    Ok(all)
}

#[track_caller]
fn refused(bytes: &[u8], why: &str) {
    for piece in [1, bytes.len()] {
        assert_eq!(decode(bytes, piece, 1 << 17).unwrap_err().to_string(), why);
    }
}

/// A frame with these header bytes after the magic number, and one raw block of `content`.
fn frame(header: &[u8], content: &[u8]) -> Vec<u8> {
    let block = (content.len() as u32) << 3 | 1;
    [&MAGIC[..], header, &block.to_le_bytes()[..3], content].concat()
}

/// A frame of a single segment, of `count` times the same byte, in blocks of at most 128 KiB.
fn repeated(count: u32) -> Vec<u8> {
    let mut all = [&MAGIC[..], &[0xa0], &count.to_le_bytes()].concat();
    for at in (0..count).step_by(128 << 10) {
        let size = (count - at).min(128 << 10);
        all.extend(&(size << 3 | 2 | u32::from(at + size == count)).to_le_bytes()[..3]);
        all.push(b'x');
    }
    all
}

fn skippable(magic: u8, content: &[u8]) -> Vec<u8> {
    [&[magic][..], &MAGIC_SKIPPABLE[1..], &(content.len() as u32).to_le_bytes(), content].concat()
}

#[test]
fn frames_of_both_kinds_stand_in_any_order() {
    let (note, nothing) = (skippable(0x50, b"a table of contents"), skippable(0x5f, b""));
    let (small, empty) = (frame(&[0x20, 5], b"small"), frame(&[0x20, 0], b""));
    let streams: [(Vec<&[u8]>, &[u8]); 8] = [
        (vec![PACKED], TEXT),
        (vec![&small, &small], b"smallsmall"),
        (vec![&note, &small], b"small"),
        (vec![&small, &note, &nothing, &empty, &small], b"smallsmall"),
        (vec![&small, &note], b"small"),
        (vec![&nothing, &nothing], b""),
        (vec![&empty], b""),
        (vec![&small, &empty, &nothing], b"small"),
    ];
    for (parts, content) in streams {
        let bytes = parts.concat();
        for (piece, most) in [(1, 1), (3, 2), (usize::MAX, 1), (usize::MAX, 1 << 17), (4, 1 << 17)]
        {
            assert_eq!(decode(&bytes, piece, most).unwrap(), content, "{bytes:x?} {piece} {most}");
        }
    }
}

#[test]
fn every_form_of_a_header_is_read() {
    let content = [b'a'; 300];
    // A window without a size, sizes of one to eight bytes, dictionary numbers that mean "none".
    for header in [
        &[0x00, 0x00][..],
        &[0x01, 0x00, 0],
        &[0x03, 0x00, 0, 0, 0, 0],
        &[0x60, 44, 0],
        &[0x62, 0, 0, 44, 0],
        &[0x40, 0x00, 44, 0],
        &[0xa0, 44, 1, 0, 0],
        &[0xe0, 44, 1, 0, 0, 0, 0, 0, 0],
        &[0xc3, 0x00, 0, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0],
        // The unused bit.
        &[0x70, 44, 0],
    ] {
        for piece in [1, usize::MAX] {
            assert_eq!(
                decode(&frame(header, &content), piece, 100).unwrap(),
                content,
                "{header:x?}"
            );
        }
    }
}

#[test]
fn what_is_no_zstd_is_refused() {
    refused(&[0], "zstd: not zstd data");
    refused(b"\x1f\x8b\x08\0", "zstd: not zstd data");
    refused(&[0x28, 0xb5, 0x2f, 0xfc], "zstd: not zstd data");
    refused(&[0x60, 0x2a, 0x4d, 0x18, 0, 0, 0, 0], "zstd: not zstd data");
    for garbage in [&b"\0"[..], b"\0\0\0\0", b"garbage", b"\x28\xb6"] {
        refused(&[PACKED, garbage].concat(), "zstd: garbage after the end");
        refused(&[&skippable(0x50, b"note"), garbage].concat(), "zstd: garbage after the end");
    }
    let damaged = |at: usize| {
        let mut bytes = PACKED.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    refused(&damaged(12), "zstd: wrong checksum");
    refused(&damaged(26), "zstd: wrong checksum");
    refused(&frame(&[0x28, 5], b"small"), "zstd: a reserved bit is set");
    refused(&frame(&[0x21, 7, 5], b"small"), "zstd: dictionary 7 is needed, and an image has none");
    refused(
        &frame(&[0x22, 0, 1, 5], b"small"),
        "zstd: dictionary 256 is needed, and an image has none",
    );
    // The content is longer, or shorter, than its header says; a block of the reserved kind; a
    // match before the start.
    for (bytes, code) in [
        (frame(&[0x20, 4], b"small"), 20),
        (frame(&[0x20, 6], b"small"), 20),
        ([&MAGIC[..], &[0x20, 5, 0x2f, 0, 0]].concat(), 20),
    ] {
        let error = decode(&bytes, usize::MAX, 100).unwrap_err().to_string();
        assert_eq!(error, format!("zstd: invalid data (libzstd's error {code})"), "{bytes:x?}");
    }
}

#[test]
fn any_part_of_a_stream_is_truncated() {
    let bytes =
        [&skippable(0x53, b"note")[..], PACKED, &repeated(1000), &skippable(0x50, b"end")].concat();
    let ends = [12, 12 + PACKED.len(), bytes.len() - 11, bytes.len()];
    for cut in 0..=bytes.len() {
        for piece in [1, usize::MAX] {
            match decode(&bytes[..cut], piece, 700) {
                Ok(_) => assert!(ends.contains(&cut), "{cut}"),
                Err(error) => assert!(
                    !ends.contains(&cut) && error.to_string() == "zstd: truncated",
                    "{cut}: {error}"
                ),
            }
        }
    }
}

#[test]
fn a_window_is_as_large_as_the_limit_allows() {
    let limit = ZSTD_WINDOW_BYTES as u32;
    assert!(limit.is_power_of_two());
    let most = (limit.trailing_zeros() as u8 - 10) << 3;
    assert_eq!(decode(&frame(&[0x00, most], TEXT), usize::MAX, 100).unwrap(), TEXT);
    let larger = limit + limit / 8;
    let refusal = |window: u64| format!("zstd: a window of {window} bytes, more than {limit}");
    refused(&frame(&[0x00, most | 1], TEXT), &refusal(larger.into()));
    refused(&frame(&[0x00, 17 << 3], TEXT), &refusal(128 << 20));
    refused(&frame(&[0x00, 0xff], TEXT), &refusal(15 << 38));
    // A single segment is its own window.
    let all = decode(&repeated(limit), usize::MAX, 1 << 16).unwrap();
    assert!(all.len() == limit as usize && all.iter().all(|&byte| byte == b'x'));
    refused(&repeated(limit + 1), &refusal(u64::from(limit) + 1));
    refused(&frame(&[0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80], TEXT), &refusal(1 << 63));
    refused(
        &frame(&[0xc0, 21 << 3 | 1, TEXT.len() as u8, 0, 0, 0, 0, 0, 0, 0], TEXT),
        &refusal(9 << 28),
    );
    // A window larger than the content needs only the content's size.
    let size = [TEXT.len() as u8, 0, 0, 0];
    for window in [most | 1, 17 << 3, 18 << 3, 21 << 3] {
        assert_eq!(
            decode(&frame(&[&[0x80, window][..], &size].concat(), TEXT), usize::MAX, 100).unwrap(),
            TEXT
        );
    }
}

#[test]
fn frames_of_many_sizes_share_one_workspace() {
    let sizes = [1, 500_000, 3, 8 << 20, 70_000, 1 << 20];
    let bytes: Vec<u8> = (0..40).flat_map(|n| repeated(sizes[n % sizes.len()])).collect();
    let expected: usize = (0..40).map(|n| sizes[n % sizes.len()] as usize).sum();
    assert_eq!(decode(&bytes, 1000, 50_000).unwrap().len(), expected);
}

#[test]
fn too_little_memory_is_an_error() {
    assert!(Decoder::new(&mut []).is_err());
    assert!(Decoder::new(&mut [0; 100]).is_err());
    // Enough for the decoder, but not for the window.
    let mut workspace = vec![0; workspace_words(1 << 10)];
    let mut decoder = Decoder::new(&mut workspace).unwrap();
    let error = decoder.step(PACKED, &mut [0; 100]).unwrap_err().to_string();
    assert_eq!(error, "zstd: invalid data (libzstd's error 64)");
    // A second call repeats the error.
    assert_eq!(decoder.step(PACKED, &mut [0; 100]).unwrap_err().to_string(), error);
}
