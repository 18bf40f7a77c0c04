//! `ocinit unpack` on layers made here: what a layer does to the tree, whiteouts in every order, and layers that lie.
//! Needs root, as unpacking does.

mod support;

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use support::images::Layer;
use support::tar::Header;
use support::{Image, Tar, scratch, tool};

/// A case in a directory of its own: an image of these layers, and where it is unpacked.
struct Case {
    directory: PathBuf,
}

/// What came out.
struct Unpacked {
    status: i32,
    line: String,
    root: PathBuf,
}

impl Case {
    fn new(name: &str, layers: Vec<Layer>) -> Case {
        let directory = scratch(&format!("unpack-{name}"));
        let image = Image { architecture: "amd64".into(), os: "linux".into(), config: String::new(), layers };
        image.write(&directory.join("image"));
        std::fs::write(directory.join("outside"), "untouched").unwrap();
        Case { directory }
    }

    fn tars(name: &str, layers: impl IntoIterator<Item = Tar>) -> Case {
        let pack = |(n, tar)| if n % 2 == 0 { Layer::gzip(tar) } else { Layer::plain(tar) };
        Case::new(name, layers.into_iter().enumerate().map(pack).collect())
    }

    fn run(&self) -> Unpacked {
        let root = self.directory.join("rootfs");
        let mut command = Command::new(env!("CARGO_BIN_EXE_ocinit"));
        let output = command.arg("unpack").arg(self.directory.join("image")).arg(&root).output().unwrap();
        assert!(output.stdout.is_empty());
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(std::fs::read(self.directory.join("outside")).unwrap(), b"untouched");
        let mut names: Vec<_> = std::fs::read_dir(&self.directory).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.retain(|name| name != "rootfs");
        assert_eq!(names.len(), 2, "nothing is left beside the root");
        Unpacked { status: output.status.code().unwrap(), line, root }
    }

    /// Unpacks and compares the names, directories with a slash at the end.
    fn gives(&self, expected: &[&str]) -> PathBuf {
        let unpacked = self.run();
        assert_eq!((unpacked.status, unpacked.line.as_str()), (0, ""));
        let mut found = Vec::new();
        walk(&unpacked.root, &unpacked.root, &mut found);
        found.sort();
        assert_eq!(found, expected);
        unpacked.root
    }

    /// Unpacking fails with one line that holds `why`, and leaves no root.
    fn refuses(&self, why: &str) {
        let unpacked = self.run();
        assert_eq!(unpacked.status, 125, "{why}: {}", unpacked.line);
        assert!(unpacked.line.starts_with("ocinit: layer "), "{}", unpacked.line);
        assert!(unpacked.line.contains(why) && unpacked.line.lines().count() == 1, "{why}: {}", unpacked.line);
        assert!(!unpacked.root.exists(), "a half root is left");
    }
}

fn walk(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
        if path.symlink_metadata().unwrap().is_dir() {
            found.push(name + "/");
            walk(root, &path, found);
        } else {
            found.push(name);
        }
    }
}

fn text(root: &Path, name: &str) -> String {
    std::fs::read_to_string(root.join(name)).unwrap()
}

fn mode(root: &Path, name: &str) -> u32 {
    root.join(name).symlink_metadata().unwrap().permissions().mode() & 0o7777
}

fn with_owner<'a>(name: &'a str, kind: u8, mode: u32, owner: (u32, u32)) -> Header<'a> {
    Header { mode, owner, ..Header::new(name, kind) }
}

