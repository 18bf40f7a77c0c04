//! The machine against its container and its disks: neither can keep it from ending, or gain more
//! access.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support;
use crate::support::images::{Layer, busybox_layout, compiled};
use crate::support::layout::archive;
use crate::support::{Boot, Tar, busybox, console, disk, scratch, tool};

/// busybox with `/attack`.
fn layout(name: &str) -> PathBuf {
    let directory = scratch(&format!("machine-{name}")).join("layout");
    busybox()
        .layer(Layer::plain(Tar::new().file("attack", 0o755, compiled("attack"))))
        .write(&directory);
    directory
}

/// New user, mount and cgroup namespaces with cgroup2 mounted in them, twice, from further down the
/// second time. Without the filter, which forbids the first step.
#[test]
fn limits_cannot_be_lifted_from_inside() {
    let boot = Boot::new(layout("lift"))
        .append("ocinit.memory=64M ocinit.seccomp=off")
        .option("--mem", "512");
    let outcome = boot.script("/attack lift; /attack lift-and-touch 128; echo after=$?").run();
    assert!(!outcome.text().contains("once=done"), "{outcome}");
    assert!(!outcome.text().contains("touched=128"), "{outcome}");
    outcome.expect_status(0).expect_value("after", "137");
}

/// A file system with `errors=panic` and a damaged root directory is probed and skipped.
#[test]
fn a_damaged_disk_that_is_only_looked_at_does_not_end_the_machine() {
    let file = damaged_disk("looked-at");
    let boot = Boot::new(busybox_layout()).option("--disk", &file).append("ocinit.disk=auto");
    boot.arguments(["echo", "fine"]).run().expect_status(0).expect_stdout("fine\n");
}

/// The same disk as the place of the root: an error that names it.
#[test]
fn a_damaged_disk_for_the_root_is_an_error_and_no_panic() {
    let file = damaged_disk("root");
    let boot = Boot::new(busybox_layout()).option("--disk", &file).append("ocinit.rootfs=/dev/vdb");
    let outcome = boot.arguments(["echo", "EXECUTED"]).run();
    outcome.expect_status(125).expect_stdout("").expect_line(&["ocinit: ", "/dev/vdb"]);
    assert!(!outcome.stderr.contains("panic"), "{outcome}");
}

fn damaged_disk(name: &str) -> PathBuf {
    let file = scratch(&format!("machine-damaged-{name}")).join("disk.img");
    disk::ext4(&file, 16, None, &["-b", "1024"]);
    tool(Command::new("/usr/sbin/tune2fs").args(["-e", "panic"]).arg(&file));
    let blocks = tool(Command::new("/usr/sbin/debugfs").args(["-R", "blocks /"]).arg(&file));
    let block: usize =
        String::from_utf8(blocks).expect("a number").trim().parse().expect("one block");
    let mut bytes = support::read(&file);
    bytes[block * 1024..(block + 1) * 1024].fill(0xff);
    support::write(&file, bytes);
    file
}

#[test]
fn a_hundred_partitions_are_no_obstacle() {
    let file = scratch("machine-partitions").join("disk.img");
    disk::many_partitions(&file, 100);
    for which in ["SERIAL=image", "auto"] {
        let boot = Boot::new(busybox_layout())
            .option("--disk", &file)
            .append(&format!("ocinit.disk={which}"));
        let outcome = boot.script("echo count=$(grep -c 'vdb[0-9]' /proc/partitions)").run();
        outcome.expect_status(0).expect_value("count", "100");
    }
}

/// A disk's serial number finds the image on its partition.
#[test]
fn a_serial_number_means_the_partition_with_the_image() {
    let directory = scratch("machine-serial");
    let (plain, file) = (directory.join("plain.img"), directory.join("disk.img"));
    disk::ext4(&plain, 16, Some(&busybox_layout()), &[]);
    disk::partitioned(&file, &plain);
    Boot::new(&file).arguments(["echo", "found"]).run().expect_status(0).expect_stdout("found\n");
    let second =
        Boot::new(busybox_layout()).option("--disk", &file).append("ocinit.disk=/dev/vdb1");
    second.arguments(["echo", "by name"]).run().expect_status(0).expect_stdout("by name\n");
    // The error names a partition without an image.
    disk::ext4(&plain, 16, None, &[]);
    disk::partitioned(&file, &plain);
    let outcome = Boot::new(&file).append("ocinit.wait=1").arguments(["echo", "EXECUTED"]).run();
    outcome
        .expect_status(125)
        .expect_stdout("")
        .expect_line(&["ocinit.disk=SERIAL=image: no image on it", "/dev/vda1"]);
}

#[test]
fn a_machine_without_a_disk_says_which_drivers_it_has() {
    let directory = scratch("machine-no-disk");
    let limit = Duration::from_secs(120);
    let outcome = console::run(&directory, "ocinit.wait=1\n", Path::new(""), limit);
    let text = outcome.text();
    assert!(text.contains("there is no disk at all") && text.contains("virtio_blk"), "{outcome}");
}

/// The machine powers off even if its serial console is never read and QEMU's pipe is full.
#[test]
fn a_console_without_a_reader_does_not_keep_the_machine_on() {
    let directory = scratch("machine-no-reader");
    let configuration = "arg=sh\narg=-c\narg=yes | head -c 50000; exit 3\n";
    let mut command = console::command(&directory, configuration, &archive(&busybox_layout()));
    let _slot = support::slots::take();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("qemu");
    let started = Instant::now();
    let ended = loop {
        if child.try_wait().expect("qemu can be waited for").is_some() {
            break true;
        }
        if started.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            let _ = child.wait();
            break false;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(ended, "the machine is still on");
}

/// Output stopped by the container (tcflow), or by flow control of the other end.
#[test]
fn a_console_that_was_stopped_says_the_last_line() {
    let directory = scratch("machine-stopped");
    let configuration = "ocinit.privileged=on\narg=sh\narg=-c\narg=/attack stop-output /dev/ttyS0; echo little; exit 5\n";
    let outcome = console::run(
        &directory,
        configuration,
        &archive(&layout("stopped")),
        Duration::from_secs(90),
    );
    assert!(outcome.text().contains("ocinit: exit status 5"), "{outcome}");
}
