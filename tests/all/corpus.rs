//! The public corpus of tar files (`OCINIT_CORPUS`, default `../shared/corpus` beside the project):
//! each file as the one layer of an image, unpacked by `ocinit unpack`, and the tree compared with
//! what GNU tar and Python list, entry by entry. Needs root, as unpacking does, and gzip and zstd
//! for what is packed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support;
use crate::support::images::Layer;
use crate::support::model::{Listed, Model};
use crate::support::{Image, scratch, tool, tree};
use ocinit::codec::tar::{Archive as TarReader, Kind, TarMemory};

/// A line for each archive: file, compression, verdict; then one for each entry, with who lists it.
const FLATTEN: &str = r#"
import json, sys
def text(s):
    return s[4:] if s.startswith('hex:') else s.encode().hex()
for row in map(json.loads, open(sys.argv[1] + '/EXPECTED.jsonl')):
    verdict = 'differ' if not row['agree'] else 'alike' if row['readable'] else 'refused'
    print('A', row['file'], row['compression'] or 'none', verdict, sep='\t')
    for who, key in ('both', 'entries'), ('gnu', 'entries_gnu'), ('python', 'entries_python'):
        for e in row.get(key) or []:
            device = ':'.join(map(str, e.get('dev') or []))
            fraction = (e.get('mtime_frac') or '').lstrip('.') if e['mtime'] >= 0 else ''
            print('E', who, text(e['path']), e['type'], e['mode'], e['uid'], e['gid'], e['size'], text(e['linkname']),
                  e['mtime'], fraction, e['sha256'], device, sep='\t')
"#;

/// What others read and no layer may have, and the reason that is said. Their lists are compared
/// all the same.
const NO_LAYER: &[(&str, &str)] = &[
    ("cpython/testtar.tar", "uid 4294967295 is more than 4294967294"),
    ("go/pax-bad-hdr-large.tar", "extended header of 1048577 bytes exceeds 262144 bytes"),
    ("libarchive/test_patterns_4.tar", "entry /../file02: a name that leaves the root"),
    ("libarchive/test_read_format_tar_empty_filename.tar", "entry: an empty name"),
    ("node-tar/excessively-deep.tar", "extended header of 444788 bytes exceeds 262144 bytes"),
    ("node-tar/path-missing.tar", "entry: an empty name"),
    ("tar-rs/empty_filename.tar", "entry: an empty name"),
    ("tokio-tar/empty_filename.tar", "entry: an empty name"),
];
/// Those of them whose names are longer than PATH_MAX by so much that their headers are not read.
const UNREAD: &str = "extended header of";
/// gzip passes over what follows the stream here, with a warning. As a layer it is refused; its tar
/// is not.
const GARBAGE: &str = "libarchive/test_compat_gzip_2.tgz";

/// What is judged file by file, because the two readers differ.
const JUDGED: &str = include_str!("corpus_judged.tsv");

/// Archives of terabytes that are nearly all holes fit, their zeros do not.
const DISK_BYTES: u64 = 512 << 20;

struct Archive {
    file: String,
    compression: String,
    verdict: String,
    lists: BTreeMap<String, Vec<Listed>>,
}

fn corpus() -> Option<PathBuf> {
    let path = std::env::var_os("OCINIT_CORPUS").map(PathBuf::from);
    let path = path
        .unwrap_or_else(|| [env!("CARGO_MANIFEST_DIR"), "..", "shared", "corpus"].iter().collect());
    let here = path.join("EXPECTED.jsonl").exists();
    // A worktree of the project lies one folder deeper.
    let path = if here {
        path
    } else {
        [env!("CARGO_MANIFEST_DIR"), "../../shared/corpus"].iter().collect()
    };
    path.join("EXPECTED.jsonl").exists().then_some(path)
}

fn archives(corpus: &Path) -> Vec<Archive> {
    let text = String::from_utf8(tool(Command::new("python3").arg("-c").arg(FLATTEN).arg(corpus)))
        .expect("UTF-8");
    let mut archives = Vec::<Archive>::new();
    for line in text.lines() {
        let words: Vec<_> = line.split('\t').collect();
        let word = |at: usize| words[at].to_string();
        match words[0] {
            "A" => {
                let (file, compression, verdict) = (word(1), word(2), word(3));
                archives.push(Archive { file, compression, verdict, lists: BTreeMap::new() });
            }
            _ => {
                let lists = &mut archives.last_mut().expect("an archive").lists;
                lists.entry(word(1)).or_default().push(listed(&words[2..]));
            }
        }
    }
    archives
}