#[test]
fn every_kind_of_entry_gets_its_attributes() {
    let tar = Tar::new()
        .entry(&with_owner("./", b'5', 0o750, (5, 6)), b"")
        .directory("d/", 0o1777)
        .file("d/file", 0o640, "content")
        .entry(&Header { size: 1, ..with_owner("d/setuid", b'0', 0o6755, (7, 8)) }, b"x")
        .entry(&with_owner("d/empty", b'0', 0o4711, (7, 8)), b"")
        .symlink("d/link", "/etc/nowhere")
        .hard_link("hard", "./d/file")
        .entry(&with_owner("pipe", b'6', 0o600, (0, 9)), b"")
        .entry(&Header { device: (1, 3), ..with_owner("null", b'3', 0o666, (0, 0)) }, b"")
        .entry(&Header { device: (259, 300), ..with_owner("disk", b'4', 0o660, (0, 6)) }, b"")
        .pax(&[("mtime", "-1.5"), ("path", "a-name-that-is-in-a-pax-header")])
        .file("short", 0o600, "1")
        .pax(&[("mtime", "4500000000.123456789")])
        .directory("future/", 0o755)
        .file("future/x", 0o600, "");
    let root = Case::tars("kinds", [tar]).gives(&[
        "a-name-that-is-in-a-pax-header",
        "d/",
        "d/empty",
        "d/file",
        "d/link",
        "d/setuid",
        "disk",
        "future/",
        "future/x",
        "hard",
        "null",
        "pipe",
    ]);
    let stat = |name: &str| root.join(name).symlink_metadata().unwrap();
    let owner = |name: &str| (stat(name).uid(), stat(name).gid());
    assert_eq!((mode(&root, ""), owner("")), (0o750, (5, 6)));
    assert_eq!((mode(&root, "d"), mode(&root, "d/file"), text(&root, "d/file").as_str()), (0o1777, 0o640, "content"));
    assert_eq!((mode(&root, "d/setuid"), owner("d/setuid")), (0o6755, (7, 8)));
    assert_eq!((mode(&root, "d/empty"), owner("d/empty")), (0o4711, (7, 8)));
    assert_eq!(root.join("d/link").read_link().unwrap(), Path::new("/etc/nowhere"));
    assert_eq!(stat("hard").ino(), stat("d/file").ino());
    assert!(stat("pipe").file_type().is_fifo() && owner("pipe") == (0, 9));
    assert!(stat("null").file_type().is_char_device() && stat("null").rdev() == 0x103);
    assert!(stat("disk").file_type().is_block_device() && mode(&root, "disk") == 0o660);
    assert_eq!(
        (stat("d").mtime(), stat("").mtime(), stat("d/link").mtime()),
        (0o14000000000, 0o14000000000, 0o14000000000)
    );
    let early = stat("a-name-that-is-in-a-pax-header");
    assert_eq!((early.mtime(), early.mtime_nsec()), (-2, 500_000_000));
    assert_eq!((stat("future").mtime(), stat("future").mtime_nsec()), (4_500_000_000, 123_456_789));
}

#[test]
fn a_large_tree_is_what_gnu_tar_makes_of_it() {
    let directory = scratch("unpack-large-source");
    let bytes = support::random_bytes(3 << 20);
    for n in 0..300 {
        let place = directory.join(format!("d{}/e{}", n % 7, n % 31));
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(format!("f{n}")), &bytes[n * 100..n * 100 + n * n * 20 % 900_000]).unwrap();
    }
    let tar = directory.with_extension("tar");
    tool(Command::new("tar").arg("-C").arg(&directory).args(["--format=gnu", "-cf"]).arg(&tar).arg("."));
    let bytes = support::read(&tar);
    let layer = Layer { diff_id: support::layout::sha256(&bytes), stored: support::layout::gzip(&bytes), gzip: true };
    let unpacked = Case::new("large", vec![layer]).run();
    assert_eq!((unpacked.status, unpacked.line.as_str()), (0, ""));
    tool(Command::new("diff").arg("-r").arg(&directory).arg(&unpacked.root));
    let times = |path: &Path| {
        let find = ["-printf", "%P %m %u %g %Ts %y %s\n"];
        let list = tool(Command::new("find").arg(path).args(find));
        let mut lines: Vec<_> = String::from_utf8(list).unwrap().lines().map(str::to_owned).collect();
        lines.iter_mut().filter(|line| line.contains(" d ")).for_each(|line| line.truncate(line.rfind(' ').unwrap()));
        lines.sort();
        lines
    };
    assert_eq!(times(&directory), times(&unpacked.root));
}

