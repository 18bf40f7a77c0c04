//! Further containers in PID 1, beside the main one: `start` on the control port.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::boot::finish;
use crate::support::images::busybox_layout;
use crate::support::{Boot, project, scratch, slots};

/// Returns a line that starts a job whose program is a shell's script.
fn start(name: &str, script: &str) -> String {
    let mut line = format!("start {name} -- /bin/sh -c ");
    for byte in script.bytes() {
        match byte {
            b' ' | b'%' | b'\n' => line += &format!("%{byte:02x}"),
            byte => line.push(char::from(byte)),
        }
    }
    line + "\n"
}

/// What the guest said of one job, in order.
fn of<'a>(said: &'a str, name: &str) -> Vec<&'a str> {
    said.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).collect()
}

/// The main container runs; each further one has its own streams and status, and its own
/// namespaces on the same root. One that cannot start leaves the others alone. When the main one
/// ends, the others are stopped as `docker stop` does it, and the machine goes off with its status.
#[test]
fn containers_run_beside_the_main_one() {
    let requests = scratch("jobs").join("requests");
    let lines = [
        start("short", "echo out $$; echo err >&2; touch /seen; exit 3"),
        "start bad -- /nosuch\n".into(),
        start("long", "trap 'echo stopped; exit 5' TERM; echo up; sleep 1000 & wait"),
        start("long", "echo second"),
        start("deaf", "trap '' TERM; echo deaf; sleep 1000"),
    ];
    std::fs::write(&requests, lines.concat()).expect("requests");
    let boot = Boot::new(busybox_layout())
        .script("while [ ! -e /seen ]; do sleep 0.1; done; sleep 3; cat /proc/[0-9]*/cmdline | grep -c [d]eaf; exit 7");
    let mut command = Command::new("python3");
    command.arg(project().join("tests/all/support/jobs.py")).arg(&requests).args(boot.words());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let _slot = slots::take();
    let outcome = finish(command.spawn().expect("boot"), None, Duration::from_secs(300));
    let said = std::fs::read_to_string(requests.with_extension("said")).expect("what it said");
    assert_eq!(outcome.status, 7, "{outcome}\n{said}");
    // None of the others' processes.
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "0\n", "{said}");
    assert_eq!(of(&said, "short"), ["started ", "out b'out 1\\n'", "err b'err\\n'", "exit 3"]);
    let why = "failed exec: \"/nosuch\": stat /nosuch: no such file or directory";
    assert_eq!(of(&said, "bad"), [why]);
    let mut long = of(&said, "long");
    long.sort_unstable();
    let twice = "failed there is a job of this name";
    assert_eq!(long, ["exit 5", twice, "out b'stopped\\n'", "out b'up\\n'", "started "]);
    assert_eq!(of(&said, "deaf"), ["started ", "out b'deaf\\n'", "exit 137"]);
    assert_eq!(said.lines().last(), Some("exit"), "the machine's own last word: {said}");
}
