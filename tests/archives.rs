//! Archives as the peers write them, and as docker wrote them long ago: what is unpacked is what was put in.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::images::Layer;
use support::layout::sha256;
use support::{Image, Tar, scratch, tool, write};

/// Runs `ocinit unpack` with these words and a new root; the root, or the line it printed.
fn unpack(directory: &Path, name: &str, words: &[&str], input: Stdio) -> Result<PathBuf, String> {
    let root = directory.join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ocinit"));
    let output = command.arg("unpack").args(words).arg(&root).stdin(input).output().expect("ocinit runs");
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    match output.status.code() {
        Some(0) => {
            assert_eq!(line, "");
            Ok(root)
        }
        status => {
            assert_eq!((status, line.lines().count(), root.exists()), (Some(125), 1, false), "{line}");
            Err(line)
        }
    }
}

#[track_caller]
fn says(directory: &Path, words: &[&str], word: &str) {
    let root = unpack(directory, "root", words, Stdio::null()).unwrap_or_else(|line| panic!("{words:?}: {line}"));
    assert_eq!(std::fs::read_to_string(root.join("word")).expect("word"), word, "{words:?}");
    std::fs::remove_dir_all(root).expect("removed");
}

#[track_caller]
fn refuses(directory: &Path, words: &[&str], why: &str) {
    let line = unpack(directory, "root", words, Stdio::null()).expect_err("refused");
    assert!(line.contains(why), "{why}: {line}");
}

/// Two layers, of which the second changes what the first made.
fn saying(word: &str, architecture: &str) -> Image {
    let base = Tar::new().directory("d/", 0o750).file("d/x", 0o640, "x").file("word", 0o644, "base");
    let change = Tar::new().file("word", 0o600, word).whiteout("d/x").symlink("link", "word");
    let layers = vec![Layer::gzip(base), Layer::plain(change)];
    Image { architecture: architecture.into(), os: "linux".into(), config: String::new(), layers }
}

fn skopeo(words: &[String]) {
    tool(Command::new("skopeo").args(["--insecure-policy", "copy", "-q"]).args(words));
}

#[test]
fn what_skopeo_wrote() {
    let directory = scratch("archives-skopeo");
    saying("one", "amd64").write(&directory.join("layout"));
    let layout = format!("oci:{}:latest", directory.join("layout").display());
    let file = directory.join("docker.tar").display().to_string();
    skopeo(&[layout.clone(), format!("docker-archive:{file}:busybox:1.36")]);
    let archive = directory.join("oci.tar").display().to_string();
    skopeo(&[layout, format!("oci-archive:{archive}:v1")]);

    let docker = format!("docker-archive:{file}");
    let names = ["", ":busybox:1.36", ":docker.io/library/busybox:1.36", ":@0"];
    for words in names.iter().flat_map(|name| [format!("{file}{name}"), format!("{docker}{name}")]) {
        says(&directory, &[&words], "one");
    }
    for words in [archive.clone(), format!("oci-archive:{archive}"), format!("{archive}:v1"), format!("{archive}:@0")] {
        says(&directory, &[&words], "one");
    }
    refuses(&directory, &[&format!("{file}:busybox")], "no tag \"busybox\", there is: docker.io/library/busybox:1.36");
    refuses(&directory, &[&format!("oci-archive:{file}")], "oci-layout: missing");
    refuses(&directory, &[&format!("docker-archive:{archive}")], "manifest.json: missing");
    refuses(&directory, &[&format!("oci:{archive}")], "no directory");
    refuses(&directory, &[&format!("oci-archive:{}", directory.join("layout").display())], "a directory");

    // From a file, and from a pipe.
    let input = || std::fs::File::open(&file).expect("archive");
    for words in ["-", "docker-archive:-", "docker-archive:-:busybox:1.36"] {
        let mut cat = Command::new("cat").stdin(input()).stdout(Stdio::piped()).spawn().expect("cat runs");
        let pipe = Stdio::from(cat.stdout.take().expect("piped"));
        for (n, input) in [Stdio::from(input()), pipe].into_iter().enumerate() {
            let root = unpack(&directory, &format!("root{n}"), &[words], input).expect("unpacked");
            assert_eq!(std::fs::read_to_string(root.join("word")).expect("word"), "one");
            std::fs::remove_dir_all(root).expect("removed");
        }
        cat.wait().expect("cat ends");
    }
    assert!(unpack(&directory, "root", &["-"], Stdio::null()).expect_err("refused").contains("archive"));
}

