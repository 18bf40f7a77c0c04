use super::*;

/// The inflated text of the data below.
const TEXT: &str = "digestblobrootfsblobbundlebundlebundle whiteoutblobbundlelayer  layerbundlerootfswhiteoutblob\nlayerlayerlayernamespacelayer whiteout layernamespacewhiteoutbundlebundlenamespacewhiteout\nwhiteoutwhiteoutbundlerootfslayer namespaceblobdigestrootfsblob\nnamespace namespacewhiteoutrootfsrootfsbundlenamespace layerbundlewhiteout  digest\nnamespace\nblobbundlenamespaceblobdigestnamespace \nbundlelayerbundlelayerrootfs digestdigestnamespacewhiteoutlayerwhiteoutnamespacenamespacewhiteout namespace\n\nbundlerootfsnamespacelayer namespacedigestnamespacenamespacewhiteout layerbundle\nnamespacewhiteoutnamespace bundle\n \nlayernamespacenamespace\nbundlelayerwhiteoutdigestnamespacedigestblobnamespacerootfslayerblobbloblayerbundlelayerrootfswhiteoutrootfsblobdigest\nrootfsblobdigestdigestrootfsnamespacedigestrootfsrootfsbundle\nbundlebundlebloblayerrootfs \n whiteoutrootfsblobrootfsnamespacewhiteout layerwhiteoutlayer digestlayerdigestbundlenamespace namespacewhiteoutnamespacebundlewhiteoutnamespacelayer \n layerrootfsdigestwhiteoutlayerrootfsblobblobrootfsrootfsdigest rootfsdigestlayernamespacelayerwhiteoutbundledigestnamespacelayer whiteout\nblobwhiteout whiteoutbundleblob rootfsnamespacebundlelayer\n rootfslayerdigestwhiteout\ndigest\n whiteoutrootfsblob namespace\nnamespacebundlenamespacewhiteoutbloblayerblobdigestdigestdigestnamespacewhiteoutrootfs\nnamespacerootfs\n\n\nblobrootfswhiteout";
/// As zlib writes it: one block with codes of its own.
const DEFLATED: &[u8] = &[
    0x75, 0x54, 0x41, 0x72, 0xc3, 0x30, 0x08, 0xbc, 0xef, 0x2b, 0xf8, 0x9a, 0x5d, 0xab, 0x6d, 0x66,
    0xdc, 0x38, 0x13, 0x3b, 0xd3, 0xe9, 0xef, 0x9b, 0x08, 0x09, 0x16, 0xe4, 0x1c, 0x6c, 0x4b, 0x02,
    0x2d, 0xb0, 0x0b, 0x5e, 0x2e, 0x5f, 0x65, 0x3f, 0xe6, 0x75, 0x9b, 0xef, 0xdb, 0x76, 0x7c, 0xee,
    0xaf, 0xd5, 0xfc, 0xb8, 0x2e, 0x6b, 0xe1, 0xb7, 0xfc, 0x7e, 0x5f, 0x8e, 0xb2, 0x3d, 0x0e, 0x37,
    0xaf, 0xd3, 0x5f, 0xb9, 0x8b, 0xd4, 0x8f, 0x9e, 0x28, 0x00, 0x7b, 0xa2, 0x5a, 0xfd, 0x75, 0x9d,
    0x7e, 0xca, 0x7e, 0x9b, 0x3e, 0xda, 0xe5, 0xee, 0x2a, 0xd1, 0x68, 0x08, 0x94, 0xc0, 0x60, 0x44,
    0x5f, 0x44, 0x6f, 0xcd, 0x41, 0xe1, 0xed, 0xce, 0x2b, 0x95, 0xa5, 0xd6, 0xe9, 0x35, 0xc2, 0xac,
    0x32, 0x60, 0xab, 0x57, 0xf3, 0x8d, 0xe1, 0xb9, 0x5e, 0x4b, 0x5f, 0x14, 0xdc, 0x21, 0xe1, 0x34,
    0x9d, 0x24, 0xe1, 0x60, 0x20, 0x2a, 0x69, 0xa9, 0x91, 0x1b, 0x6a, 0xba, 0xd3, 0x83, 0x56, 0xc7,
    0xbe, 0x31, 0xeb, 0xe0, 0xe6, 0xc5, 0x01, 0xcc, 0x50, 0x52, 0xc2, 0xb6, 0x29, 0xda, 0x88, 0x47,
    0xb9, 0x62, 0xb0, 0x7a, 0x65, 0xcd, 0x43, 0x10, 0xa5, 0x25, 0x86, 0xbc, 0xdc, 0x7e, 0x3b, 0xc5,
    0x5e, 0xac, 0x33, 0xed, 0x88, 0xd4, 0xad, 0x0c, 0x3f, 0x9f, 0x73, 0xee, 0xa2, 0x92, 0x4e, 0x3d,
    0xf2, 0x01, 0xb7, 0x45, 0x8a, 0x3c, 0x76, 0x01, 0xc2, 0x60, 0xf4, 0xe0, 0x4d, 0x2d, 0xc8, 0x18,
    0x34, 0xe1, 0x46, 0x12, 0x83, 0x92, 0x4d, 0xec, 0xba, 0x6e, 0x85, 0xa7, 0xc6, 0x7b, 0x4f, 0x76,
    0xec, 0xc6, 0xa4, 0x2c, 0x84, 0x92, 0x54, 0xe4, 0x10, 0x98, 0xa6, 0xde, 0x12, 0x66, 0x67, 0xe1,
    0xcd, 0xc9, 0x10, 0xc7, 0xf1, 0x4b, 0x12, 0xc6, 0x31, 0xaf, 0x53, 0x61, 0x1c, 0xa4, 0x29, 0x7f,
    0x9a, 0x24, 0xd1, 0x45, 0xaa, 0x42, 0x48, 0xfa, 0x58, 0x05, 0x9a, 0xb2, 0x27, 0xf4, 0x53, 0xf3,
    0x27, 0xd0, 0xf1, 0x5f, 0x63, 0xad, 0x94, 0x5a, 0xe3, 0xcd, 0xf8, 0x69, 0x10, 0xa4, 0xce, 0x04,
    0xe0, 0x2c, 0x76, 0xd7, 0x7f,
];

