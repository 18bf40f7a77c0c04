//! Layouts in a tar.

use super::*;
use crate::image::looks_like_archive;

/// A header of ustar with a right checksum.
pub(super) fn header(name: &[u8], kind: u8, size: &str) -> Vec<u8> {
    let mut block = [0u8; 512];
    block[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..124 + size.len()].copy_from_slice(size.as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block.to_vec()
}

pub(super) fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub(super) fn entry(name: &str, kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut whole = header(name.as_bytes(), kind, &format!("{:011o}", bytes.len()));
    // As GNU tar and Go do it: a name that is too long is split at a slash.
    if name.len() > 100 {
        let at = name[..name.len().min(155)].rfind('/').unwrap();
        whole[..100].fill(0);
        whole[..name.len() - at - 1].copy_from_slice(&name.as_bytes()[at + 1..]);
        whole[345..345 + at].copy_from_slice(&name.as_bytes()[..at]);
        seal(&mut whole);
    }
    [whole, padded(bytes)].concat()
}

pub(super) const END: [u8; 1024] = [0; 1024];

/// The files of a layout, `index.json` first.
pub(super) fn files(layout: &Layout) -> Vec<(String, Vec<u8>)> {
    let mut names = vec!["index.json".to_string(), "oci-layout".to_string()];
    for blob in std::fs::read_dir(layout.0.join("blobs/sha256")).unwrap() {
        names.push(format!("blobs/sha256/{}", blob.unwrap().file_name().to_str().unwrap()));
    }
    names
        .into_iter()
        .map(|name| (name.clone(), std::fs::read(layout.0.join(name)).unwrap()))
        .collect()
}

fn example() -> Layout {
    let layout = Layout::new();
    layout.index(&[tagged(&layout.image("a", "amd64"), "v1")]);
    layout
}

fn read(tar: &[u8]) -> Result<String, String> {
    read_as(tar, Form::Either, &Wanted::default())
}

/// Returns the author of the wanted image, read from an archive in this form.
pub(super) fn read_as(tar: &[u8], form: Form, wanted: &Wanted<'_>) -> Result<String, String> {
    let scratch = Layout::new();
    let path = scratch.0.join("archive.tar");
    std::fs::write(&path, tar).unwrap();
    let file = open_path(&path);
    let mut memory = lock(&ARCHIVE);
    let store = Store::open_archive(file, tar.len() as u64, form, &mut memory)
        .map_err(|error| error.to_string())?;
    summary(&store, wanted)
}

pub(super) fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    files.iter().flat_map(|(name, bytes)| entry(name, b'0', bytes)).collect()
}

#[test]
fn an_archive_may_have_any_order_and_prefix() {
    let layout = example();
    let mut files = files(&layout);
    let ended = |files: &[(String, Vec<u8>)]| [&tar(files)[..], &END].concat();
    let first = ended(&files);
    assert_eq!(read(&first).unwrap(), "a");
    assert!(looks_like_archive(&first[..512]) && looks_like_archive(&first));
    files.reverse();
    assert_eq!(read(&ended(&files)).unwrap(), "a");
    let dotted: Vec<_> =
        files.iter().map(|(name, bytes)| (format!("./{name}"), bytes.clone())).collect();
    assert_eq!(read(&[entry("./", b'5', b""), ended(&dotted)].concat()).unwrap(), "a");
    // Without an end, with old bytes after it, and with other files.
    assert_eq!(read(&tar(&files)).unwrap(), "a");
    assert_eq!(read(&[&ended(&files)[..], &[0x5a; 5000]].concat()).unwrap(), "a");
    assert_eq!(
        read(&[&ended(&files)[..], &entry("index.json", b'0', b"{}")].concat()).unwrap(),
        "a"
    );
    assert_eq!(
        read(&[&entry("manifest.json", b'0', b"[]")[..], &ended(&files)].concat()).unwrap(),
        "a"
    );
    let links =
        [entry("refs/x", b'2', b""), entry("a", b'1', b""), entry("blobs/sha256", b'5', b"")]
            .concat();
    assert_eq!(read(&[links, ended(&files)].concat()).unwrap(), "a");
}

#[test]
fn the_last_entry_of_a_name_counts() {
    let layout = example();
    let files = files(&layout);
    let stale = index(&[]);
    let with = |before: &str, after: Option<&str>| {
        let before = entry("index.json", b'0', before.as_bytes());
        let after =
            after.map(|text| entry("./index.json", b'0', text.as_bytes())).unwrap_or_default();
        read(&[before, tar(&files), after, END.to_vec()].concat())
    };
    assert_eq!(with(&stale, None).unwrap(), "a");
    error_has(with(&stale, Some(&stale)), &["the layout holds no image"]);
    let blob = &files[2];
    let mut other = blob.1.clone();
    other[0] ^= 1;
    let spoiled = entry(&blob.0, b'0', &other);
    assert_eq!(read(&[spoiled.clone(), tar(&files), END.to_vec()].concat()).unwrap(), "a");
}

