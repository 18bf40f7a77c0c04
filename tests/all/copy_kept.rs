//! `ocinit copy` keeps uninterpreted parts: attestations, artifacts, members of an index. Also:
//! layouts of links, and layouts without locks.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::copy_shared::{image, line, ocinit, start, succeeds, tags};
use crate::support;
use crate::support::layout::{INDEX, MANIFEST, platform, tagged};
use crate::support::{Layout, read, scratch, tool, write};

/// An attestation as `docker buildx build` writes it beside its image: its config says diff_ids
/// that are no tars.
#[test]
fn attestations_are_copied_and_not_interpreted() {
    let directory = scratch("shared-attestation");
    let mut layout = Layout::create(&directory.join("layout"));
    let stored = image(1).store(&layout);
    let statement = layout.blob(br#"{"_type":"https://in-toto.io/Statement/v0.1"}"#);
    let config = layout.blob(
        format!(
            r#"{{"architecture":"unknown","os":"unknown","config":{{}},
                "rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            statement.digest
        )
        .as_bytes(),
    );
    let attestation = layout.manifest(
        &config.descriptor("application/vnd.oci.image.config.v1+json", ""),
        &statement.descriptor("application/vnd.in-toto+json", ""),
    );
    let index = layout.blob(
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{},{}]}}"#,
            stored.manifest.descriptor(MANIFEST, &platform("amd64", "linux")),
            attestation.descriptor(
                MANIFEST,
                &format!(
                    r#"{},"annotations":{{"vnd.docker.reference.type":"attestation-manifest"}}"#,
                    platform("unknown", "unknown")
                )
            )
        )
        .as_bytes(),
    );
    layout.entries.push(index.descriptor(INDEX, &tagged("latest")));
    layout.write_index();
    succeeds(&directory, &["copy", "--all", "layout", "oci:all:x"]);
    succeeds(&directory, &["copy", "-a", "oci:all", "oci-archive:all.tar"]);
    succeeds(&directory, &["copy", "layout", "oci:one:x"]);
    let count = |name: &str| {
        std::fs::read_dir(directory.join(name).join("blobs/sha256")).expect("blobs").count()
    };
    assert_eq!((count("layout"), count("all"), count("one")), (9, 9, 5));
    assert_eq!(tags(&directory.join("all")), ["x"]);
}

