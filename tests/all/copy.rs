//! `ocinit copy`: from every place to every other, as the peers read it. copy_fails.rs has
//! copies that fail.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support;
use crate::support::images::{Layer, Stored};
use crate::support::layout::{INDEX, MANIFEST, platform, sha256, tagged};
use crate::support::{Image, Layout, Tar, read, scratch, tool, write};

pub fn ocinit(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(support::ocinit());
    command.args(words).current_dir(directory);
    command
}

#[track_caller]
pub fn copies(directory: &Path, words: &[&str]) {
    let output = ocinit(directory, &[&["copy"], words].concat()).output().expect("ocinit runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && text.is_empty() && output.stdout.is_empty(),
        "{words:?}: {text}"
    );
}

#[track_caller]
pub fn refuses(directory: &Path, words: &[&str], why: &str) {
    let before = names(directory);
    let output: Output =
        ocinit(directory, &[&["copy"], words].concat()).output().expect("ocinit runs");
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), line.lines().count()), (Some(125), 1), "{words:?}: {line}");
    assert!(line.contains(why), "{why}: {line}");
    assert_eq!(names(directory), before, "something is left: {line}");
}

/// Everything there is beneath a directory.
pub fn names(directory: &Path) -> Vec<String> {
    let text = tool(Command::new("find").arg(directory).arg("-printf").arg("%P %s\n"));
    let mut names: Vec<String> =
        String::from_utf8(text).expect("UTF-8").lines().map(str::to_string).collect();
    // A directory's own size is the file system's affair.
    names.retain(|name| !directory.join(name.rsplit_once(' ').expect("a size").0).is_dir());
    names.sort();
    names
}

/// An image of a gzip layer, a plain one, and the first one again.
pub fn image(word: &str) -> Image {
    let base = Layer::gzip(
        Tar::new().directory("d/", 0o750).file("d/x", 0o640, "x").file("word", 0o644, "base"),
    );
    let change = Layer::plain(Tar::new().file("word", 0o600, word).symlink("link", "word"));
    Image {
        architecture: "amd64".into(),
        os: "linux".into(),
        config: r#""Cmd":["sh"]"#.into(),
        layers: vec![base.clone(), change, base],
    }
}

pub fn skopeo(directory: &Path, from: &str, to: &str) {
    let mut command = Command::new("skopeo");
    tool(command.args(["--insecure-policy", "copy", "-q", from, to]).current_dir(directory));
}

/// The blobs of a layout, as they are called and as they hash.
pub fn blobs(layout: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(layout.join("blobs/sha256"))
        .expect("blobs")
        .map(|entry| {
            let path = entry.expect("blob").path();
            let name = path.file_name().expect("name").to_str().expect("UTF-8").to_string();
            assert_eq!(sha256(&read(&path)), format!("sha256:{name}"));
            name
        })
        .collect();
    names.sort();
    names
}

pub fn start(name: &str) -> (PathBuf, Layout, Stored) {
    let directory = scratch(&format!("copy-{name}"));
    let (layout, stored) = image("one").write(&directory.join("layout"));
    (directory, layout, stored)
}

/// What skopeo makes of an image: the digest of the configuration, and of each layer's tar.
fn seen_by_skopeo(directory: &Path, from: &str) -> String {
    let _ = std::fs::remove_dir_all(directory.join("seen"));
    skopeo(directory, from, "dir:seen");
    let manifest = String::from_utf8(read(&directory.join("seen/manifest.json"))).expect("UTF-8");
    let config = manifest
        .split("\"digest\":")
        .nth(1)
        .expect("a digest")
        .split('"')
        .nth(1)
        .expect("a digest");
    config.to_string()
}

