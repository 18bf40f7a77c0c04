//! `ocinit verify` on whole images and on layouts with one fault; it writes nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::images::{Layer, Stored};
use crate::support::layout::{Blob, INDEX, Layout, MANIFEST, archive, platform, sha256, tagged};
use crate::support::{Image, Tar, random_bytes, scratch, tool, write};

fn verify(arguments: &[&str], image: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ocinit"))
        .arg("verify")
        .args(arguments)
        .arg(image)
        .output()
        .unwrap()
}

#[track_caller]
fn verified(arguments: &[&str], image: &Path) -> String {
    let output = verify(arguments, image);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

/// It fails with one line that holds all of these, and prints nothing else.
#[track_caller]
fn refused(arguments: &[&str], image: &Path, why: &[&str]) {
    let output = verify(arguments, image);
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(125), &b""[..]), "{line}");
    assert!(line.starts_with("ocinit: ") && line.lines().count() == 1, "{line}");
    assert!(why.iter().all(|why| line.contains(why)), "{line} / {why:?}");
}

fn two_layers() -> Image {
    Image::empty().layer(Layer::gzip(Tar::new().file("a", 0o644, random_bytes(200_000)))).layer(
        Layer::plain(Tar::new().directory("d/", 0o755).file("d/b", 0o644, random_bytes(300_000))),
    )
}

fn other(architecture: &str) -> Image {
    Image { architecture: architecture.into(), ..Image::empty() }
        .layer(Layer::gzip(Tar::new().file(architecture, 0o644, random_bytes(5_000))))
}

fn artifact(layout: &mut Layout) -> Blob {
    let part = layout.blob(b"a signature, or a chart");
    let config = layout.blob(b"{}");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
        config.descriptor("application/vnd.oci.empty.v1+json", ""),
        part.descriptor("application/vnd.example.part", "")
    );
    let manifest = layout.blob(manifest.as_bytes());
    layout.entries.push(manifest.descriptor(MANIFEST, &tagged("artifact")));
    part
}

/// Two tags of one image, an image for two platforms behind an index, and an artifact.
struct Everything {
    layout: Layout,
    main: Stored,
    arm: Stored,
    index: Blob,
    part: Blob,
}

fn everything(name: &str) -> Everything {
    let mut layout = Layout::create(&scratch(&format!("verify-{name}")).join("image"));
    let main = two_layers().add(&mut layout, "v1");
    two_layers().add(&mut layout, "v2");
    let (amd, arm) = (other("amd64").store(&layout), other("arm64").store(&layout));
    let entries = [(&amd, "amd64"), (&arm, "arm64")]
        .map(|(stored, name)| stored.manifest.descriptor(MANIFEST, &platform(name, "linux")));
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
        entries.join(",")
    );
    let index = layout.blob(index.as_bytes());
    layout.entries.push(index.descriptor(INDEX, &tagged("many")));
    let part = artifact(&mut layout);
    layout.write_index();
    Everything { layout, main, arm, index, part }
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x20;
    write(path, bytes);
}

fn blob_bytes(directory: &Path) -> u64 {
    std::fs::read_dir(directory.join("blobs/sha256"))
        .unwrap()
        .map(|e| e.unwrap().metadata().unwrap().len())
        .sum()
}

#[test]
fn all_of_a_layout_is_verified_each_blob_once() {
    let Everything { layout, .. } = everything("all");
    // Manifest, config and layers: 4 of the first, 3 each of the two others; an index; 3 of the
    // artifact.
    let line = format!(
        "verified: images 3, artifacts 1, blobs 14, bytes {}\n",
        blob_bytes(&layout.directory)
    );
    assert_eq!(verified(&[], &layout.directory), line);
    assert_eq!(verified(&[], &layout.archive()), line);
    assert_eq!(verified(&["--quiet"], &layout.directory), "");
}