/// Decodes everything, with at most `piece` bytes of input and `most` of output at a time.
fn decode(bytes: &[u8], piece: usize, most: usize) -> Result<Vec<u8>> {
    let (mut window, mut decoder) = (Box::new(Window::EMPTY), Box::new(Decoder::new()));
    let (mut output, mut all) = (vec![0; most.min(1 << 16)], Vec::new());
    for mut input in bytes.chunks(piece) {
        while !input.is_empty() {
            let (used, made) = decoder.step(input, &mut window, &mut output)?;
            assert!(used + made > 0, "no progress");
            input = &input[used..];
            all.extend(&output[..made]);
        }
    }
    loop {
        match decoder.step(&[], &mut window, &mut output)?.1 {
            0 => break,
            made => all.extend(&output[..made]),
        }
    }
    decoder.finish()?;
    Ok(all)
}

fn check(bytes: &[u8], expected: &[u8]) {
    for (piece, most) in
        [(usize::MAX, usize::MAX), (1, usize::MAX), (usize::MAX, 1), (1, 1), (7, 300)]
    {
        assert!(
            decode(bytes, piece, most).unwrap() == expected,
            "pieces of {piece}, at most {most} at a time"
        );
    }
    for end in 0..bytes.len() {
        if let Ok(part) = decode(&bytes[..end], 5, usize::MAX) {
            assert!(expected.starts_with(&part), "a prefix of {end} bytes");
        }
    }
}

fn member(flags: u8, fields: &[u8], deflated: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
    bytes.extend(fields);
    if flags & flag::HEADER_SUM != 0 {
        let mut sum = Crc32::NEW;
        sum.update(&bytes);
        bytes.extend(&sum.value().to_le_bytes()[..2]);
    }
    bytes.extend(deflated);
    let mut sum = Crc32::NEW;
    sum.update(plain);
    bytes.extend(sum.value().to_le_bytes());
    bytes.extend((plain.len() as u32).to_le_bytes());
    bytes
}

/// Deflate data of stored blocks.
fn stored(plain: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in plain.chunks(65535) {
        bytes.push(0);
        bytes.extend((block.len() as u16).to_le_bytes());
        bytes.extend((!block.len() as u16).to_le_bytes());
        bytes.extend(block);
    }
    bytes.extend([1, 0, 0, 0xff, 0xff]);
    bytes
}

#[test]
fn one_member() {
    check(&member(0, b"", DEFLATED, TEXT.as_bytes()), TEXT.as_bytes());
    // The shortest empty stream: a fixed block that ends at once.
    check(&member(0, b"", &[3, 0], b""), b"");
}

#[test]
fn every_header_field() {
    let text = TEXT.as_bytes();
    check(&member(4 | 8 | 16 | 2, b"\x03\0abcname\0comment\0", DEFLATED, text), text);
    check(&member(4, b"\0\0", DEFLATED, text), text);
    check(&member(2, b"", DEFLATED, text), text);
    check(&member(1 | 16, b"\0", DEFLATED, text), text);
}

#[test]
fn members_and_padding() {
    let one = member(8, b"a\0", DEFLATED, TEXT.as_bytes());
    let none = member(0, b"", &[3, 0], b"");
    check(&[&one[..], &none, &one, &[0; 300]].concat(), [TEXT, TEXT].concat().as_bytes());
}

#[test]
fn more_than_the_ring_holds() {
    let plain: Vec<u8> =
        (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let bytes = member(0, b"", &stored(&plain), &plain);
    for (piece, most) in [(usize::MAX, usize::MAX), (1000, 333), (1, usize::MAX)] {
        assert!(decode(&bytes, piece, most).unwrap() == plain);
    }
}

#[test]
fn what_is_wrong_is_said() {
    let text = TEXT.as_bytes();
    let good = member(2, b"", DEFLATED, text);
    let change = |at: usize, to: u8| {
        let mut bytes = good.clone();
        let at = if at > 100 { bytes.len() - (at - 100) } else { at };
        bytes[at] = to;
        bytes
    };
    for (bytes, why) in [
        (Vec::new(), "truncated"),
        (good[..good.len() - 1].to_vec(), "truncated"),
        (good[..40].to_vec(), "truncated"),
        (b"plain text is not gzip".to_vec(), "not gzip data"),
        (change(2, 7), "a method other than deflate"),
        (change(3, 0x82), "reserved flags"),
        (change(10, good[10] ^ 1), "wrong header checksum"),
        (change(12, 7), "invalid deflate data"),
        (change(108, good[good.len() - 8] ^ 1), "wrong CRC-32"),
        (change(101, 1), "wrong length"),
        ([&good[..], b"garbage at its end"].concat(), "garbage after the end"),
        ([&good[..], b"\0\0x"].concat(), "garbage after the end"),
    ] {
        for (piece, most) in [(usize::MAX, usize::MAX), (1, 1)] {
            let error = decode(&bytes, piece, most).unwrap_err().to_string();
            assert!(error.contains(why), "{error} / {why}");
        }
    }
}