#[test]
fn extended_headers_are_understood() {
    let layout = example();
    let files = files(&layout);
    let record = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while format!("{length}").len() + rest.len() != length {
            length += 1;
        }
        format!("{length}{rest}")
    };
    let mut pax = entry("pax_global_header", b'g', record("comment", "0123456789").as_bytes());
    let mut gnu = Vec::new();
    for (name, bytes) in &files {
        let records = record("path", name)
            + &record("mtime", "1.5")
            + &record("size", &bytes.len().to_string());
        pax.extend(
            [entry("x", b'x', records.as_bytes()), header(b"short", b'0', "0"), padded(bytes)]
                .concat(),
        );
        let long = [name.as_bytes(), b"\0"].concat();
        gnu.extend([entry("././@LongLink", b'L', &long), entry("cut", b'0', bytes)].concat());
    }
    assert_eq!(read(&[&pax[..], &END].concat()).unwrap(), "a");
    assert_eq!(read(&[&gnu[..], &END].concat()).unwrap(), "a");
    // An `x` header is for one entry only.
    let stray =
        [entry("x", b'x', record("path", "other").as_bytes()), entry("y", b'0', b"")].concat();
    assert_eq!(read(&[&stray[..], &tar(&files), &END].concat()).unwrap(), "a");
    for broken in
        ["5 path=a\n", "99 path=a\n", "x path=a\n", "9 path=a", "7 path\n", "12 size=-12\n"]
    {
        let tar = [&entry("x", b'x', broken.as_bytes())[..], &tar(&files), &END].concat();
        error_has(read(&tar), &["archive: ", "header at byte "]);
    }
    let huge = [&entry("x", b'x', &[b'x'; 5000])[..], &END].concat();
    error_has(read(&huge), &["archive: a header of 5000 bytes, more than 4096"]);
}

#[test]
fn a_truncated_archive_says_so() {
    let layout = example();
    let files = files(&layout);
    let last = files.last().unwrap().1.len();
    let tar = [&tar(&files)[..], &END].concat();
    let end = tar.len() - 1024 - last.next_multiple_of(512) + last;
    for length in (0..end).step_by(97).chain((0..end).step_by(512)) {
        let error = read(&tar[..length]).expect_err(&format!("{length} of {}", tar.len()));
        let clear = ["truncated", "missing", "not an OCI image layout"];
        assert!(clear.iter().any(|word| error.contains(word)), "{length}: {error}");
    }
    error_has(read(&tar[..1100]), &["archive: truncated in the header"]);
    error_has(read(&tar[..600]), &["archive: truncated: index.json at byte 0"]);
}

#[test]
fn broken_archives_are_refused() {
    let layout = example();
    let good = [&tar(&files(&layout))[..], &END].concat();
    for at in [0, 124, 148, 300, 511] {
        let mut bad = good.clone();
        bad[at] ^= 0x11;
        error_has(read(&bad), &["archive: wrong checksum: not a tar header at byte 0"]);
        assert!(!looks_like_archive(&bad[..512]));
    }
    for size in ["77777777777", "99999999999", "-0000000001"] {
        error_has(read(&[header(b"a", b'0', size), END.to_vec()].concat()), &["archive: "]);
    }
    let mut negative = header(b"a", b'0', "");
    negative[124..136].fill(0xff);
    seal(&mut negative);
    error_has(read(&negative), &["impossible size"]);
    let mut large = header(b"a", b'0', "");
    large[124..136].copy_from_slice(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
    seal(&mut large);
    error_has(read(&large), &["truncated: a at byte 0 has 9223372036854775807 bytes"]);
    for (kind, why) in [
        (b'3', "index.json: not a regular file"),
        (b'2', "index.json: a link to a file that is not in the archive"),
    ] {
        error_has(
            read(&[tar(&files(&layout)), entry("index.json", kind, b""), END.to_vec()].concat()),
            &[why],
        );
    }
    error_has(
        read(&[&entry("oci-layout", b'0', b"{}")[..], &END].concat()),
        &["oci-layout: imageLayoutVersion"],
    );
    error_has(read(&END), &["oci-layout: missing"]);
    error_has(read(b""), &["oci-layout: missing"]);
    for bytes in [&END[..512], &[0xff; 512], &good[..511], b""] {
        assert!(!looks_like_archive(bytes));
    }
}

#[test]
fn an_archive_of_2016_has_refs() {
    let layout = example();
    let manifest = plain(&layout.image("old", "amd64"));
    let files: Vec<_> =
        files(&layout).into_iter().filter(|(name, _)| name != "index.json").collect();
    let refs =
        [entry("./refs/v1", b'0', b"{"), entry("./refs/v1", b'0', manifest.as_bytes())].concat();
    assert_eq!(read(&[tar(&files), refs, END.to_vec()].concat()).unwrap(), "old");
    error_has(read(&[tar(&files), END.to_vec()].concat()), &["neither index.json nor refs"]);
    let many: Vec<u8> =
        (0..65).flat_map(|n| entry(&format!("refs/{n}"), b'0', manifest.as_bytes())).collect();
    assert_eq!(read(&[tar(&files), many.clone(), END.to_vec()].concat()).unwrap(), "old");
    let long = entry(&format!("refs/{}", "x".repeat(90)), b'0', b"{}").repeat(2);
    error_has(
        read(&[tar(&files), long, END.to_vec()].concat()),
        &["refs xxx", "mediaType: missing"],
    );
    // With an index.json they do not matter.
    let whole = [tar(&super::archives::files(&layout)), many, END.to_vec()].concat();
    assert!(read(&whole).is_ok());
}
