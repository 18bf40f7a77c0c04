//! `ocinit list-files` against what GNU tar shows of the tree that `ocinit unpack` makes of the
//! same image. Needs root, as unpacking does.

use std::path::Path;
use std::process::{Command, Output};

use crate::support;
use crate::support::images::Layer;
use crate::support::layout::Layout;
use crate::support::tar::Header;
use crate::support::unpack::Case;
use crate::support::{Tar, project, random_bytes, tool};

fn list(image: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ocinit")).arg("list-files").arg(image).output().unwrap()
}

/// What is listed, which must succeed without a word.
#[track_caller]
fn listed(image: &Path) -> String {
    let output = list(image);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{}", image.display());
    String::from_utf8(output.stdout).unwrap()
}

/// `tar tvf` of a tree, with the names as a layer has them and not `./` before each.
fn tar_of(root: &Path) -> String {
    let pack = "tar -C \"$0\" --sort=name --format=posix --sparse -c . | tar tv --numeric-owner --quoting-style=escape";
    let mut shell = Command::new("sh");
    let text = tool(shell.args(["-c", pack]).arg(root).env("TZ", "UTC").env("LC_ALL", "C.UTF-8"));
    let text = String::from_utf8(text).unwrap();
    let mut lines = String::new();
    for line in text.lines() {
        // Right behind the time, and where a hard link leads to.
        let at = line.find(" ./").expect("a name") + 1;
        let name = line[at..].strip_prefix("./").filter(|name| !name.is_empty()).unwrap_or("./");
        lines += &format!("{}{}\n", &line[..at], name.replace(" link to ./", " link to "));
    }
    lines
}

/// Directories of which no layer tells have the time of their unpacking, and none in the list: in
/// both nothing is compared but what else is said.
fn without_time_of(text: &str, implied: &[&str]) -> Vec<String> {
    let is_implied = |line: &str| implied.iter().any(|name| line.ends_with(&format!(" {name}")));
    let cut = |line: &str| {
        let at = line.find(':').expect("a time");
        format!("{}{}", &line[..at - 13], &line[at + 3..])
    };
    text.lines().map(|line| if is_implied(line) { cut(line) } else { line.to_string() }).collect()
}

#[track_caller]
fn same_as_unpacked(case: &Case, implied: &[&str]) -> String {
    let list = listed(&case.directory.join("image"));
    let unpacked = case.run();
    assert_eq!((unpacked.status, unpacked.line.as_str()), (0, ""));
    let tree = tar_of(&unpacked.root);
    let (found, expected) = (without_time_of(&list, implied), without_time_of(&tree, implied));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len(), "{list}\n{tree}");
    list
}

fn with_owner<'a>(name: &'a str, kind: u8, mode: u32, owner: (u32, u32)) -> Header<'a> {
    Header { mode, owner, ..Header::new(name, kind) }
}

#[test]
fn every_kind_of_entry() {
    let tar = Tar::new()
        .entry(&with_owner("./", b'5', 0o750, (5, 6)), b"")
        .directory("d/", 0o1777)
        .directory("e/", 0o1700)
        .file("d/file", 0o640, "content")
        .entry(&Header { size: 1, ..with_owner("d/setuid", b'0', 0o6755, (7, 8)) }, b"x")
        .entry(&with_owner("d/Setuid", b'0', 0o6000, (4_000_000_000, 4_000_000_001)), b"")
        .symlink("d/link", "/etc/no where")
        .hard_link("hard", "./d/file")
        .hard_link("a-hard", "/hard")
        .hard_link("d/link-too", "d/link")
        .entry(&with_owner("pipe", b'6', 0o600, (0, 9)), b"")
        .entry(&Header { device: (1, 3), ..with_owner("null", b'3', 0o666, (0, 0)) }, b"")
        .entry(&Header { device: (259, 300), ..with_owner("disk", b'4', 0o660, (0, 6)) }, b"")
        .pax(&[("mtime", "-1.5"), ("path", "a-name-that-is-in-a-pax-header")])
        .file("short", 0o600, "1")
        .pax(&[("mtime", "4500000000.123456789")])
        .file("future", 0o600, "")
        .pax(&[("GNU.sparse.size", "12345678901"), ("GNU.sparse.map", "10,3")])
        .file("sparse", 0o644, "abc");
    let list = same_as_unpacked(&Case::tars("list-kinds", [tar]), &[]);
    assert!(list.contains(" d/file link to a-hard\n"), "{list}");
}

