//! Where the image may lie: every file system, the raw archive, and every way to say which disk.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::support;
use crate::support::images::{Layer, busybox_layout};
use crate::support::layout::archive;
use crate::support::{Boot, Tar, busybox, disk, scratch};

/// Says which disk the image came from, by a file in it.
const WHICH: &[&str] = &["cat", "/which"];

/// A layout whose container can tell itself apart from others.
fn named_layout(directory: &Path, name: &str) {
    let layer = Layer::plain(Tar::new().file("which", 0o644, format!("{name}\n")));
    busybox().layer(layer).write(directory);
}

#[track_caller]
fn boots_from(option: &str) {
    let directory = scratch(&format!("disks-{option}"));
    named_layout(&directory.join("layout"), option);
    let boot = Boot::new(directory.join("layout")).option("--fs", option).arguments(WHICH);
    boot.run().expect_status(0).expect_stdout(&format!("{option}\n"));
}

#[test]
fn ext4() {
    boots_from("ext4");
}

#[test]
fn squashfs() {
    boots_from("squashfs");
}

#[test]
fn erofs() {
    boots_from("erofs");
}

#[test]
fn iso9660() {
    boots_from("iso");
}

#[test]
fn raw_archive() {
    boots_from("raw");
}

#[test]
fn vfat_by_its_label() {
    let directory = scratch("disks-vfat");
    named_layout(&directory.join("layout"), "vfat");
    let file = directory.join("disk.img");
    disk::vfat(&file, 40, &directory.join("layout"), &["-n", "IMAGES"]);
    let outcome = Boot::new(&file).append("ocinit.disk=LABEL=IMAGES").arguments(WHICH).run();
    outcome.expect_status(0).expect_stdout("vfat\n");
}

/// `dd` of a short archive over a long one leaves the long one's tail: whole entries, and then half
/// of one.
#[test]
fn raw_archive_with_old_bytes_after_its_end() {
    let directory = scratch("disks-old-bytes");
    let (old, new) = (directory.join("old"), directory.join("new"));
    named_layout(&new, "new");
    let filler = Layer::plain(Tar::new().file("filler", 0o644, support::random_bytes(3 << 20)));
    let which = Layer::plain(Tar::new().file("which", 0o644, "old\n"));
    busybox().layer(filler).layer(which).write(&old);
    let (old, new) = (archive(&old), archive(&new));
    let tail =
        std::fs::metadata(&old).expect("old").len() - std::fs::metadata(&new).expect("new").len();
    assert!(tail > 1 << 20, "{tail} old bytes are left");

    let mut disk = std::fs::OpenOptions::new().write(true).open(&old).expect("old archive");
    disk.write_all(&support::read(&new)).expect("overwritten");
    drop(disk);
    Boot::new(&old).arguments(WHICH).run().expect_status(0).expect_stdout("new\n");
}

