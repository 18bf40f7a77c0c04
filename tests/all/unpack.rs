//! `ocinit unpack` on layers made here: what a layer does to the tree, and whiteouts in every
//! order. Needs root, as unpacking does.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::support;
use crate::support::images::Layer;
use crate::support::tar::Header;
use crate::support::unpack::Case;
use crate::support::{Tar, scratch, tool};

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
    assert_eq!(
        (mode(&root, "d"), mode(&root, "d/file"), text(&root, "d/file").as_str()),
        (0o1777, 0o640, "content")
    );
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
        std::fs::write(
            place.join(format!("f{n}")),
            &bytes[n * 100..n * 100 + n * n * 20 % 900_000],
        )
        .unwrap();
    }
    let tar = directory.with_extension("tar");
    tool(
        Command::new("tar")
            .arg("-C")
            .arg(&directory)
            .args(["--format=gnu", "-cf"])
            .arg(&tar)
            .arg("."),
    );
    let bytes = support::read(&tar);
    let layer = Layer {
        diff_id: support::layout::sha256(&bytes),
        stored: support::layout::gzip(&bytes),
        gzip: true,
    };
    let unpacked = Case::new("large", vec![layer]).run();
    assert_eq!((unpacked.status, unpacked.line.as_str()), (0, ""));
    tool(Command::new("diff").arg("-r").arg(&directory).arg(&unpacked.root));
    let times = |path: &Path| {
        let find = ["-printf", "%P %m %u %g %Ts %y %s\n"];
        let list = tool(Command::new("find").arg(path).args(find));
        let mut lines: Vec<_> =
            String::from_utf8(list).unwrap().lines().map(str::to_owned).collect();
        lines
            .iter_mut()
            .filter(|line| line.contains(" d "))
            .for_each(|line| line.truncate(line.rfind(' ').unwrap()));
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
    for format in
        ["--format=gnu", "--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0"]
    {
        let tar = directory.with_extension("tar");
        let posix = if format == "--format=gnu" { "-S" } else { "--format=posix" };
        tool(
            Command::new("tar")
                .arg("-C")
                .arg(&directory)
                .args([posix, "-S", format, "-cf"])
                .arg(&tar)
                .arg("holes"),
        );
        let bytes = support::read(&tar);
        assert!(bytes.len() < 1 << 20);
        let layer = Layer { diff_id: support::layout::sha256(&bytes), stored: bytes, gzip: false };
        let root = Case::new("sparse", vec![layer]).gives(&["holes"]);
        tool(Command::new("cmp").arg(directory.join("holes")).arg(root.join("holes")));
        assert!(
            root.join("holes").metadata().unwrap().blocks() < 4096,
            "{format}: the holes are holes"
        );
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
        .pax(&[
            ("SCHILY.xattr.security.capability", capability),
            ("SCHILY.xattr.security.selinux", "x"),
        ])
        .entry(&Header { size: 1, ..with_owner("ping", b'0', 0o755, (1, 1)) }, b"x")
        .pax(&[("SCHILY.xattr.trusted.note", "t"), ("SCHILY.xattr.user.note", "u")])
        .symlink("link", "ping")
        .pax(&[("LIBARCHIVE.xattr.trusted.a%3Db", "AQID")])
        .entry(&Header::new("pipe", b'6'), b"");
    let unpacked = Case::tars("more-xattrs", [tar]).run();
    assert_eq!(
        (unpacked.status, unpacked.line.as_str()),
        (0, "ocinit: 2 extended attributes were skipped\n")
    );
    let list = tool(Command::new("python3").args(["-c", "import os,sys\nfor n in ('ping','link','pipe'):\n p=sys.argv[1]+'/'+n; print({n: os.getxattr(p, n, follow_symlinks=False) for n in os.listxattr(p, follow_symlinks=False)})"]).arg(&unpacked.root));
    let list = String::from_utf8(list).unwrap();
    let lines: Vec<_> = list.lines().collect();
    assert!(
        lines[0].starts_with("{'security.capability': b'\\x01\\x00\\x00\\x02\\x00\\x04"),
        "{list}"
    );
    assert_eq!(lines[1..], ["{'trusted.note': b't'}", "{'trusted.a=b': b'\\x01\\x02\\x03'}"]);
}

#[test]
fn a_directorys_time_is_its_entrys() {
    let lower = Tar::new()
        .directory("d/", 0o755)
        .directory("d/e/", 0o755)
        .file("d/e/x", 0o644, "")
        .file("d/y", 0o644, "");
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
        (
            "missing",
            Tar::new().whiteout("a/none").whiteout("no/such/place"),
            &["a/", "a/b/", "a/b/y", "a/x", "z"],
        ),
        ("tree", Tar::new().whiteout("a"), &["z"]),
        ("then-added", Tar::new().whiteout("a").file("a", 0o644, ""), &["a", "z"]),
        (
            "added-before",
            Tar::new().file("a/x", 0o644, "upper").whiteout("a/x"),
            &["a/", "a/b/", "a/b/y", "a/x", "z"],
        ),
        (
            "tree-added-before",
            Tar::new().directory("a/", 0o755).file("a/new", 0o644, "").whiteout("a").whiteout("z"),
            &["a/", "a/new"],
        ),
        (
            "implied-before",
            Tar::new().file("a/b/new", 0o644, "").whiteout("a"),
            &["a/", "a/b/", "a/b/new", "z"],
        ),
        (
            "opaque",
            Tar::new().directory("a/", 0o755).file("a/.wh..wh..opq", 0o644, ""),
            &["a/", "z"],
        ),
        (
            "opaque-first",
            Tar::new().file("a/.wh..wh..opq", 0o644, "").file("a/new", 0o644, ""),
            &["a/", "a/new", "z"],
        ),
        (
            "opaque-last",
            Tar::new().file("a/new", 0o644, "").file("a/b/deep", 0o644, "").file(
                "a/.wh..wh..opq",
                0o644,
                "",
            ),
            &["a/", "a/b/", "a/b/deep", "a/new", "z"],
        ),
        (
            "opaque-root",
            Tar::new().file("new", 0o644, "").file(".wh..wh..opq", 0o644, ""),
            &["new"],
        ),
        (
            "opaque-missing",
            Tar::new().file("n/m/.wh..wh..opq", 0o644, ""),
            &["a/", "a/b/", "a/b/y", "a/x", "n/", "n/m/", "z"],
        ),
        (
            "opaque-file",
            Tar::new().file("z/.wh..wh..opq", 0o644, ""),
            &["a/", "a/b/", "a/b/y", "a/x", "z/"],
        ),
        (
            "aufs",
            Tar::new().file(".wh..wh.plnk/1", 0o644, "").file(".wh..wh.aufs", 0o644, ""),
            &["a/", "a/b/", "a/b/y", "a/x", "z"],
        ),
        (
            "any-type",
            Tar::new().directory("a/.wh.x/", 0o755).symlink(".wh.z", "q"),
            &["a/", "a/b/", "a/b/y"],
        ),
        (
            "link-kept",
            Tar::new()
                .file("own", 0o644, "o")
                .hard_link("a/x", "own")
                .whiteout("a/x")
                .whiteout("z"),
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
    let lower =
        Tar::new().directory("usr/", 0o755).file("usr/x", 0o644, "lower").symlink("s", "usr");
    for upper in [
        Tar::new().file("usr/x", 0o644, "upper").whiteout("s/x"),
        Tar::new().file("s/x", 0o644, "upper").whiteout("usr/x"),
    ] {
        let root =
            Case::tars("whiteout-alias", [lower.clone(), upper]).gives(&["s", "usr/", "usr/x"]);
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

/// Layers in which whiteouts meet entries or links of their own layer, and one with so many names
/// that the filter errs. The result is the same as with `list-files`.
#[test]
fn a_whiteout_never_touches_what_its_layer_adds() {
    support::tmpfs::mount_here(scratch("own").parent().unwrap(), 1 << 30);
    let lower = || {
        Tar::new()
            .directory("usr/", 0o755)
            .directory("usr/lib/", 0o755)
            .file("usr/lib/x", 0o644, "lower")
            .symlink("lib", "usr/lib")
            .file("a", 0o644, "a of below")
            .file("c", 0o644, "c of below")
            .directory("d/", 0o755)
            .file("d/a", 0o644, "d/a of below")
            .directory("d/e/", 0o755)
            .file("d/e/f", 0o644, "deep")
    };
    // The upper layer, paths that exist afterwards with their content, and paths that do not.
    type Upper = fn(Tar) -> Tar;
    type Whiteouts<'a> = (&'a str, Upper, &'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: [Whiteouts; 10] = [
        (
            "behind",
            |tar| tar.file("lib/x", 0o644, "new").whiteout("lib"),
            &[("lib/x", "new"), ("usr/lib/x", "lower")],
            &[],
        ),
        (
            "before",
            |tar| tar.whiteout("lib").file("lib/x", 0o644, "new"),
            &[("lib/x", "new"), ("usr/lib/x", "lower")],
            &[],
        ),
        ("link", |tar| tar.hard_link("b", "a").whiteout("a"), &[("b", "a of below")], &["a"]),
        ("late-link", |tar| tar.whiteout("a").hard_link("b", "a"), &[("b", "a of below")], &["a"]),
        (
            "link-and-own",
            |tar| tar.hard_link("b", "a").whiteout("a").file("c", 0o644, "new").whiteout("c"),
            &[("b", "a of below"), ("c", "new")],
            &["a"],
        ),
        (
            "replaced",
            |tar| tar.hard_link("b", "a").file("a", 0o644, "new").whiteout("a"),
            &[("b", "a of below"), ("a", "new")],
            &[],
        ),
        (
            "opaque",
            |tar| {
                tar.hard_link("b", "d/e/f").file("d/n", 0o644, "n").file(
                    "d/.wh..wh..opq",
                    0o644,
                    "",
                )
            },
            &[("b", "deep"), ("d/n", "n")],
            &["d/a", "d/e"],
        ),
        (
            "twice",
            |tar| {
                tar.whiteout("d/e/f")
                    .whiteout("d/e")
                    .whiteout("d")
                    .hard_link("b", "d/e/f")
                    .hard_link("h", "d/a")
                    .directory("d/", 0o755)
            },
            &[("b", "deep"), ("h", "d/a of below")],
            &["d/e", "d/a"],
        ),
        (
            "root",
            |tar| tar.file("n", 0o644, "n").hard_link("b", "a").file(".wh..wh..opq", 0o644, ""),
            &[("n", "n"), ("b", "a of below")],
            &["a", "usr", "lib", "d"],
        ),
        (
            "parent",
            |tar| tar.file("d/n", 0o644, "n").whiteout("d"),
            &[("d/n", "n")],
            &["d/a", "d/e"],
        ),
    ];
    for (name, upper, there, missing) in cases {
        let case = Case::tars(&format!("own-{name}"), [lower(), upper(Tar::new())]);
        let unpacked = case.run();
        assert_eq!((unpacked.status, unpacked.line.as_str()), (0, ""), "{name}");
        let list = Command::new(support::ocinit())
            .arg("list-files")
            .arg(case.directory.join("image"))
            .output()
            .unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        let name_of = |line: &str| {
            let line = line.split(" link to ").next().unwrap().split(" -> ").next().unwrap();
            line.rsplit(' ').next().unwrap().trim_end_matches('/').to_string()
        };
        let names: Vec<String> = list.lines().map(name_of).collect();
        for (path, content) in there {
            let found = std::fs::read_to_string(unpacked.root.join(path));
            assert_eq!(found.ok().as_deref(), Some(*content), "{name}: {path}");
            assert!(names.iter().any(|it| it == path), "{name}: {path} is not listed\n{list}");
        }
        for path in missing {
            assert!(
                unpacked.root.join(path).symlink_metadata().is_err(),
                "{name}: {path} is there"
            );
            assert!(!names.iter().any(|it| it == path), "{name}: {path} is listed");
        }
        let names =
            std::fs::read_dir(&unpacked.root).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(
            names.into_iter().all(|name| !name.to_str().unwrap().starts_with(".ocinit")),
            "{name}"
        );
    }
    // So many names that the filter of them errs for some of the whiteouts.
    let numbers = 0..300;
    let below = numbers.clone().fold(Tar::new(), |tar, n| tar.file(&format!("a{n}"), 0o644, ""));
    let crowd = (0..60_000).fold(Tar::new(), |tar, n| tar.file(&format!("x{n}"), 0o644, ""));
    let links =
        numbers.clone().fold(crowd, |tar, n| tar.hard_link(&format!("b{n}"), &format!("a{n}")));
    let upper = numbers.clone().fold(links, |tar, n| tar.whiteout(&format!("a{n}")));
    let crowded = Case::tars("own-crowd", [below, upper]);
    let unpacked = crowded.run();
    assert_eq!((unpacked.status, unpacked.line.as_str()), (0, ""));
    let there = |name: String| unpacked.root.join(name).exists();
    assert!(numbers.into_iter().all(|n| there(format!("b{n}")) && !there(format!("a{n}"))));
    // The path exists nowhere.
    Case::tars("own-nothing", [lower(), Tar::new().whiteout("a").hard_link("b", "z")])
        .refuses("hard link to z: no such file");
}
