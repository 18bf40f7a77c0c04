//! SIGTERM and SIGHUP stop the container, SIGINT goes to it, a further one ends the VM; no process
//! and no file is left.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support;
use crate::support::boot::{finish, send};
use crate::support::{Boot, Outcome, busybox, scratch, slots};

/// Starts it, and waits until the container has said `ready`.
fn start(boot: &Boot, temporary: &Path) -> Child {
    let mut child = boot.command().env("TMPDIR", temporary).spawn().expect("boot");
    let mut stdout = child.stdout.take().expect("piped");
    let mut ready = [0; 6];
    if stdout.read_exact(&mut ready).is_err() || &ready != b"ready\n" {
        panic!("the container never was ready\n{}", finish(child, None, Duration::from_secs(5)));
    }
    child.stdout = Some(stdout);
    child
}

/// Processes started with this TMPDIR: `boot`, and QEMU while it runs, as (number, program).
fn processes_of(temporary: &Path) -> Vec<(u32, String)> {
    let marker = format!("TMPDIR={}", temporary.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes()) {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            found.push((number, name.trim_end().to_string()));
        }
    }
    found
}

/// QEMU's process.
fn qemu_of(temporary: &Path) -> u32 {
    let found = processes_of(temporary);
    found
        .iter()
        .find(|(_, name)| name.starts_with("qemu"))
        .unwrap_or_else(|| panic!("no QEMU in {found:?}"))
        .0
}

/// A layout in a directory of its own, so that its name tells our processes from others.
fn own_layout(name: &str) -> std::path::PathBuf {
    let directory = scratch(&format!("signals-{name}"));
    busybox().write(&directory.join("layout"));
    std::fs::create_dir(directory.join("temporary")).expect("temporary");
    directory
}

fn signalled(name: &str, script: &str, signals: &[&str]) -> Outcome {
    let directory = own_layout(name);
    let temporary = directory.join("temporary");
    let boot = Boot::new(directory.join("layout")).script(script);
    let _slot = slots::take();
    let child = start(&boot, &temporary);
    qemu_of(&temporary);
    for signal in signals {
        send(&child, signal);
        std::thread::sleep(Duration::from_secs(2));
    }
    let outcome = finish(child, None, Duration::from_secs(60));
    assert_eq!(processes_of(&temporary), [], "left running\n{outcome}");
    let left: Vec<_> = std::fs::read_dir(&temporary)
        .expect("temporary")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert!(left.is_empty(), "left lying about: {left:?}\n{outcome}");
    outcome
}

/// A PID 1 only gets what it has a handler for.
const TRAPS: &str =
    "trap 'echo term; exit 15' TERM; trap 'echo int; exit 2' INT; trap 'echo usr1; exit 10' USR1;
    echo ready; while :; do sleep 1; done";

#[test]
fn sigterm_goes_to_the_container() {
    signalled("term", TRAPS, &["TERM"]).expect_status(15).expect_stdout("term\n");
}

/// A shell, sleep or python that is PID 1 of its namespace and has no handler: the normal case.
#[test]
fn sigterm_ends_a_container_that_has_no_handler() {
    let outcome = signalled("plain", "echo ready; exec sleep 1000", &["TERM"]);
    outcome.expect_status(128 + 9).expect_stdout("");
    assert!(outcome.took > Duration::from_secs(6), "it had no time to end by itself\n{outcome}");
}

/// The machine goes off in its time: `timeout` has to ask once.
#[test]
fn timeout_ends_a_boot() {
    let directory = own_layout("timeout");
    let temporary = directory.join("temporary");
    let words = Boot::new(directory.join("layout")).arguments(["sleep", "1000"]).words();
    let mut command = std::process::Command::new("timeout");
    command.arg("20").args(words).env("TMPDIR", &temporary);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let _slot = slots::take();
    let outcome = finish(command.spawn().expect("timeout"), None, Duration::from_secs(70));
    outcome.expect_status(124).expect_stdout("");
    assert_eq!(processes_of(&temporary), [], "left running\n{outcome}");
}

