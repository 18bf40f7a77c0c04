//! `ocinit.rootfs=`: the container's root on a second disk, made anew at each boot, with nothing of
//! others touched.

use std::path::PathBuf;

use crate::support;
use crate::support::images::{Layer, busybox_layout};
use crate::support::{Boot, Tar, busybox, disk, scratch};

/// A disk of 128 MiB with ext4, holding `foreign/file`.
fn second_disk(name: &str) -> PathBuf {
    let directory = scratch(&format!("rootfs-{name}"));
    std::fs::create_dir_all(directory.join("content/foreign")).expect("content");
    support::write(&directory.join("content/foreign/file"), "of somebody else\n");
    let file = directory.join("disk.img");
    disk::ext4(&file, 128, Some(&directory.join("content")), &["-L", "scratch"]);
    file
}

fn on(file: &std::path::Path, which: &str) -> Boot {
    Boot::new(busybox_layout()).option("--disk", file).append(&format!("ocinit.rootfs={which}"))
}

#[test]
fn the_root_is_made_anew_at_each_boot() {
    let file = second_disk("anew");
    let script = "echo type=$(awk '$2==\"/\"{print $3}' /proc/mounts); echo left=$(ls -A / | grep -c left-over)
        echo x >/left-over; mkdir -p /tmp/deep/er; chmod 0 /tmp/deep; ln -s / /tmp/link; chattr +i /left-over 2>/dev/null; exit 8";
    for which in ["/dev/vdb", "LABEL=scratch", "/dev/vdb"] {
        let outcome = on(&file, which).script(script).run();
        outcome.expect_status(8).expect_value("type", "ext4").expect_value("left", "0");
    }
    assert_eq!(disk::ext4_read(&file, "/foreign/file"), b"of somebody else\n");
    // It was unmounted in order: nothing to repair.
    support::tool(std::process::Command::new("/usr/sbin/e2fsck").args(["-fn"]).arg(&file));
}

/// Immutable and append-only files of the last boot's container are removed as well.
#[test]
fn what_was_made_immutable_is_no_obstacle() {
    let file = second_disk("immutable");
    on(&file, "/dev/vdb")
        .script("mkdir -p /a/b; echo x >/a/b/c; echo x >/a/d")
        .run()
        .expect_status(0);
    for (path, flags) in
        [("a/b/c", "0x80010"), ("a/d", "0x80020"), ("a/b", "0x80010"), ("", "0x80010")]
    {
        let path = format!("/ocinit-rootfs/root/{path}");
        disk::ext4_change(&file, &format!("set_inode_field {path} flags {flags}"));
    }
    let outcome = on(&file, "/dev/vdb").script("echo left=$(ls -d /a 2>/dev/null)").run();
    outcome.expect_status(0).expect_value("left", "");
}

/// More than the memory of the VM holds.
#[test]
fn an_image_larger_than_memory_fits_on_a_disk() {
    let directory = scratch("rootfs-large");
    let big = Layer::plain(Tar::new().file("big", 0o644, support::random_bytes(300 << 20)));
    busybox().layer(big).write(&directory.join("layout"));
    let file = directory.join("disk.img");
    disk::ext4(&file, 512, None, &[]);
    let boot = Boot::new(directory.join("layout")).option("--mem", "256").option("--disk", &file);
    let outcome = boot.append("ocinit.rootfs=/dev/vdb").script("stat -c %s /big").run();
    outcome.expect_status(0).expect_stdout("314572800\n");
}

/// A directory of our name without our marker is not ours.
#[test]
fn what_does_not_carry_our_marker_is_refused_and_left_alone() {
    let file = second_disk("mark");
    on(&file, "/dev/vdb").script("exit 0").run().expect_status(0);
    let name = made_directory(&file);
    // The same disk again, with that directory made by hand.
    let directory = scratch("rootfs-unmarked");
    std::fs::create_dir_all(directory.join("content").join(&name)).expect("content");
    support::write(&directory.join("content").join(&name).join("precious"), "do not delete\n");
    let file = directory.join("disk.img");
    disk::ext4(&file, 128, Some(&directory.join("content")), &[]);
    let outcome = on(&file, "/dev/vdb").script("echo EXECUTED").run();
    outcome.expect_status(125).expect_stdout("").expect_line(&["ocinit: ", "/dev/vdb", &name]);
    assert_eq!(disk::ext4_read(&file, &format!("/{name}/precious")), b"do not delete\n");
}

/// What ocinit made on the disk besides what was there.
fn made_directory(file: &std::path::Path) -> String {
    let mut debugfs = std::process::Command::new("/usr/sbin/debugfs");
    let listing =
        String::from_utf8(support::tool(debugfs.args(["-R", "ls -p /"]).arg(file))).expect("names");
    let names = listing.lines().filter_map(|line| line.split('/').nth(5));
    let made: Vec<&str> =
        names.filter(|name| ![".", "..", "lost+found", "foreign", ""].contains(name)).collect();
    assert_eq!(made.len(), 1, "{listing}");
    made[0].to_string()
}

#[test]
fn a_read_only_disk_is_refused() {
    let file = second_disk("read-only");
    let mut name = file.into_os_string();
    name.push(",ro");
    let boot = Boot::new(busybox_layout()).option("--disk", name).append("ocinit.rootfs=/dev/vdb");
    boot.script("echo EXECUTED")
        .run()
        .expect_status(125)
        .expect_stdout("")
        .expect_line(&["ocinit: ", "/dev/vdb"]);
}

#[test]
fn a_disk_without_a_file_system_is_refused() {
    let file = scratch("rootfs-blank").join("disk.img");
    disk::blank(&file, 16);
    let outcome = on(&file, "/dev/vdb").script("echo EXECUTED").run();
    outcome.expect_status(125).expect_stdout("").expect_line(&["ocinit: ", "/dev/vdb"]);
}

/// The image's own disk is not a place to unpack it to.
#[test]
fn the_images_own_disk_is_refused() {
    let outcome = Boot::new(busybox_layout())
        .option("--fs", "ext4")
        .append("ocinit.rootfs=/dev/vda")
        .script("echo EXECUTED")
        .run();
    outcome.expect_status(125).expect_stdout("").expect_line(&["ocinit: ", "/dev/vda"]);
}
