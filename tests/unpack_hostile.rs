//! `ocinit unpack` on layers that lie, leave the root or do not fit: one line each, no root left, nothing outside touched.
//! Needs root, as unpacking does.

mod support;

use std::path::Path;
use std::process::Command;

use support::images::Layer;
use support::tar::Header;
use support::unpack::Case;
use support::{Tar, scratch, tool};

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
        assert_eq!(std::fs::read_to_string(unpacked.root.join("h")).unwrap(), "x");
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
        (&["unpak"], "ocinit: unknown command unpak; did you mean unpack?\n"),
        (&["unpack", "/no/such/image", "x"], "ocinit: open /no/such/image: no such file or directory\n"),
    ] {
        assert_eq!(run(words), (125, String::new(), line.into()));
    }
    let many = run(&["unpack"; 300]);
    assert_eq!(many, (125, String::new(), "ocinit: more than 256 words: argument list too long\n".into()));
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