#[test]
fn sparse_files_keep_their_holes() {
    let directory = scratch("unpack-sparse-source");
    let file = std::fs::File::create(directory.join("holes")).unwrap();
    for n in 0..40u64 {
        std::os::unix::fs::FileExt::write_all_at(&file, &[n as u8 + 1; 4096], n << 20).unwrap();
    }
    file.set_len(100 << 20).unwrap();
    for format in ["--format=gnu", "--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0"] {
        let tar = directory.with_extension("tar");
        let posix = if format == "--format=gnu" { "-S" } else { "--format=posix" };
        tool(Command::new("tar").arg("-C").arg(&directory).args([posix, "-S", format, "-cf"]).arg(&tar).arg("holes"));
        let bytes = support::read(&tar);
        assert!(bytes.len() < 1 << 20);
        let layer = Layer { diff_id: support::layout::sha256(&bytes), stored: bytes, gzip: false };
        let root = Case::new("sparse", vec![layer]).gives(&["holes"]);
        tool(Command::new("cmp").arg(directory.join("holes")).arg(root.join("holes")));
        assert!(root.join("holes").metadata().unwrap().blocks() < 4096, "{format}: the holes are holes");
    }
}

#[test]
fn what_is_there_makes_way() {
    let lower = Tar::new()
        .directory("dir/", 0o700)
        .directory("dir/sub/", 0o700)
        .file("dir/sub/x", 0o600, "x")
        .file("file", 0o600, "lower")
        .hard_link("other", "file")
        .symlink("link", "dir")
        .symlink("dangling", "nowhere")
        .directory("kept/", 0o700)
        .file("kept/below", 0o600, "")
        .entry(&Header::new("pipe", b'6'), b"");
    let upper = Tar::new()
        .file("dir", 0o644, "a file now")
        .file("file", 0o644, "upper")
        .directory("link/", 0o755)
        .file("link/own", 0o644, "")
        .file("dangling", 0o644, "a file")
        .directory("kept/", 0o755)
        .file("pipe", 0o644, "no pipe")
        .file("twice", 0o644, "first")
        .file("twice", 0o600, "second");
    let root = Case::tars("replace", [lower, upper]).gives(&[
        "dangling",
        "dir",
        "file",
        "kept/",
        "kept/below",
        "link/",
        "link/own",
        "other",
        "pipe",
        "twice",
    ]);
    assert_eq!((text(&root, "file"), text(&root, "other")), ("upper".into(), "lower".into()));
    assert_eq!((text(&root, "pipe"), text(&root, "twice")), ("no pipe".into(), "second".into()));
    assert_eq!((mode(&root, "kept"), mode(&root, "twice")), (0o755, 0o600));
}

#[test]
fn attributes_of_a_lower_directory_do_not_stay() {
    let lower = Tar::new().pax(&[("SCHILY.xattr.trusted.lower", "1")]).directory("d/", 0o700);
    let upper = Tar::new().pax(&[("SCHILY.xattr.trusted.upper", "a\0b")]).directory("d/", 0o755);
    let root = Case::tars("xattrs", [lower, upper]).gives(&["d/"]);
    let list = tool(
        Command::new("python3")
            .args(["-c", "import os,sys; p=sys.argv[1]; print({n: os.getxattr(p, n) for n in os.listxattr(p)})"])
            .arg(root.join("d")),
    );
    assert_eq!(String::from_utf8(list).unwrap().trim(), "{'trusted.upper': b'a\\x00b'}");
}