/// What `skopeo copy` writes, at the start of a disk full of noise.
fn boots_what_skopeo_wrote(transport: &str) {
    let directory = scratch(&format!("disks-skopeo-{transport}"));
    let archive = directory.join("skopeo.tar");
    let from = format!("oci:{}:latest", busybox_layout().display());
    let to = format!("{transport}:{}:busybox:latest", archive.display());
    let policy = directory.join("policy.json");
    support::write(&policy, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
    support::tool(
        std::process::Command::new("skopeo")
            .arg("--policy")
            .arg(&policy)
            .args(["copy", "-q", &from, &to]),
    );

    let file = directory.join("disk.img");
    support::write(&file, support::random_bytes(8 << 20));
    let mut disk = std::fs::OpenOptions::new().write(true).open(&file).expect("disk");
    disk.seek(SeekFrom::Start(0)).expect("seek");
    disk.write_all(&support::read(&archive)).expect("copied");
    drop(disk);
    Boot::new(&file)
        .arguments(["echo", "from skopeo"])
        .run()
        .expect_status(0)
        .expect_stdout("from skopeo\n");
}

#[test]
fn raw_archive_of_skopeo_on_a_noisy_disk() {
    boots_what_skopeo_wrote("oci-archive");
}

#[test]
fn raw_docker_archive_on_a_noisy_disk() {
    boots_what_skopeo_wrote("docker-archive");
}

/// `qemu/mkdisk` puts an archive on a disk as it is, whatever kind it is of.
#[test]
fn mkdisk_of_a_docker_archive() {
    let directory = scratch("disks-mkdisk-docker");
    named_layout(&directory.join("layout"), "docker");
    let (from, archive) = (
        format!("oci:{}:latest", directory.join("layout").display()),
        directory.join("docker.tar"),
    );
    let to = format!("docker-archive:{}:which:1", archive.display());
    support::tool(std::process::Command::new("skopeo").args([
        "--insecure-policy",
        "copy",
        "-q",
        &from,
        &to,
    ]));
    let file = directory.join("disk.img");
    support::tool(
        std::process::Command::new(support::project().join("qemu/mkdisk")).arg(&archive).arg(&file),
    );
    Boot::new(&file).arguments(WHICH).run().expect_status(0).expect_stdout("docker\n");
    // In a file system there is no archive, but a layout.
    let made = std::process::Command::new(support::project().join("qemu/mkdisk"))
        .args(["--fs", "ext4"])
        .arg(&archive)
        .arg(&file)
        .output()
        .expect("mkdisk runs");
    let line = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(
        !made.status.success() && line.contains("docker-archive") && line.contains("ocinit copy"),
        "{line}"
    );
}

#[test]
fn a_layout_below_a_path() {
    let directory = scratch("disks-path");
    named_layout(&directory.join("content/srv/images/one"), "deep");
    let file = directory.join("disk.img");
    disk::ext4(&file, 32, Some(&directory.join("content")), &[]);
    let outcome = Boot::new(&file).append("ocinit.path=/srv/images/one").arguments(WHICH).run();
    outcome.expect_status(0).expect_stdout("deep\n");
}

const UUID: &str = "0c1e57a8-1d2f-4f2a-9d0b-6d7f1f6f2a11";

/// Two disks with an image each: `one` is the image, `two` comes by `--disk`.
fn two_disks(name: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let directory = scratch(name);
    let (one, two) = (directory.join("one.img"), directory.join("two.img"));
    for (file, name, extra) in
        [(&one, "one", &["-L", "first"][..]), (&two, "two", &["-L", "second", "-U", UUID][..])]
    {
        named_layout(&directory.join(name), name);
        disk::ext4(file, 32, Some(&directory.join(name)), extra);
    }
    (one, two)
}

#[test]
fn one_of_two_disks_by_its_name_label_or_uuid() {
    let (one, two) = two_disks("disks-chosen");
    let by = |disk: &str, which: &str| {
        let boot = Boot::new(&one)
            .option("--disk", &two)
            .append(&format!("ocinit.disk={disk}"))
            .arguments(WHICH);
        boot.run().expect_status(0).expect_stdout(&format!("{which}\n"));
    };
    by("/dev/vda", "one");
    by("/dev/vdb", "two");
    by("LABEL=second", "two");
    by(&format!("UUID={UUID}"), "two");
}

#[test]
fn two_disks_that_both_hold_an_image_are_refused_by_name() {
    let (one, two) = two_disks("disks-two");
    let boot = Boot::new(&one).option("--disk", &two).append("ocinit.disk=auto");
    let outcome = boot.arguments(["echo", "EXECUTED"]).run();
    outcome.expect_status(125).expect_stdout("").expect_line(&["ocinit: ", "/dev/vda", "/dev/vdb"]);
}

#[test]
fn auto_passes_over_disks_without_an_image() {
    let directory = scratch("disks-auto");
    let (empty, blank) = (directory.join("ext4.img"), directory.join("blank.img"));
    disk::ext4(&empty, 16, None, &[]);
    disk::blank(&blank, 16);
    let boot = Boot::new(busybox_layout()).option("--disk", &empty).option("--disk", &blank);
    boot.append("ocinit.disk=auto")
        .arguments(["echo", "found"])
        .run()
        .expect_status(0)
        .expect_stdout("found\n");
}

#[test]
fn a_name_that_no_disk_has_is_an_error_after_the_deadline() {
    for disk in ["LABEL=nowhere", "SERIAL=nothing"] {
        let boot = Boot::new(busybox_layout()).append(&format!("ocinit.disk={disk} ocinit.wait=2"));
        let outcome = boot.arguments(["echo", "EXECUTED"]).run();
        outcome.expect_status(125).expect_stdout("").expect_line(&["ocinit: ", disk]);
    }
}
