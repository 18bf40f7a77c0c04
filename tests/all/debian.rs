//! A real image: Debian with Python, more than 100 MiB, and what PID 1 itself needs to unpack it.

use std::path::PathBuf;
use std::process::Command;

use crate::support;
use crate::support::{Boot, Outcome, project, tool};

/// PID 1's largest peak of memory, including the program's pages. The kernel (before 6.2) counts to
/// some dozen pages a thread, so this is above the 952 to 956 KiB of 2026-12-01.
const PEAK_KIB_MAX: u64 = 1024;

/// Made once by `make bench-boot` or by us, and kept with the kernel.
fn image() -> PathBuf {
    let text = tool(&mut Command::new(project().join("qemu/debian-image")));
    PathBuf::from(String::from_utf8(text).expect("a path").trim_end())
}

/// What PID 1 says of its peak at the end.
#[track_caller]
fn peak_kib(outcome: &Outcome) -> u64 {
    const PREFIX: &str = "ocinit: peak memory of PID 1: ";
    let line =
        outcome.line(&[PREFIX]).unwrap_or_else(|| panic!("no {PREFIX:?} in the log\n{outcome}"));
    let rest = line[line.find(PREFIX).expect("it is there") + PREFIX.len()..].trim_end();
    let number = rest.strip_suffix(" kB").and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no number: {line}"))
}

#[test]
fn debian_runs_a_python_program_and_pid_1_keeps_its_memory_small() {
    let program = r#"
import hashlib, json, os, platform, sys
total = 0
for folder, _, files in os.walk("/usr"):
    for name in files:
        path = os.path.join(folder, name)
        if not os.path.islink(path):
            total += os.stat(path).st_size
print("release=" + platform.freedesktop_os_release()["VERSION_ID"])
print("mebibytes=%d" % (total >> 20))
print("json=" + json.dumps({"pid": os.getpid(), "digest": hashlib.sha256(b"ocinit").hexdigest()[:8]}))
print("input=" + sys.stdin.read().upper())
# A package's own checksums: what was unpacked is what Debian made.
wrong = [line for line in open("/var/lib/dpkg/info/libpython3.11-minimal:amd64.md5sums")
         if hashlib.md5(open("/" + line.split()[1], "rb").read()).hexdigest() != line.split()[0]]
print("wrong=%d" % len(wrong))
sys.exit(66)
"#;
    let boot = Boot::new(image())
        .flag("--verbose")
        .timeout(400)
        .input(support::boot::Input::Bytes(b"from the host".into()));
    let outcome = boot.arguments(["python3", "-c", program]).run();
    outcome
        .expect_status(66)
        .expect_value("release", "12")
        .expect_value("input", "FROM THE HOST")
        .expect_value("wrong", "0");
    outcome.expect_value("json", r#"{"pid": 1, "digest": "856462a6"}"#);
    let mebibytes: u64 = outcome.value("mebibytes").parse().expect("a number");
    assert!(mebibytes >= 100, "{mebibytes} MiB are a toy\n{outcome}");

    let peak = peak_kib(&outcome);
    println!("PID 1's peak while unpacking {mebibytes} MiB: VmHWM {peak} KiB");
    // Less than this is not even the program itself: the number would be of something else.
    assert!((100..PEAK_KIB_MAX).contains(&peak), "VmHWM {peak} KiB\n{outcome}");
}
