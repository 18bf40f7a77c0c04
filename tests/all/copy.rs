//! `ocinit copy`: from every place to every other, as the peers read it; and nothing left of what
//! fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support;
use crate::support::images::{Layer, Stored};
use crate::support::layout::{self, INDEX, MANIFEST, platform, sha256, tagged};
use crate::support::{Image, Layout, Tar, read, scratch, tool, write};

fn ocinit(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(support::ocinit());
    command.args(words).current_dir(directory);
    command
}

#[track_caller]
fn copies(directory: &Path, words: &[&str]) {
    let output = ocinit(directory, &[&["copy"], words].concat()).output().expect("ocinit runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && text.is_empty() && output.stdout.is_empty(),
        "{words:?}: {text}"
    );
}

#[track_caller]
fn refuses(directory: &Path, words: &[&str], why: &str) {
    let before = names(directory);
    let output: Output =
        ocinit(directory, &[&["copy"], words].concat()).output().expect("ocinit runs");
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), line.lines().count()), (Some(125), 1), "{words:?}: {line}");
    assert!(line.contains(why), "{why}: {line}");
    assert_eq!(names(directory), before, "something is left: {line}");
}

/// Everything there is beneath a directory.
fn names(directory: &Path) -> Vec<String> {
    let text = tool(Command::new("find").arg(directory).arg("-printf").arg("%P %s\n"));
    let mut names: Vec<String> =
        String::from_utf8(text).expect("UTF-8").lines().map(str::to_string).collect();
    // A directory's own size is the file system's affair.
    names.retain(|name| !directory.join(name.rsplit_once(' ').expect("a size").0).is_dir());
    names.sort();
    names
}

