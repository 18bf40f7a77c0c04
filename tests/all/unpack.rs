//! `ocinit unpack` on layers made here: the effect of a layer's entries on the tree. Needs root.
//! unpack_whiteouts.rs has whiteouts.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::support;
use crate::support::images::Layer;
use crate::support::tar::Header;
use crate::support::unpack::Case;
use crate::support::{Tar, scratch, tool};

pub fn text(root: &Path, name: &str) -> String {
    std::fs::read_to_string(root.join(name)).unwrap()
}

pub fn mode(root: &Path, name: &str) -> u32 {
    root.join(name).symlink_metadata().unwrap().permissions().mode() & 0o7777
}

pub fn with_owner<'a>(name: &'a str, kind: u8, mode: u32, owner: (u32, u32)) -> Header<'a> {
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
