//! The container's three streams are `boot`'s, byte for byte.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use crate::support;
use crate::support::boot::{Input, Outcome, finish};
use crate::support::images::busybox_layout;
use crate::support::{Boot, random_bytes, scratch, slots};

const MIB: usize = 1 << 20;

#[track_caller]
fn expect_bytes(outcome: &Outcome, bytes: &[u8]) {
    outcome.expect_status(0);
    let same = outcome.stdout.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    let (came, sent) = (outcome.stdout.len(), bytes.len());
    assert!(
        outcome.stdout == bytes,
        "{came} bytes came back of {sent}, the first {same} unchanged"
    );
}

#[test]
fn ten_mebibytes_of_random_bytes_pass_unchanged() {
    let bytes = random_bytes(10 * MIB);
    let outcome =
        Boot::new(busybox_layout()).input(Input::Bytes(bytes.clone())).arguments(["cat"]).run();
    expect_bytes(&outcome, &bytes);
}

/// The container has ended and QEMU would be gone long before this reader has taken all.
#[test]
fn a_slow_reader_loses_nothing() {
    let bytes = random_bytes(10 * MIB);
    let mut command =
        Boot::new(busybox_layout()).input(Input::Bytes(bytes.clone())).arguments(["cat"]).command();
    let _slot = slots::take();
    let mut child = command.spawn().expect("boot");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = child.stdout.take().expect("piped");
    let fed = bytes.clone();
    let feeder = std::thread::spawn(move || stdin.write_all(&fed));
    let mut taken = Vec::new();
    let mut buffer = vec![0; 256 << 10];
    std::thread::sleep(Duration::from_secs(8));
    while let Ok(count @ 1..) = stdout.read(&mut buffer) {
        taken.extend_from_slice(&buffer[..count]);
        std::thread::sleep(Duration::from_millis(20));
    }
    feeder.join().expect("feeder").expect("all was read");
    let mut outcome = finish(child, None, Duration::from_secs(60));
    outcome.stdout = taken;
    expect_bytes(&outcome, &bytes);
}

#[test]
fn a_reader_that_leaves_ends_the_vm() {
    let mut command = Boot::new(busybox_layout()).arguments(["yes"]).command();
    let _slot = slots::take();
    let mut child = command.spawn().expect("boot");
    let mut first = [0; 4096];
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut first).expect("some lines");
    assert!(first.starts_with(b"y\ny\n"));
    drop(stdout);
    finish(child, None, Duration::from_secs(60)).expect_status(141);
}

/// The reader leaves while the container says nothing: there is no write that could fail.
#[test]
fn a_reader_that_leaves_a_silent_container_ends_the_vm() {
    let mut command = Boot::new(busybox_layout()).script("echo ready; exec sleep 1000").command();
    let _slot = slots::take();
    let mut child = command.spawn().expect("boot");
    let mut ready = [0; 6];
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut ready).expect("a line");
    drop(stdout);
    finish(child, None, Duration::from_secs(60)).expect_status(141);
}

#[test]
fn standard_input_may_be_a_file() {
    let file = scratch("stdio-file").join("input");
    let bytes = random_bytes(MIB + 7);
    support::write(&file, &bytes);
    let outcome = Boot::new(busybox_layout()).input(Input::File(file)).arguments(["cat"]).run();
    expect_bytes(&outcome, &bytes);
}

#[track_caller]
fn expect_end_of_file(input: Input) {
    let outcome = Boot::new(busybox_layout()).input(input).script("wc -c; echo end").run();
    outcome.expect_status(0).expect_stdout("0\nend\n");
}

#[test]
fn standard_input_may_be_dev_null() {
    expect_end_of_file(Input::Null);
}

#[test]
fn standard_input_may_be_closed() {
    expect_end_of_file(Input::Closed);
}

#[test]
fn standard_input_may_be_an_empty_pipe() {
    expect_end_of_file(Input::Bytes(Vec::new()));
}

/// An open pipe without a writer does not keep the VM when the container ends.
#[test]
fn standard_input_may_stay_open_and_silent() {
    let mut command = Boot::new(busybox_layout()).arguments(["echo", "done"]).command();
    command.stdin(Stdio::piped());
    let _slot = slots::take();
    let mut child = command.spawn().expect("boot");
    let held = child.stdin.take();
    let outcome = finish(child, None, Duration::from_secs(120));
    drop(held);
    outcome.expect_status(0).expect_stdout("done\n");
}

/// The container reads one line and leaves the rest, which is not an error.
#[test]
fn input_that_the_container_leaves_is_no_error() {
    let mut bytes = b"first\n".to_vec();
    bytes.resize(4 * MIB, b'x');
    let outcome = Boot::new(busybox_layout())
        .input(Input::Bytes(bytes))
        .script("read line; echo got $line")
        .run();
    outcome.expect_status(0).expect_stdout("got first\n");
}

/// The input is answered while it is still open: a conversation.
#[test]
fn lines_are_answered_one_by_one() {
    let mut command = Boot::new(busybox_layout()).arguments(["cat"]).command();
    command.stdin(Stdio::piped());
    let _slot = slots::take();
    let mut child = command.spawn().expect("boot");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = child.stdout.take().expect("piped");
    for line in [&b"one\n"[..], b"two\n", b"three\n"] {
        stdin.write_all(line).expect("boot reads");
        let mut answer = vec![0; line.len()];
        stdout.read_exact(&mut answer).expect("an answer");
        assert_eq!(answer, line);
    }
    drop(stdin);
    finish(child, None, Duration::from_secs(60)).expect_status(0);
}

#[test]
fn each_stream_is_separate_and_can_be_opened_again() {
    let script = "echo out; echo err >&2; echo out again >/dev/stdout; echo err again >/dev/stderr
        echo by number >/proc/self/fd/2; for fd in 0 1 2; do [ -t $fd ] && echo terminal; done; exit 3";
    let outcome = Boot::new(busybox_layout()).script(script).run();
    outcome.expect_status(3).expect_stdout("out\nout again\n");
    assert_eq!(outcome.stderr, "err\nerr again\nby number\n", "{outcome}");
}

/// Log lines belong to standard error and only with `--verbose`; the kernel's are among them.
#[test]
fn logs_are_shown_when_asked_for() {
    let outcome = Boot::new(busybox_layout()).flag("--verbose").arguments(["echo", "hello"]).run();
    outcome
        .expect_status(0)
        .expect_stdout("hello\n")
        .expect_line(&["ocinit: "])
        .expect_line(&["Linux version"]);
}

#[test]
fn a_long_standard_error_arrives_whole() {
    let script =
        "i=0; while [ $i -lt 20000 ]; do echo line $i of standard error; i=$((i+1)); done >&2";
    let outcome = Boot::new(busybox_layout()).script(script).run();
    let expected: String = (0..20000).map(|i| format!("line {i} of standard error\n")).collect();
    outcome.expect_status(0);
    assert!(
        outcome.stderr == expected,
        "{} bytes came of {}",
        outcome.stderr.len(),
        expected.len()
    );
}