#[test]
fn a_part_is_verified_alone() {
    let Everything { layout, main, arm, .. } = everything("part");
    let of = |words: &str| PathBuf::from(format!("{}{words}", layout.directory.display()));
    assert!(verified(&[], &of(":v1")).starts_with("verified: images 1, blobs 4, bytes "));
    assert!(
        verified(&[], &of(&format!("@{}", main.manifest.digest)))
            .starts_with("verified: images 1, blobs 4, bytes ")
    );
    assert!(
        verified(&[], &of(&format!("@{}", arm.manifest.digest)))
            .starts_with("verified: images 1, blobs 3, bytes ")
    );
    assert!(verified(&[], &of(":many")).starts_with("verified: images 2, blobs 7, bytes "));
    assert!(
        verified(&["--platform", "linux/arm64"], &of(":many"))
            .starts_with("verified: images 1, blobs 4, bytes ")
    );
    assert!(verified(&[], &of(":artifact")).starts_with("verified: artifacts 1, blobs 3, bytes "));
    // What is wrong elsewhere does not matter.
    flip(&layout.path(&arm.layers[0].digest));
    assert!(
        verified(&["--platform", "linux/amd64"], &of(":many"))
            .starts_with("verified: images 1, blobs 4, bytes ")
    );
    refused(
        &[],
        &of(":many"),
        &[&arm.manifest.digest, "layer 1 of 1", &arm.layers[0].digest, "digest mismatch"],
    );
}

#[test]
fn what_is_not_there_to_be_verified_is_no_success() {
    let Everything { layout, .. } = everything("nothing");
    let of = |words: &str| PathBuf::from(format!("{}{words}", layout.directory.display()));
    refused(&[], &of(":v3"), &["no tag \"v3\"", "v1, v2, many, artifact"]);
    refused(&[], &of(&format!("@{}", sha256(b"x"))), &["is wanted, the image is"]);
    refused(
        &["--platform", "linux/s390x"],
        &of(":many"),
        &["linux/amd64, linux/arm64", "wanted is linux/s390x"],
    );
}

#[test]
fn one_bit_in_any_blob_is_found_and_named() {
    for (n, what) in
        ["gzip", "plain", "config", "manifest", "arm", "index", "part"].into_iter().enumerate()
    {
        let all = everything(&format!("bit-{what}"));
        let (digest, context) = match n {
            0 => (&all.main.layers[0].digest, "layer 1 of 2"),
            1 => (&all.main.layers[1].digest, "layer 2 of 2"),
            2 => (&all.main.config.digest, "config"),
            3 => (&all.main.manifest.digest, "manifest"),
            4 => (&all.arm.layers[0].digest, "layer 1 of 1"),
            5 => (&all.index.digest, "index"),
            _ => (&all.part.digest, "blob"),
        };
        let path = all.layout.path(digest);
        flip(&path);
        let found = sha256(&std::fs::read(&path).unwrap());
        let why = [context, digest.as_str(), "digest mismatch: expected", found.as_str()];
        refused(&[], &all.layout.directory, &why);
        refused(&[], &archive(&all.layout.directory), &why);
    }
}

#[test]
fn a_blob_that_is_missing_or_of_another_size() {
    for what in ["layer", "config", "manifest", "index", "part"] {
        for cut in [false, true] {
            let all = everything(&format!("missing-{what}-{cut}"));
            let digest = match what {
                "layer" => &all.main.layers[1].digest,
                "config" => &all.main.config.digest,
                "manifest" => &all.arm.manifest.digest,
                "index" => &all.index.digest,
                _ => &all.part.digest,
            };
            let path = all.layout.path(digest);
            if cut {
                let bytes = std::fs::read(&path).unwrap();
                write(&path, &bytes[1..]);
                refused(&[], &all.layout.directory, &[digest, "size mismatch"]);
            } else {
                std::fs::remove_file(path).unwrap();
                refused(&[], &all.layout.directory, &[digest, "missing"]);
            }
        }
    }
}

#[test]
fn layers_that_are_not_what_the_configuration_says() {
    let good = Layer::gzip(Tar::new().file("a", 0o644, "1"));
    let other = sha256(b"something else");
    let mut cut = good.clone();
    cut.stored.truncate(cut.stored.len() - 10);
    let mut broken = Tar::new().file("a", 0o644, random_bytes(2_000)).finish();
    broken[600] = 1;
    broken[1] = b'x';
    for (name, layer, why) in [
        (
            "diff-id",
            Layer { diff_id: other.clone(), ..good.clone() },
            &["diff_id: digest mismatch", &other, &good.diff_id][..],
        ),
        ("no-tar", Layer::plain(Tar::raw(random_bytes(5_000))), &["wrong checksum"]),
        ("cut", cut, &["gzip: truncated"]),
        ("header", Layer::plain(Tar::raw(broken)), &["wrong checksum"]),
    ] {
        let directory = scratch(&format!("verify-layer-{name}")).join("image");
        Image::empty().layer(layer).write(&directory);
        let why: Vec<_> = why.iter().copied().chain(["layer 1 of 1"]).collect();
        refused(&[], &directory, &why);
    }
}

