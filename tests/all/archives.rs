//! Archives of the peers, and of old docker versions: the unpacked files equal the packed ones.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support;
use crate::support::images::Layer;
use crate::support::layout::{INDEX, Layout, MANIFEST, gzip, sha256, tagged, zstd};
use crate::support::{Image, Tar, busybox, read, scratch, tool, write};

/// Runs `ocinit unpack` with these words and a new root; the root, or the line it printed.
fn unpack(directory: &Path, name: &str, words: &[&str], input: Stdio) -> Result<PathBuf, String> {
    let root = directory.join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ocinit"));
    let output =
        command.arg("unpack").args(words).arg(&root).stdin(input).output().expect("ocinit runs");
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    match output.status.code() {
        Some(0) => {
            assert_eq!(line, "");
            Ok(root)
        }
        status => {
            assert_eq!(
                (status, line.lines().count(), root.exists()),
                (Some(125), 1, false),
                "{line}"
            );
            Err(line)
        }
    }
}

#[track_caller]
fn says(directory: &Path, words: &[&str], word: &str) {
    let root = unpack(directory, "root", words, Stdio::null())
        .unwrap_or_else(|line| panic!("{words:?}: {line}"));
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
    let base =
        Tar::new().directory("d/", 0o750).file("d/x", 0o640, "x").file("word", 0o644, "base");
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
    for words in names.iter().flat_map(|name| [format!("{file}{name}"), format!("{docker}{name}")])
    {
        says(&directory, &[&words], "one");
    }
    for words in [
        archive.clone(),
        format!("oci-archive:{archive}"),
        format!("{archive}:v1"),
        format!("{archive}:@0"),
    ] {
        says(&directory, &[&words], "one");
    }
    refuses(
        &directory,
        &[&format!("{file}:busybox")],
        "no tag \"busybox\", there is: docker.io/library/busybox:1.36",
    );
    refuses(&directory, &[&format!("oci-archive:{file}")], "oci-layout: missing");
    refuses(&directory, &[&format!("docker-archive:{archive}")], "manifest.json: missing");
    refuses(&directory, &[&format!("oci:{archive}")], "no directory");
    refuses(
        &directory,
        &[&format!("oci-archive:{}", directory.join("layout").display())],
        "a directory",
    );

    // From a file, and from a pipe.
    let input = || std::fs::File::open(&file).expect("archive");
    for words in ["-", "docker-archive:-", "docker-archive:-:busybox:1.36"] {
        let mut cat =
            Command::new("cat").stdin(input()).stdout(Stdio::piped()).spawn().expect("cat runs");
        let pipe = Stdio::from(cat.stdout.take().expect("piped"));
        for (n, input) in [Stdio::from(input()), pipe].into_iter().enumerate() {
            let root = unpack(&directory, &format!("root{n}"), &[words], input).expect("unpacked");
            assert_eq!(std::fs::read_to_string(root.join("word")).expect("word"), "one");
            std::fs::remove_dir_all(root).expect("removed");
        }
        cat.wait().expect("cat ends");
    }
    assert!(
        unpack(&directory, "root", &["-"], Stdio::null()).expect_err("refused").contains("archive")
    );
}

