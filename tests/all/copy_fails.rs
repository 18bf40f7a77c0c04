//! `ocinit copy` of damaged images, to a full disk, or interrupted: one line, and no leftovers.

use std::process::{Command, Stdio};

use crate::copy::{blobs, copies, image, ocinit, refuses, spoil, start};
use crate::support;
use crate::support::images::Layer;
use crate::support::layout::{self, sha256};
use crate::support::{Image, Tar, read, scratch, tool, write};

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
