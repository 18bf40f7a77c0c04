//! A round trip against the peers: images built by real umoci, buildah and skopeo, unpacked here
//! and by umoci, are the same tree, entry by entry: type, mode, owner, size, time, link, device,
//! extended attributes, content.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support;
use crate::support::{cache, project, scratch, tool};

/// Things that a layer may hold, made on the host's file system for umoci to pack.
const FIRST: &str = r#"
import os, struct, socket
def file(name, data=b'x', mode=0o644, owner=(0, 0), time=1_600_000_000_123_456_789):
    with open(name, 'wb') as f: f.write(data)
    os.chown(name, *owner); os.chmod(name, mode); os.utime(name, ns=(time, time))
os.makedirs('usr/lib/deep/er'); os.makedirs('etc'); os.makedirs('gone/sub'); os.makedirs('opaque/sub'); os.makedirs('sticky')
os.symlink('usr/lib', 'lib'); os.symlink('/etc/nowhere', 'dangling'); os.symlink('../../..', 'usr/lib/up')
file('etc/passwd', b'root:x:0:0:root:/root:/bin/sh\n')
file('usr/lib/setuid', b'#!/bin/sh\n', 0o6755, (3, 4)); file('usr/lib/capable', b'program', 0o755)
os.setxattr('usr/lib/capable', 'security.capability', struct.pack('<IIIII', 0x02000001, 1 << 10, 0, 0, 0))
file('etc/note', b'n' * 5000, 0o600, (1000, 1000)); os.setxattr('etc/note', 'user.note', b'note')
file('new', time=4_500_000_000_000_000_001); file('empty', b'')
file('x' * 200, b'long'); file('sp ace\ttab')
os.makedirs('a' * 120 + '/' + 'b' * 120); file('a' * 120 + '/' + 'b' * 120 + '/' + 'c' * 60, b'very long')
os.link('etc/note', 'hard'); os.link('etc/note', 'usr/lib/hard2')
os.mkfifo('pipe', 0o640); os.mknod('null', 0o20666, os.makedev(1, 3)); os.mknod('disk', 0o60660, os.makedev(259, 300))
for n in range(40): file(f'gone/sub/{n}'); file(f'opaque/sub/{n}', owner=(n, n))
file('gone/file'); file('opaque/keep'); file('replaced-by-directory'); os.makedirs('replaced-by-file/sub'); file('replaced-by-file/sub/x')
file('random', bytes(range(256)) * 4000)
with open('sparse', 'wb') as f: f.seek(3 << 20); f.write(b'end')
os.chmod('sticky', 0o1777); os.chown('usr/lib/deep', 7, 8); os.chmod('usr/lib/deep', 0o555)
os.setxattr('sticky', 'user.dir', b'1')
"#;

/// What buildah 1.28 cannot store ("inconsistent layer size").
const ODD: &str = r#"
file(b'latin-\xe9\xff', b'name'); file('new\nline'); file('odd-xattr')
os.setxattr('odd-xattr', 'user.note', b'a\0b\nc'); file('old', time=-1_500_000_000)
"#;

/// What a second layer changes in the bundle that umoci unpacked.
const SECOND: &str = r#"
import os, shutil
shutil.rmtree('gone'); shutil.rmtree('opaque/sub'); os.remove('replaced-by-directory'); os.makedirs('replaced-by-directory/in')
shutil.rmtree('replaced-by-file'); open('replaced-by-file', 'w').write('file')
os.remove('usr/lib/setuid'); os.remove('hard'); open('usr/lib/added', 'w').write('added'); os.chmod('usr/lib/deep', 0o700)
os.remove('null'); os.symlink('null-was-here', 'null'); os.chown('etc/passwd', 5, 6); os.link('random', 'random-link')
os.makedirs('opaque/sub'); open('opaque/sub/again', 'w').write('again'); os.removexattr('sticky', 'user.dir')
"#;

fn python(script: &str, directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    tool(Command::new("python3").arg("-c").arg(script).current_dir(directory));
}

/// Every entry of a tree, as `listing.py` writes it.
fn listing(root: &Path) -> Vec<String> {
    let script = project().join("tests/all/support/listing.py");
    let text = String::from_utf8(tool(Command::new("python3").arg(script).arg(root))).unwrap();
    text.lines().map(str::to_string).collect()
}

fn ocinit_unpack(image: &str, root: &Path) -> Vec<String> {
    tool(Command::new(env!("CARGO_BIN_EXE_ocinit")).args(["unpack", image]).arg(root));
    listing(root)
}

fn umoci_unpack(image: &str, bundle: &Path) -> Vec<String> {
    tool(Command::new("umoci").args(["unpack", "--image", image]).arg(bundle));
    listing(&bundle.join("rootfs"))
}