#[test]
fn attributes_of_links_and_files() {
    let capability = "\u{1}\0\0\u{2}\0\u{4}\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let tar = Tar::new()
        .pax(&[("SCHILY.xattr.security.capability", capability), ("SCHILY.xattr.security.selinux", "x")])
        .entry(&Header { size: 1, ..with_owner("ping", b'0', 0o755, (1, 1)) }, b"x")
        .pax(&[("SCHILY.xattr.trusted.note", "t"), ("SCHILY.xattr.user.note", "u")])
        .symlink("link", "ping")
        .pax(&[("LIBARCHIVE.xattr.trusted.a%3Db", "AQID")])
        .entry(&Header::new("pipe", b'6'), b"");
    let unpacked = Case::tars("more-xattrs", [tar]).run();
    assert_eq!((unpacked.status, unpacked.line.as_str()), (0, "ocinit: 2 extended attributes were skipped\n"));
    let list = tool(Command::new("python3").args(["-c", "import os,sys\nfor n in ('ping','link','pipe'):\n p=sys.argv[1]+'/'+n; print({n: os.getxattr(p, n, follow_symlinks=False) for n in os.listxattr(p, follow_symlinks=False)})"]).arg(&unpacked.root));
    let list = String::from_utf8(list).unwrap();
    let lines: Vec<_> = list.lines().collect();
    assert!(lines[0].starts_with("{'security.capability': b'\\x01\\x00\\x00\\x02\\x00\\x04"), "{list}");
    assert_eq!(lines[1..], ["{'trusted.note': b't'}", "{'trusted.a=b': b'\\x01\\x02\\x03'}"]);
}

#[test]
fn a_directorys_time_is_its_entrys() {
    let lower =
        Tar::new().directory("d/", 0o755).directory("d/e/", 0o755).file("d/e/x", 0o644, "").file("d/y", 0o644, "");
    let upper = Tar::new().file("d/e/z", 0o644, "").whiteout("d/y").file("d/e/x", 0o644, "new");
    let root = Case::tars("times", [lower, upper]).gives(&["d/", "d/e/", "d/e/x", "d/e/z"]);
    for name in ["d", "d/e"] {
        assert_eq!(root.join(name).metadata().unwrap().mtime(), 0o14000000000, "{name}");
    }
}

#[test]
fn symlinked_parents_are_followed_inside_the_root() {
    let lower = Tar::new()
        .directory("usr/", 0o755)
        .directory("usr/lib/", 0o755)
        .symlink("lib", "usr/lib")
        .symlink("absolute", "/usr/lib")
        .symlink("up", "../../../../usr/lib")
        .symlink("run", "/made/when/needed")
        .file("usr/lib/old", 0o644, "");
    let upper = Tar::new()
        .file("lib/a", 0o644, "")
        .file("absolute/b", 0o644, "")
        .file("up/c", 0o644, "")
        .whiteout("lib/old")
        .file("run/d", 0o644, "")
        .hard_link("absolute/e", "lib/a");
    Case::tars("symlinks", [lower, upper]).gives(&[
        "absolute",
        "lib",
        "made/",
        "made/when/",
        "made/when/needed/",
        "made/when/needed/d",
        "run",
        "up",
        "usr/",
        "usr/lib/",
        "usr/lib/a",
        "usr/lib/b",
        "usr/lib/c",
        "usr/lib/e",
    ]);
}

fn lower() -> Tar {
    Tar::new()
        .directory("a/", 0o755)
        .file("a/x", 0o644, "lower")
        .directory("a/b/", 0o755)
        .file("a/b/y", 0o644, "lower")
        .file("z", 0o644, "lower")
}