/// SIGHUP stops, too; the container gets the image's StopSignal.
#[test]
fn sighup_and_sigterm_are_the_images_stop_signal() {
    for signal in ["HUP", "TERM"] {
        let directory = own_layout("stop");
        let script = "trap 'echo usr1; exit 10' USR1; echo ready; while :; do sleep 1; done";
        let command =
            format!(r#""Cmd":["sh","-c","{script}"],"Env":["PATH=/bin"],"StopSignal":"SIGUSR1""#);
        std::fs::remove_dir_all(directory.join("layout")).expect("layout");
        busybox().config(&command).write(&directory.join("layout"));
        let _slot = slots::take();
        let child = start(&Boot::new(directory.join("layout")), &directory.join("temporary"));
        send(&child, signal);
        let outcome = finish(child, None, Duration::from_secs(60));
        outcome.expect_status(10).expect_stdout("usr1\n");
    }
}

/// ^C, then SIGTERM: the second signal stops the container, and does not kill it.
#[test]
fn sigterm_after_sigint_stops() {
    let script = "trap 'echo int' INT; trap 'echo term; exit 15' TERM; echo ready; while :; do sleep 1; done";
    signalled("both", script, &["INT", "TERM"]).expect_status(15).expect_stdout("int\nterm\n");
}

#[test]
fn sigint_goes_to_the_container() {
    signalled("int", TRAPS, &["INT"]).expect_status(2).expect_stdout("int\n");
}

#[test]
fn the_second_signal_ends_the_vm() {
    let deaf = "trap 'echo deaf' TERM; echo ready; while :; do sleep 1; done";
    let outcome = signalled("second", deaf, &["TERM", "TERM"]);
    outcome.expect_stdout("deaf\n").expect_status(128 + 15);
}

/// An init that never starts a container (busybox takes an absent inittab's defaults) leaves the
/// signal to us.
#[test]
fn a_signal_that_no_container_takes_ends_the_vm() {
    let directory = own_layout("untaken");
    let boot =
        Boot::new(directory.join("layout")).option("--init", support::images::busybox_binary());
    let _slot = slots::take();
    let temporary = directory.join("temporary");
    let child = boot.command().env("TMPDIR", &temporary).spawn().expect("boot");
    std::thread::sleep(Duration::from_secs(2));
    send(&child, "TERM");
    let outcome = finish(child, None, Duration::from_secs(40));
    outcome.expect_status(128 + 15).expect_line(&["boot: SIGTERM", "no container took it"]);
    assert_eq!(processes_of(&temporary), [], "left running\n{outcome}");
}

#[test]
fn a_container_that_ends_by_itself_leaves_nothing() {
    signalled("end", "echo ready; sleep 3; echo end", &[]).expect_status(0).expect_stdout("end\n");
}

/// `boot` itself is killed and cannot clean up: the VM must not live on without it.
#[test]
fn a_killed_boot_takes_its_vm_along() {
    let directory = own_layout("kill");
    let boot = Boot::new(directory.join("layout")).script("echo ready; sleep 1000");
    let _slot = slots::take();
    let temporary = directory.join("temporary");
    let child = start(&boot, &temporary);
    qemu_of(&temporary);
    send(&child, "KILL");
    finish(child, None, Duration::from_secs(20)).expect_status(-1);
    for _ in 0..100 {
        if processes_of(&temporary).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("still there after ten seconds: {:?}", processes_of(&temporary));
}

/// The VM is gone without a word.
#[test]
fn a_killed_vm_is_125() {
    let directory = own_layout("vm");
    let boot = Boot::new(directory.join("layout")).script("echo ready; sleep 1000");
    let _slot = slots::take();
    let temporary = directory.join("temporary");
    let child = start(&boot, &temporary);
    let killed = std::process::Command::new("kill")
        .args(["-s", "KILL", &qemu_of(&temporary).to_string()])
        .status();
    assert!(killed.expect("kill").success());
    let outcome = finish(child, None, Duration::from_secs(20));
    outcome.expect_status(125).expect_line(&["boot: ", "signal 9"]);
}