/// The same entries but for those in `except`, of which each has its reason where it is given.
#[track_caller]
fn expect_same(ours: &[String], theirs: &[String], except: &[&str]) {
    let kept = |line: &&String| !except.iter().any(|name| line.starts_with(&format!("{name}\t")));
    let (ours, theirs): (Vec<_>, Vec<_>) =
        (ours.iter().filter(kept).collect(), theirs.iter().filter(kept).collect());
    let only = |a: &[&String], b: &[&String]| {
        a.iter()
            .filter(|line| !b.contains(line))
            .take(10)
            .map(|l| l.to_string() + "\n")
            .collect::<String>()
    };
    assert!(
        !ours.is_empty() && ours == theirs,
        "ours only:\n{}theirs only:\n{}",
        only(&ours, &theirs),
        only(&theirs, &ours)
    );
}

/// The layout that umoci makes: a first layer with all there is, and a second one with what
/// `SECOND` changed.
fn umoci_layout() -> PathBuf {
    cache::get("peers-umoci-3", |place| {
        std::fs::create_dir_all(place).unwrap();
        let (layout, bundle) = (place.join("layout"), place.join("bundle"));
        let image = format!("{}:latest", layout.display());
        tool(Command::new("umoci").args(["init", "--layout"]).arg(&layout));
        tool(Command::new("umoci").args(["new", "--image", &image]));
        tool(Command::new("umoci").args(["unpack", "--image", &image]).arg(&bundle));
        for script in [&[FIRST, ODD].concat(), SECOND] {
            python(script, &bundle.join("rootfs"));
            tool(
                Command::new("umoci")
                    .args(["repack", "--refresh-bundle", "--image", &image])
                    .arg(&bundle),
            );
        }
        std::fs::remove_dir_all(&bundle).unwrap();
    })
    .join("layout")
}

/// What umoci makes of its own image, and what we make of `image`, which must be the same tree.
fn compare_with_umoci(name: &str, image: &str) {
    let directory = scratch(name);
    let theirs =
        umoci_unpack(&format!("{}:latest", umoci_layout().display()), &directory.join("bundle"));
    let ours = ocinit_unpack(image, &directory.join("ours"));
    assert!(theirs.len() > 30, "{} entries", theirs.len());
    expect_same(&ours, &theirs, &[]);
}

fn skopeo(words: &[&str]) {
    tool(Command::new("skopeo").args(["--insecure-policy", "copy", "--quiet"]).args(words));
}

#[test]
fn an_image_by_umoci() {
    compare_with_umoci("peers-umoci", &format!("oci:{}:latest", umoci_layout().display()));
}

#[test]
fn an_oci_archive_by_skopeo() {
    let archive = scratch("peers-oci-archive-by-skopeo").join("image.tar");
    skopeo(&[
        &format!("oci:{}:latest", umoci_layout().display()),
        &format!("oci-archive:{}:latest", archive.display()),
    ]);
    compare_with_umoci("peers-oci-archive", &format!("oci-archive:{}:latest", archive.display()));
}

#[test]
fn a_docker_archive_by_skopeo() {
    let archive = scratch("peers-docker-archive-by-skopeo").join("image.tar");
    let (from, to) =
        (umoci_layout(), format!("docker-archive:{}:example.org/all:v1", archive.display()));
    skopeo(&[&format!("oci:{}:latest", from.display()), &to]);
    compare_with_umoci("peers-docker-archive", &to);
    compare_with_umoci("peers-docker-archive-bare", archive.to_str().unwrap());
}

/// Runs buildah with a store of its own.
fn buildah(store: &Path, words: &[&str]) -> String {
    let (root, runroot) = (store.join("root"), store.join("run"));
    let output = Command::new("buildah")
        .args(["--storage-driver", "vfs", "--root"])
        .arg(&root)
        .arg("--runroot")
        .arg(&runroot)
        .args(words)
        .env("BUILDAH_ISOLATION", "chroot")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "buildah {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_string()
}