#[test]
fn whiteouts_hide_what_is_below_in_any_order() {
    for (name, upper, expected) in [
        ("file", Tar::new().whiteout("a/x"), &["a/", "a/b/", "a/b/y", "z"][..]),
        ("missing", Tar::new().whiteout("a/none").whiteout("no/such/place"), &["a/", "a/b/", "a/b/y", "a/x", "z"]),
        ("tree", Tar::new().whiteout("a"), &["z"]),
        ("then-added", Tar::new().whiteout("a").file("a", 0o644, ""), &["a", "z"]),
        ("added-before", Tar::new().file("a/x", 0o644, "upper").whiteout("a/x"), &["a/", "a/b/", "a/b/y", "a/x", "z"]),
        (
            "tree-added-before",
            Tar::new().directory("a/", 0o755).file("a/new", 0o644, "").whiteout("a").whiteout("z"),
            &["a/", "a/new"],
        ),
        ("implied-before", Tar::new().file("a/b/new", 0o644, "").whiteout("a"), &["a/", "a/b/", "a/b/new", "z"]),
        ("opaque", Tar::new().directory("a/", 0o755).file("a/.wh..wh..opq", 0o644, ""), &["a/", "z"]),
        ("opaque-first", Tar::new().file("a/.wh..wh..opq", 0o644, "").file("a/new", 0o644, ""), &["a/", "a/new", "z"]),
        (
            "opaque-last",
            Tar::new().file("a/new", 0o644, "").file("a/b/deep", 0o644, "").file("a/.wh..wh..opq", 0o644, ""),
            &["a/", "a/b/", "a/b/deep", "a/new", "z"],
        ),
        ("opaque-root", Tar::new().file("new", 0o644, "").file(".wh..wh..opq", 0o644, ""), &["new"]),
        (
            "opaque-missing",
            Tar::new().file("n/m/.wh..wh..opq", 0o644, ""),
            &["a/", "a/b/", "a/b/y", "a/x", "n/", "n/m/", "z"],
        ),
        ("opaque-file", Tar::new().file("z/.wh..wh..opq", 0o644, ""), &["a/", "a/b/", "a/b/y", "a/x", "z/"]),
        (
            "aufs",
            Tar::new().file(".wh..wh.plnk/1", 0o644, "").file(".wh..wh.aufs", 0o644, ""),
            &["a/", "a/b/", "a/b/y", "a/x", "z"],
        ),
        ("any-type", Tar::new().directory("a/.wh.x/", 0o755).symlink(".wh.z", "q"), &["a/", "a/b/", "a/b/y"]),
        (
            "link-kept",
            Tar::new().file("own", 0o644, "o").hard_link("a/x", "own").whiteout("a/x").whiteout("z"),
            &["a/", "a/b/", "a/b/y", "a/x", "own"],
        ),
    ] {
        let root = Case::tars(&format!("whiteout-{name}"), [lower(), upper]).gives(expected);
        if name == "added-before" {
            assert_eq!(text(&root, "a/x"), "upper");
        }
    }
}

#[test]
fn a_whiteout_through_a_symlink_spares_its_own_layer() {
    let lower = Tar::new().directory("usr/", 0o755).file("usr/x", 0o644, "lower").symlink("s", "usr");
    for upper in [
        Tar::new().file("usr/x", 0o644, "upper").whiteout("s/x"),
        Tar::new().file("s/x", 0o644, "upper").whiteout("usr/x"),
    ] {
        let root = Case::tars("whiteout-alias", [lower.clone(), upper]).gives(&["s", "usr/", "usr/x"]);
        assert_eq!(text(&root, "usr/x"), "upper");
    }
}

#[test]
fn a_deep_tree_is_removed_without_recursion() {
    let mut deep = Tar::new();
    let mut path = String::new();
    for n in 0..1000 {
        path += if n == 0 { "d" } else { "/d" };
        if n % 50 == 49 {
            deep = deep.pax(&[("path", &format!("{path}/f"))]).file("f", 0o644, "x");
        }
    }
    for n in 0..500 {
        deep = deep.file(&format!("wide/{n}/f"), 0o644, "");
    }
    Case::tars("deep", [deep, Tar::new().whiteout("d").whiteout("wide")]).gives(&[]);
}