#[test]
fn layouts_keep_every_byte() {
    let (directory, layout, stored) = start("layouts");
    copies(&directory, &["layout", "oci:copy"]);
    copies(&directory, &["oci:layout:latest", "oci-archive:copy.tar:v1"]);
    copies(&directory, &["copy.tar", "oci:again:v2"]);
    let all = blobs(&layout.directory);
    for (copy, tag) in [("copy", "latest"), ("again", "v2")] {
        let copy = directory.join(copy);
        assert_eq!(blobs(&copy), all);
        let index =
            String::from_utf8(read(&copy.join("index.json"))).expect("UTF-8").replace('\n', "");
        let entry = stored
            .manifest
            .descriptor(MANIFEST, &format!("{}{}", platform("amd64", "linux"), tagged(tag)));
        assert_eq!(
            index,
            format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{entry}]}}"#)
        );
        assert_eq!(read(&copy.join("oci-layout")), br#"{"imageLayoutVersion":"1.0.0"}"#);
    }
    for from in ["oci:copy:latest", "oci-archive:copy.tar:v1", "oci:again:v2"] {
        assert_eq!(seen_by_skopeo(&directory, from), stored.config.digest);
    }
    tool(
        Command::new("umoci")
            .args(["unpack", "--image", "again:v2", "bundle"])
            .current_dir(&directory),
    );
    assert_eq!(read(&directory.join("bundle/rootfs/word")), b"base");
    // The same image is the same archive.
    copies(&directory, &["again", "oci-archive:second.tar:v1"]);
    assert_eq!(read(&directory.join("second.tar")), read(&directory.join("copy.tar")));
    // The archive as other tools see it.
    let list =
        String::from_utf8(tool(Command::new("tar").arg("tf").arg(directory.join("copy.tar"))))
            .expect("UTF-8");
    assert_eq!(list.lines().count(), all.len() + 2, "{list}");
    assert!(list.ends_with("oci-layout\nindex.json\n"), "{list}");
}

#[test]
fn docker_archives_are_read_by_the_peers() {
    let (directory, _, stored) = start("docker");
    copies(&directory, &["layout", "docker-archive:named.tar:me/app:v1"]);
    copies(&directory, &["layout", "docker-archive:short.tar:app"]);
    copies(&directory, &["layout", "docker-archive:plain.tar"]);
    for from in [
        "named.tar:me/app:v1",
        "named.tar",
        "short.tar:docker.io/library/app:latest",
        "plain.tar",
        "plain.tar:@0",
    ] {
        assert_eq!(
            seen_by_skopeo(&directory, &format!("docker-archive:{from}")),
            stored.config.digest,
            "{from}"
        );
    }
    let manifest = tool(
        Command::new("tar").args(["xOf", "named.tar", "manifest.json"]).current_dir(&directory),
    );
    let manifest = String::from_utf8(manifest).expect("UTF-8");
    assert!(
        manifest.contains(r#""RepoTags":["me/app:v1""#) && manifest.matches(".tar").count() == 3,
        "{manifest}"
    );
    // Of the three layers two are one file.
    let list = tool(Command::new("tar").args(["tf", "named.tar"]).current_dir(&directory));
    assert_eq!(String::from_utf8(list).expect("UTF-8").lines().count(), 4);
    // And back: the configuration is the same, layers are plain, the manifest is the same each
    // time.
    copies(&directory, &["docker-archive:named.tar:me/app:v1", "oci:back"]);
    copies(&directory, &["plain.tar", "oci-archive:back.tar:x"]);
    copies(&directory, &["back.tar", "oci:third"]);
    assert_eq!(blobs(&directory.join("back")), blobs(&directory.join("third")));
    assert_eq!(blobs(&directory.join("back")).len(), 4);
    assert_eq!(seen_by_skopeo(&directory, "oci:back:v1"), stored.config.digest);
    assert_eq!(seen_by_skopeo(&directory, "oci:third:x"), stored.config.digest);
    tool(
        Command::new("umoci")
            .args(["unpack", "--image", "back:v1", "bundle"])
            .current_dir(&directory),
    );
    assert_eq!(read(&directory.join("bundle/rootfs/word")), b"base");
    copies(&directory, &["named.tar", "docker-archive:again.tar:me/app:v1"]);
    assert_eq!(read(&directory.join("again.tar")), read(&directory.join("named.tar")));
}

#[test]
fn names_that_the_peers_do_not_load_are_refused() {
    let (directory, ..) = start("names");
    let by_skopeo = |name: &str, n: usize| {
        let to = format!("docker-archive:peer{n}.tar:{name}");
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["copy", "-q", "oci:layout:latest", &to]).current_dir(&directory);
        skopeo.output().expect("skopeo").status.success()
    };
    for (n, name) in [
        "App:v1",
        "App/x:1",
        "me/App",
        "a//b",
        "a:-x",
        "-h.x/a",
        "h.x:port/a",
        "a___b",
        "a..b",
        "a-",
    ]
    .iter()
    .enumerate()
    {
        let to = format!("docker-archive:new{n}.tar:{name}");
        refuses(&directory, &["layout", &to], &format!("the name \"{name}\": "));
        assert!(!directory.join(format!("new{n}.tar")).exists() && !by_skopeo(name, n), "{name}");
    }
    for (n, name) in ["Host.example/a:V", "localhost:5000/a/b__c", "a.b"].iter().enumerate() {
        copies(&directory, &["layout", &format!("docker-archive:good{n}.tar:{name}")]);
        assert!(by_skopeo(name, 100 + n), "{name}");
        seen_by_skopeo(&directory, &format!("docker-archive:good{n}.tar:{name}"));
    }
}