fn listed(words: &[&str]) -> Listed {
    let bytes = |hex: &str| {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
            .collect()
    };
    let number = |at: usize| words[at].parse().unwrap_or(u64::MAX);
    Listed {
        path: bytes(words[0]),
        kind: words[1].into(),
        mode: u32::from_str_radix(words[2], 8).expect("a mode"),
        uid: number(3),
        gid: number(4),
        size: number(5),
        link: bytes(words[6]),
        mtime: words[7].parse().expect("a time"),
        fraction: words[8].into(),
        sha256: words[9].into(),
        device: words[10].split_once(':').map(|(major, minor)| {
            (major.parse().expect("a number"), minor.parse().expect("a number"))
        }),
    }
}

/// The archive's bytes, and the layer that they are.
fn layer(file: &Path, compression: &str) -> (Vec<u8>, Layer) {
    let stored = support::read(file);
    let plain = match compression {
        "none" => stored.clone(),
        packer => Command::new(packer).arg("-dcq").arg(file).output().expect("starts").stdout,
    };
    let (gzip, diff_id) = (compression == "gzip", support::layout::sha256(&plain));
    (plain.clone(), Layer { stored: if gzip { stored } else { plain }, gzip, diff_id })
}

/// What `ocinit unpack` makes of a layer: the tree, or the line.
fn unpack(place: &Path, layer: Layer) -> Result<BTreeMap<String, tree::Entry>, String> {
    let _ = std::fs::remove_dir_all(place);
    let image = Image {
        architecture: "amd64".into(),
        os: "linux".into(),
        config: String::new(),
        layers: vec![layer],
    };
    image.write(&place.join("image"));
    let root = place.join("rootfs");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ocinit"));
    let output =
        command.arg("unpack").arg(place.join("image")).arg(&root).output().expect("starts");
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    let beside = std::fs::read_dir(place).expect("place").count();
    match output.status.code() {
        Some(0) if beside == 2 => Ok(tree::read(&root)),
        Some(125)
            if beside == 1
                && line.lines().count() == 1
                && line.starts_with("ocinit: layer 1 of 1 ") =>
        {
            Err(line)
        }
        status => Err(format!("WRONG status {status:?}, {beside} things beside, {line}")),
    }
}

/// The entries as the codec reads them, to be compared where no tree can be made.
fn read(mut bytes: &[u8]) -> Result<Vec<Listed>, String> {
    let mut memory = Box::new(TarMemory::EMPTY);
    let mut archive = TarReader::new(&mut bytes, &mut memory);
    let mut found = Vec::new();
    while let Some(entry) = archive.next(&mut memory).map_err(|error| error.to_string())? {
        let (kind, has_link) = match entry.kind {
            Kind::File => ("file", false),
            Kind::HardLink => ("hardlink", true),
            Kind::Symlink => ("symlink", true),
            Kind::Character => ("char", false),
            Kind::Block => ("block", false),
            Kind::Directory => ("dir", false),
            Kind::Fifo => ("fifo", false),
        };
        found.push(Listed {
            path: entry.name.strip_suffix(b"/").unwrap_or(entry.name).to_vec(),
            kind: kind.into(),
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            size: entry.size,
            link: if has_link { entry.link.to_vec() } else { Vec::new() },
            mtime: entry.mtime.0,
            ..Listed::default()
        });
    }
    Ok(found)
}

