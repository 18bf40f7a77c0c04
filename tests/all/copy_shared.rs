//! `ocinit copy` beside other copies: many at once, with one pid, killed in the middle. Also:
//! members and entries of an index that a copy keeps.

use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::support;
use crate::support::images::Layer;
use crate::support::layout::{INDEX, MANIFEST, platform, sha256, tagged};
use crate::support::{Image, Layout, Tar, random_bytes, read, scratch, tool, write};

fn ocinit(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(support::ocinit());
    command.args(words).current_dir(directory).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn succeeds(directory: &Path, words: &[&str]) {
    let output = ocinit(directory, words).output().expect("ocinit runs");
    assert!(output.status.success(), "{words:?}: {}", line(&output));
}

/// Returns an image with some megabytes of its own.
fn image(seed: u8) -> Image {
    let layer = |n: u8| {
        Layer::plain(Tar::new().file(
            &format!("f{seed}{n}"),
            0o644,
            [random_bytes(1 << 20), vec![seed, n]].concat(),
        ))
    };
    Image {
        architecture: "amd64".into(),
        os: "linux".into(),
        config: String::new(),
        layers: (0..3).map(layer).collect(),
    }
}

/// Makes two layouts, `a` and `b`. Returns their directory.
fn start(name: &str) -> PathBuf {
    let directory = scratch(&format!("shared-{name}"));
    image(1).write(&directory.join("a"));
    image(2).write(&directory.join("b"));
    directory
}

/// Returns the sorted tags of a layout. All its blobs are right, and no partial file is left.
#[track_caller]
fn tags(layout: &Path) -> Vec<String> {
    for blob in std::fs::read_dir(layout.join("blobs/sha256")).expect("blobs") {
        let path = blob.expect("blob").path();
        assert!(
            sha256(&read(&path)).ends_with(path.file_name().unwrap().to_str().unwrap()),
            "{}",
            path.display()
        );
    }
    let mut names: Vec<String> = std::fs::read_dir(layout)
        .expect("layout")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["blobs", "index.json", "oci-layout"]);
    let index = String::from_utf8(read(&layout.join("index.json"))).expect("UTF-8");
    let mut tags: Vec<String> = index
        .split(r#""org.opencontainers.image.ref.name":""#)
        .skip(1)
        .map(|rest| rest.split('"').next().expect("a tag").to_string())
        .collect();
    tags.sort();
    succeeds(layout.parent().expect("parent"), &["verify", layout.to_str().expect("UTF-8")]);
    tags
}

/// Starts twelve copies at once; `to` names each one's target.
fn twelve(directory: &Path, to: impl Fn(usize) -> String) -> Vec<Output> {
    let children: Vec<Child> = (1..=12)
        .map(|n| {
            ocinit(directory, &["copy", if n % 2 == 0 { "a" } else { "b" }, &to(n)])
                .spawn()
                .expect("ocinit runs")
        })
        .collect();
    children.into_iter().map(|child| child.wait_with_output().expect("it ends")).collect()
}

fn numbered(first: &[&str]) -> Vec<String> {
    let mut tags: Vec<String> =
        (1..=12).map(|n| format!("t{n}")).chain(first.iter().map(|it| it.to_string())).collect();
    tags.sort();
    tags
}

#[test]
fn twelve_copies_at_once_keep_all_tags() {
    let directory = start("twelve");
    succeeds(&directory, &["copy", "a", "oci:there:first"]);
    std::fs::create_dir(directory.join("empty")).expect("directory");
    for (target, first) in [("there", &["first"][..]), ("new", &[]), ("empty", &[])] {
        for output in twelve(&directory, |n| format!("oci:{target}:t{n}")) {
            assert!(output.status.success(), "{target}: {}", line(&output));
        }
        assert_eq!(tags(&directory.join(target)), numbered(first), "{target}");
    }
    // An archive has one maker: the others say so, and nothing is replaced.
    for transport in ["oci-archive", "docker-archive"] {
        let outputs = twelve(&directory, |_| format!("{transport}:{transport}.tar"));
        let good = outputs.iter().filter(|output| output.status.success()).count();
        let said = outputs.iter().filter(|output| !output.status.success()).map(line);
        assert_eq!(good, 1, "{transport}");
        assert!(
            said.clone()
                .all(|line| line.contains("is there already") || line.contains("file exists")),
            "{:?}",
            said.collect::<Vec<_>>()
        );
        succeeds(&directory, &["verify", &format!("{transport}.tar")]);
    }
    let left: Vec<_> = std::fs::read_dir(&directory).expect("directory").collect();
    assert_eq!(left.len(), 7, "{left:?}");
}

/// In pid namespaces of their own all copies have one pid.
fn with_one_pid(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["-pf", "--kill-child", "--"])
        .arg(support::ocinit())
        .args(words)
        .current_dir(directory);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn copies_with_one_pid_do_not_meet() {
    let directory = start("pid");
    for round in 0..3 {
        let target = format!("l{round}");
        succeeds(&directory, &["copy", "a", &format!("oci:{target}:first")]);
        let children: Vec<Child> = (1..=4)
            .map(|n| {
                let from = if n % 2 == 0 { "a" } else { "b" };
                with_one_pid(&directory, &["copy", from, &format!("oci:{target}:t{n}")])
                    .spawn()
                    .expect("unshare runs")
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().expect("it ends");
            assert!(output.status.success(), "{}", line(&output));
        }
        assert_eq!(tags(&directory.join(&target)), ["first", "t1", "t2", "t3", "t4"]);
    }
}

/// Kills a command by SIGKILL after a moment. Returns true if it had not ended.
fn killed_after(mut command: Command, delay: Duration) -> bool {
    let mut child = command.process_group(0).spawn().expect("it runs");
    std::thread::sleep(delay);
    let is_running = child.try_wait().expect("child").is_none();
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-9", "--", &group]).stderr(Stdio::null()).status();
    // Its pipes end with their last process.
    child.wait_with_output().expect("it ends");
    is_running
}

#[test]
fn a_killed_command_is_in_nobodys_way() {
    let directory = start("killed");
    std::fs::create_dir(directory.join("empty")).expect("directory");
    succeeds(&directory, &["copy", "a", "oci:grown:first"]);
    let cases: [&[&str]; 6] = [
        &["copy", "b", "oci:new:x"],
        &["copy", "b", "oci:grown:x"],
        &["copy", "b", "oci:empty:x"],
        &["copy", "b", "oci-archive:b.tar"],
        &["copy", "b", "docker-archive:d.tar"],
        &["unpack", "b", "rootfs"],
    ];
    let mut caught = 0;
    for round in 0..60 {
        let words = cases[round % cases.len()];
        let delay = Duration::from_micros(500 + 700 * (round as u64 / 6));
        caught += usize::from(killed_after(with_one_pid(&directory, words), delay));
        // It may have been killed after its last step.
        for made in ["new", "b.tar", "d.tar", "rootfs"] {
            let path = directory.join(made);
            let _ = if path.is_dir() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
        }
        let output = with_one_pid(&directory, words).output().expect("it runs");
        assert!(output.status.success(), "{words:?} after {delay:?}: {}", line(&output));
        match words[2].split_once(':').map_or(words[2], |(_, rest)| rest) {
            "new:x" => assert_eq!(tags(&directory.join("new")), ["x"]),
            "empty:x" => assert_eq!(tags(&directory.join("empty")), ["x"]),
            "grown:x" => assert_eq!(tags(&directory.join("grown")), ["first", "x"]),
            "rootfs" => {
                assert_eq!(std::fs::read_dir(directory.join("rootfs")).expect("rootfs").count(), 3)
            }
            archive => succeeds(&directory, &["verify", archive]),
        }
        for name in std::fs::read_dir(&directory).expect("directory") {
            let name = name.expect("entry").file_name().into_string().expect("UTF-8");
            assert!(!name.contains(".partial-"), "{words:?}: {name} is left");
        }
        if round % cases.len() == 2 {
            std::fs::remove_dir_all(directory.join("empty")).expect("remove");
            std::fs::create_dir(directory.join("empty")).expect("directory");
        }
        for made in ["new", "b.tar", "d.tar", "rootfs"] {
            let path = directory.join(made);
            let _ = if path.is_dir() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
        }
    }
    assert!(caught >= 10, "{caught} of 60 were killed before their end: wait less");
}

#[test]
fn what_is_at_work_is_not_swept() {
    let directory = start("at-work");
    let partial = directory.join("new.partial-0123456789abcdef");
    write(&partial, "at work");
    let mut holder = Command::new("flock")
        .arg(&partial)
        .args(["sleep", "60"])
        .process_group(0)
        .spawn()
        .expect("flock runs");
    let is_held = || {
        !Command::new("flock")
            .args(["-n"])
            .arg(&partial)
            .arg("true")
            .status()
            .expect("flock runs")
            .success()
    };
    while !is_held() {
        assert!(holder.try_wait().expect("flock").is_none());
        std::thread::sleep(Duration::from_millis(10));
    }
    succeeds(&directory, &["copy", "a", "oci:new"]);
    let is_there = partial.exists();
    tool(Command::new("kill").args(["--", &format!("-{}", holder.id())]));
    holder.wait().expect("flock ends");
    assert!(is_there, "another command's file was removed");
    std::fs::remove_dir_all(directory.join("new")).expect("remove");
    succeeds(&directory, &["copy", "a", "oci:new"]);
    assert!(!partial.exists(), "a stale file stays");
}

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