#[test]
fn blobs_that_nothing_refers_to_are_verified_too() {
    let directory = scratch("verify-left").join("image");
    let (layout, _) = two_layers().write(&directory);
    let left = layout.blob(b"left by a tool that does not clean up");
    write(&directory.join("blobs/sha256/.partial"), "x");
    std::fs::create_dir(directory.join("blobs/sha512")).unwrap();
    let bytes = blob_bytes(&directory) - 1;
    for image in [directory.clone(), archive(&directory)] {
        assert_eq!(
            verified(&[], &image),
            format!(
                "verified: images 1, blobs 5, bytes {bytes}, blobs that nothing refers to 1, \
                 files not looked at, as their names are no digests 1\n"
            )
        );
    }
    flip(&layout.path(&left.digest));
    refused(&[], &directory, &["blob", &left.digest, "digest mismatch"]);
    // Not a part of that image.
    let image = PathBuf::from(format!("{}:latest", directory.display()));
    assert!(verified(&[], &image).starts_with("verified: images 1, blobs 4, bytes "));
}

#[test]
fn a_foreign_layer_may_be_missing() {
    let directory = scratch("verify-foreign").join("image");
    let mut layout = Layout::create(&directory);
    let image = two_layers();
    let stored = image.store(&layout);
    let text = image.manifest_json(&stored.config, &stored.layers).replacen(
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        1,
    );
    std::fs::remove_file(layout.path(&stored.manifest.digest)).unwrap();
    let manifest = layout.blob(text.as_bytes());
    layout.entries.push(manifest.descriptor(MANIFEST, &tagged("latest")));
    layout.write_index();
    assert!(verified(&[], &directory).starts_with("verified: images 1, blobs 4, bytes "));
    let foreign = layout.path(&stored.layers[0].digest);
    std::fs::remove_file(&foreign).unwrap();
    let line = format!(
        "verified: images 1, blobs 3, bytes {}, foreign layers that are not here 1\n",
        blob_bytes(&directory)
    );
    assert_eq!(verified(&[], &directory), line);
    // One that is there must be right all the same.
    write(&foreign, random_bytes(stored.layers[0].size as usize));
    refused(&[], &directory, &["layer 1 of 2", "digest mismatch"]);
}

#[test]
fn a_docker_archive_is_verified_by_its_diff_ids() {
    let directory = scratch("verify-docker");
    let (layout, _) = two_layers().write(&directory.join("image"));
    let tar = directory.join("docker.tar");
    let [from, to] = [
        format!("oci:{}", layout.directory.display()),
        format!("docker-archive:{}:a/b:c", tar.display()),
    ];
    tool(Command::new("skopeo").args(["copy", "-q", &from, &to]));
    assert!(verified(&[], &tar).starts_with("verified: images 1, blobs 3, bytes "));
    let mut bytes = std::fs::read(&tar).unwrap();
    let wanted = &random_bytes(200_000)[100_000..100_016];
    let at = bytes.windows(16).position(|window| window == wanted).expect("the layer's content");
    bytes[at] ^= 1;
    write(&tar, bytes);
    refused(&[], &tar, &["layer 1 of 2", "diff_id: digest mismatch"]);
}

/// Every system call that could change a file, as the kernel names it.
const CHANGES: &str = "creat,mkdir,mkdirat,mknod,mknodat,unlink,unlinkat,rmdir,rename,renameat,renameat2,link,linkat,\
                       symlink,symlinkat,truncate,ftruncate,chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,utimensat,\
                       setxattr,lsetxattr,fsetxattr,pwrite64,pwritev,copy_file_range,fallocate";

#[test]
fn nothing_is_written() {
    let Everything { layout, .. } = everything("readonly");
    let log = layout.directory.with_extension("strace");
    for command in ["verify", "inspect", "list-files"] {
        let image = PathBuf::from(format!("{}:v1", layout.directory.display()));
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-qq", "-e", &format!("trace=open,openat,openat2,write,{CHANGES}"), "-o"])
            .arg(&log);
        tool(strace.arg(env!("CARGO_BIN_EXE_ocinit")).arg(command).arg(image));
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(text.contains("index.json") && text.contains(" write(1, "), "{text}");
        for line in text.lines().filter(|line| !line.contains("+++")) {
            let reads =
                line.contains(" open") && line.contains("O_RDONLY") && !line.contains("O_CREAT");
            assert!(
                reads || line.contains(" write(1, ") || line.contains(" openat2("),
                "{command}: {line}"
            );
            assert!(
                !["O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE"]
                    .iter()
                    .any(|flag| line.contains(flag)),
                "{line}"
            );
        }
    }
}
