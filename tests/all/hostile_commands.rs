//! Every image command on every hostile layout: one line that says what, the right status, within
//! seconds and a fixed address space. Nothing is left, and neither the layout nor what is outside
//! of it changes.
//!
//! `hostile.rs` has the contents of layers, and `hostile_layouts.rs` what `qemu/boot` and
//! `qemu/mkdisk` take.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support;
use crate::support::images::{Layer, Stored};
use crate::support::layout::{Blob, MANIFEST, tagged};
use crate::support::{Image, Layout, Tar, ocinit, scratch, tool, tree, write};

/// A command and what it may use: the static memory is 20 MiB, and `list-files` maps as it needs.
const LIMITS: [&str; 2] = ["--as=536870912", "--cpu=20"];

/// The commands. `@L@` is the layout, `@O@` an empty folder, `@G@` a layout of the same image that
/// is whole.
const WAYS: [(&str, &str); 14] = [
    ("inspect", "inspect @L@"),
    ("inspect json", "inspect --format json @L@"),
    ("inspect tag", "inspect @L@:latest"),
    ("verify", "verify @L@"),
    ("unpack", "unpack @L@ @O@/root"),
    ("list-files", "list-files @L@"),
    ("bundle", "bundle @L@ @O@/bundle"),
    ("copy", "copy @L@ oci:@O@/copy"),
    ("copy all", "copy --all @L@ oci:@O@/copy"),
    ("copy to archive", "copy @L@ oci-archive:@O@/copy.tar"),
    ("copy to docker", "copy @L@ docker-archive:@O@/copy.tar"),
    ("copy to stdout", "copy @L@ oci-archive:-"),
    ("run", "--root @O@/state run --image @L@ hostile"),
    ("copy into", "copy @G@ oci:@L@:other"),
];

fn image() -> Image {
    let tar = Tar::new().directory("etc/", 0o755).file("etc/it", 0o644, "text");
    Image::empty().config(r#""Cmd":["/etc/it"]"#).layer(Layer::plain(tar))
}

/// One file of a layout that is something else.
struct Case {
    file: &'static str,
    kind: &'static str,
    path: String,
}

/// What stands in place of a file or folder of a layout.
const KINDS: [&str; 11] = [
    "nothing",
    "a FIFO",
    "a folder",
    "a socket",
    "a device",
    "a link out",
    "a magic link",
    "a link to itself",
    "a link to a FIFO",
    "a hole of 8 TiB",
    "an empty file",
];

/// `outside` holds what was in `place` before.
fn put(kind: &str, place: &Path, outside: &Path) {
    let former = outside.join("former");
    std::fs::rename(place, &former).expect("move away");
    match kind {
        "nothing" => {}
        "a FIFO" => drop(tool(Command::new("mkfifo").arg(place))),
        "a folder" => {
            std::fs::create_dir(place).expect("folder");
            write(&place.join("in it"), "");
        }
        "a socket" => drop(
            UnixListener::bind(outside.join("s"))
                .and_then(|_| std::fs::rename(outside.join("s"), place)),
        ),
        // It never ends.
        "a device" => drop(tool(Command::new("mknod").arg(place).args(["c", "1", "5"]))),
        "a link out" => symlink(&former, place).expect("link"),
        "a magic link" => symlink("/proc/self/exe", place).expect("link"),
        "a link to itself" => symlink(place.file_name().expect("name"), place).expect("link"),
        "a link to a FIFO" => {
            tool(Command::new("mkfifo").arg(place.with_extension("fifo")));
            symlink(place.with_extension("fifo").file_name().expect("name"), place).expect("link");
        }
        "a hole of 8 TiB" => {
            File::create(place).and_then(|file| file.set_len(8 << 40)).expect("hole")
        }
        "an empty file" => write(place, ""),
        _ => panic!("{kind}"),
    }
}

const FILES: [&str; 7] =
    ["oci-layout", "index.json", "blobs", "blobs/sha256", "manifest", "config", "layer"];

/// Each of the files of a layout replaced by each kind of file.
fn replaced_files(stored: &Stored) -> Vec<Case> {
    let hex = |blob: &Blob| blob.digest.replace("sha256:", "blobs/sha256/");
    let of =
        [("manifest", &stored.manifest), ("config", &stored.config), ("layer", &stored.layers[0])];
    let blobs: Vec<(&str, String)> = of.into_iter().map(|(name, blob)| (name, hex(blob))).collect();
    let mut cases = Vec::new();
    for file in FILES {
        let path = blobs
            .iter()
            .find(|(name, _)| *name == file)
            .map_or(file.to_string(), |(_, path)| path.clone());
        for kind in KINDS {
            cases.push(Case { file, kind, path: path.clone() });
        }
    }
    cases
}

/// What a command must say where `file` is a `kind`; nothing if it succeeds.
fn expected(file: &str, kind: &str, way: &str) -> &'static str {
    let is_folder = file.starts_with("blobs");
    let is_blob = ["manifest", "config", "layer"].contains(&file);
    match (file, kind) {
        // A copy into the layout writes anew what is not as it should be; it removes no folder, and
        // follows no link.
        _ if way == "copy into" && is_blob => {
            if kind == "a folder" {
                "is a directory"
            } else {
                ""
            }
        }
        (_, "nothing" | "a folder") if way == "copy into" && is_folder => "",
        _ if way == "copy into" && is_folder => "not a directory",
        ("index.json", "nothing") if way == "copy into" => "",
        ("oci-layout", "nothing") if way == "copy into" => "not empty, and no layout",
        // Layers are not read to inspect an image.
        ("layer", _) if way.starts_with("inspect") => "",
        ("index.json", "nothing") => "neither index.json nor refs",
        (_, "nothing") => "missing",
        (_, "a link out") => "leads out of the layout",
        (_, "a magic link") => ": ",
        (_, "a link to itself") => "too many levels of symbolic links",
        _ if is_folder => "missing",
        (_, "a hole of 8 TiB" | "an empty file") if is_blob => "size mismatch",
        (_, "a hole of 8 TiB") => "8796093022208 bytes, more than the",
        (_, "an empty file") => "invalid JSON at byte 0",
        _ => "not a regular file",
    }
}

