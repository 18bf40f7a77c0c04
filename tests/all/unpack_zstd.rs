//! Layers compressed with zstd: those of real builders, and every form of a stream, unpacked like
//! their tar.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support;
use crate::support::images::{Layer, busybox_layout};
use crate::support::layout::zstd;
use crate::support::unpack::Case;
use crate::support::{Boot, Tar, busybox, scratch, tool};

/// The limit of `src/limits.rs`.
const WINDOW_BYTES: u64 = ocinit::limits::ZSTD_WINDOW_BYTES;

fn unpack(layout: &Path, root: &Path) {
    tool(Command::new(env!("CARGO_BIN_EXE_ocinit")).arg("unpack").arg(layout).arg(root));
}

/// Two trees are the same in all that `find` and `diff` can say; of so many files.
#[track_caller]
fn alike(expected: &Path, found: &Path, at_least: usize) {
    let [expected_lines, found_lines] = [expected, found].map(|root| {
        let format = "%P %y %m %U %G %s %T@ %n %l\n";
        let list = tool(Command::new("find").arg(root).args(["-mindepth", "1", "-printf", format]));
        let mut lines: Vec<_> =
            String::from_utf8(list).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    });
    let first = expected_lines.iter().zip(&found_lines).find(|(one, other)| one != other);
    assert_eq!((first, expected_lines.len()), (None, found_lines.len()));
    assert!(found_lines.len() >= at_least, "{} files", found_lines.len());
    tool(Command::new("diff").arg("-r").arg("--no-dereference").args([expected, found]));
}

/// The image unpacks to the same tree as the gzip one it was made from, and is really zstd.
fn same_tree(directory: &Path, layout: &Path) {
    let blobs = std::fs::read_dir(layout.join("blobs/sha256")).unwrap();
    let packed = blobs.filter(|blob| {
        let bytes = support::read(&blob.as_ref().unwrap().path());
        bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || bytes[1..].starts_with(&[0x2a, 0x4d, 0x18])
    });
    assert_eq!(packed.count(), 1, "{}", layout.display());
    let (expected, found) = (directory.join("expected"), layout.with_extension("root"));
    if !expected.exists() {
        unpack(&busybox_layout(), &expected);
    }
    unpack(layout, &found);
    alike(&expected, &found, 200);
}

#[test]
fn what_buildah_writes() {
    let directory = scratch("zstd-buildah");
    let buildah = || {
        let mut command = Command::new("buildah");
        command.args(["--storage-driver", "vfs", "--root"]).arg(directory.join("storage"));
        command.arg("--runroot").arg(directory.join("run"));
        command
    };
    let source = format!("oci:{}:latest", busybox_layout().display());
    let id = String::from_utf8(tool(buildah().args(["pull", "-q"]).arg(source))).unwrap();
    for format in ["zstd", "zstd:chunked"] {
        let layout = directory.join(format.replace(':', "-"));
        let target = format!("oci:{}:latest", layout.display());
        tool(buildah().args(["push", "-q", "--compression-format", format, id.trim(), &target]));
        same_tree(&directory, &layout);
    }
}

#[test]
fn what_skopeo_writes() {
    let directory = scratch("zstd-skopeo");
    for level in ["1", "3", "7", "20"] {
        let layout = directory.join(level);
        let (source, target) = (
            format!("oci:{}:latest", busybox_layout().display()),
            format!("oci:{}:latest", layout.display()),
        );
        let options = ["--dest-compress-format", "zstd", "--dest-compress-level", level];
        tool(Command::new("skopeo").args(["copy", "-q"]).args(options).args([source, target]));
        same_tree(&directory, &layout);
    }
}

/// Two files, 3 MB of noise and 3 MB of text.
fn tar() -> Vec<u8> {
    let text: String = (0..300_000).map(|n| format!("line {n}\n")).collect();
    Tar::new().file("a", 0o644, support::random_bytes(3_000_000)).file("b", 0o600, text).finish()
}

fn skippable(magic: u8, bytes: &[u8]) -> Vec<u8> {
    [&[magic, 0x2a, 0x4d, 0x18][..], &(bytes.len() as u32).to_le_bytes(), bytes].concat()
}

/// This layer unpacks as its tar does.
fn gives_the_tar(name: &str, tar: &[u8], stored: Vec<u8>) {
    let plain = Case::new(
        &format!("{name}-tar"),
        vec![Layer { stored: tar.to_vec(), ..Layer::zstd(tar, &[]) }],
    );
    let packed = Case::new(name, vec![Layer { stored, ..Layer::zstd(tar, &[]) }]);
    alike(&plain.gives(&["a", "b"]), &packed.gives(&["a", "b"]), 2);
}

