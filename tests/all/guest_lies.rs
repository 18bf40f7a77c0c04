//! Hostile guests: `boot` checks their messages, shows them without effect, and neither waits for
//! ever nor prints a traceback.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support;
use crate::support::boot::{finish, send};
use crate::support::fake::FakeQemu;
use crate::support::images::busybox_layout;
use crate::support::{Boot, Outcome, project, read, scratch};

fn boot() -> Boot {
    Boot::new(busybox_layout()).timeout(120)
}

fn start(mut command: Command) -> Child {
    command.spawn().expect("boot starts")
}

fn run(name: &str, script: &str, boot: &Boot) -> Outcome {
    let directory = scratch(&format!("guest-lies-{name}"));
    let machine = FakeQemu::new(&directory, script);
    finish(start(machine.command(boot)), None, Duration::from_secs(60))
}

/// No text of a guest reaches the user's terminal or a CI system as a command.
#[track_caller]
fn is_harmless(outcome: &Outcome) {
    for line in outcome.stderr.lines() {
        let hidden = |c: char| {
            let code = u32::from(c);
            (c.is_control() && c != '\t')
                || (0x202a..=0x202e).contains(&code)
                || (0x2066..=0x2069).contains(&code)
                || [0x2028, 0x2029, 0xfeff].contains(&code)
        };
        assert!(!line.contains(hidden), "{line:?}");
        let commands = ["##[", "##vso[", "##teamcity["];
        assert!(!line.trim_start().starts_with("::"), "{line:?}");
        assert!(!commands.iter().any(|command| line.contains(command)), "{line:?}");
    }
    assert!(!outcome.stderr.contains("Traceback"), "{outcome}");
}