/// An artifact, as cosign and oras write it; with and without a type in its descriptor.
#[test]
fn an_artifact_is_copied_as_it_is() {
    for (name, more) in [("plain", ""), ("typed", r#","artifactType":"application/vnd.example""#)] {
        let directory = scratch(&format!("shared-artifact-{name}"));
        let mut layout = Layout::create(&directory.join("layout"));
        let (empty, payload) = (layout.blob(b"{}"), layout.blob(b"anything"));
        let manifest = layout.manifest(
            &empty.descriptor("application/vnd.oci.empty.v1+json", ""),
            &payload.descriptor("application/vnd.example+encrypted", ""),
        );
        layout.entries.push(manifest.descriptor(MANIFEST, &format!("{more}{}", tagged("sig"))));
        layout.write_index();
        succeeds(&directory, &["copy", "layout", "oci:one"]);
        succeeds(&directory, &["copy", "layout:sig", "oci:one:again"]);
        succeeds(&directory, &["copy", "--all", "layout:sig", "oci-archive:one.tar"]);
        assert_eq!(tags(&directory.join("one")), ["again", "sig"]);
        // Beside an image it must be named.
        image(1).add(&mut layout, "latest");
        layout.write_index();
        succeeds(&directory, &["copy", "layout", "oci:image"]);
        assert_eq!(tags(&directory.join("image")), ["latest"]);
    }
}

#[test]
fn an_index_keeps_what_it_says_of_itself() {
    let directory = start("members");
    let mut layout = Layout::create(&directory.join("layout"));
    let stored = image(1).store(&layout);
    let notes = concat!(
        r#","platform":{"architecture":"amd64","os":"linux"},"x-own":[1,{"a":null}],"#,
        r#""annotations":{"org.example":"kept \"so\"","org.opencontainers.image.ref.name":"latest","#,
        r#""io.containerd.image.name":"docker.io/library/app:latest"}"#
    );
    layout.entries.push(stored.manifest.descriptor(MANIFEST, notes));
    layout.write_index();
    succeeds(&directory, &["copy", "layout", "oci:same"]);
    succeeds(&directory, &["copy", "layout", "oci:other:v2"]);
    let index = |name: &str| {
        String::from_utf8(read(&directory.join(name).join("index.json"))).expect("UTF-8")
    };
    for (name, is_named) in [("same", true), ("other", false)] {
        let text = index(name);
        for part in [
            r#""org.example":"kept \"so\"""#,
            r#""x-own":[1,{"a":null}]"#,
            r#""platform":{"architecture":"amd64","os":"linux"}"#,
        ] {
            assert!(text.contains(part), "{text}");
        }
        // The whole name would say another tag.
        assert_eq!(text.contains("io.containerd.image.name"), is_named, "{text}");
    }
    // Members of the target's own index.
    let text = index("other");
    write(
        &directory.join("other/index.json"),
        text.replacen(
            '{',
            r#"{"annotations":{"org.example.own":"yes"},"artifactType":"x/y","unknown":{"a":[1]},"#,
            1,
        ),
    );
    let blob = layout_blob(&directory.join("other"), &stored.layers[0].digest);
    let before = std::fs::metadata(&blob).expect("blob");
    succeeds(&directory, &["copy", "b", "oci:other:b"]);
    succeeds(&directory, &["copy", "layout", "oci:other:v3"]);
    let text = index("other");
    for part in [
        r#""annotations":{"org.example.own":"yes"}"#,
        r#""artifactType":"x/y""#,
        r#""unknown":{"a":[1]}"#,
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(tags(&directory.join("other")), ["b", "v2", "v3"]);
    let after = std::fs::metadata(&blob).expect("blob");
    assert_eq!(
        (before.ino(), before.mtime_nsec()),
        (after.ino(), after.mtime_nsec()),
        "a blob that is there was written again"
    );
    // A damaged blob is written again.
    write(&blob, vec![0; after.len() as usize]);
    succeeds(&directory, &["copy", "layout", "oci:other:v4"]);
    assert_eq!(tags(&directory.join("other")), ["b", "v2", "v3", "v4"]);
}

fn layout_blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}

/// A copy follows no links in an untrusted layout.
#[test]
fn a_layout_of_links_is_not_followed() {
    let directory = start("links");
    for (n, link) in ["blobs", "blobs/sha256"].iter().enumerate() {
        let (layout, outside) =
            (directory.join(format!("l{n}")), directory.join(format!("outside{n}")));
        std::fs::create_dir(&outside).expect("directory");
        std::fs::create_dir(&layout).expect("directory");
        write(&layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
        write(&layout.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#);
        if n == 1 {
            std::fs::create_dir(layout.join("blobs")).expect("directory");
        }
        symlink(&outside, layout.join(link)).expect("link");
        let output = ocinit(&directory, &["copy", "a", &format!("oci:l{n}:x")])
            .output()
            .expect("ocinit runs");
        assert_eq!(
            (output.status.code(), line(&output).lines().count()),
            (Some(125), 1),
            "{}",
            line(&output)
        );
        assert_eq!(
            std::fs::read_dir(&outside).expect("directory").count(),
            0,
            "{link} was followed"
        );
    }
    // A FIFO and a device in the place of a blob are replaced, not opened.
    succeeds(&directory, &["copy", "a", "oci:fifo:x"]);
    let blob = std::fs::read_dir(directory.join("fifo/blobs/sha256"))
        .expect("blobs")
        .next()
        .expect("one")
        .expect("blob")
        .path();
    std::fs::remove_file(&blob).expect("remove");
    tool(Command::new("mkfifo").arg(&blob));
    succeeds(&directory, &["copy", "a", "oci:fifo:y"]);
    assert_eq!(tags(&directory.join("fifo")), ["x", "y"]);
}

/// NFS and others may have no flock(2) for a directory: that is said once, and the copy is made.
#[test]
fn a_layout_without_locks_is_copied_to_with_one_warning() {
    let directory = start("no-locks");
    for (errno, text) in
        [("EINVAL", "invalid argument"), ("ENOLCK", "no locks available"), ("EBADF", "bad file")]
    {
        let _ = std::fs::remove_dir_all(directory.join("there"));
        for (target, lines) in [("oci:there:one", 0), ("oci:there:two", 1), ("oci:there:three", 1)]
        {
            let mut command = Command::new("strace");
            command.args([
                "-o",
                "/dev/null",
                "-e",
                "trace=flock",
                "-e",
                &format!("inject=flock:error={errno}"),
            ]);
            command.arg(support::ocinit()).args(["copy", "a", target]).current_dir(&directory);
            let output = command.output().expect("strace");
            let said = line(&output);
            assert!(output.status.success() && said.lines().count() == lines, "{errno}: {said}");
            assert!(lines == 0 || said.contains(text), "{errno}: {said}");
        }
        assert_eq!(tags(&directory.join("there")), ["one", "three", "two"], "{errno}");
        succeeds(&directory, &["verify", "there"]);
    }
}
