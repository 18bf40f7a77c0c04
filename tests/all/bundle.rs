//! `ocinit bundle`: a bundle is whole or not there. bundle_peers.rs compares its config.json,
//! bundle_runs.rs runs bundles.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support;
use crate::support::bundle::{bundle, ocinit};
use crate::support::images::Layer;
use crate::support::tar::Header;
use crate::support::{Image, Tar, busybox, project, read, scratch, tool, write};

pub const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n1000:x:7:7::/wrong:/bin/sh\n";
const GROUP: &str = "root:x:0:\napp:x:1001:\nwheel:x:10:root,app\naudio:x:29:app\nlone:x:77:\n";

/// Every field that conversion.md speaks of.
pub const FULL: &str = r#""User":"app","Entrypoint":["/e"],"Cmd":["a","b\"\n"],"WorkingDir":"/w/new","StopSignal":"SIGRTMIN+3",
    "Env":["A=1","HOME=/h","A=2"],"Volumes":{"/v1":{},"/srv/v2":{}},"ExposedPorts":{"80":{},"53/udp":{},"443/tcp":{}},
    "Labels":{"a":"b","org.opencontainers.image.author":"label","run.oci.handler":"krun"}"#;
pub const FULL_TOP: &str = r#""author":"me","created":"2020-01-01T00:00:00Z","variant":"v3","os.version":"10","os.features":["f","g"],"#;

pub fn etc() -> Tar {
    Tar::new().directory("etc/", 0o755).file("etc/passwd", 0o644, PASSWD).file(
        "etc/group",
        0o644,
        GROUP,
    )
}

/// A layout with one image of this layer and these members of `config`; `top` goes before them.
pub fn layout(directory: &Path, tar: Tar, config: &str, top: &str) -> PathBuf {
    let place = directory.join("image");
    let image = Image::empty().config(config).layer(Layer::gzip(tar));
    let mut layout = support::Layout::create(&place);
    let stored = image.store(&layout);
    let config = image.config_json().replacen('{', &format!("{{{top}"), 1);
    let manifest = layout
        .blob(image.manifest_json(&layout.blob(config.as_bytes()), &stored.layers).as_bytes());
    let more = support::layout::platform("amd64", "linux") + &support::layout::tagged("latest");
    layout.entries.push(manifest.descriptor(support::layout::MANIFEST, &more));
    layout.write_index();
    place
}

/// The facts of a bundle's config.json.
pub fn facts(bundle: &Path) -> Vec<String> {
    let script = project().join("tests/all/support/config.py");
    let text = tool(Command::new("python3").arg(script).arg(bundle.join("config.json")));
    String::from_utf8(text).expect("UTF-8").lines().map(str::to_string).collect()
}

/// What fails leaves nothing, not even under another name.
#[track_caller]
fn expect_nothing_left(directory: &Path, output: &Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains(why) && said.lines().count() == 1, "{said}");
    let left: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["image"], "{said}");
}

