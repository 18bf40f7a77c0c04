use super::*;
use crate::sys::Errno;

/// A header block. `size` and further numbers are octal text.
fn block(name: &str, kind: u8, size: u64) -> [u8; BLOCK] {
    let mut block = [0u8; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(b"0000644");
    block[108..115].copy_from_slice(b"0000001");
    block[116..123].copy_from_slice(b"0000002");
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[136..147].copy_from_slice(b"00000000003");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block
}

fn seal(block: &mut [u8; BLOCK]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

fn member(name: &str, kind: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = block(name, kind, data.len() as u64).to_vec();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn records(list: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in list {
        let rest = key.len() + value.len() + 3;
        let length = (rest..).find(|length| length.to_string().len() + rest == *length).unwrap();
        bytes.extend(format!("{length} {key}={value}\n").bytes());
    }
    bytes
}

/// A source that gives one byte at a time.
struct Drip<'a>(&'a [u8]);

impl Source for Drip<'_> {
    fn peek(&mut self) -> Result<&[u8]> {
        Ok(&self.0[..self.0.len().min(1)])
    }

    fn consume(&mut self, count: usize) {
        self.0 = &self.0[count..];
    }
}

/// `name kind size mtime link [offset+length…] xattrs=n: data` for each entry.
fn list(source: &mut dyn Source) -> Result<Vec<String>> {
    let mut memory = Box::new(TarMemory::EMPTY);
    let mut archive = Archive::new(source, &mut memory);
    let mut found = Vec::new();
    while let Some(entry) = archive.next(&mut memory)? {
        let (name, link) = (entry.name.escape_ascii(), entry.link.escape_ascii());
        let mut text = format!("{name} {:?} {} {:?} {link}", entry.kind, entry.size, entry.mtime);
        for segment in entry.sparse.unwrap_or_default() {
            text += &format!(" {}+{}", segment.offset, segment.length);
        }
        text += &format!(" xattrs={}: ", entry.xattrs().count());
        while let bytes @ [_, ..] = archive.data()? {
            let count = bytes.len();
            text += &bytes.escape_ascii().to_string();
            archive.consume(count);
        }
        found.push(text);
    }
    Ok(found)
}

fn check(bytes: &[u8], expected: &[&str]) {
    let whole = list(&mut &*bytes).unwrap();
    assert_eq!(whole, expected);
    assert_eq!(list(&mut Drip(bytes)).unwrap(), whole, "the same fed one byte at a time");
    for end in 0..bytes.len() {
        if let Ok(part) = list(&mut &bytes[..end]) {
            assert_eq!(
                part,
                whole[..part.len()],
                "a prefix of {end} bytes reads as a prefix or not at all"
            );
        }
    }
}

#[test]
fn files_and_what_has_no_data() {
    let mut bytes = member("a", b'0', b"hello");
    bytes.extend(block("d/", 0, 0));
    bytes.extend(block("d2", b'5', 700));
    bytes.extend(block("l", b'1', 700));
    bytes.extend(member("c", b'7', b"x"));
    bytes.extend([0; BLOCK]);
    bytes.extend(b"anything");
    check(
        &bytes,
        &[
            "a File 5 (3, 0)  xattrs=0: hello",
            "d/ Directory 0 (3, 0)  xattrs=0: ",
            "d2 Directory 0 (3, 0)  xattrs=0: ",
            "l HardLink 0 (3, 0)  xattrs=0: ",
            "c File 1 (3, 0)  xattrs=0: x",
        ],
    );
}

#[test]
fn pax_records_win_and_hold_for_one_entry() {
    let global = records(&[("mtime", "7"), ("comment", "x")]);
    let own = records(&[
        ("path", "first"),
        ("path", "long/name"),
        ("size", "3"),
        ("mtime", "-1.5"),
        ("SCHILY.xattr.user.a", "1"),
        ("LIBARCHIVE.xattr.user.b", "Mg"),
    ]);
    let mut bytes = member("g", b'g', &global);
    bytes.extend(member("x", b'x', &own));
    bytes.extend(member("L", b'L', b"gnu-name\0"));
    let mut lying = member("short", b'0', b"abc");
    lying[124..135].copy_from_slice(b"00000000777");
    let mut head: [u8; BLOCK] = lying[..BLOCK].try_into().unwrap();
    seal(&mut head);
    lying[..BLOCK].copy_from_slice(&head);
    bytes.extend(lying);
    bytes.extend(member("x", b'x', &records(&[("mtime", "")])));
    bytes.extend(member("next", b'0', b""));
    bytes.extend(member("last", b'0', b""));
    check(
        &bytes,
        &[
            "long/name File 3 (-2, 500000000)  xattrs=2: abc",
            "next File 0 (3, 0)  xattrs=0: ",
            "last File 0 (7, 0)  xattrs=0: ",
        ],
    );
}

#[test]
fn gnu_long_names_and_links() {
    let mut bytes = member("././@LongLink", b'L', b"a-long-name\0");
    bytes.extend(member("././@LongLink", b'K', b"a-long-target\0"));
    bytes.extend(block("a-lo", b'2', 0));
    check(&bytes, &["a-long-name Symlink 0 (3, 0) a-long-target xattrs=0: "]);
}

#[test]
fn sparse_files_in_every_form() {
    let plain = records(&[
        ("GNU.sparse.size", "100"),
        ("GNU.sparse.numblocks", "2"),
        ("GNU.sparse.offset", "10"),
        ("GNU.sparse.numbytes", "2"),
        ("GNU.sparse.offset", "50"),
        ("GNU.sparse.numbytes", "1"),
    ]);
    let comma = records(&[
        ("GNU.sparse.size", "100"),
        ("GNU.sparse.map", "10,2,50,1"),
        ("GNU.sparse.name", "s"),
    ]);
    for own in [plain, comma] {
        let mut bytes = member("x", b'x', &own);
        bytes.extend(member("s", b'0', b"abc"));
        check(&bytes, &["s File 100 (3, 0)  10+2 50+1 xattrs=0: abc"]);
    }
    let own = records(&[
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "s"),
        ("GNU.sparse.realsize", "100"),
    ]);
    let mut data = b"2\n10\n2\n50\n1\n".to_vec();
    data.resize(BLOCK, 0);
    data.extend(b"abc");
    let mut bytes = member("x", b'x', &own);
    bytes.extend(member("GNUSparseFile.0/s", b'0', &data));
    check(&bytes, &["s File 100 (3, 0)  10+2 50+1 xattrs=0: abc"]);

    let mut head = block("s", b'S', 3);
    head[257..265].copy_from_slice(b"ustar  \0");
    for (at, text) in [(386, "00000000012"), (398, "00000000002"), (483, "00000000144")] {
        head[at..at + 11].copy_from_slice(text.as_bytes());
    }
    head[482] = 1;
    seal(&mut head);
    let mut more = [0u8; BLOCK];
    more[..11].copy_from_slice(b"00000000062");
    more[12..23].copy_from_slice(b"00000000001");
    let bytes = [&head[..], &more, b"abc", &[0; 509]].concat();
    check(&bytes, &["s File 100 (3, 0)  10+2 50+1 xattrs=0: abc"]);
}