/// Where one case is tried.
struct Place {
    layout: PathBuf,
    outside: PathBuf,
    out: PathBuf,
    good: PathBuf,
    top: PathBuf,
}

impl Place {
    fn new(top: &Path, good: &Path, case: &Case, stored: &Path) -> Place {
        let _ = std::fs::remove_dir_all(top);
        std::fs::create_dir_all(top.join("outside")).expect("outside");
        tool(Command::new("cp").arg("-a").arg(stored).arg(top.join("layout")));
        put(case.kind, &top.join("layout").join(&case.path), &top.join("outside"));
        let at = |name: &str| top.join(name);
        let (layout, outside, out) = (at("layout"), at("outside"), at("out"));
        Place { layout, outside, out, good: good.to_path_buf(), top: top.to_path_buf() }
    }

    /// What is wrong with what a command does.
    fn check(&self, words: &str, says: &str, is_into: bool) -> Result<(), String> {
        let _ = std::fs::remove_dir_all(&self.out);
        std::fs::create_dir_all(self.out.join("tmp")).expect("out");
        let record = |path: &Path| -> Vec<String> {
            let all = tree::read(path);
            all.iter().map(|(path, entry)| format!("{path} {}", entry.record())).collect()
        };
        let (before, outside) = (names(&self.layout), record(&self.outside));
        let fill = |word: &str| {
            let at = |path: &Path| path.to_str().expect("UTF-8").to_string();
            word.replace("@L@", &at(&self.layout))
                .replace("@O@", &at(&self.out))
                .replace("@G@", &at(&self.good))
        };
        let mut command = Command::new("timeout");
        command
            .args(["-s", "KILL", "60", "prlimit"])
            .args(LIMITS)
            .arg(ocinit())
            .args(words.split(' ').map(fill));
        command.env("TMPDIR", self.out.join("tmp")).stdin(Stdio::null()).current_dir(&self.out);
        let said = command.output().expect("it starts");
        let (line, status) =
            (String::from_utf8_lossy(&said.stderr).into_owned(), said.status.code());
        let left: Vec<_> = names(&self.out).into_iter().filter(|name| name != "tmp").collect();
        let is_one =
            line.starts_with("ocinit: ") && line.ends_with('\n') && line.lines().count() == 1;
        let is_clean = !said
            .stdout
            .iter()
            .chain(&said.stderr)
            .any(|byte| matches!(byte, 0..=8 | 11..=31 | 127));
        let is_stream = words.ends_with("oci-archive:-");
        if says.is_empty() {
            if status != Some(0) || !line.is_empty() {
                return Err(format!("status {status:?}, said {line:?}, and should succeed"));
            }
        } else if status != Some(125) || !is_one || !line.contains(says) {
            return Err(format!("status {status:?}, said {line:?}, not {says:?}"));
        } else if !left.is_empty() {
            return Err(format!("left {left:?}"));
        }
        if !is_clean && !is_stream {
            return Err("control characters".into());
        }
        if record(&self.outside) != outside {
            return Err("the outside was changed".into());
        }
        if !is_into && names(&self.layout) != before {
            return Err("the layout was changed".into());
        }
        if names(&self.layout).iter().any(|name| name.contains(".partial-")) {
            return Err("half a file is left in the layout".into());
        }
        Ok(())
    }
}

/// The paths of all that is in a folder, without a look at the contents.
fn names(folder: &Path) -> Vec<String> {
    let mut names = String::from_utf8(tool(Command::new("find").arg(folder).args([
        "-mindepth",
        "1",
        "-printf",
        "%P %y\n",
    ])))
    .expect("UTF-8")
    .lines()
    .map(|line| line.rsplit_once(' ').expect("a kind").0.to_string())
    .collect::<Vec<_>>();
    names.sort();
    names
}