/// An image of 32 layers by buildah, in every form that it and skopeo write: what each is called
/// beneath the folder.
fn buildah_images() -> PathBuf {
    cache::get("peers-buildah-1", |place| {
        std::fs::create_dir_all(place).unwrap();
        let store = place.join("store");
        let context = scratch("peers-buildah-context");
        python(FIRST, &context.join("tree"));
        std::fs::copy(support::images::busybox_tar_file(), context.join("busybox.tar")).unwrap();
        let mut steps = String::from(
            "FROM scratch
ENV PATH=/bin
ADD busybox.tar /
COPY tree /tree
",
        );
        for n in 0..30 {
            steps += &match n % 5 {
                0 => format!(
                    "RUN mkdir -p /step/{n} && echo {n} >/step/{n}/file && chown {n}:7 /step/{n}/file\n"
                ),
                1 => format!("RUN rm -r /step/{} && ln -s ../step /step/{n}\n", n - 1),
                2 => format!(
                    "RUN rm /step/{} && echo over >/step/{} && chmod 4711 /step/{}\n",
                    n - 1,
                    n - 1,
                    n - 1
                ),
                3 => format!("RUN ln /step/{} /step/hard-{n} && touch -d @{n}00000 /step\n", n - 2),
                _ => format!(
                    "RUN rm -rf /tree/opaque && mkdir -p /tree/opaque/again-{n} /lib && echo {n} >/lib/{n}\n"
                ),
            };
        }
        support::write(
            &context.join("Containerfile"),
            steps + "USER app:wheel\nWORKDIR /work/dir\nCMD [\"sh\"]\n",
        );
        let build = ["bud", "--quiet", "--layers", "--timestamp", "1700000000", "-t", "built"];
        buildah(&store, &[&build[..], &[context.to_str().unwrap()]].concat());
        for (name, transport, options) in [
            ("gzip", "oci", &["--compression-format", "gzip"][..]),
            ("zstd", "oci", &["--compression-format", "zstd"]),
            ("plain", "oci", &["--disable-compression"]),
            ("docker.tar", "docker-archive", &[]),
            ("oci.tar", "oci-archive", &[]),
        ] {
            let to = format!("{transport}:{}:latest", place.join(name).display());
            buildah(&store, &[&["push", "--quiet"], options, &["built", &to]].concat());
        }
        buildah(&store, &["manifest", "create", "many"]);
        for architecture in ["arm64", "amd64", "riscv64"] {
            let words = ["from", "--quiet", "--name", architecture, "built"];
            buildah(&store, &words);
            buildah(&store, &["config", "--arch", architecture, architecture]);
            buildah(&store, &["commit", "--quiet", architecture, &format!("for-{architecture}")]);
            buildah(
                &store,
                &[
                    "manifest",
                    "add",
                    "--arch",
                    architecture,
                    "many",
                    &format!("for-{architecture}"),
                ],
            );
        }
        let to = format!("oci:{}:many", place.join("many").display());
        buildah(&store, &["manifest", "push", "--quiet", "--all", "many", &to]);
        std::fs::remove_dir_all(&store).unwrap();
    })
}

#[test]
fn an_image_of_32_layers_by_buildah_in_every_form() {
    let (images, directory) = (buildah_images(), scratch("peers-buildah"));
    let image = |name: &str| images.join(name).display().to_string();
    let theirs = umoci_unpack(&format!("{}:latest", image("gzip")), &directory.join("bundle"));
    assert!(theirs.iter().filter(|line| line.starts_with("/step/")).count() == 12, "{theirs:#?}");
    for (n, name) in ["gzip", "zstd", "plain", "docker.tar", "oci.tar"].into_iter().enumerate() {
        let ours = ocinit_unpack(&image(name), &directory.join(n.to_string()));
        expect_same(&ours, &theirs, &[]);
    }
}

#[test]
fn the_machines_image_of_an_index_for_many_by_buildah() {
    let (images, directory) = (buildah_images(), scratch("peers-many"));
    let many = images.join("many").display().to_string();
    let ours = ocinit_unpack(&format!("{many}:many"), &directory.join("ours"));
    let theirs = ocinit_unpack(&images.join("gzip").display().to_string(), &directory.join("gzip"));
    expect_same(&ours, &theirs, &[]);
    // The bytes alone do not say for whom they are: another platform's manifest has another digest.
    let inspected = |platform: &str| {
        let words =
            ["inspect", "--platform", platform, "--format", "json", &format!("{many}:many")];
        let text = tool(Command::new(env!("CARGO_BIN_EXE_ocinit")).args(words));
        String::from_utf8(text).unwrap()
    };
    assert!(
        inspected("linux/arm64").contains("\"arm64\"")
            && inspected("linux/amd64").contains("\"amd64\"")
    );
}

#[test]
fn recompressed_by_skopeo() {
    let directory = scratch("peers-skopeo-zstd");
    let to = format!("oci:{}:latest", directory.join("zstd").display());
    skopeo(&[
        "--dest-compress-format",
        "zstd",
        "--dest-compress",
        &format!("oci:{}:latest", umoci_layout().display()),
        &to,
    ]);
    compare_with_umoci("peers-skopeo-recompressed", &to);
}