#[test]
fn names_that_a_terminal_would_obey_stay_on_their_line() {
    let long = "x".repeat(255);
    let mut tar = Tar::new().entry(&Header::new("./", b'5'), b"");
    for name in [
        "new\nline",
        "tab\there",
        "back\\slash",
        "esc\x1b[2J",
        "\u{9b}2J",
        "del\x7f",
        "smörgås 😀",
        " ",
        "-> x",
        "bell\x07\x08\x0b\x0c\r\x01",
        &long,
    ] {
        tar = tar.pax(&[("path", name)]).file("x", 0o644, "");
    }
    tar = tar.pax(&[("path", "target"), ("linkpath", "a\nb")]).symlink("l", "t");
    let list = same_as_unpacked(&Case::tars("list-names", [tar]), &[]);
    assert!(
        list.contains("esc\\033[2J\n")
            && list.contains("\\302\\2332J\n")
            && list.contains("smörgås 😀\n")
    );
    assert!(
        list.contains(" target -> a\\nb\n")
            && !list.contains(|c: char| c != '\n' && c.is_control())
    );
}

#[test]
fn names_are_sorted_by_their_bytes_within_each_directory() {
    let mut tar = Tar::new()
        .entry(&Header::new("./", b'5'), b"")
        .directory("a/", 0o755)
        .directory("a.b/", 0o755);
    for name in ["a/z", "a-", "a.b/1", "A", "a/-", "a/y/", "a/y/1", "b", "a0"] {
        tar = if name.ends_with('/') {
            tar.directory(name, 0o755)
        } else {
            tar.file(name, 0o644, "")
        };
    }
    let list = same_as_unpacked(&Case::tars("list-order", [tar]), &[]);
    let names: Vec<_> = list.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(
        names,
        ["./", "A", "a/", "a/-", "a/y/", "a/y/1", "a/z", "a-", "a.b/", "a.b/1", "a0", "b"]
    );
}

#[test]
fn whiteouts_in_any_order() {
    let root = || Tar::new().entry(&Header::new("./", b'5'), b"");
    let base = root()
        .directory("d/", 0o755)
        .directory("d/sub/", 0o755)
        .file("d/sub/x", 0o644, "1")
        .file("d/a", 0o644, "22")
        .file("gone", 0o644, "")
        .directory("o/", 0o755)
        .file("o/old", 0o644, "old")
        .file("both", 0o644, "lower");
    // Whiteouts before, between and after what the same layer adds.
    let upper = root()
        .whiteout("d/a")
        .file("d/b", 0o644, "333")
        .file("both", 0o600, "upper")
        .whiteout("both")
        .file("o/new", 0o644, "new")
        .file("o/.wh..wh..opq", 0o644, "")
        .directory("d/sub/", 0o700)
        .file("d/sub/y", 0o644, "")
        .whiteout("d/sub")
        .whiteout("gone")
        .whiteout("never/was")
        .file(".wh..wh.aufs", 0o644, "");
    let last = root().whiteout("d/b").file("o/.wh..wh..opq", 0o644, "").directory("o/n/", 0o755);
    let list =
        same_as_unpacked(&Case::tars("list-whiteouts", [base, upper, last]), &["d/sub/", "o/"]);
    let names: Vec<_> = list.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(names, ["./", "both", "d/", "d/sub/", "d/sub/y", "o/", "o/n/"]);
}

#[test]
fn one_thing_over_another() {
    let root = || Tar::new().entry(&Header::new("./", b'5'), b"");
    let base = root()
        .directory("dir/", 0o755)
        .file("dir/inside", 0o644, "")
        .file("file", 0o644, "1")
        .symlink("link", "dir")
        .hard_link("second", "file")
        .hard_link("third", "file")
        .directory("kept/", 0o755)
        .file("kept/x", 0o644, "")
        .symlink("dirlink", "kept");
    let upper = root()
        .file("dir", 0o644, "now a file")
        .directory("file/", 0o755)
        .file("link", 0o644, "no link")
        .hard_link("third", "second")
        .hard_link("second", "second")
        .directory("kept/", 0o700)
        .directory("dirlink/", 0o750)
        .file("dirlink/y", 0o644, "")
        .hard_link("link", "kept/x");
    same_as_unpacked(&Case::tars("list-over", [base, upper]), &[]);
}

#[test]
fn symlinked_parents_lead_inside_the_root() {
    let root = || Tar::new().entry(&Header::new("./", b'5'), b"");
    let base = root()
        .directory("usr/", 0o755)
        .directory("usr/lib/", 0o755)
        .symlink("lib", "usr/lib")
        .symlink("abs", "/usr/../usr/lib/.")
        .symlink("up", "../../../usr")
        .symlink("dangling", "nowhere/at/all")
        .symlink("chain", "up/lib")
        .symlink("loop", "loop")
        .file("usr/lib/gone", 0o644, "")
        .file("tofile", 0o644, "")
        .symlink("viafile", "tofile");
    let upper = root()
        .file("lib/one", 0o644, "")
        .file("abs/two", 0o644, "")
        .file("up/three", 0o644, "")
        .file("dangling/four", 0o644, "")
        .file("chain/five", 0o644, "")
        .file("viafile/six", 0o644, "")
        .whiteout("chain/gone")
        .whiteout("loop/x")
        .hard_link("abs/hard", "lib/one");
    let implied = ["nowhere/", "nowhere/at/", "nowhere/at/all/", "tofile/"];
    same_as_unpacked(&Case::tars("list-parents", [base, upper]), &implied);
}

