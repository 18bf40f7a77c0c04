use super::*;
use crate::codec::digest::{Algorithm, Digest};
use crate::io::section::Section;
use crate::sys::fd::CWD;
use crate::sys::{Errno, fs};
use core::sync::atomic::AtomicU32;
use std::io::Write;

fn digest(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(bytes);
    hasher.finish()
}

/// A file without a name, with bytes before and after the blob.
fn section(bytes: &[u8]) -> Section {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name =
        format!("ocinit-pipeline-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::ffi::CString::new(
        std::env::temp_dir().join(name).into_os_string().into_encoded_bytes(),
    )
    .unwrap();
    let file = fs::open(CWD, &path, fs::O_CREAT | fs::O_EXCL | fs::O_RDWR, 0o600).unwrap();
    fs::unlink(CWD, &path).unwrap();
    for part in [&b"before"[..], bytes, b"after"] {
        fs::write_all(file.by_ref(), part).unwrap();
    }
    Section { file, offset: 6, size: bytes.len() as u64 }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    packed("gzip", bytes)
}

fn packed(tool: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child = std::process::Command::new(tool)
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    output
}

/// Half noise, half repetition.
fn sample(count: usize) -> Vec<u8> {
    let noise = |n: u32| (n.wrapping_mul(2_654_435_761) >> 11) as u8;
    (0..count as u32).map(|n| if n / 5000 % 2 == 0 { noise(n) } else { (n / 3000) as u8 }).collect()
}

fn memory() -> Box<PipelineMemory> {
    Box::new(PipelineMemory::EMPTY)
}

/// Reads everything, `piece` bytes at a time, after a sleep if `nap`.
fn collect(source: &mut dyn Source, piece: usize, nap: bool) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while let bytes @ [_, ..] = source.peek()? {
        let count = bytes.len().min(piece);
        all.extend(&bytes[..count]);
        source.consume(count);
        if nap && all.len() % 64 == 0 {
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
    }
    Ok(all)
}

#[test]
fn what_goes_in_comes_out_verified() {
    let mut memory = memory();
    for (count, piece, nap) in [
        (0, 1, false),
        (1, 1, false),
        (100_000, 512, false),
        (3_000_000, 1 << 20, false),
        (2_000_000, 4096, true),
        (600_000, 7, false),
    ] {
        let tar = sample(count);
        let mut ways = vec![gzip(&tar), tar.clone()];
        if cfg!(feature = "zstd") {
            ways.push(packed("zstd", &tar));
        }
        for stored in ways {
            let stored_twice = digest(&[&stored[..], &stored, b"x"].concat());
            let (blob, digest, diff_id) = (section(&stored), digest(&stored), digest(&tar));
            let layer =
                Layer { blob: &blob, digest: Some(&digest), diff_id: Some(&diff_id), watch: &() };
            let (all, length) =
                run(&layer, &mut memory, |source| collect(source, piece, nap)).unwrap();
            assert!(all == tar && length == count as u64, "{count} bytes, {piece} at a time");
            // Bytes that the consumer leaves are hashed, too.
            assert_eq!(run(&layer, &mut memory, |_| Ok(())).unwrap().1, count as u64);
            // If the stored digest is unknown, the other one decides.
            let unknown = Layer { digest: None, ..layer };
            assert_eq!(run(&unknown, &mut memory, |_| Ok(())).unwrap().1, count as u64);
            let other = Layer { diff_id: Some(&stored_twice), ..unknown };
            let error = run(&other, &mut memory, |_| Ok(())).unwrap_err().to_string();
            assert!(error.starts_with("diff_id: digest mismatch"), "{error}");
        }
    }
}

#[test]
fn two_kinds_of_digest_for_one_layer() {
    let tar = sample(500_000);
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(&tar);
    let (blob, stored, diff_id) = (section(&tar), hasher.finish(), digest(&tar));
    let layer = Layer { blob: &blob, digest: Some(&stored), diff_id: Some(&diff_id), watch: &() };
    assert!(run(&layer, &mut memory(), |_| Ok(())).is_ok());
    let other = Layer { diff_id: Some(&digest(b"x")), ..layer };
    let error = run(&other, &mut memory(), |_| Ok(())).unwrap_err();
    assert!(error.to_string().starts_with("diff_id: digest mismatch"), "{error}");
}

#[test]
fn what_is_left_out_is_said() {
    let stored = packed("zstd", b"a layer");
    let (blob, digest, diff_id) = (section(&stored), digest(&stored), digest(b"a layer"));
    let result = run(
        &Layer { blob: &blob, digest: Some(&digest), diff_id: Some(&diff_id), watch: &() },
        &mut memory(),
        |_| Ok(()),
    );
    match cfg!(feature = "zstd") {
        true => assert_eq!(result.unwrap().1, 7),
        false => {
            assert_eq!(result.unwrap_err().to_string(), "zstd: this ocinit was built without it")
        }
    }
}

#[test]
fn neither_side_waits_for_one_that_failed() {
    let tar = sample(3_000_000);
    let stored = gzip(&tar);
    let cut = &stored[..stored.len() / 2];
    let mut memory = memory();

    // The consumer fails at once, or in the middle: its error is returned.
    for after in [0, 1_000_000] {
        let (blob, digest, diff_id) = (section(&stored), digest(&stored), digest(&tar));
        let layer =
            Layer { blob: &blob, digest: Some(&digest), diff_id: Some(&diff_id), watch: &() };
        let fail = |source: &mut dyn Source| -> Result<()> {
            source.skip(after)?;
            Err(Error::with_errno(format_args!("no room"), Errno::ENOSPC))
        };
        let error = run(&layer, &mut memory, fail).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.errno()), ("no room", Errno::ENOSPC));
    }

    // The producer fails, on bytes with the right digest and with a wrong one.
    let (blob, diff_id) = (section(cut), digest(&tar));
    for (digest, why) in
        [(digest(cut), "gzip: truncated"), (digest(&stored), "digest mismatch: expected")]
    {
        let layer =
            Layer { blob: &blob, digest: Some(&digest), diff_id: Some(&diff_id), watch: &() };
        let error = run(&layer, &mut memory, |source| collect(source, 100_000, false)).unwrap_err();
        assert!(error.to_string().starts_with(why), "{error}");
    }

    // The file is shorter than announced.
    let longer = Section { size: blob.size + 6, ..section(cut) };
    let layer =
        Layer { blob: &longer, digest: Some(&diff_id), diff_id: Some(&diff_id), watch: &() };
    let error = run(&layer, &mut memory, |_| Ok(())).unwrap_err().to_string();
    assert!(error.starts_with("digest mismatch"), "{error}");
}
