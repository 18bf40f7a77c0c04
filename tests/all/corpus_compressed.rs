//! Reads the compressed streams of the public corpus (`OCINIT_CORPUS`, default `../shared/corpus`
//! beside the project). Each gives the listed bytes, or the error listed here.

use ocinit::codec::digest::{Algorithm, Hasher};
use ocinit::codec::gzip;
use std::path::PathBuf;
use std::process::Command;

/// A line per stream: file, format, exit status, size and digest that the tool gives; Python's size
/// and digest or "-".
const FLATTEN: &str = r#"
import json, sys
for row in map(json.loads, open(sys.argv[1] + '/EXPECTED-COMPRESSED.jsonl')):
    python = row['python']
    answer = (python['size'], python['sha256']) if python['ok'] else ('-', '-')
    print(row['file'], row['format'], row['exit'], row['out_size'], row['out_sha256'], *answer, sep='\t')
"#;

/// Streams that are refused, and what for.
const REFUSED: [(&str, &str); 12] = [
    // gzip says that it is encrypted (a flag that RFC 1952 reserves), zlib that its deflate data
    // is none.
    ("klauspost-compress/issue6550.gz", "gzip: reserved flags are set"),
    // Text after the member: gzip warns and ends with 2, Python refuses.
    ("libarchive/test_compat_gzip_2.tgz", "gzip: garbage after the end"),
    // A quine of which the checksum cannot be right.
    ("libarchive/test_read_filter_gzip_recursive.gz", "gzip: wrong CRC-32"),
    ("zstd-golden/hufts-segv.gz", "gzip: invalid deflate data"),
    // All refuse it.
    ("klauspost-compress/target.txt.zst", "zstd: invalid data (libzstd's error 20)"),
    // A skippable frame of 4 GiB, of which four bytes are there.
    ("libarchive/test_read_filter_zstd_raw_loop", "zstd: truncated"),
    // `golden-decompression-errors`: zstd 1.5.4 still took them, from 1.5.6 on they must be
    // errors.
    ("zstd-golden/off0.bin.zst", "zstd: invalid data (libzstd's error 20)"),
    ("zstd-golden/truncated_huff_state.zst", "zstd: invalid data (libzstd's error 20)"),
    ("zstd-golden/zeroSeq_extraneous.zst", "zstd: invalid data (libzstd's error 20)"),
    ("zstd-golden/errors/off0.bin.zst", "zstd: invalid data (libzstd's error 20)"),
    ("zstd-golden/errors/truncated_huff_state.zst", "zstd: invalid data (libzstd's error 20)"),
    ("zstd-golden/errors/zeroSeq_extraneous.zst", "zstd: invalid data (libzstd's error 20)"),
];

/// A block of no sequences whose number takes two bytes: zstd 1.5.4 refused it, the specification
/// and 1.5.7 do not.
const AS_PYTHON: &str = "zstd-golden/zeroSeq_2B.zst";

fn corpus() -> Option<PathBuf> {
    let path = std::env::var_os("OCINIT_CORPUS").map(PathBuf::from);
    let path = path
        .unwrap_or_else(|| [env!("CARGO_MANIFEST_DIR"), "..", "shared", "corpus"].iter().collect());
    let here = path.join("EXPECTED-COMPRESSED.jsonl").exists();
    // A worktree of the project lies one folder deeper.
    let path = if here {
        path
    } else {
        [env!("CARGO_MANIFEST_DIR"), "../../shared/corpus"].iter().collect()
    };
    path.join("EXPECTED-COMPRESSED.jsonl").exists().then_some(path)
}

/// Takes some of the input and gives what it made of it: (bytes used, bytes made).
type Step<'a> = &'a mut dyn FnMut(&[u8], &mut dyn FnMut(&[u8])) -> ocinit::Result<(usize, usize)>;

/// Size and digest of what a stream holds, fed `piece` bytes at a time.
fn decode(format: &str, bytes: &[u8], piece: usize) -> Result<(u64, String), String> {
    let (mut hasher, mut size) = (Hasher::new(Algorithm::Sha256), 0);
    let mut take = |bytes: &[u8]| {
        hasher.update(bytes);
        size += bytes.len() as u64;
    };
    // The pieces, and then nothing until nothing comes.
    let mut run = |step: Step<'_>| {
        for mut input in bytes.chunks(piece) {
            while !input.is_empty() {
                let (used, made) = step(input, &mut take)?;
                assert!(used + made > 0, "no progress");
                input = &input[used..];
            }
        }
        while step(&[], &mut take)?.1 > 0 {}
        ocinit::Result::Ok(())
    };
    let result = match format {
        "gzip" => {
            let mut decoder = Box::new(gzip::Decoder::new());
            let mut window = Box::new(gzip::Window::EMPTY);
            let mut output = vec![0; 32 << 10];
            let all = run(&mut |input, take| {
                let (used, made) = decoder.step(input, &mut window, &mut output)?;
                take(&output[..made]);
                Ok((used, made))
            });
            all.and_then(|()| decoder.finish())
        }
        _ => {
            let mut workspace = vec![0; ocinit::codec::zstd::Decoder::workspace_words()];
            let mut output = vec![0; 32 << 10];
            ocinit::codec::zstd::Decoder::new(&mut workspace).and_then(|mut decoder| {
                run(&mut |input, take| {
                    let (used, made) = decoder.step(input, &mut output)?;
                    take(&output[..made]);
                    Ok((used, made))
                })?;
                decoder.finish()
            })
        }
    };
    result.map_err(|error| error.to_string())?;
    Ok((size, hasher.finish().hex().to_string()))
}

#[test]
fn each_stream_gives_the_listed_bytes_or_a_clear_error() {
    let Some(corpus) = corpus() else {
        eprintln!("SKIPPED: no corpus at OCINIT_CORPUS or ../shared/corpus");
        return;
    };
    let output = Command::new("python3").arg("-c").arg(FLATTEN).arg(&corpus).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let (mut faults, mut read, mut refused) = (Vec::new(), 0, 0);
    for line in text.lines() {
        let [file, format, exit, size, digest, python_size, python_digest] =
            line.split('\t').collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        if format == "zstd" && !cfg!(feature = "zstd") {
            continue;
        }
        let bytes = std::fs::read(corpus.join(file)).unwrap();
        let expected = match REFUSED.iter().find(|(name, _)| *name == file) {
            Some((_, why)) => Err((*why).to_string()),
            None if file == AS_PYTHON => {
                Ok((python_size.parse().unwrap(), python_digest.to_string()))
            }
            None => {
                assert_eq!(
                    (exit, size, digest),
                    ("0", python_size, python_digest),
                    "{file}: to be judged"
                );
                Ok((size.parse().unwrap(), digest.to_string()))
            }
        };
        for piece in [usize::MAX, 1000, 1] {
            let found = decode(format, &bytes, piece);
            if found != expected {
                faults
                    .push(format!("{file}, {piece} bytes at a time: {found:?}, not {expected:?}"));
            }
        }
        *(if expected.is_ok() { &mut read } else { &mut refused }) += 1;
    }
    println!("{read} read, {refused} refused");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(!cfg!(feature = "zstd") || read + refused == text.lines().count());
    assert!(read > refused);
}