#[test]
fn no_command_is_led_astray_by_the_files_of_a_layout() {
    let top = scratch("hostile-commands");
    let (layout, stored) = image().write(&top.join("good"));
    check_all(&top, &layout.directory, &replaced_files(&stored));
}

fn check_all(top: &Path, good: &Path, cases: &[Case]) {
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = |thread: usize| {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let place = Place::new(&top.join(format!("{thread}")), good, case, good);
            for (way, words) in WAYS {
                if let Err(fault) =
                    place.check(words, expected(case.file, case.kind, way), way == "copy into")
                {
                    faults
                        .lock()
                        .expect("lock")
                        .push(format!("{} is {}, {way}: {fault}", case.file, case.kind));
                }
            }
            let _ = std::fs::remove_dir_all(&place.top);
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|thread| drop(scope.spawn(move || work(thread)))));
    let faults = faults.into_inner().expect("lock");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Runs it with little processor time; its status and what it said.
fn in_little_time(words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new("prlimit");
    command
        .args(["--as=536870912", "--cpu=15"])
        .arg(ocinit())
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let said = command.output().expect("it starts");
    (said.status.code(), String::from_utf8_lossy(&said.stderr).into_owned())
}

/// Gigabytes in all, but one file of the largest size that a document may have.
#[test]
fn a_document_that_is_named_thousands_of_times_is_not_read_as_often() {
    let layout = scratch("hostile-commands-often").join("layout");
    let mut layout = Layout::create(&layout);
    let zeros = layout.blob(&vec![0; 4 << 20]);
    layout.entries =
        (0..4096).map(|n| zeros.descriptor(MANIFEST, &tagged(&format!("t{n}")))).collect();
    layout.write_index();
    for format in ["table", "json"] {
        let (status, line) = in_little_time(&[
            "inspect",
            "--format",
            format,
            layout.directory.to_str().expect("UTF-8"),
        ]);
        assert!(
            status == Some(125) && line.contains("invalid JSON at byte 0"),
            "{status:?} {line}"
        );
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

/// Each image of a docker-archive is read, but not its whole `manifest.json` for each.
#[test]
fn thousands_of_images_in_one_archive_take_no_time_for_each_other() {
    let archive = scratch("hostile-commands-docker").join("archive.tar");
    let config = image().config_json();
    let layer = image().layers.remove(0).stored;
    let items: Vec<_> = (0..4000)
        .map(|n| format!(r#"{{"Config":"it.json","RepoTags":["name:{n}"],"Layers":["layer"]}}"#))
        .collect();
    let tar = Tar::new().file("it.json", 0o644, config).file("layer", 0o644, layer);
    write(&archive, tar.file("manifest.json", 0o644, format!("[{}]", items.join(","))).finish());
    let archive = archive.to_str().expect("UTF-8");
    for words in
        [&["inspect", archive][..], &["inspect", "--format", "json", archive], &["verify", archive]]
    {
        assert_eq!(in_little_time(words), (Some(0), String::new()), "{words:?}");
    }
}

/// A value that is no text is shown without a look for its place in the document.
#[test]
fn a_configuration_of_the_largest_size_is_shown_soon() {
    let ports: Vec<_> = (0..150_000).map(|n| format!(r#""{n}/tcp":{{}}"#)).collect();
    let others: Vec<_> = (0..50_000).map(|n| format!(r#""other{n}":{n}"#)).collect();
    let config = format!(r#""ExposedPorts":{{{}}},{}"#, ports.join(","), others.join(","));
    let (layout, _) =
        image().config(&config).write(&scratch("hostile-commands-ports").join("layout"));
    for format in ["table", "json"] {
        let words = ["inspect", "--format", format, layout.directory.to_str().expect("UTF-8")];
        assert_eq!(in_little_time(&words), (Some(0), String::new()), "{format}");
    }
}

/// As many labels as an image may have, of a few KB each, that begin alike.
#[test]
fn many_long_labels_take_no_time_for_each_other() {
    let directory = scratch("hostile-commands-labels");
    let begin = "k".repeat(3000);
    let labels: Vec<_> = (0..1024).map(|n| format!(r#""{begin}{n}":"{n}""#)).collect();
    let (layout, _) = image()
        .config(&format!(r#""Labels":{{{}}}"#, labels.join(",")))
        .write(&directory.join("layout"));
    let bundle = directory.join("bundle");
    let words =
        ["bundle", layout.directory.to_str().expect("UTF-8"), bundle.to_str().expect("UTF-8")];
    assert_eq!(in_little_time(&words), (Some(0), String::new()));
    let config = String::from_utf8(support::read(&bundle.join("config.json"))).expect("UTF-8");
    assert!(
        labels.iter().all(|label| config.contains(label.trim_end_matches(|end: char| end != ':')))
    );
}
