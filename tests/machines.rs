//! The three machines of QEMU that `boot` knows: disk, ports and power-off are alike on each.

mod support;

use support::boot::Input;
use support::images::busybox_layout;
use support::{Boot, random_bytes};

#[track_caller]
fn runs_on(machine: &str) {
    let bytes = random_bytes(100_000);
    let boot = Boot::new(busybox_layout()).option("--machine", machine).input(Input::Bytes(bytes.clone()));
    let outcome = boot.script("cat; echo to stderr >&2; exit 7").run();
    outcome.expect_status(7).expect_line(&["to stderr"]);
    assert!(outcome.stdout == bytes, "{} bytes came back of {}\n{outcome}", outcome.stdout.len(), bytes.len());
}

#[test]
fn pc() {
    runs_on("pc");
}

#[test]
fn q35() {
    runs_on("q35");
}

#[test]
fn microvm() {
    runs_on("microvm");
}

#[test]
fn memory_and_processors_are_as_told() {
    let boot = Boot::new(busybox_layout()).option("--mem", "777").option("--cpus", "2");
    let outcome =
        boot.script("echo cpus=$(nproc); echo kib=$(sed -n 's/^MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo)").run();
    outcome.expect_status(0).expect_value("cpus", "2");
    let kib: u64 = outcome.value("kib").parse().expect("a number");
    assert!((600 << 10..777 << 10).contains(&kib), "{kib} KiB of 777 MiB\n{outcome}");
}