#[test]
fn what_the_peers_wrote_is_copied() {
    let (directory, ..) = start("peers");
    skopeo(&directory, "oci:layout:latest", "docker-archive:skopeo.tar:app:v1");
    skopeo(&directory, "oci:layout:latest", "oci-archive:oci.tar:v1");
    let wanted = seen_by_skopeo(&directory, "docker-archive:skopeo.tar");
    for (n, from) in
        ["skopeo.tar", "docker-archive:skopeo.tar:app:v1", "oci.tar"].iter().enumerate()
    {
        for to in [
            format!("oci:l{n}:t"),
            format!("oci-archive:o{n}.tar:t"),
            format!("docker-archive:d{n}.tar:t:t"),
        ] {
            copies(&directory, &[from, &to]);
            assert_eq!(seen_by_skopeo(&directory, &to), wanted, "{from} {to}");
        }
    }
}

/// A docker-archive with packed layers, as bazel and kaniko write it: they stay packed in a layout.
#[test]
fn packed_layers_stay_packed() {
    let (directory, _, stored) = start("packed");
    let image = image("one");
    let config = image.config_json();
    let tar = Tar::new()
        .file("1.tar.gz", 0o644, &image.layers[0].stored)
        .file("2.tar", 0o644, &image.layers[1].stored)
        .file("config.json", 0o644, &config)
        .file(
            "manifest.json",
            0o644,
            r#"[{"Config":"config.json","RepoTags":null,"Layers":["1.tar.gz","2.tar","1.tar.gz"]}]"#,
        );
    write(&directory.join("packed.tar"), tar.finish());
    copies(&directory, &["packed.tar", "oci:out"]);
    let hex = |digest: &str| digest.trim_start_matches("sha256:").to_string();
    let all = blobs(&directory.join("out"));
    assert!(
        [&stored.config, &stored.layers[0], &stored.layers[1]]
            .iter()
            .all(|blob| all.contains(&hex(&blob.digest)))
    );
    assert_eq!(
        (all.len(), seen_by_skopeo(&directory, "oci:out:latest")),
        (4, stored.config.digest)
    );
}

#[test]
fn streams_are_archives() {
    let (directory, layout, stored) = start("streams");
    let script = r#"set -e
        "$0" copy layout - | "$0" copy - oci:one
        "$0" copy layout docker-archive:-:app:v1 | "$0" copy docker-archive:- - | "$0" copy oci-archive:-:v1 oci:two
        "$0" copy layout - > three.tar
        "$0" copy - oci:three < three.tar
        "$0" copy layout docker-archive:- > four.tar
        TMPDIR=. "$0" copy - oci:four < four.tar"#;
    let mut command = Command::new("bash");
    tool(
        command
            .args(["-o", "pipefail", "-c", script, env!("CARGO_BIN_EXE_ocinit")])
            .current_dir(&directory),
    );
    for layout_name in ["one", "three"] {
        assert_eq!(blobs(&directory.join(layout_name)), blobs(&layout.directory));
    }
    assert_eq!(blobs(&directory.join("two")), blobs(&directory.join("four")));
    assert_eq!(seen_by_skopeo(&directory, "oci:two:v1"), stored.config.digest);
    refuses(&directory, &["layout", "oci:-"], "a directory, and not a stream");
}