#[test]
fn the_corpus_unpacks_as_gnu_tar_and_python_list_it() {
    let Some(corpus) = corpus() else {
        // Not through the test's own output, which is hidden if it passes.
        let _ = std::fs::write(
            "/dev/stderr",
            "SKIPPED: no corpus at OCINIT_CORPUS or ../shared/corpus\n",
        );
        return;
    };
    let judged: BTreeMap<_, _> =
        JUDGED.lines().filter(|line| !line.starts_with('#')).map(judgement).collect();
    let place = scratch("corpus");
    support::tmpfs::mount_here(&place, DISK_BYTES);
    let (mut faults, mut counts, mut differ) = (Vec::new(), BTreeMap::new(), 0);
    for archive in archives(&corpus) {
        let (plain, mut layer) = layer(&corpus.join(&archive.file), &archive.compression);
        if archive.file == GARBAGE {
            let line = unpack(&place.join("case"), layer).err().unwrap_or_default();
            assert!(line.ends_with("gzip: garbage after the end\n"), "{line}");
            layer = Layer {
                diff_id: support::layout::sha256(&plain),
                stored: plain.clone(),
                gzip: false,
            };
        }
        let outcome = unpack(&place.join("case"), layer);
        let what = if outcome.is_ok() { "unpacked" } else { "refused" };
        let result = match archive.verdict.as_str() {
            "alike" => judge_alike(&archive, &plain, outcome),
            "refused" => {
                outcome.map_or_else(no_wrong_line, |_| Err("unpacked, and must not be".into()))
            }
            _ => {
                differ += 1;
                let judgement =
                    judged.get(archive.file.as_str()).ok_or("not in corpus_judged.tsv".to_string());
                judgement.and_then(|judgement| judge_differing(&archive, judgement, outcome))
            }
        };
        *counts.entry(format!("{}, {what}", archive.verdict)).or_insert(0) += 1;
        if let Err(why) = result {
            faults.push(format!("{}: {why}", archive.file));
        }
    }
    println!("{counts:?}");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(
        differ,
        judged.len(),
        "corpus_judged.tsv judges files that are not there or do not differ"
    );
}

fn no_wrong_line(line: String) -> Result<(), String> {
    if line.starts_with("WRONG") { Err(line) } else { Ok(()) }
}

type Outcome = Result<BTreeMap<String, tree::Entry>, String>;

fn judge_alike(archive: &Archive, plain: &[u8], outcome: Outcome) -> Result<(), String> {
    let listed = archive.lists.get("both").map_or(&[][..], Vec::as_slice);
    let no_layer =
        NO_LAYER.iter().find(|(file, _)| *file == archive.file).map(|(_, reason)| *reason);
    if no_layer.is_none_or(|reason| !reason.starts_with(UNREAD)) {
        let (found, bare) = (read(plain)?, |entry: &Listed| Listed {
            fraction: String::new(),
            sha256: String::new(),
            device: None,
            ..entry.clone()
        });
        let expected: Vec<_> = listed.iter().map(bare).collect();
        if let Some((found, expected)) =
            found.iter().zip(&expected).find(|(found, expected)| found != expected)
        {
            return Err(format!("{found:?}, not {expected:?}"));
        }
        if found.len() != expected.len() {
            return Err(format!("{} entries, not {}", found.len(), expected.len()));
        }
    }
    match (no_layer, outcome) {
        (None, Ok(tree)) => Model::of(listed)?.compare(&tree),
        (None, Err(line)) => Err(line),
        (Some(reason), Err(line)) if line.contains(reason) => Ok(()),
        (Some(reason), outcome) => Err(format!("{:?}, not {reason}", outcome.err())),
    }
}

/// File and verdict of a line of the table.
fn judgement(line: &'static str) -> (&'static str, &'static str) {
    match line.split('\t').collect::<Vec<_>>()[..] {
        [file, _, _, verdict, why] if !why.is_empty() => (file, verdict),
        _ => panic!("corpus_judged.tsv: {line}"),
    }
}

fn judge_differing(archive: &Archive, judgement: &str, outcome: Outcome) -> Result<(), String> {
    let as_listed = |who: &str, tree| {
        Model::of(archive.lists.get(who).map_or(&[][..], Vec::as_slice))?.compare(tree)
    };
    if let Some(reason) = judgement.strip_prefix("refused: ") {
        return match outcome {
            Err(line) if line.contains(reason) && !line.starts_with("WRONG") => Ok(()),
            outcome => Err(format!("{:?}, not {reason}", outcome.err())),
        };
    }
    let found = outcome?;
    match judgement {
        "gnu" => as_listed("gnu", &found),
        "python" => as_listed("python", &found),
        "both" => as_listed("gnu", &found).and_then(|()| as_listed("python", &found)),
        _ => match judgement.strip_prefix("tree:") {
            Some(lines) => {
                tree::check(&lines.trim().split("; ").collect::<Vec<_>>().join("\n"), &found)
            }
            None => Err(format!("no judgement: {judgement}")),
        },
    }
}