#[test]
fn frames_in_any_number_and_order() {
    let tar = tar();
    let (first, second) = tar.split_at(1_234_567);
    let note = skippable(0x50, &support::random_bytes(200_000));
    let parts = |options: &[&str]| (zstd(first, options), zstd(second, options));
    let (one, two) = parts(&["-3"]);
    gives_the_tar("zstd-frames", &tar, [&one[..], &two].concat());
    gives_the_tar("zstd-skip-first", &tar, [&note[..], &one, &two].concat());
    gives_the_tar(
        "zstd-skip-everywhere",
        &tar,
        [&note[..], &one, &note, &skippable(0x5f, b""), &two, &note].concat(),
    );
    let empty = zstd(b"", &[]);
    gives_the_tar("zstd-empty-frames", &tar, [&empty[..], &one, &empty, &two, &empty].concat());
    let pieces: Vec<u8> = tar.chunks(40_001).flat_map(|piece| zstd(piece, &["-1"])).collect();
    gives_the_tar("zstd-many-frames", &tar, pieces);
    // Under the wrong label.
    let case = Case::new("zstd-called-gzip", vec![Layer { gzip: true, ..Layer::zstd(&tar, &[]) }]);
    case.gives(&["a", "b"]);
    // A layer of nothing.
    Case::new("zstd-nothing", vec![Layer::zstd(b"", &[])]).gives(&[]);
}

#[test]
fn every_level_of_the_command_line() {
    let tar = tar();
    for options in
        [&["--fast=7"][..], &["-1"], &["-3", "--no-check"], &["-19"], &["--ultra", "-20"]]
    {
        gives_the_tar("zstd-level", &tar, zstd(&tar, options));
    }
    // From a file the size is known, and the window no larger than it.
    let file = scratch("zstd-file").join("tar");
    support::write(&file, &tar);
    let packed = tool(Command::new("zstd").args(["-q", "-c", "--ultra", "-22"]).arg(&file));
    gives_the_tar("zstd-small-22", &tar, packed);
}

#[test]
fn a_window_over_the_limit_is_refused_with_its_size() {
    let tar = tar();
    for log in 24..=27 {
        let long = format!("--long={log}");
        let window = 1 << log;
        let layer = Layer::zstd(&tar, &["-3", &long]);
        match window <= WINDOW_BYTES {
            true => drop(Case::new("zstd-long", vec![layer]).gives(&["a", "b"])),
            false => Case::new("zstd-long", vec![layer])
                .refuses(&format!("zstd: a window of {window} bytes, more than {WINDOW_BYTES}")),
        }
    }
    let case = Case::new("zstd-22", vec![Layer::zstd(&tar, &["--ultra", "-22"])]);
    case.refuses("zstd: a window of 134217728 bytes, more than");
}

#[test]
fn damaged_streams_are_refused() {
    let tar = tar();
    let good = Layer::zstd(&tar, &["-3", "--check"]);
    for cut in [1, 4, 1000, 2_000_000] {
        let stored = good.stored[..good.stored.len() - cut].to_vec();
        Case::new("zstd-truncated", vec![Layer { stored, ..good.clone() }])
            .refuses("zstd: truncated");
    }
    // The diff_id covers the bytes, so the frame's own checksum is not looked at.
    let mut stored = good.stored.clone();
    *stored.last_mut().unwrap() ^= 1;
    assert_eq!(Case::new("zstd-checksum", vec![Layer { stored, ..good.clone() }]).run().status, 0);
    for garbage in [&b"\0"[..], b"garbage"] {
        let stored = [&good.stored, garbage].concat();
        Case::new("zstd-garbage", vec![Layer { stored, ..good.clone() }])
            .refuses("zstd: garbage after the end");
    }
    let dictionary = scratch("zstd-dictionary").join("dictionary");
    let samples: Vec<PathBuf> = (0..200)
        .map(|n| {
            let sample = dictionary.with_file_name(format!("sample{n}"));
            support::write(
                &sample,
                format!("name={n} value={} kind={}\n", n * 7919 % 1000, n % 13).repeat(20),
            );
            sample
        })
        .collect();
    tool(
        Command::new("zstd")
            .args(["-q", "--dictID=77", "--train"])
            .args(samples)
            .arg("-o")
            .arg(&dictionary),
    );
    let layer = Layer::zstd(&tar, &["-D", dictionary.to_str().unwrap()]);
    Case::new("zstd-dictionary", vec![layer])
        .refuses("zstd: dictionary 77 is needed, and an image has none");
}

#[test]
fn a_machine_boots_from_it() {
    let directory = scratch("zstd-boot");
    let plain = busybox();
    let tar =
        tool(Command::new("gzip").arg("-dc").stdin(file_of(&plain.layers[0].stored, &directory)));
    let mut image = plain;
    image.layers = vec![Layer::zstd(&tar, &["-19"])];
    let which = Layer::zstd(&Tar::new().file("which", 0o644, "from zstd\n").finish(), &[]);
    image.layer(which).write(&directory.join("layout"));
    let outcome = Boot::new(directory.join("layout")).arguments(["cat", "/which"]).run();
    outcome.expect_status(0).expect_stdout("from zstd\n");
}

fn file_of(bytes: &[u8], directory: &Path) -> std::fs::File {
    let path = directory.join("layer.gz");
    support::write(&path, bytes);
    std::fs::File::open(path).unwrap()
}
