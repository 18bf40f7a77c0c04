//! The rights that are left, and how the program ends.

use crate::driver::{Helper, Said, Start, program};
use crate::server::{Server, manifest};
use ocinit_registry::transport::Setting;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn status(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap()
}

fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    line.trim_start_matches(':').trim().to_string()
}

#[test]
fn it_has_no_rights_before_the_first_connection() {
    let server = Server::http(|_, stream| manifest(stream));
    let mut helper = Start::new().go();
    let said = helper.try_start(&server.host(), "x", &[], &[(Setting::Insecure, Path::new(""))]);
    let Said::Ready { landlock } = said else { panic!("{said:?}") };
    let has_landlock = std::fs::read_to_string("/sys/kernel/security/lsm");
    if let Ok(modules) = has_landlock {
        assert_eq!(landlock, modules.contains("landlock"), "{modules}");
    }
    let pid = helper.child.id();
    let status = status(pid);
    for (name, wanted) in [("NoNewPrivs", "1"), ("Seccomp", "2"), ("Seccomp_filters", "1")] {
        let found = field(&status, name);
        assert!(found == wanted || (name == "Seccomp_filters" && found != "0"), "{name} {found}");
    }
    for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(field(&status, name), "0000000000000000", "{name}");
    }
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    for limit in ["Max file size             0 ", "Max core file size        0 "] {
        assert!(limits.contains(limit), "{limits}");
    }
    assert!(server.seen().is_empty());
    helper.manifest("1").done();
}

#[test]
fn it_ends_with_its_channel_also_in_the_middle_of_a_body() {
    let helper = Helper::to("localhost:1", &[]);
    assert_eq!(helper.end(), Some(0));
    let server = Server::http(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[7; 4096]).is_ok() {}
        false
    });
    let mut helper = Helper::plain(&server.host());
    let (id, pipe) = helper.open_blob(0, 1 << 30);
    assert!(matches!(helper.answer(id), Said::Begun { .. }));
    assert_eq!(helper.end(), Some(0));
    drop(pipe);
}

#[test]
fn it_dies_with_its_parent() {
    // The parent keeps the channel in a child of its own, so that its end alone is seen.
    let script = r#"
import os, socket, subprocess, sys, time
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
none = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
child = subprocess.Popen([sys.argv[1], "--control", "0"], stdin=theirs, **none)
keeper = subprocess.Popen(["sleep", "20"], pass_fds=[ours.fileno()], **none)
print(child.pid, keeper.pid, flush=True)
time.sleep(0.5)
"#;
    let output = Command::new("python3").args(["-c", script]).arg(program()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let pids: Vec<i32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    let begin = Instant::now();
    let is_alive = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pids[0]));
        status.is_ok_and(|status| !field(&status, "State").starts_with('Z'))
    };
    while is_alive() && begin.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = !is_alive();
    let _ = Command::new("kill").arg(pids[1].to_string()).status();
    assert!(ended, "it lives on");
}

#[test]
fn wrong_words_are_errors() {
    let run = |words: &[&str]| {
        let output = Command::new(program()).args(words).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, text) = run(&["--control", "77"]);
    assert!(status == Some(125) && text.contains("no socket to ocinit as fd 77"), "{text}");
    let (status, text) = run(&["--contrl"]);
    assert!(status == Some(125) && text.contains("unknown option --contrl"), "{text}");
    let (status, text) = run(&["--idle", "x"]);
    assert!(status == Some(125) && text.contains("--idle takes a number"), "{text}");
    assert_eq!(run(&["--help"]).0, Some(0));
}