#[test]
fn a_signed_checksum_counts() {
    let mut head = block("\u{fc}", b'0', 0);
    head[148..156].fill(b' ');
    let sum: i32 = head.iter().map(|&byte| i32::from(byte as i8)).sum();
    head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    check(&head, &["\\xc3\\xbc File 0 (3, 0)  xattrs=0: "]);
}

#[test]
fn a_prefix_belongs_to_ustar_only() {
    let mut head = block("name", b'0', 0);
    head[345..348].copy_from_slice(b"dir");
    seal(&mut head);
    check(&head, &["dir/name File 0 (3, 0)  xattrs=0: "]);
    head[257..265].copy_from_slice(b"ustar  \0");
    seal(&mut head);
    check(&head, &["name File 0 (3, 0)  xattrs=0: "]);
}

#[test]
fn what_is_wrong_is_said() {
    let sparse = |map| {
        [
            member("x", b'x', &records(&[("GNU.sparse.size", "9"), ("GNU.sparse.map", map)])),
            member("s", b'0', b"abc"),
        ]
        .concat()
    };
    let mut negative = block("n", b'0', 0);
    negative[124..136].fill(0xff);
    seal(&mut negative);
    let mut broken = block("b", b'0', 0);
    broken[0] = b'c';
    for (bytes, why) in [
        (broken.to_vec(), "wrong checksum"),
        (negative.to_vec(), "negative size"),
        (block("m", b'M', 0).to_vec(), "m: entry of unknown type 'M'"),
        (
            block("x", b'x', u64::MAX >> 31).to_vec(),
            "extended header of 8589934591 bytes exceeds 262144 bytes",
        ),
        (member("x", b'x', b"5 a=b\n"), "a record that does not end"),
        (member("x", b'x', &records(&[("a", "b")])), "an extended header without an entry"),
        (member("f", b'0', b"abc")[..514].to_vec(), "truncated inside an entry (after 514 bytes)"),
        (block("f", b'0', 0)[..100].to_vec(), "truncated inside an entry (after 100 bytes)"),
        (sparse("0,2,1,1"), "contradicts itself"),
        (sparse("0,2,9,1"), "contradicts itself"),
        (sparse("0,2"), "contradicts itself"),
        (sparse("0,3,4"), "contradicts itself"),
        (sparse("0,3,18446744073709551615,1"), "contradicts itself"),
        (sparse("x"), "malformed"),
    ] {
        let error = list(&mut &*bytes).unwrap_err();
        assert!(error.to_string().contains(why), "{error} / {why}");
        assert_eq!(error.errno(), Errno::NONE);
    }
}
