//! `ocinit unpack` on hostile or damaged layers: one line each, no root left, no file outside
//! changed. Needs root.

use std::process::Command;

use crate::support;
use crate::support::images::Layer;
use crate::support::tar::Header;
use crate::support::unpack::Case;
use crate::support::{Tar, tool};

#[test]
fn layers_that_are_not_what_they_claim() {
    let tar = || Tar::new().file("a", 0o644, support::random_bytes(300_000)).file("b", 0o644, "b");
    let good = Layer::gzip(tar());
    let plain = Layer::plain(tar());
    let digest = support::layout::sha256(b"something else");

    Case::new("diff-id", vec![Layer { diff_id: digest.clone(), ..good.clone() }])
        .refuses("diff_id: digest mismatch");
    Case::new("diff-id-plain", vec![Layer { diff_id: digest, ..plain.clone() }])
        .refuses("diff_id: digest mismatch");
    for cut in [1, 9, 1000, 200_000] {
        let stored = good.stored[..good.stored.len() - cut].to_vec();
        Case::new("truncated", vec![Layer { stored, ..good.clone() }]).refuses("gzip: truncated");
    }
    let mut stored = good.stored.clone();
    stored.extend(b"garbage");
    Case::new("garbage", vec![Layer { stored, ..good.clone() }])
        .refuses("gzip: garbage after the end");
    let stored = vec![b'x'; 5000];
    Case::new("not-tar", vec![Layer { stored, ..good.clone() }]).refuses("tar: wrong checksum");

    // The wrong label: the bytes decide.
    Case::new("not-gzip", vec![Layer { gzip: true, ..plain.clone() }]).gives(&["a", "b"]);
    Case::new("not-plain", vec![Layer { gzip: false, ..good.clone() }]).gives(&["a", "b"]);

    // Zeros after the last member are padding, and bytes after the tar's end belong to its digest.
    let mut stored = good.stored.clone();
    stored.extend([0; 700]);
    Case::new("padding", vec![Layer { stored, ..good.clone() }]).gives(&["a", "b"]);
    let mut longer = tar().finish();
    longer.extend(support::random_bytes(100_000));
    let diff_id = support::layout::sha256(&longer);
    Case::new("trailing", vec![Layer { stored: longer, diff_id, gzip: false }]).gives(&["a", "b"]);
    Case::new(
        "empty",
        vec![Layer { stored: Vec::new(), diff_id: support::layout::sha256(b""), gzip: false }],
    )
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
    let case = Case::tars(
        "full",
        [Tar::new().file("small", 0o644, "x").file("large", 0o644, vec![7; 3 << 20])],
    );
    let root = case.directory.join("rootfs");
    std::fs::create_dir(&root).unwrap();
    let script = r#"mount -t tmpfs -o size=1m none "$2" && cd "$2" && "$0" unpack "$1" . ; s=$?; ls -A; exit $s"#;
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", script, env!("CARGO_BIN_EXE_ocinit")])
        .arg(case.directory.join("image"))
        .arg(&root);
    let output = command.output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(125), &b""[..]), "{line}");
    assert!(
        line.ends_with("entry large: write: no space left on device\n")
            && line.lines().count() == 1,
        "{line}"
    );
}

#[test]
fn words_that_are_no_command() {
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ocinit")).args(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    // Lines that callers of a runtime read.
    let version = concat!(
        "ocinit version ",
        env!("CARGO_PKG_VERSION"),
        "\ncommit: ",
        env!("CARGO_PKG_VERSION"),
        "\nspec: 1.3.0\n"
    );
    assert_eq!(run(&["--version"]), (0, version.into(), String::new()));
    let help = run(&["--help"]);
    assert!(help.1.contains("unpack [OPTION]... IMAGE ROOTFS"));
    assert_eq!(run(&[]), help, "without a word it lists the commands");
    for (words, line) in [
        (&["frobnicate"][..], "ocinit: unknown command frobnicate: see ocinit --help\n"),
        (
            &["unpack", "x"],
            "ocinit: unpack: no ROOTFS: usage: ocinit unpack [OPTION]... IMAGE ROOTFS\n",
        ),
        (&["unpak"], "ocinit: unknown command unpak; did you mean unpack?\n"),
        (
            &["unpack", "/proc/no/such/image", "x"],
            "ocinit: open /proc/no/such/image: no such file or directory\n",
        ),
    ] {
        assert_eq!(run(words), (125, String::new(), line.into()));
    }
    let many = run(&["unpack"; 300]);
    assert_eq!(
        many,
        (125, String::new(), "ocinit: more than 256 words: argument list too long\n".into())
    );
}