/// Messages on the control port, and a part of the one line with which `boot` then ends, with 125.
const CONVERSATIONS: [(&str, &str); 52] = [
    ("nothing", r#"pass"#),
    ("no hello", r#"say("control", b"exit 0 0 0\n")"#),
    ("started before hello", r#"say("control", b"started\n")"#),
    ("an error before hello", r#"say("control", b"error x\n")"#),
    ("another version", r#"say("control", b"hello 2\n")"#),
    ("a version that is none", r#"say("control", b"hello\n")"#),
    ("a version with escapes", r#"say("control", b"hello \x1b[2J::set-output\n")"#),
    ("hello twice", r#"say("control", b"hello 1\nhello 1\n")"#),
    ("an empty line", r#"say("control", b"hello 1\n\n")"#),
    ("an unknown verb", r#"say("control", b"hello 1\nreboot\n")"#),
    ("a verb in capitals", r#"say("control", b"hello 1\nEXIT 0 0 0\n")"#),
    ("carriage returns", r#"say("control", b"hello 1\r\nexit 0 0 0\r\n")"#),
    ("bytes that are no text", r#"say("control", b"hello 1\n\xff\xfe\x00\n")"#),
    ("started twice", r#"say("control", b"hello 1\nstarted\nstarted\n")"#),
    ("started with words", r#"say("control", b"hello 1\nstarted now\n")"#),
    ("started after an error", r#"say("control", b"hello 1\nerror x\nstarted\n")"#),
    ("two errors", r#"say("control", b"hello 1\nerror x\nerror y\n")"#),
    ("an error without text", r#"say("control", b"hello 1\nerror\n")"#),
    (
        "an error that clears the screen",
        r#"say("control", b"hello 1\nerror \x1b[2J\x9b2J\r\x07gone\n")"#,
    ),
    (
        "an error that is a CI command",
        r#"say("control", b"hello 1\nerror ##[error]x ##vso[task.complete]\n")"#,
    ),
    (
        "an error that turns writing",
        "say(\"control\", \"hello 1\\nerror \\u202eabc\\u2066\\u2028\\ufeff\\n\".encode())",
    ),
    ("seventeen phases", r#"say("control", b"hello 1\n" + b"phase x 1 2\n" * 17)"#),
    ("a phase without times", r#"say("control", b"hello 1\nphase x\n")"#),
    ("a phase of words", r#"say("control", b"hello 1\nphase x y z\n")"#),
    ("a phase that ends before it begins", r#"say("control", b"hello 1\nphase x 2 1\n")"#),
    (
        "a phase of a huge time",
        r#"say("control", b"hello 1\nphase x 1 99999999999999999999999\n")"#,
    ),
    (
        "a phase in digits of elsewhere",
        "say(\"control\", \"hello 1\\nphase x 1 \\u0662\\n\".encode())",
    ),
    ("256", r#"say("control", b"hello 1\nexit 256 0 0\n")"#),
    ("minus one", r#"say("control", b"hello 1\nexit -1 0 0\n")"#),
    ("plus one", r#"say("control", b"hello 1\nexit +1 0 0\n")"#),
    ("digits of elsewhere", "say(\"control\", \"hello 1\\nexit \\u0663 0 0\\n\".encode())"),
    ("an underscore", r#"say("control", b"hello 1\nexit 1_0 0 0\n")"#),
    ("a huge status", r#"say("control", b"hello 1\nexit " + b"9" * 5000 + b" 0 0\n")"#),
    (
        "a status of four thousand digits",
        r#"say("control", b"hello 1\nexit " + b"9" * 4000 + b" 0 0\n")"#,
    ),
    ("a count above 2^63", r#"say("control", b"hello 1\nexit 0 9223372036854775809 0\n")"#),
    ("a count below zero", r#"say("control", b"hello 1\nexit 0 -5 0\n")"#),
    ("one count", r#"say("control", b"hello 1\nexit 0 0\n")"#),
    ("three counts", r#"say("control", b"hello 1\nexit 0 0 0 0\n")"#),
    ("two spaces", r#"say("control", b"hello 1\nexit  0 0 0\n")"#),
    ("exit twice", r#"say("control", b"hello 1\nexit 0 0 0\nexit 1 0 0\n")"#),
    ("exit seventy thousand times", r#"say("control", b"hello 1\n" + b"exit 0 0 9\n" * 70000)"#),
    (
        "exit seventy thousand times, apart",
        r#"
say("control", b"hello 1\n")
for _ in range(70000): say("control", b"exit 0 0 9\n")"#,
    ),
    ("a phase after exit", r#"say("control", b"hello 1\nexit 0 0 0\nphase x 1 2\n")"#),
    ("a byte after exit", r#"say("control", b"hello 1\nexit 0 0 0\nx")"#),
    (
        "a byte after done",
        r#"say("control", b"hello 1\nexit 0 0 0\n"); wait_for(b"done\n"); say("control", b"\n")"#,
    ),
    ("a long line", r#"say("control", b"hello 1\nerror " + b"x" * 5000 + b"\n")"#),
    (
        "a line without end",
        r#"
while True: say("control", b"x" * 65536)"#,
    ),
    (
        "a line without end, slowly",
        r#"
say("control", b"hello 1\n")
while True: say("control", b"x")"#,
    ),
    (
        "bytes that never come",
        r#"say("control", b"hello 1\nstarted\nexit 0 5 0\n"); say("stdout", b"four")"#,
    ),
    (
        "bytes beyond the count",
        r#"say("stdout", b"x" * 100); say("control", b"hello 1\nexit 0 5 0\n"); time.sleep(30)"#,
    ),
    (
        "bytes after the count",
        r#"
say("control", b"hello 1\nstarted\nexit 0 5 0\n")
while True: say("stdout", b"x" * 100)"#,
    ),
    (
        "bytes on stderr after done",
        r#"
say("control", b"hello 1\nstarted\nexit 0 0 0\n"); wait_for(b"done\n"); time.sleep(0.2)
while True: say("stderr", b"\n" * 100)"#,
    ),
];

#[test]
fn a_guest_that_lies_is_125_and_one_line() {
    let started = Instant::now();
    for (name, script) in CONVERSATIONS {
        for flags in [&[][..], &["--timings", "--tty"]] {
            let boot = flags.iter().fold(boot(), |boot, flag| boot.flag(flag));
            let outcome = run("conversation", script, &boot);
            assert!(outcome.status == 125, "{name} {flags:?}: not 125\n{outcome}");
            is_harmless(&outcome);
            let said: Vec<_> =
                outcome.stderr.lines().filter(|line| !line.ends_with(" ms")).collect();
            assert!(said.len() == 1, "{name} {flags:?}: not one line\n{outcome}");
            assert!(
                said[0].starts_with("boot: ") || said[0].starts_with("ocinit: "),
                "{name} {flags:?}: {outcome}"
            );
            // After the count: bytes that `boot` carries before it reads the count are legitimate.
            let most = match name {
                "bytes after the count" => 4 << 20,
                "bytes beyond the count" | "bytes on stderr after done" => 100,
                _ => 5,
            };
            assert!(
                outcome.stdout.len() <= most,
                "{name}: delivered {} bytes\n{outcome}",
                outcome.stdout.len()
            );
        }
    }
    assert!(
        started.elapsed() < Duration::from_secs(400),
        "a guest can make boot slow: {:?}",
        started.elapsed()
    );
}

/// Valid messages are taken, up to the largest number.
#[test]
fn a_guest_that_tells_the_truth_is_believed() {
    let script = r#"
say("control", b"hello 1\n" + b"phase x 0 9223372036854775808\n" * 16 + b"started\n")
say("stdout", b"12345")
say("control", b"exit 255 5 0\n")
wait_for(b"done\n")"#;
    run("truth", script, &boot().flag("--timings")).expect_status(255).expect_stdout("12345");
    let script = r#"say("control", b"hello 1\nstarted\nerror out of memory\nexit 137 0 0\n"); wait_for(b"done\n")"#;
    run("truth", script, &boot()).expect_status(137).expect_line(&["ocinit: out of memory"]);
}

/// QEMU has ended, but another process holds its end of the ports: `boot` does not wait for that.
#[test]
fn a_machine_that_is_off_has_said_all() {
    let script = r#"
say("control", b"hello 1\nstarted\nexit 7 0 0\n"); wait_for(b"done\n")
if os.fork() == 0: time.sleep(20); os._exit(0)"#;
    let outcome = run("off", script, &boot());
    outcome.expect_status(7);
    assert!(outcome.took < Duration::from_secs(15), "{outcome}");
}

/// The guest reports output that never comes, and stays.
#[test]
fn bytes_that_never_come_end_the_machine() {
    let script = r#"say("control", b"hello 1\nstarted\nexit 0 5 0\n"); say("stdout", b"four"); time.sleep(1000)"#;
    let outcome = run("never", script, &boot());
    outcome.expect_status(125).expect_stdout("four").expect_line(&[
        "1 of 5 bytes",
        "stdout",
        "lost",
    ]);
}

/// The guest reads neither its input nor its control port. Signals and the time limit still work.
#[test]
fn a_guest_that_reads_nothing_can_be_ended() {
    let directory = scratch("guest-lies-deaf");
    let script = r#"
say("control", b"hello 1\nstarted\n"); say("stdout", b"ready\n")
while True: say("stderr", b"x" * 65536); time.sleep(0.01)"#;
    let machine = FakeQemu::new(&directory, script);
    let limit = Duration::from_secs(40);
    let input = || Some(vec![b'x'; 4 << 20]);
    let with_input = |boot: &Boot| {
        let mut command = machine.command(boot);
        command.stdin(Stdio::piped());
        start(command)
    };
    finish(with_input(&boot().timeout(3)), input(), limit).expect_status(124);
    for (signals, status) in
        [(&["TERM", "TERM"][..], 143), (&["INT", "INT"], 130), (&["TERM"], 143), (&["HUP"], 129)]
    {
        let child = with_input(&boot());
        std::thread::sleep(Duration::from_secs(2));
        for signal in signals {
            send(&child, signal);
            std::thread::sleep(Duration::from_millis(500));
        }
        let outcome = finish(child, input(), limit);
        assert!(outcome.status == status, "{signals:?}: {}", outcome.status);
    }
}

/// `boot` ends even if its stderr is never read.
#[test]
fn a_stderr_that_nobody_reads_does_not_keep_boot() {
    let directory = scratch("guest-lies-stuck");
    let script = r#"
say("control", b"hello 1\nstarted\n")
for n in range(5000): say("console", b"%d" % n + b"x" * 2000 + b"\n")
time.sleep(1000)"#;
    let machine = FakeQemu::new(&directory, script);
    for flags in [&[][..], &["--verbose"]] {
        let boot = flags.iter().fold(boot().timeout(3), |boot, flag| boot.flag(flag));
        let mut child = start(machine.command(&boot));
        let stderr = child.stderr.take();
        let outcome = finish(child, None, Duration::from_secs(40));
        drop(stderr);
        outcome.expect_status(124);
        assert!(outcome.took < Duration::from_secs(30), "{outcome}");
    }
}

/// 60 MiB without a line's end, and lines that are commands for terminals and CI systems.
#[test]
fn a_log_is_cut_and_has_no_effect() {
    let script = r#"
for name in ("console",):
    say(name, b"x" * (60 << 20) + b"\r\n")
    say(name, b"::set-output name=a::b\n  ::error::x\n\x1b]0;title\x07\x1b[2J\n##vso[task.setvariable]x\n##[group]y\n")
    say(name, "\u202e\u2066\u2028\ufeff\x85\r\r\n".encode() + b"\xff\xfe\n")
say("control", b"hello 1\nstarted\n")
time.sleep(0.3)
sys.exit(3)"#;
    for flag in ["--verbose", "--timings"] {
        let outcome = run("log", script, &boot().flag(flag));
        outcome
            .expect_status(125)
            .expect_line(&["set-output name=a"])
            .expect_line(&["x", "more bytes"]);
        is_harmless(&outcome);
        assert!(outcome.stderr.lines().all(|line| line.len() < 5000), "a line is not cut");
        assert!(outcome.took < Duration::from_secs(20), "quadratic: {:?}", outcome.took);
    }
}

/// If the log's file cannot be written, `boot` reports it once, and by its status; the guest goes
/// on.
#[test]
fn a_log_that_cannot_be_written_is_said_once() {
    let script = r#"
say("control", b"hello 1\nstarted\n")
say("console", b"a line of the log\n" * 100000)
say("stdout", b"12345")
say("control", b"exit 0 5 0\n")
wait_for(b"done\n")"#;
    let outcome = run("full", script, &boot().option("--log", "/dev/full"));
    outcome
        .expect_status(125)
        .expect_stdout("12345")
        .expect_line(&["boot: /dev/full: No space left on device"]);
    assert!(outcome.stderr.lines().count() == 1, "{outcome}");
    // A FIFO without a reader is an error at once.
    let directory = scratch("guest-lies-fifo");
    let fifo = directory.join("fifo");
    support::tool(Command::new("mkfifo").arg(&fifo));
    let outcome = run("full", script, &boot().option("--log", &fifo));
    outcome.expect_status(125).expect_line(&["boot: ", "fifo"]);
}

#[test]
fn a_log_has_an_end() {
    let directory = scratch("guest-lies-cap");
    let log = directory.join("log");
    let script = r#"
say("control", b"hello 1\nstarted\n")
for n in range(70): say("console", b"a line of the log, %4d\n" % n * 45591)
say("control", b"exit 3 0 0\n")
wait_for(b"done\n")"#;
    let outcome = run("cap", script, &boot().option("--log", &log));
    outcome.expect_status(3).expect_line(&["boot: ", "64 MiB"]);
    assert!(outcome.stderr.lines().count() == 1, "{outcome}");
    assert_eq!(read(&log).len(), 64 << 20);
}

/// After its exit status a guest may still owe output; it does not decide how long SIGTERM waits
/// for that.
#[test]
fn a_guest_that_never_ends_its_output_does_not_outlive_sigterm() {
    let flows = [
        ("trickle", "say('stdout', b'x'); time.sleep(0.5)"),
        ("flood", "say('stdout', b'x' * 65536)"),
    ];
    let children = flows.map(|(name, flow)| {
        let script =
            format!("say('control', b'hello 1\\nstarted\\nexit 0 9000000000000000000 0\\n')\nwhile True: {flow}");
        let mut command = FakeQemu::new(&scratch(&format!("guest-lies-{name}")), &script).command(&boot());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        start(command)
    });
    std::thread::sleep(Duration::from_secs(5));
    children.iter().for_each(|child| send(child, "TERM"));
    for child in children {
        let outcome = finish(child, None, Duration::from_secs(90));
        outcome
            .expect_status(128 + 15)
            .expect_line(&["boot: SIGTERM", "did not end in 20 seconds"]);
    }
}

/// The container writes to the serial console, so a forged last line hides no panic of the kernel.
#[test]
fn a_console_that_lies_is_125() {
    for (text, status) in [
        ("ocinit: exit status 7\\n", 7),
        ("ocinit: exit status 256\\n", 125),
        ("ocinit: exit status -1\\n", 125),
        ("ocinit: exit status \\u0663\\n", 125),
        ("ocinit: exit status 0\\nKernel panic - not syncing: \\x1b[2J::x\\n", 125),
        ("", 125),
    ] {
        let outcome = run(
            "console",
            &format!("say('console', '{text}'.encode())"),
            &boot().flag("--console"),
        );
        assert!(outcome.status == status, "{text}: {outcome}");
        is_harmless(&outcome);
    }
}

/// Random lines in random pieces, beside a second reader of the protocol. `OCINIT_TEST_ROUNDS` is
/// their number.
#[test]
fn random_lines_of_a_guest_are_understood_or_refused() {
    let rounds = std::env::var("OCINIT_TEST_ROUNDS").unwrap_or_else(|_| "20000".into());
    let mut command = Command::new("python3");
    command
        .arg(project().join("tests/all/support/control_lines.py"))
        .arg(project().join("qemu"))
        .arg(rounds);
    support::tool(&mut command);
}

/// An unexpected exception is one line, too: here from a kernel module that is no xz file.
#[test]
fn an_exception_that_nobody_expected_is_one_line() {
    let directory = scratch("guest-lies-exception");
    let modules = directory.join("kernel");
    std::fs::create_dir(&modules).expect("modules");
    support::write(&modules.join("virtio_blk.ko.xz"), "no xz");
    let machine = FakeQemu::new(&directory, "pass");
    let mut command = machine.command(&boot().option("--modules", &directory));
    command.stdin(Stdio::null());
    let outcome = finish(start(command), None, Duration::from_secs(30));
    outcome.expect_status(125).expect_line(&["boot: internal error: LZMAError"]);
    assert!(outcome.stderr.lines().count() == 1, "{outcome}");
}
