//! `run` with a terminal, and a reader of its output that stands still or is slow.

use std::io::{PipeReader, Read};
use std::os::fd::AsRawFd;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::lab::{self, Lab, Runtime, ended};

/// A lab whose container has a terminal, and runs this script.
fn with_terminal(script: &str) -> Lab {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.merge(r#"{"process": {"terminal": true}}"#).script(script);
    lab
}

/// Starts `run`; its output is a pipe, of which the test has both ends.
fn start(lab: &Lab) -> (Child, PipeReader, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("pipe");
    let mut command = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command.stdout(writer.try_clone().expect("a second writer"));
    (command.spawn().expect("ocinit"), reader, writer)
}

fn send(child: &Child, signal: i32) {
    // SAFETY: kill touches no memory; the child is ours and was not waited for.
    unsafe { libc::kill(i32::try_from(child.id()).expect("a pid"), signal) };
}

/// Waits until the pipe takes no more: what is in it stays the same for a while.
fn wait_until_full(reader: &PipeReader) {
    let (mut before, mut same) = (0, 0);
    for _ in 0..1000 {
        let mut waiting = 0;
        // SAFETY: the kernel writes one int.
        unsafe { libc::ioctl(reader.as_raw_fd(), libc::FIONREAD, &raw mut waiting) };
        same = if waiting == before { same + 1 } else { 0 };
        if waiting > 32 << 10 && same > 50 {
            return;
        }
        before = waiting;
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("only {before} bytes came");
}

/// The container writes for ever, and its output is never read.
#[test]
fn a_reader_that_stands_still_keeps_no_signal_back() {
    let lab =
        with_terminal("trap 'echo x > /root/signalled; exit 42' TERM; yes line of output & wait");
    let (mut child, reader, writer) = start(&lab);
    wait_until_full(&reader);
    // SAFETY: no memory is passed.
    let flags = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_GETFL) };
    assert_eq!(flags & libc::O_NONBLOCK, 0, "the caller's pipe was changed");
    send(&child, libc::SIGTERM);
    let status = ended(&mut child).and_then(|status| status.code());
    assert_eq!(lab.file("b/rootfs/root/signalled"), "x\n");
    assert_eq!(status, Some(42));
    drop(reader);
}

/// The container has ended long before its output is read: all of it comes.
#[test]
fn a_slow_reader_gets_all_after_the_end() {
    let lab = with_terminal("i=0; while [ $i -lt 12000 ]; do echo line $i; i=$((i+1)); done");
    let (mut child, mut reader, writer) = start(&lab);
    drop(writer);
    wait_until_full(&reader);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(child.try_wait().expect("wait").is_none(), "the rest was dropped");
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    let expected: String = (0..12000).map(|i| format!("line {i}\n")).collect();
    assert!(text.replace('\r', "") == expected, "{} of {}", text.len(), expected.len());
    assert_eq!(ended(&mut child).and_then(|status| status.code()), Some(0));
}

/// After the process's end there is none to forward to: a signal ends the wait for a stalled
/// reader.
#[test]
fn a_signal_after_the_end_ends_the_wait_for_the_reader() {
    let lab =
        with_terminal("i=0; while [ $i -lt 7000 ]; do echo line $i; i=$((i+1)); done; exit 3");
    let (mut child, reader, _writer) = start(&lab);
    wait_until_full(&reader);
    lab.wait_for("stopped");
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().expect("wait").is_none(), "the rest was dropped");
    send(&child, libc::SIGTERM);
    assert_eq!(ended(&mut child).and_then(|status| status.code()), Some(3));
    drop(reader);
}

/// Bytes in a pipe whose reader has gone delay nothing.
#[test]
fn a_reader_that_has_gone_keeps_nobody() {
    let lab =
        with_terminal("i=0; while [ $i -lt 12000 ]; do echo line $i; i=$((i+1)); done; exit 4");
    let (mut child, reader, writer) = start(&lab);
    drop((reader, writer));
    assert_eq!(ended(&mut child).and_then(|status| status.code()), Some(4));
}