#[test]
fn whiteouts_through_symlinks_hit_what_the_layer_made_or_not() {
    let root = || Tar::new().entry(&Header::new("./", b'5'), b"");
    let base =
        root().directory("real/", 0o755).file("real/old", 0o644, "").symlink("alias", "real");
    let upper = root()
        .file("alias/new", 0o644, "")
        .whiteout("real/new")
        .whiteout("alias/old")
        .file("real/other", 0o644, "")
        .file("alias/.wh..wh..opq", 0o644, "");
    same_as_unpacked(&Case::tars("list-alias", [base, upper]), &[]);
}

#[test]
fn directories_that_no_entry_makes() {
    let upper = Tar::new()
        .directory("a/b/", 0o700)
        .entry(&with_owner("sg/", b'5', 0o2755, (3, 4)), b"")
        .file("sg/x/y/z", 0o644, "")
        .file("q/.wh..wh..opq", 0o644, "")
        .file("deep/er/.wh.nothing", 0o644, "");
    same_as_unpacked(&Case::tars("list-implied", [upper]), &["./", "a/", "sg/x/", "sg/x/y/", "q/"]);
}

#[test]
fn a_layer_that_repeats_itself() {
    let root = || Tar::new().entry(&Header::new("./", b'5'), b"");
    let tar = root()
        .file("x", 0o644, "first")
        .hard_link("y", "x")
        .file("x", 0o600, "second")
        .directory("x/", 0o755)
        .file("x/1", 0o644, "")
        .file("x", 0o640, "third")
        .whiteout("x")
        .hard_link("y", "x");
    same_as_unpacked(&Case::tars("list-repeats", [tar]), &[]);
}

/// The same must be refused, for the same reason.
#[test]
fn what_unpack_refuses_is_refused() {
    let long = format!("{}/x", "y".repeat(256));
    let device = |device| Tar::new().entry(&Header { device, ..Header::new("dev", b'3') }, b"");
    for (name, tar) in [
        ("up", Tar::new().file("a/../../b", 0o644, "")),
        ("inside", Tar::new().file(".wh.x/y", 0o644, "")),
        ("nothing", Tar::new().file("a/.wh.", 0o644, "")),
        ("root", Tar::new().file("./", 0o644, "")),
        ("link", Tar::new().hard_link("x", "missing")),
        ("link-up", Tar::new().hard_link("x", "../missing")),
        ("link-root", Tar::new().directory("d/", 0o755).hard_link("x", "/")),
        ("link-dir", Tar::new().directory("d/", 0o755).hard_link("x", "d")),
        ("link-in", Tar::new().directory("d/", 0o755).file("d/x", 0o644, "").hard_link("d", "d/x")),
        ("loop", Tar::new().symlink("l", "l").file("l/x", 0o644, "")),
        ("device", device((0x1000, 0))),
        ("long", Tar::new().pax(&[("path", &long)]).file("x", 0o644, "")),
        ("uid", Tar::new().pax(&[("uid", "4294967295")]).file("x", 0o644, "")),
        ("empty", Tar::new().symlink("x", "")),
        ("sum", {
            let mut tar = Tar::new().file("x", 0o644, "").finish();
            tar[0] = b'y';
            Tar::raw(tar)
        }),
    ] {
        let case = Case::tars(&format!("list-refused-{name}"), [tar]);
        let output = list(&case.directory.join("image"));
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(125), 0), "{name}: {line}");
        let unpacked = case.run();
        assert_eq!(unpacked.status, 125, "{name}: {}", unpacked.line);
        let until = |line: &str| line.split(": ").take(3).collect::<Vec<_>>().join(": ");
        assert_eq!(until(&line), until(&unpacked.line), "{name}");
    }
}

#[test]
fn nothing_is_listed_of_a_damaged_image() {
    let layers = vec![
        Layer::gzip(Tar::new().file("first", 0o644, "1")),
        Layer::plain(Tar::new().file("second", 0o644, random_bytes(70_000))),
    ];
    let case = Case::new("list-damaged", layers);
    let image = case.directory.join("image");
    let blobs: Vec<_> =
        std::fs::read_dir(image.join("blobs/sha256")).unwrap().map(|e| e.unwrap().path()).collect();
    let largest = blobs.iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(largest).unwrap();
    bytes[60_000] ^= 1;
    std::fs::write(largest, bytes).unwrap();
    let output = list(&image);
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(125), 0));
    assert!(
        line.starts_with("ocinit: layer 2 of 2 sha256:") && line.contains("digest mismatch"),
        "{line}"
    );
}

