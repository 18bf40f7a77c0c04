//! Reads the public corpus of tar files (`OCINIT_CORPUS`, default `../shared/corpus` beside the project) and compares
//! each entry with what GNU tar and Python agree on.

use ocinit::codec::digest::{Algorithm, Hasher};
use ocinit::codec::tar::{Archive, Kind, TarMemory};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

/// A line per archive: file, compression, "alike" | "refused" | "differ", then a line per entry.
const FLATTEN: &str = r#"
import json, sys
for row in map(json.loads, open(sys.argv[1] + '/EXPECTED.jsonl')):
    verdict = 'differ' if not row['agree'] else 'alike' if row['readable'] else 'refused'
    print('A', row['file'], row['compression'] or 'none', verdict, sep='\t')
    for e in row.get('entries') or []:
        text = lambda s: s[4:] if s.startswith('hex:') else s.encode().hex()
        print('E', text(e['path']), e['type'], e['mode'], e['uid'], e['gid'], e['size'], text(e['linkname']),
              e['mtime'], e['sha256'], sep='\t')
"#;

/// Files of more than this many bytes have holes of terabytes: their content is not hashed.
const HASHED_BYTES: u64 = 64 << 20;

/// What others read and we refuse, because an extended header is larger than the memory for it.
const OVER_LIMITS: [&str; 2] = ["go/pax-bad-hdr-large.tar", "node-tar/excessively-deep.tar"];

fn corpus() -> Option<PathBuf> {
    let path = std::env::var_os("OCINIT_CORPUS").map(PathBuf::from);
    let path = path.unwrap_or_else(|| [env!("CARGO_MANIFEST_DIR"), "..", "shared", "corpus"].iter().collect());
    let here = path.join("EXPECTED.jsonl").exists();
    // A worktree of the project lies one folder deeper.
    let path = if here { path } else { [env!("CARGO_MANIFEST_DIR"), "../../shared/corpus"].iter().collect() };
    path.join("EXPECTED.jsonl").exists().then_some(path)
}

/// Each entry as the flattened list writes it, or the error.
fn read(mut bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut memory = Box::new(TarMemory::EMPTY);
    let mut archive = Archive::new(&mut bytes, &mut memory);
    let mut found = Vec::new();
    while let Some(entry) = archive.next(&mut memory).map_err(|error| error.to_string())? {
        let kind = match entry.kind {
            Kind::File => "file",
            Kind::HardLink => "hardlink",
            Kind::Symlink => "symlink",
            Kind::Character => "char",
            Kind::Block => "block",
            Kind::Directory => "dir",
            Kind::Fifo => "fifo",
        };
        let name = entry.name.strip_suffix(b"/").unwrap_or(entry.name);
        let mut hash = Hasher::new(Algorithm::Sha256);
        let mut at = 0;
        let whole = [ocinit::codec::tar::Segment { offset: 0, length: entry.size }];
        let zeros = [0; 4096];
        for segment in entry.sparse.unwrap_or(&whole) {
            if entry.kind != Kind::File || entry.size > HASHED_BYTES {
                break;
            }
            while at < segment.offset {
                let count = zeros.len().min((segment.offset - at) as usize);
                hash.update(&zeros[..count]);
                at += count as u64;
            }
            while at < segment.offset + segment.length {
                let bytes = archive.data().map_err(|error| error.to_string())?;
                let count = bytes.len().min((segment.offset + segment.length - at) as usize);
                hash.update(&bytes[..count]);
                archive.consume(count);
                at += count as u64;
            }
        }
        while entry.kind == Kind::File && entry.size <= HASHED_BYTES && at < entry.size {
            let count = zeros.len().min((entry.size - at) as usize);
            hash.update(&zeros[..count]);
            at += count as u64;
        }
        let hashed = entry.kind == Kind::File && entry.size <= HASHED_BYTES;
        let digest = if hashed { hash.finish().hex().to_string() } else { "None".to_string() };
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let link = if matches!(entry.kind, Kind::HardLink | Kind::Symlink) { entry.link } else { b"" };
        found.push(format!(
            "E\t{}\t{kind}\t{:04o}\t{}\t{}\t{}\t{}\t{}\t{digest}",
            hex(name),
            entry.mode,
            entry.uid,
            entry.gid,
            entry.size,
            hex(link),
            entry.mtime.0,
        ));
    }
    Ok(found)
}

#[test]
fn the_corpus_reads_as_gnu_tar_and_python_read_it() {
    let Some(corpus) = corpus() else {
        eprintln!("SKIPPED: no corpus at OCINIT_CORPUS or ../shared/corpus");
        return;
    };
    let output = Command::new("python3").arg("-c").arg(FLATTEN).arg(&corpus).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let (mut faults, mut counts) = (Vec::new(), HashMap::new());
    for block in text.split("A\t").skip(1) {
        let mut lines = block.lines();
        let head: Vec<_> = lines.next().unwrap().split('\t').collect();
        let expected: Vec<_> = lines.collect();
        let [file, compression, verdict] = head[..] else { panic!("{head:?}") };
        let tool = match compression {
            "gzip" => "gzip",
            "zstd" => "zstd",
            _ => "cat",
        };
        let mut command = Command::new(tool);
        let command = if tool == "cat" { &mut command } else { command.arg("-dcq") };
        let Ok(output) = command.arg(corpus.join(file)).output() else {
            eprintln!("SKIPPED {file}: no {tool}");
            continue;
        };
        let found = read(&output.stdout);
        let count = counts.entry((verdict.to_string(), found.is_ok())).or_insert(0);
        *count += 1;
        match (verdict, found) {
            ("alike", Ok(found)) => {
                let strip = |line: &str| line.rsplit_once('\t').unwrap().0.to_string();
                let alike = found.len() == expected.len()
                    && found.iter().zip(&expected).all(|(a, b)| a == b || a.ends_with("None") && strip(a) == strip(b));
                if !alike {
                    let first = found.iter().zip(&expected).find(|(a, b)| a != b);
                    faults.push(format!("{file}: {} of {}, {first:#?}", found.len(), expected.len()));
                }
            }
            // A name longer than PATH_MAX and a header of 1 MiB: refused by a named limit, as they would be by the kernel.
            ("alike", Err(error)) if error.contains("exceeds") && OVER_LIMITS.contains(&file) => {}
            ("alike", Err(error)) => faults.push(format!("{file}: {error}")),
            ("refused", Ok(_)) => faults.push(format!("{file}: read, and should not be")),
            ("refused", Err(_)) => {}
            (_, found) => println!("{file}: {}", found.map_or_else(|error| error, |list| list.join("\n    "))),
        }
    }
    println!("{counts:?}");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
