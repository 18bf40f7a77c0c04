//! `boot -t` at a real pseudo-terminal: a shell as `docker run -it` gives one.

use crate::support;
use crate::support::Boot;
use crate::support::images::busybox_layout;
use crate::support::terminal::Step::{Expect, Resize, Type};
use crate::support::terminal::{Step, drive};

/// A shell whose prompt the steps can wait for; its echo never holds what they expect (`do''ne`).
fn shell(steps: &[Step<'_>]) -> support::Outcome {
    let boot =
        Boot::new(busybox_layout()).flag("-t").arguments(["env", "PS1=prompt> ", "PS2=", "sh"]);
    let mut all = vec![Expect("mpt> ")];
    all.extend(steps.iter().map(|step| match step {
        Expect(text) => Expect(text),
        Type(text) => Type(text),
        Resize(rows, columns) => Resize(*rows, *columns),
    }));
    drive(&boot.words(), &all)
}

/// One VM for a whole session: size, resize, Ctrl-C, Ctrl-Z, line editing, job control, the status.
#[test]
fn a_session() {
    let outcome = shell(&[
        Type("stty size; tty\r"),
        Expect("30 90\r\n"),
        Expect("/dev/pts/0\r\n"),
        Resize(41, 121),
        Type("sleep 1; stty size\r"),
        Expect("41 121\r\n"),
        Type("echo st''arted; sleep 1000\r"),
        Expect("started\r\n"),
        Type("\u{3}"),
        Expect("mpt> "),
        Type("echo code=$?\r"),
        Expect("code=130\r\n"),
        Type("echo on''ce; sleep 1000\r"),
        Expect("once\r\n"),
        Type("\u{1a}"),
        Expect("Stopped"),
        Type("kill -9 %1; sleep 1; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all' are' terminals\r"),
        Expect("all are terminals\r\n"),
        Type("echo err''or >/dev/stderr; echo t''ty >/dev/tty\r"),
        Expect("error\r\n"),
        Expect("tty\r\n"),
        Type("exit 9\r"),
    ]);
    outcome.expect_status(9);
    assert!(!outcome.stderr.contains("never came"), "{outcome}");
}

/// Ctrl-D ends the shell's input, with the status of its last command.
#[test]
fn end_of_file_ends_the_shell() {
    let outcome = shell(&[Type("(exit 4)\r"), Expect("mpt> "), Type("\u{4}")]);
    outcome.expect_status(4);
}

/// A program that wants a size gets the change as a signal, as `docker run -it` gives it.
#[test]
fn a_resize_is_a_signal() {
    let outcome = shell(&[
        // A shell without job control: its `sleep` is in the foreground together with it.
        Type(
            "sh -c 'trap \"echo winch; stty size\" WINCH; echo re\"\"ady; while :; do sleep 1; done'\r",
        ),
        Expect("ready\r\n"),
        Resize(33, 99),
        Expect("winch\r\n33 99\r\n"),
        Type("\u{3}"),
        Expect("mpt> "),
        Type("exit\r"),
    ]);
    assert!(!outcome.stderr.contains("never came"), "{outcome}");
}

/// Without a terminal on our side `-t` still gives the container one.
#[test]
fn a_terminal_without_one_on_our_side() {
    let outcome = Boot::new(busybox_layout()).flag("-t").script("[ -t 1 ] && echo yes").run();
    outcome.expect_status(0).expect_stdout("yes\r\n");
}