#[test]
fn a_large_directory_costs_no_more_than_many_small_ones() {
    let layers = |name: &dyn Fn(u32) -> String| {
        let (mut tar, mut gone) = (Tar::new(), Tar::new());
        for n in 0..60_000 {
            tar = tar.file(&name(n), 0o644, "");
            if n % 2 == 0 {
                gone = gone.whiteout(&name(n));
            }
        }
        [tar, gone]
    };
    let time = |case: &Case| {
        let start = std::time::Instant::now();
        let text = listed(&case.directory.join("image"));
        (start.elapsed().as_secs_f64(), text.lines().count())
    };
    let flat = Case::tars("list-flat", layers(&|n| format!("file-{}", n * 7919 % 60_000)));
    let deep = Case::tars("list-deep", layers(&|n| format!("d{}/{n}", n / 10)));
    let ((flat, flat_lines), (deep, deep_lines)) = (time(&flat), time(&deep));
    assert_eq!((flat_lines, deep_lines), (30_001, 36_001));
    assert!(flat < 3.0 * deep + 1.0, "{flat:.2} s for one directory, {deep:.2} s for many");
}

#[test]
fn the_debian_image() {
    let text = tool(&mut Command::new(project().join("qemu/debian-image")));
    let image = String::from_utf8(text).expect("a path").trim_end().to_string();
    let directory = support::scratch("list-debian");
    let root = directory.join("rootfs");
    tool(Command::new(env!("CARGO_BIN_EXE_ocinit")).arg("unpack").arg(&image).arg(&root));
    let (list, tree) = (listed(Path::new(&image)), tar_of(&root));
    std::fs::remove_dir_all(&root).unwrap();
    for (found, expected) in list.lines().zip(tree.lines()) {
        assert_eq!(found, expected);
    }
    assert!(list.lines().count() == tree.lines().count() && list.lines().count() > 5_000);
}

#[test]
fn a_list_that_nobody_reads_to_its_end_ends() {
    let case = Case::tars("list-pipe", [Tar::new().file("a", 0o644, "")]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ocinit"));
    let output =
        command.arg("list-files").arg(case.directory.join("image")).stdout(full).output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), &*line),
        (Some(125), "ocinit: write standard output: no space left on device\n")
    );
}

/// GNU tar makes two devices of one.
#[test]
fn another_name_of_a_device_is_a_link_to_it() {
    let disk = Header { device: (8, 1), mode: 0o660, ..Header::new("disk", b'4') };
    let case = Case::tars("list-devices", [Tar::new().entry(&disk, b"").hard_link("same", "disk")]);
    let list = listed(&case.directory.join("image"));
    let lines: Vec<_> = list.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "brw-rw---- 0/0             8,1 2021-01-14 08:25 disk",
            "hrw-rw---- 0/0               0 2021-01-14 08:25 same link to disk"
        ]
    );
}

#[test]
fn a_docker_archive_and_an_image_for_another_machine() {
    let directory = support::scratch("list-docker");
    let layer = Layer::gzip(Tar::new().file("a", 0o644, "1").whiteout("never"));
    let other = Layer::plain(Tar::new().directory("b/", 0o755).whiteout("a"));
    let image = support::Image { architecture: "arm64".into(), ..support::Image::empty() }
        .layer(layer)
        .layer(other);
    image.write(&directory.join("image"));
    let list = |words: &str, platform: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ocinit"));
        command.args(["list-files", "--platform", platform, words]).output().unwrap()
    };
    let layout = format!("oci:{}", directory.join("image").display());
    let docker = format!("docker-archive:{}", directory.join("docker.tar").display());
    tool(Command::new("skopeo").args(["--override-arch", "arm64", "copy", "-q", &layout, &docker]));
    for words in [&layout, &docker] {
        let output = list(words, "linux/arm64");
        let text = String::from_utf8(output.stdout).unwrap();
        let names: Vec<_> = text.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(names, ["./", "b/"], "{}", String::from_utf8_lossy(&output.stderr));
        let output = list(words, "linux/amd64");
        assert!(
            String::from_utf8(output.stderr).unwrap().contains("wrong architecture")
                && output.stdout.is_empty()
        );
    }
}

#[test]
fn an_archive_is_read_like_a_directory() {
    let case = Case::tars("list-archive", [Tar::new().file("a", 0o644, "").directory("b/", 0o755)]);
    let image = case.directory.join("image");
    let layout = Layout { directory: image.clone(), entries: Vec::new() };
    assert_eq!(listed(&layout.archive()), listed(&image));
}