#[test]
fn names_that_a_layer_may_not_have() {
    let of_size = |size| Header { size, ..Header::new("f", b'0') };
    for (name, tar, why) in [
        ("dotdot", Tar::new().file("../outside", 0o644, "x"), "entry ../outside: a name that leaves the root"),
        ("inner", Tar::new().file("a/../../outside", 0o644, "x"), "a name that leaves the root"),
        ("empty", Tar::new().file("", 0o644, "x"), "an empty name"),
        ("root", Tar::new().symlink("./", "/tmp"), "the root is a directory"),
        ("link", Tar::new().hard_link("a", "../../outside"), "a name that leaves the root"),
        ("no-link", Tar::new().hard_link("a", "b"), "entry a: hard link to b: no such file or directory"),
        ("wh", Tar::new().file("a/.wh.", 0o644, ""), "a whiteout of nothing"),
        ("wh-dot", Tar::new().file(".wh..", 0o644, ""), "a whiteout of nothing"),
        ("wh-dotdot", Tar::new().file("a/.wh...", 0o644, ""), "a whiteout of nothing"),
        ("wh-inside", Tar::new().file(".wh.a/b", 0o644, ""), "a name inside a whiteout"),
        ("uid", Tar::new().pax(&[("uid", "4294967296")]).file("a", 0o4755, "x"), "uid 4294967296 is more than"),
        ("gid", Tar::new().pax(&[("gid", "4294967295")]).file("a", 0o644, "x"), "gid 4294967295 is more than"),
        ("device", Tar::new().entry(&Header { device: (4096, 0), ..Header::new("a", b'3') }, b""), "4096:0"),
        ("long", Tar::new().pax(&[("path", &"n".repeat(256))]).file("a", 0o644, ""), "file name too long"),
        ("size", Tar::new().entry(&of_size(100_000), b"short"), "truncated inside an entry"),
    ] {
        Case::tars(&format!("refused-{name}"), [tar]).refuses(why);
    }
}

#[test]
fn links_lead_nowhere_outside() {
    let outside = scratch("unpack-target");
    let outside = outside.to_str().unwrap();
    for (name, first) in [
        ("absolute", Tar::new().symlink("s", outside)),
        ("relative", Tar::new().symlink("s", "../../../../../../../../../../tmp")),
        ("proc", Tar::new().symlink("s", "/proc/self/root/tmp")),
    ] {
        let tar = first.file("s/ocinit-escaped", 0o644, "x").hard_link("h", "s/ocinit-escaped");
        let unpacked = Case::tars(&format!("escape-{name}"), [tar]).run();
        assert_eq!((unpacked.status, unpacked.line.as_str()), (0, ""));
        assert_eq!(text(&unpacked.root, "h"), "x");
    }
    assert!(std::fs::read_dir(outside).unwrap().next().is_none() && !Path::new("/tmp/ocinit-escaped").exists());
}

#[test]
fn layers_that_are_not_what_they_claim() {
    let tar = || Tar::new().file("a", 0o644, support::random_bytes(300_000)).file("b", 0o644, "b");
    let good = Layer::gzip(tar());
    let plain = Layer::plain(tar());
    let digest = support::layout::sha256(b"something else");

    Case::new("diff-id", vec![Layer { diff_id: digest.clone(), ..good.clone() }]).refuses("diff_id: digest mismatch");
    Case::new("diff-id-plain", vec![Layer { diff_id: digest, ..plain.clone() }]).refuses("diff_id: digest mismatch");
    for cut in [1, 9, 1000, 200_000] {
        let stored = good.stored[..good.stored.len() - cut].to_vec();
        Case::new("truncated", vec![Layer { stored, ..good.clone() }]).refuses("gzip: truncated");
    }
    let mut stored = good.stored.clone();
    stored.extend(b"garbage");
    Case::new("garbage", vec![Layer { stored, ..good.clone() }]).refuses("gzip: garbage after the end");
    Case::new("not-gzip", vec![Layer { gzip: true, ..plain.clone() }]).refuses("gzip: not gzip data");
    let refused = Case::new("not-tar", vec![Layer { gzip: false, ..good.clone() }]);
    refused.refuses("tar: wrong checksum");

    // Zeros after the last member are padding, and bytes after the tar's end belong to its digest.
    let mut stored = good.stored.clone();
    stored.extend([0; 700]);
    Case::new("padding", vec![Layer { stored, ..good.clone() }]).gives(&["a", "b"]);
    let mut longer = tar().finish();
    longer.extend(support::random_bytes(100_000));
    let diff_id = support::layout::sha256(&longer);
    Case::new("trailing", vec![Layer { stored: longer, diff_id, gzip: false }]).gives(&["a", "b"]);
    Case::new("empty", vec![Layer { stored: Vec::new(), diff_id: support::layout::sha256(b""), gzip: false }])
        .gives(&[]);
}