/// What the layers below do with names: every kind of entry, attributes, whiteouts, what is there
/// and makes way.
fn marked_layers() -> Vec<Tar> {
    let note = [("SCHILY.xattr.user.note", "x"), ("LIBARCHIVE.xattr.user.more", "AQID")];
    let on_link = [("SCHILY.xattr.trusted.note", "x")];
    let lower = Tar::new()
        .file("marked-s", 0o644, "")
        .pax(&note)
        .directory("marked-o/marked-d", 0o755)
        .file("marked-o/marked-d/marked-f", 0o644, "x")
        .file("marked-w", 0o644, "x")
        .directory("marked-t/marked-d/marked-e", 0o755)
        .file("marked-t/marked-d/marked-f", 0o644, "x")
        .symlink("marked-a", "/marked-o/marked-d");
    let upper = Tar::new()
        .pax(&note)
        .directory("marked-d/", 0o2755)
        .file("marked-d/marked-f", 0o4644, "x")
        .pax(&on_link)
        .symlink("marked-s", "/marked-d")
        .file("marked-s/marked-g", 0o644, "")
        .pax(&note)
        .file("marked-s/marked-h", 0o600, "")
        .hard_link("marked-h", "/marked-d/marked-f")
        .hard_link("marked-a/marked-h", "marked-s/marked-f")
        .entry(&Header { device: (1, 3), owner: (5, 6), ..Header::new("marked-n", b'3') }, b"")
        .entry(&Header { mode: 0o1600, ..Header::new("marked-p", b'6') }, b"")
        .symlink("marked-dangling", "marked-nowhere/marked-deep")
        .file("marked-dangling/marked-f", 0o644, "x")
        .whiteout("marked-w")
        .whiteout("marked-a/marked-f")
        .whiteout("marked-d/marked-f")
        .file("marked-o/.wh..wh..opq", 0o644, "")
        .file("marked-t", 0o644, "in place of a tree")
        .pax(&[("SCHILY.xattr.user.other", "y")])
        .directory("marked-o/", 0o700);
    vec![lower, upper]
}

/// What a system call may do with a name of a layer, or why it may not.
fn judge(line: &str) -> Result<(), &'static str> {
    let call =
        line.split_whitespace().nth(1).and_then(|call| call.split('(').next()).ok_or("no call")?;
    let names: Vec<_> = line.split('"').skip(1).step_by(2).collect();
    // The text of a link, and the name of an attribute, are no paths.
    let paths = match call {
        "symlinkat" => &names[1..],
        "readlinkat" | "lsetxattr" | "lremovexattr" | "lgetxattr" | "llistxattr" => &names[..1],
        _ => &names[..],
    };
    match call {
        "openat2" if line.contains("RESOLVE_IN_ROOT") && line.contains("RESOLVE_NO_MAGICLINKS") => {
            return Ok(());
        }
        // Within a directory that is being removed.
        "openat2" if line.contains("RESOLVE_BENEATH") => {}
        "openat" if !line.contains("O_NOFOLLOW") => return Err("a link would be followed"),
        "openat" | "mkdirat" | "mknodat" | "symlinkat" | "linkat" | "unlinkat" | "utimensat"
        | "statx" => {}
        "renameat2" => {}
        "fchownat" | "fchmodat" | "fchmodat2" | "readlinkat" => {}
        // There is no form with a descriptor: the name is one in the current directory, which was
        // entered by one.
        "lsetxattr" | "lremovexattr" | "lgetxattr" | "llistxattr" => {}
        _ => return Err("not a call that takes a directory's descriptor"),
    }
    match paths {
        _ if paths.iter().any(|path| path.contains('/')) => Err("more than one component"),
        _ if line.contains("AT_FDCWD") => Err("relative to the current directory"),
        _ => Ok(()),
    }
}

#[test]
fn no_system_call_gets_a_path_of_the_layer_but_beneath_the_root() {
    let case = Case::tars("strace", marked_layers());
    let trace = case.directory.with_extension("strace");
    let root = case.directory.join("rootfs");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-s", "300", "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_ocinit"))
        .arg("unpack");
    tool(command.arg(case.directory.join("image")).arg(&root));
    let trace = String::from_utf8(support::read(&trace)).unwrap();
    let call_of =
        |line: &str| line.split_whitespace().nth(1).unwrap().split('(').next().unwrap().to_string();
    let data = ["read", "pread64", "write", "pwrite64", "getdents64"];
    let marked = |line: &&str| line.contains("marked-") && !data.contains(&call_of(line).as_str());
    let lines: Vec<_> = trace.lines().filter(marked).collect();
    let wrong: Vec<_> = lines
        .iter()
        .filter_map(|line| judge(line).err().map(|why| format!("{why}: {line}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Every kind of call that there is to judge was there.
    let calls: std::collections::BTreeSet<_> = lines.iter().map(|line| call_of(line)).collect();
    for call in [
        "openat2",
        "mkdirat",
        "mknodat",
        "symlinkat",
        "linkat",
        "unlinkat",
        "utimensat",
        "lsetxattr",
        "readlinkat",
    ] {
        assert!(calls.contains(call), "no {call} among {calls:?}");
    }
    assert!(root.join("marked-d/marked-f").exists() && !root.join("marked-w").exists());
}

#[test]
fn what_judges_system_calls_sees_what_it_looks_for() {
    for (line, why) in [
        (
            r#"1 openat2(3, "a/b", {flags=O_PATH, resolve=RESOLVE_NO_MAGICLINKS|RESOLVE_IN_ROOT}, 24) = 4"#,
            None,
        ),
        (
            r#"1 openat2(3, "a/b", {flags=O_PATH, resolve=RESOLVE_NO_XDEV}, 24) = 4"#,
            Some("not a call"),
        ),
        (r#"1 openat(3, "a", O_RDONLY) = 4"#, Some("followed")),
        (r#"1 openat(AT_FDCWD, "a", O_RDONLY|O_NOFOLLOW) = 4"#, Some("current directory")),
        (r#"1 unlinkat(3, "a/b", 0) = 0"#, Some("more than one")),
        (r#"1 lsetxattr("/root/a", "user.a", "x/y", 3, 0) = 0"#, Some("more than one")),
        (r#"1 symlinkat("/a/b", 3, "c") = 0"#, None),
        (r#"1 chmod("a", 0644) = 0"#, Some("not a call")),
    ] {
        assert!(
            judge(line).err().is_some_and(|found| why.is_some_and(|why| found.contains(why)))
                == why.is_some(),
            "{line}"
        );
    }
}