/// An image of a gzip layer, a plain one, and the first one again.
fn image(word: &str) -> Image {
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

fn skopeo(directory: &Path, from: &str, to: &str) {
    let mut command = Command::new("skopeo");
    tool(command.args(["--insecure-policy", "copy", "-q", from, to]).current_dir(directory));
}

/// The blobs of a layout, as they are called and as they hash.
fn blobs(layout: &Path) -> Vec<String> {
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

fn start(name: &str) -> (PathBuf, Layout, Stored) {
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
fn many(layout: &mut Layout) -> Vec<Stored> {
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
fn spoil(path: &Path) {
    let mut bytes = read(path);
    let at = bytes.len() / 2;
    bytes[at] ^= 0x40;
    write(path, bytes);
}

#[test]
fn what_is_not_what_it_says_is_not_copied() {
    let targets = ["oci:new", "oci:grown:second", "oci-archive:new.tar", "docker-archive:new.tar"];
    for part in 0..4 {
        let (directory, layout, stored) = start(&format!("spoiled-{part}"));
        copies(&directory, &["layout", "oci:grown:first"]);
        let blob = [&stored.manifest, &stored.config, &stored.layers[0], &stored.layers[1]][part];
        spoil(&layout.path(&blob.digest));
        for target in targets {
            // A layout that is there may get blobs that were verified, and no more.
            if part < 2 || !target.starts_with("oci:grown") {
                refuses(&directory, &["layout", target], "mismatch");
            }
        }
        let before = read(&directory.join("grown/index.json"));
        let output = ocinit(&directory, &["copy", "layout", "oci:grown:second"])
            .output()
            .expect("ocinit runs");
        // An existing layer is not read again, so damage in the source does not matter.
        assert_eq!(output.status.code(), Some(if part < 2 { 125 } else { 0 }));
        assert_eq!(read(&directory.join("grown/index.json")) == before, part < 2);
        assert_eq!(blobs(&directory.join("grown")).len(), 4, "what has a name is what it says");
        assert!(
            std::fs::read_dir(directory.join("grown")).expect("layout").count() == 3,
            "nothing partial is left"
        );
        // A stream cannot be taken back; it does not look whole.
        let output = ocinit(&directory, &["copy", "layout", "-"]).output().expect("ocinit runs");
        assert_eq!(output.status.code(), Some(125));
        write(&directory.join("part.tar"), output.stdout);
        refuses(&directory, &["part.tar", "oci:new"], "");
    }
    // The layer has its digest, but not the configuration's, which counts for plain layers only.
    let directory = scratch("copy-diff-id");
    let mut image = image("one");
    image.layers[2].diff_id = sha256(b"another");
    image.write(&directory.join("layout"));
    refuses(&directory, &["layout", "docker-archive:new.tar"], "layer 3 of 3");
    copies(&directory, &["layout", "oci:new"]);
    // Bytes that are cut off, in a docker-archive as well.
    let (directory, ..) = start("cut");
    copies(&directory, &["layout", "docker-archive:whole.tar"]);
    let whole = read(&directory.join("whole.tar"));
    for length in [0, 100, 700, 2000, whole.len() / 2, whole.len() - 1600] {
        write(&directory.join("cut.tar"), &whole[..length]);
        refuses(&directory, &["cut.tar", "oci:new"], "archive");
    }
}

#[test]
fn a_full_disk_leaves_nothing() {
    let directory = scratch("copy-full");
    let filler = Layer::plain(Tar::new().file("filler", 0o644, support::random_bytes(300 << 10)));
    Image { layers: vec![filler], ..image("x") }.write(&directory.join("layout"));
    let place = directory.join("small");
    std::fs::create_dir(&place).expect("directory");
    tool(Command::new("mount").args(["-t", "tmpfs", "-o", "size=128k", "none"]).arg(&place));
    let results: Vec<(String, usize)> =
        ["oci:small/x", "oci-archive:small/x.tar", "docker-archive:small/x.tar"]
            .iter()
            .map(|to| {
                let output =
                    ocinit(&directory, &["copy", "layout", to]).output().expect("ocinit runs");
                let line = String::from_utf8_lossy(&output.stderr).into_owned();
                (line, std::fs::read_dir(&place).expect("directory").count())
            })
            .collect();
    tool(Command::new("umount").arg(&place));
    for (line, left) in results {
        assert!(
            line.contains("no space left on device") && line.lines().count() == 1 && left == 0,
            "{left} {line}"
        );
    }
}

/// Signals are held back until what was made is taken back.
#[test]
fn an_interrupted_copy_leaves_nothing() {
    let directory = scratch("copy-interrupted");
    let (layout, stored) = image("x").write(&directory.join("layout"));
    // Much longer than the test waits: 64 GiB that take no room.
    let length = 64 << 30;
    let long = layout::Blob { digest: sha256(b"not reached"), size: length };
    std::fs::File::create(layout.path(&long.digest))
        .and_then(|file| file.set_len(length))
        .expect("a long blob");
    let mut image = image("x");
    image.layers.truncate(1);
    let config = layout.blob(image.config_json().as_bytes());
    let manifest = layout.blob(image.manifest_json(&config, &[long]).as_bytes());
    let index = String::from_utf8(read(&directory.join("layout/index.json"))).expect("UTF-8");
    let index = index.replace(&stored.manifest.digest, &manifest.digest);
    let size = |blob: &layout::Blob| format!(r#""size":{}"#, blob.size);
    write(
        &directory.join("layout/index.json"),
        index.replace(&size(&stored.manifest), &size(&manifest)),
    );
    for to in ["oci:new", "oci-archive:new.tar"] {
        let mut child = ocinit(&directory, &["copy", "layout", to])
            .stderr(Stdio::piped())
            .spawn()
            .expect("ocinit runs");
        let partial =
            |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.contains(".partial-"));
        while !std::fs::read_dir(&directory)
            .expect("directory")
            .any(|entry| partial(&entry.expect("entry").file_name()))
        {
            assert!(child.try_wait().expect("child").is_none(), "it ended early");
            std::thread::yield_now();
        }
        tool(Command::new("kill").args(["-INT", &child.id().to_string()]));
        let output = child.wait_with_output().expect("it ends");
        let line = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(line.contains("interrupted by SIGINT") && output.status.code().is_none(), "{line}");
        assert_eq!(std::fs::read_dir(&directory).expect("directory").count(), 1, "a part is left");
    }
}