#[test]
fn a_bundle_is_whole_or_not_there() {
    for (name, config, tar, why) in [
        (
            "user",
            r#""Cmd":["sh"],"User":"nobody""#,
            etc(),
            "user \"nobody\": not in the image's /etc/passwd",
        ),
        ("signal", r#""Cmd":["sh"],"StopSignal":"SIGNO""#, etc(), "SIGNO"),
        ("nul", r#""Cmd":["sh"],"Labels":{"a":"b\u0000"}"#, etc(), "NUL"),
        (
            "cwd",
            r#""Cmd":["sh"],"WorkingDir":"/etc/passwd""#,
            etc(),
            "WorkingDir /etc/passwd: not a directory",
        ),
        ("layer", r#""Cmd":["sh"]"#, etc().hard_link("x", "missing"), "layer 1 of 1"),
    ] {
        let directory = scratch(&format!("bundle-whole-{name}"));
        let image = layout(&directory, tar, config, "");
        expect_nothing_left(&directory, &ocinit(&[], &image, &directory.join("bundle")), why);
    }
    let many: Vec<String> = (0..1100).map(|n| format!("\"label{n}\":\"\"")).collect();
    let directory = scratch("bundle-whole-labels");
    let image =
        layout(&directory, etc(), &format!(r#""Cmd":["sh"],"Labels":{{{}}}"#, many.join(",")), "");
    expect_nothing_left(
        &directory,
        &ocinit(&[], &image, &directory.join("bundle")),
        "more than 1024 Labels",
    );
}

#[test]
fn an_empty_directory_is_filled_and_any_other_is_refused() {
    let directory = scratch("bundle-directory");
    let image = layout(&directory, etc(), r#""Cmd":["sh"]"#, "");
    let (full, empty) = (directory.join("full"), directory.join("empty"));
    std::fs::create_dir(&full).unwrap();
    write(&full.join("file"), "kept");
    let output = ocinit(&[], &image, &full);
    assert_eq!(output.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&output.stderr).ends_with("full: not empty\n"));
    assert_eq!(
        (read(&full.join("file")), std::fs::read_dir(&full).unwrap().count()),
        (b"kept".to_vec(), 1)
    );

    std::fs::create_dir(&empty).unwrap();
    let fails =
        layout(&scratch("bundle-directory-fails"), etc(), r#""Cmd":["sh"],"User":"nobody""#, "");
    assert_eq!(ocinit(&[], &fails, &empty).status.code(), Some(125));
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0, "it is empty again");
    bundle(&[], &image, &empty);
    let mut names: Vec<_> =
        std::fs::read_dir(&empty).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["config.json", "rootfs"]);
}

/// A umask is for what the user makes, not for what the image's users need.
#[test]
fn a_umask_does_not_reach_into_the_root() {
    let directory = scratch("bundle-umask");
    let image = layout(&directory, etc(), r#""Cmd":["sh"],"WorkingDir":"/a/b""#, "");
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_ocinit"), "bundle"]);
    tool(command.arg(&image).arg(directory.join("b")));
    let mode = |name: &str| directory.join("b").join(name).metadata().unwrap().mode() & 0o7777;
    let found = ["", "rootfs", "rootfs/a", "rootfs/a/b", "config.json"].map(mode);
    assert_eq!(found, [0o700, 0o755, 0o755, 0o755, 0o600]);
}

#[test]
fn the_root_is_what_unpack_makes() {
    let directory = scratch("bundle-root");
    busybox().write(&directory.join("image"));
    bundle(&[], &directory.join("image"), &directory.join("bundle"));
    let mut unpack = Command::new(env!("CARGO_BIN_EXE_ocinit"));
    tool(unpack.arg("unpack").arg(directory.join("image")).arg(directory.join("root")));
    let list = |name: &str| {
        let script = project().join("tests/all/support/listing.py");
        let text =
            String::from_utf8(tool(Command::new("python3").arg(script).arg(directory.join(name))))
                .unwrap();
        // A bundle gets its own files, so their directory's time differs.
        let is_own = |line: &&str| {
            ["/etc\t", "/etc/hosts\t", "/etc/hostname\t", "/etc/resolv.conf\t"]
                .iter()
                .any(|own| line.starts_with(own))
        };
        text.lines().filter(|line| !is_own(line)).map(str::to_string).collect::<Vec<_>>()
    };
    let (ours, unpacked) = (list("bundle/rootfs"), list("root"));
    assert!(ours == unpacked && ours.len() > 100);
}

#[test]
fn odd_labels_volumes_and_texts() {
    let directory = scratch("bundle-odd");
    let config = r#""Cmd":["\u00e9\ud83d\ude00\u2028\u0001\u007f\u009b\\\"","/\t<&>"],"Env":["FLAG","E=\u00fc"],
        "WorkingDir":"rel//w/",
        "Labels":{"":"no key","twice":"1","twice":"2","null":null,"\u001b[2J":"\u0085",
            "bundle":"x","bundle-version":"3","org.systemd.property.ExecStart":"x","org.criu.config":"/x"},
        "Volumes":{"/b/in":{},"b":{},"/b/./in/":{},"/x/../c":{},"/":{},"/proc":{},"/sys/fs/cgroup":{},"/dev/shm":{},
            "/processes":{},"/etc/passwd":{},"/full":{}}"#;
    let full = Header { mode: 0o3770, owner: (7, 8), ..Header::new("full/", b'5') };
    let tar = etc().entry(&full, b"");
    let image = layout(&directory, tar, config, "");
    let place = directory.join("bundle");
    let said = bundle(&[], &image, &place);
    let kernel = "gets no mount, because the kernel's file systems are there";
    let order = "left out, because a runtime would act on it";
    let expected = [
        format!("volume /: {kernel}"),
        format!("volume /proc: {kernel}"),
        format!("volume /sys/fs/cgroup: {kernel}"),
        format!("volume /dev/shm: {kernel}"),
        "volume /etc/passwd: gets no mount, because it is not a directory".to_string(),
        format!("label bundle: {order}"),
        format!("label org.systemd.property.ExecStart: {order}"),
        format!("label org.criu.config: {order}"),
    ];
    let expected: String =
        expected.iter().map(|line| format!("ocinit: the image's {line}\n")).collect();
    assert_eq!(said, expected);

    let facts = facts(&place);
    let with = |start: &str| -> Vec<&str> {
        facts
            .iter()
            .filter_map(|line| line.strip_prefix(start))
            .filter(|line| !line.starts_with("org.open"))
            .collect()
    };
    assert_eq!(
        with("annotations."),
        ["\u{1b}[2J \"\u{85}\"", "bundle-version \"3\"", "null \"\"", "twice \"2\""],
        "as Python reads them"
    );
    assert_eq!(
        with("process.args "),
        ["[\"é😀\u{2028}\\u0001\u{7f}\u{9b}\\\\\\\"\", \"/\\t<&>\"]"]
    );
    assert_eq!(with("process.env ")[..2], ["E=ü", "FLAG"]);
    assert_eq!(with("process.cwd "), ["\"/rel//w/\""]);
    assert!(place.join("rootfs/rel/w").is_dir());
    let missing = "tmpfs tmpfs gid=0,mode=0755,nodev,nosuid,tmpcopyup,uid=0";
    let mounts: Vec<&str> =
        with("mount ").into_iter().filter(|line| line.contains("copyup")).collect();
    let owned = "/full tmpfs tmpfs gid=8,mode=3770,nodev,nosuid,tmpcopyup,uid=7";
    let expected = ["/b", "/b/in", "/c"].map(|name| format!("{name} {missing}"));
    assert_eq!(mounts[..3], expected);
    assert_eq!(mounts[3..], [owned.to_string(), format!("/processes {missing}")]);
    let text = String::from_utf8(read(&place.join("config.json"))).unwrap();
    assert!(!text.contains(['\u{1b}', '\u{7f}', '\u{9b}']), "nothing that a terminal obeys");
}

#[test]
fn what_json_cannot_say_is_replaced_with_a_warning() {
    let directory = scratch("bundle-utf8");
    let mut passwd = b"root:x:0:0::/h\xff\xe9:/bin/sh\n".to_vec();
    passwd.extend_from_slice(b"app:x:1:1::/:\n");
    let image =
        layout(&directory, Tar::new().file("etc/passwd", 0o644, passwd), r#""Cmd":["sh"]"#, "");
    let said = bundle(&[], &image, &directory.join("b"));
    assert_eq!(
        said,
        "ocinit: config.json: text that is not UTF-8 was replaced, because JSON requires UTF-8\n"
    );
    assert!(
        facts(&directory.join("b")).contains(&"process.env HOME=/h\u{fffd}\u{fffd}".to_string())
    );
}

#[test]
fn options() {
    let directory = scratch("bundle-options");
    let image = layout(&directory, etc(), r#""Entrypoint":null"#, "");
    let line = |words: &[&str], name: &str, start: &str| -> String {
        bundle(words, &image, &directory.join(name));
        let facts = facts(&directory.join(name));
        facts.iter().find(|line| line.starts_with(start)).cloned().unwrap_or_default()
    };
    assert_eq!(line(&["--tty"], "1", "process.terminal"), "process.terminal true");
    assert_eq!(line(&["-t"], "2", "process.env TERM"), "process.env TERM=xterm");
    assert_eq!(line(&["--ref=latest"], "3", "process.terminal"), "process.terminal false");
    // As `runc spec` and umoci say, where the image says nothing.
    assert_eq!(line(&[], "4", "process.args"), "process.args [\"sh\"]");
    let output = ocinit(&["--ref", "other"], &image, &directory.join("5"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no tag \"other\""));
    let output = ocinit(&["--ref", "x"], &directory.join("image:latest"), &directory.join("5"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--ref: the image has a tag already"));
    assert!(!directory.join("5").exists());
}