#[test]
fn a_layout_grows_and_a_tag_is_replaced() {
    let (directory, ..) = start("grows");
    image("two").write(&directory.join("other"));
    copies(&directory, &["layout", "oci:all:a"]);
    copies(&directory, &["other", "oci:all:b"]);
    copies(&directory, &["layout", "oci:all:c"]);
    let list = || {
        String::from_utf8(tool(
            Command::new("umoci").args(["ls", "--layout", "all"]).current_dir(&directory),
        ))
    };
    assert_eq!(list().expect("UTF-8"), "a\nb\nc\n");
    let before = seen_by_skopeo(&directory, "oci:all:b");
    copies(&directory, &["other", "oci:all:a"]);
    let mut lines: Vec<String> = list().expect("UTF-8").lines().map(str::to_string).collect();
    lines.sort();
    assert_eq!(lines, ["a", "b", "c"]);
    assert_eq!(seen_by_skopeo(&directory, "oci:all:a"), before);
    // A tag that JSON must escape.
    copies(&directory, &["other", "oci:all:a\"b\\c"]);
    copies(&directory, &["oci:all:a\"b\\c", "oci:odd"]);
    assert_eq!(
        seen_by_skopeo(&directory, "oci:all:c"),
        seen_by_skopeo(&directory, "oci:layout:latest")
    );

    copies(&directory, &["layout", "oci-archive:there.tar"]);
    for to in ["oci-archive:there.tar", "docker-archive:there.tar", "oci-archive:all"] {
        refuses(&directory, &["layout", to], "is there already");
    }
    std::fs::create_dir_all(directory.join("full/x")).expect("directory");
    refuses(&directory, &["layout", "oci:full"], "not empty");
    refuses(
        &directory,
        &["layout", "somewhere"],
        "say what to make: oci:, oci-archive: or docker-archive:",
    );
    refuses(&directory, &["layout", "oci-archive:no/where.tar"], "no such file or directory");
    refuses(
        &directory,
        &["nothing", "oci:x"],
        "image nothing: no such file or directory, and IMAGE is a path",
    );
}

/// An index over two platforms, with what BuildKit puts beside them and an index in the index.
pub fn many(layout: &mut Layout) -> Vec<Stored> {
    let stored: Vec<Stored> = ["amd64", "arm64", "s390x"]
        .iter()
        .map(|architecture| {
            Image { architecture: (*architecture).into(), ..image(architecture) }.store(layout)
        })
        .collect();
    let statement = layout.blob(br#"{"_type":"https://in-toto.io/Statement/v0.1"}"#);
    let empty = layout.blob(b"{}");
    let attestation = layout.manifest(
        &empty.descriptor("application/vnd.oci.empty.v1+json", ""),
        &statement.descriptor("application/vnd.in-toto+json", ""),
    );
    let of = |index: usize, architecture: &str| {
        stored[index].manifest.descriptor(MANIFEST, &platform(architecture, "linux"))
    };
    let inner = layout
        .blob(format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, of(2, "s390x")).as_bytes());
    let entries = [
        of(0, "amd64"),
        of(1, "arm64"),
        attestation.descriptor(MANIFEST, &platform("unknown", "unknown")),
        inner.descriptor(INDEX, ""),
    ];
    let index = layout
        .blob(format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(",")).as_bytes());
    layout.entries.push(index.descriptor(INDEX, &tagged("multi")));
    stored
}

#[test]
fn one_platform_or_all_of_them() {
    let directory = scratch("copy-all");
    let mut layout = Layout::create(&directory.join("layout"));
    let stored = many(&mut layout);
    layout.write_index();
    copies(&directory, &["--all", "layout", "oci-archive:all.tar"]);
    copies(&directory, &["-a", "all.tar", "oci:all"]);
    assert_eq!(blobs(&directory.join("all")), blobs(&layout.directory));
    assert_eq!(seen_by_skopeo(&directory, "oci:all:multi"), stored[0].config.digest);
    copies(&directory, &["layout", "oci:amd64:x"]);
    copies(&directory, &["--platform", "linux/arm64", "layout", "docker-archive:arm64.tar"]);
    assert_eq!(blobs(&directory.join("amd64")).len(), 4);
    assert_eq!(seen_by_skopeo(&directory, "docker-archive:arm64.tar"), stored[1].config.digest);
    copies(&directory, &["--platform", "linux/s390x", "all.tar", "oci:s390x"]);
    refuses(
        &directory,
        &["--platform", "linux/riscv64", "layout", "oci:x"],
        "wrong architecture: the image is for linux/",
    );
    refuses(
        &directory,
        &["--all", "layout", "docker-archive:x.tar"],
        "--all: a docker-archive has no index",
    );
    // Beneath an index, too, everything is verified.
    spoil(&layout.path(&stored[2].layers[1].digest));
    refuses(&directory, &["--all", "layout", "oci:x"], "digest mismatch");
    copies(&directory, &["layout", "oci:x"]);
}

/// Changes one byte.
pub fn spoil(path: &Path) {
    let mut bytes = read(path);
    let at = bytes.len() / 2;
    bytes[at] ^= 0x40;
    write(path, bytes);
}