/// As docker 1.10 to 24 did it: a folder for each layer, and a symlink where a layer was written
/// before.
#[test]
fn what_docker_wrote_long_ago() {
    let directory = scratch("archives-docker");
    let image = saying("old", "amd64");
    let image = Image {
        layers: [&image.layers[..1], &image.layers[..1], &image.layers[1..]].concat(),
        ..image
    };
    let config = image.config_json();
    let name = format!("{}.json", &sha256(config.as_bytes())[7..]);
    let ids: Vec<String> = (0..3).map(|n| format!("{:064x}", 0xabc + n)).collect();
    let plain = gunzip(&image.layers[0].stored);
    let layers = ids.iter().map(|id| format!("\"{id}/layer.tar\"")).collect::<Vec<_>>().join(",");
    let make = |first: &[u8], link: &str| {
        let mut tar = Tar::new();
        for (n, id) in ids.iter().enumerate() {
            tar = tar.directory(&format!("{id}/"), 0o755).file(
                &format!("{id}/VERSION"),
                0o644,
                "1.0",
            );
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
    refuses(&directory, &[&words], "layer.tar: a link to a file that is not in the archive");
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

/// 127 layers with long names, and very many files.
#[test]
fn a_large_archive() {
    let directory = scratch("archives-large");
    let mut image = saying("top", "amd64");
    for n in 0..125 {
        let tar = Tar::new().file(&format!("f{n}"), 0o644, n.to_string());
        image.layers.insert(0, Layer::plain(tar));
    }
    let config = image.config_json();
    let names: Vec<String> =
        (0..127).map(|n| format!("{}{n}/layer.tar", "long-name-".repeat(20))).collect();
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
    write(&file, make(32 << 10));
    refuses(&directory, &[&words], "archive: more than 32768 files");
}

#[test]
fn an_image_for_another_platform_is_asked_for() {
    let directory = scratch("archives-platform");
    let mut layout = support::Layout::create(&directory.join("layout"));
    let entries: Vec<String> = ["amd64", "arm64"]
        .iter()
        .map(|architecture| {
            let stored = saying(architecture, architecture).store(&layout);
            stored.manifest.descriptor(
                support::layout::MANIFEST,
                &support::layout::platform(architecture, "linux"),
            )
        })
        .collect();
    let index = layout
        .blob(format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(",")).as_bytes());
    layout
        .entries
        .push(index.descriptor(support::layout::INDEX, &support::layout::tagged("multi")));
    layout.write_index();
    let path = layout.directory.display().to_string();
    says(&directory, &[&path], "amd64");
    says(&directory, &["--platform", "linux/arm64", &path], "arm64");
    says(&directory, &["--platform=linux/aarch64/v8", &format!("oci:{path}:multi")], "arm64");
    let why =
        "wrong architecture: the image is for linux/arm64, linux/amd64, wanted is linux/s390x";
    let why = [
        why,
        "wrong architecture: the image is for linux/amd64, linux/arm64, wanted is linux/s390x",
    ];
    let line = unpack(&directory, "root", &["--platform", "linux/s390x", &path], Stdio::null())
        .expect_err("refused");
    assert!(why.iter().any(|why| line.contains(why)), "{line}");
    refuses(&directory, &["--platform", "arm64", &path], "--platform arm64: not OS/ARCH");
}

/// Compressed archives (`docker save | gzip`) are read; an error names other compressions.
#[test]
fn compressed_archives_are_read() {
    let directory = scratch("archives-compressed");
    let (layout, _) = busybox().write(&directory.join("layout"));
    let tar = read(&layout.archive());
    write(&directory.join("image.tar.gz"), gzip(&tar));
    write(&directory.join("image.tar.zst"), zstd(&tar, &["-3"]));
    let run = |words: &[&str]| {
        let output = Command::new(support::ocinit())
            .args(words)
            .current_dir(&directory)
            .output()
            .expect("ocinit runs");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"), output.stdout)
    };
    let expected = run(&["inspect", "--format", "json", "layout"]).2;
    assert!(!expected.is_empty());
    for name in ["image.tar.gz", "image.tar.zst"] {
        for words in [
            &["inspect", name][..],
            &["verify", name],
            &["list-files", name],
            &["copy", name, "oci:copied:x"],
        ] {
            let (status, line, _) = run(words);
            assert_eq!((status, line.as_str()), (Some(0), ""), "{words:?}");
        }
        let script = format!(
            "cat {name} | \"$0\" verify -q - && \"$0\" verify -q /dev/stdin < {name} && \"$0\" verify -q <(cat {name})"
        );
        tool(
            Command::new("bash")
                .args(["-c", &script])
                .arg(support::ocinit())
                .current_dir(&directory),
        );
        assert_eq!(run(&["unpack", name, &format!("{name}.root")]).0, Some(0));
    }
    // A FIFO is a stream like standard input.
    let script = "mkfifo fifo && { cat layout.tar > fifo & } && \"$0\" verify -q fifo && wait";
    tool(Command::new("bash").args(["-c", script]).arg(support::ocinit()).current_dir(&directory));
    for (name, bytes, why) in [
        ("a.xz", &b"\xfd7zXZ\0rest"[..], "compressed with xz"),
        ("a.bz2", b"BZh9rest", "compressed with bzip2"),
        ("empty", b"", "image empty: empty, and no archive"),
        ("cut.gz", &gzip(&tar)[..2000], "gzip: truncated"),
        ("sum.gz", &spoiled_sum(gzip(&tar)), "gzip: wrong CRC-32"),
    ] {
        write(&directory.join(name), bytes);
        let (status, line, _) = run(&["verify", name]);
        assert!(
            status == Some(125) && line.contains(why) && line.lines().count() == 1,
            "{name}: {line}"
        );
    }
    let (status, line, _) = run(&["verify", "/dev/null"]);
    assert!(status == Some(125) && line.contains("neither a directory nor an archive"), "{line}");
}

/// gzip with another CRC-32.
fn spoiled_sum(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = bytes.len() - 8;
    bytes[at] ^= 1;
    bytes
}

/// Sizes that peers take, too: 1,000 layers, documents above 1 MiB, thousands of entries in an
/// index.
#[test]
fn large_documents_are_read() {
    let directory = scratch("archives-documents");
    let layer = |n: usize| Layer::plain(Tar::new().file(&format!("f{n}"), 0o644, ""));
    let labels: Vec<String> =
        (0..20).map(|n| format!(r#""label{n}":"{}""#, "x".repeat(60_000))).collect();
    let image = Image {
        architecture: "amd64".into(),
        os: "linux".into(),
        config: format!(r#""Cmd":["sh"],"Labels":{{{}}}"#, labels.join(",")),
        layers: (0..1000).map(layer).collect(),
    };
    let (mut layout, stored) = image.write(&directory.join("layout"));
    for n in 0..4000 {
        layout.entries.push(stored.manifest.descriptor(MANIFEST, &tagged(&format!("t{n}"))));
    }
    layout.write_index();
    let root = directory.join("root");
    tool(Command::new(support::ocinit()).arg("unpack").arg(&layout.directory).arg(&root));
    assert_eq!(std::fs::read_dir(root).expect("root").count(), 1000);
    tool(
        Command::new(support::ocinit())
            .args(["bundle", "layout:t3999", "bundle"])
            .current_dir(&directory),
    );
}

/// An empty blob is no gzip, even if its digest is right.
#[test]
fn an_empty_blob_is_no_gzip() {
    let directory = scratch("archives-empty-blob");
    let empty = Layer { stored: Vec::new(), gzip: true, diff_id: sha256(b"") };
    Image { layers: vec![empty], ..busybox() }.write(&directory.join("layout"));
    let output = Command::new(support::ocinit())
        .arg("verify")
        .arg(directory.join("layout"))
        .output()
        .expect("ocinit runs");
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        output.status.code() == Some(125) && line.contains("layers[0]: 0 bytes cannot be"),
        "{line}"
    );
}

/// A layout with an empty index and a manifest.json: docker 25's archive of an image without a tag.
#[test]
fn an_untagged_image_saved_by_docker_25_is_one_image() {
    let top = scratch("archive-untagged");
    for (n, manifests) in ["null", "[]", "[ITSELF]"].iter().enumerate() {
        let layout = Layout::create(&top.join(format!("image{n}")));
        let stored = saying("untagged", "amd64").store(&layout);
        let manifests = manifests.replace("ITSELF", &stored.manifest.descriptor(MANIFEST, ""));
        let index =
            format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":{manifests}}}"#);
        write(&layout.directory.join("index.json"), index);
        let path = |digest: &str| format!("\"blobs/{}\"", digest.replace(':', "/"));
        let layers: Vec<String> = stored.layers.iter().map(|layer| path(&layer.digest)).collect();
        let manifest = format!(
            r#"[{{"Config":{},"RepoTags":null,"Layers":[{}]}}]"#,
            path(&stored.config.digest),
            layers.join(",")
        );
        write(&layout.directory.join("manifest.json"), manifest);
        let archive = layout.archive();
        says(&top, &[archive.to_str().unwrap()], "untagged");
        let output = Command::new(support::ocinit())
            .arg("inspect")
            .arg(&archive)
            .output()
            .expect("ocinit runs");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains(&stored.config.digest),
            "{output:?}"
        );
        // Later versions list it in the index, by its digest. `oci-archive:` asks for the layout.
        match n {
            2 => says(&top, &[&format!("oci-archive:{}", archive.display())], "untagged"),
            _ => refuses(&top, &[&format!("oci-archive:{}", archive.display())], "no image"),
        }
    }
}

/// --max-size limits the unpacked bytes of all layers together, each layer once.
#[test]
fn an_image_that_unpacks_to_more_than_the_limit_is_refused() {
    let directory = scratch("archives-max-size");
    let big = "0123456789abcdef".repeat(64 << 10);
    // A whiteout of its own layer's entry: this image is read twice.
    let again = Tar::new().file("second", 0o644, &big).file("third", 0o644, "3").whiteout("third");
    let layers = vec![Layer::gzip(Tar::new().file("first", 0o644, &big)), Layer::gzip(again)];
    let (layout, _) = Image { layers, ..Image::empty() }.write(&directory.join("layout"));
    write(&directory.join("packed.tar.gz"), gzip(&read(&layout.archive())));
    let run = |limit: &str, words: &[&str]| {
        let mut command = Command::new(support::ocinit());
        command
            .args(&words[..1])
            .args(["--max-size", limit])
            .args(&words[1..])
            .current_dir(&directory);
        let output = command.output().expect("ocinit runs");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    for words in [
        &["unpack", "layout", "root"][..],
        &["bundle", "layout", "root"],
        &["verify", "layout"],
        &["list-files", "layout"],
        &["unpack", "packed.tar.gz", "root"],
    ] {
        for limit in ["1m", "2m", "0"] {
            let (status, line) = run(limit, words);
            let bytes = match limit {
                "1m" => "1048576",
                "2m" => "2097152",
                _ => "0",
            };
            let why = format!("unpack to more than {bytes} bytes, the limit of --max-size");
            assert!(
                status == Some(125) && line.contains(&why) && line.lines().count() == 1,
                "{words:?}: {line}"
            );
            assert!(!directory.join("root").exists(), "{words:?}");
        }
        assert_eq!(run("2.5m", words), (Some(0), String::new()), "{words:?}");
        let _ = std::fs::remove_dir_all(directory.join("root"));
    }
    let (status, line) = run("1m", &["run", "--image", "layout", "max-size-of-nothing"]);
    assert!(status == Some(125) && line.contains("the limit of --max-size"), "{line}");
    let (status, line) = run("much", &["verify", "layout"]);
    assert!(status == Some(125) && line.contains("--max-size much: no number of bytes"), "{line}");
}