/// As docker 1.10 to 24 did it: a folder for each layer, and a symlink where a layer was written before.
#[test]
fn what_docker_wrote_long_ago() {
    let directory = scratch("archives-docker");
    let image = saying("old", "amd64");
    let image = Image { layers: [&image.layers[..1], &image.layers[..1], &image.layers[1..]].concat(), ..image };
    let config = image.config_json();
    let name = format!("{}.json", &sha256(config.as_bytes())[7..]);
    let ids: Vec<String> = (0..3).map(|n| format!("{:064x}", 0xabc + n)).collect();
    let plain = gunzip(&image.layers[0].stored);
    let layers = ids.iter().map(|id| format!("\"{id}/layer.tar\"")).collect::<Vec<_>>().join(",");
    let make = |first: &[u8], link: &str| {
        let mut tar = Tar::new();
        for (n, id) in ids.iter().enumerate() {
            tar = tar.directory(&format!("{id}/"), 0o755).file(&format!("{id}/VERSION"), 0o644, "1.0");
            tar = tar.file(&format!("{id}/json"), 0o644, format!(r#"{{"id":"{id}"}}"#));
            tar = match n {
                0 => tar.file(&format!("{id}/layer.tar"), 0o644, first),
                1 => tar.symlink(&format!("{id}/layer.tar"), link),
                _ => tar.file(&format!("{id}/layer.tar"), 0o644, &image.layers[2].stored),
            };
        }
        tar.file(&name, 0o644, &config)
            .file(
                "manifest.json",
                0o644,
                format!(r#"[{{"Config":"{name}","RepoTags":["old:1"],"Layers":[{layers}]}}]"#),
            )
            .file("repositories", 0o644, format!(r#"{{"old":{{"1":"{}"}}}}"#, ids[2]))
            .finish()
    };
    let file = directory.join("old.tar");
    let words = file.display().to_string();
    write(&file, make(&plain, &format!("../{}/layer.tar", ids[0])));
    says(&directory, &[&words], "old");
    // Builders that pack layers, as bazel's do: nothing but the first bytes tells.
    write(&file, make(&image.layers[0].stored, &format!("../{}/layer.tar", ids[0])));
    says(&directory, &[&words], "old");
    // A link leads nowhere but to names in the archive.
    write(&file, make(&plain, "/etc/passwd"));
    refuses(&directory, &[&words], "layer.tar: a link that leads to nothing in the archive");
    // What is not the layer that the configuration names is told by the diff_id alone.
    let mut other = plain.clone();
    let at = other.windows(4).position(|bytes| bytes == b"base").expect("content");
    other[at] ^= 1;
    write(&file, make(&other, &format!("../{}/layer.tar", ids[0])));
    refuses(&directory, &[&words], "layer 1 of 3 sha256:");
    refuses(&directory, &[&words], "diff_id: digest mismatch");
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let file = scratch("archives-gunzip").join("x.gz");
    write(&file, bytes);
    tool(Command::new("gzip").arg("-dc").arg(&file))
}

/// 127 layers with long names, and more files than anybody looks at.
#[test]
fn a_large_archive() {
    let directory = scratch("archives-large");
    let mut image = saying("top", "amd64");
    for n in 0..125 {
        let tar = Tar::new().file(&format!("f{n}"), 0o644, n.to_string());
        image.layers.insert(0, Layer::plain(tar));
    }
    let config = image.config_json();
    let names: Vec<String> = (0..127).map(|n| format!("{}{n}/layer.tar", "long-name-".repeat(20))).collect();
    let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
    let make = |others: usize| {
        let mut tar = Tar::new();
        for (name, layer) in names.iter().zip(&image.layers) {
            tar = tar.pax(&[("path", name)]).file("cut", 0o644, &layer.stored);
        }
        for n in 0..others {
            tar = tar.file(&format!("other/{n}"), 0o644, "");
        }
        let manifest = format!(r#"[{{"Config":"config.json","RepoTags":null,"Layers":[{list}]}}]"#);
        tar.file("config.json", 0o644, &config).file("manifest.json", 0o644, manifest).finish()
    };
    let file = directory.join("large.tar");
    let words = file.display().to_string();
    write(&file, make(8000));
    says(&directory, &[&words], "top");
    write(&file, make(8192));
    refuses(&directory, &[&words], "archive: more than 8192 files");
}

#[test]
fn an_image_for_another_platform_is_asked_for() {
    let directory = scratch("archives-platform");
    let mut layout = support::Layout::create(&directory.join("layout"));
    let entries: Vec<String> = ["amd64", "arm64"]
        .iter()
        .map(|architecture| {
            let stored = saying(architecture, architecture).store(&layout);
            stored.manifest.descriptor(support::layout::MANIFEST, &support::layout::platform(architecture, "linux"))
        })
        .collect();
    let index = layout.blob(format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(",")).as_bytes());
    layout.entries.push(index.descriptor(support::layout::INDEX, &support::layout::tagged("multi")));
    layout.write_index();
    let path = layout.directory.display().to_string();
    says(&directory, &[&path], "amd64");
    says(&directory, &["--platform", "linux/arm64", &path], "arm64");
    says(&directory, &["--platform=linux/aarch64/v8", &format!("oci:{path}:multi")], "arm64");
    let why = "wrong architecture: the image is for linux/arm64, linux/amd64, wanted is linux/s390x";
    let why = [why, "wrong architecture: the image is for linux/amd64, linux/arm64, wanted is linux/s390x"];
    let line = unpack(&directory, "root", &["--platform", "linux/s390x", &path], Stdio::null()).expect_err("refused");
    assert!(why.iter().any(|why| line.contains(why)), "{line}");
    refuses(&directory, &["--platform", "arm64", &path], "--platform arm64: not OS/ARCH");
}