#[test]
fn a_blob_that_was_changed_is_a_digest_mismatch_wherever_it_breaks() {
    let layer = Layer::gzip(Tar::new().file("a", 0o644, support::random_bytes(300_000)));
    for at in [0, 3, 20, 1000, layer.stored.len() - 3] {
        let case = Case::new("changed", vec![layer.clone()]);
        let blob = support::layout::sha256(&layer.stored).replace(':', "/");
        let path = case.directory.join("image/blobs").join(blob);
        let mut bytes = layer.stored.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, bytes).unwrap();
        case.refuses("digest mismatch: expected");
    }
}

#[test]
fn a_full_file_system_names_the_entry() {
    let case = Case::tars("full", [Tar::new().file("small", 0o644, "x").file("large", 0o644, vec![7; 3 << 20])]);
    let root = case.directory.join("rootfs");
    std::fs::create_dir(&root).unwrap();
    let script = r#"mount -t tmpfs -o size=1m none "$2" && cd "$2" && "$0" unpack "$1" . ; s=$?; ls -A; exit $s"#;
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, env!("CARGO_BIN_EXE_ocinit")]).arg(case.directory.join("image")).arg(&root);
    let output = command.output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(125), &b""[..]), "{line}");
    assert!(line.ends_with("entry large: write: no space left on device\n") && line.lines().count() == 1, "{line}");
}

#[test]
fn words_that_are_no_command() {
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ocinit")).args(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    assert_eq!(run(&["--version"]), (0, concat!("ocinit ", env!("CARGO_PKG_VERSION"), "\n").into(), String::new()));
    assert!(run(&["--help"]).1.contains("unpack IMAGE ROOTFS"));
    for (words, line) in [
        (&["frobnicate"][..], "ocinit: unknown command frobnicate: see ocinit --help\n"),
        (&[], "ocinit: no command given: see ocinit --help\n"),
        (&["unpack", "x"], "ocinit: usage: ocinit unpack IMAGE ROOTFS\n"),
        (&["unpack", "/no/such/image", "x"], "ocinit: open /no/such/image: no such file or directory\n"),
    ] {
        assert_eq!(run(words), (125, String::new(), line.into()));
    }
}

#[test]
fn no_system_call_gets_a_path_of_the_layer_but_beneath_the_root() {
    let tar = Tar::new()
        .directory("marked-d/", 0o755)
        .file("marked-d/marked-f", 0o644, "x")
        .symlink("marked-s", "/marked-d")
        .file("marked-s/marked-g", 0o644, "")
        .hard_link("marked-h", "/marked-d/marked-f")
        .whiteout("marked-d/marked-f");
    let case = Case::tars("strace", [Tar::new().file("marked-s", 0o644, ""), tar]);
    let trace = case.directory.with_extension("strace");
    let root = case.directory.join("rootfs");
    let mut command = Command::new("strace");
    command.args(["-f", "-o"]).arg(&trace).arg(env!("CARGO_BIN_EXE_ocinit")).arg("unpack");
    tool(command.arg(case.directory.join("image")).arg(&root));
    let trace = String::from_utf8(support::read(&trace)).unwrap();
    let lines: Vec<_> = trace.lines().filter(|line| line.contains("marked-") && !line.contains("read")).collect();
    assert!(lines.len() > 10, "{trace}");
    for line in lines {
        let call = line.split_whitespace().nth(1).unwrap();
        let resolved = call.starts_with("openat2(") && line.contains("RESOLVE_IN_ROOT");
        // Without openat2 there is a descriptor and one component.
        let single = ["openat(", "mkdirat(", "mknodat(", "symlinkat(", "linkat(", "unlinkat(", "utimensat(", "statx("];
        let known = single.iter().any(|name| call.starts_with(name)) && !line.contains("AT_FDCWD");
        let names: Vec<_> = line.split('"').skip(1).step_by(2).collect();
        let last = if call.starts_with("symlinkat(") { &names[1..] } else { &names[..] };
        assert!(resolved || known && last.iter().all(|name| !name.contains('/')), "{line}");
    }
}
