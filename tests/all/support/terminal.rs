//! Drives `boot -t` through a real pseudo-terminal, with Python's pty module.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::boot::{Outcome, finish};
use super::{project, slots};

/// A step at the terminal.
pub enum Step<'a> {
    /// Wait until this text has come.
    Expect(&'a str),
    /// Type this; `\u{3}` is Ctrl-C.
    Type(&'a str),
    /// The window is now this many rows and columns.
    Resize(u16, u16),
}

/// Runs a command at a terminal of 30 rows and 90 columns; standard output is all that came on its
/// screen.
pub fn drive(words: &[OsString], steps: &[Step<'_>]) -> Outcome {
    let mut command = Command::new("python3");
    command.arg(project().join("tests/all/support/terminal.py")).stdin(Stdio::null());
    for step in steps {
        match step {
            Step::Expect(text) => command.args(["expect", text]),
            Step::Type(text) => command.args(["type", text]),
            Step::Resize(rows, columns) => command.args(["resize", &format!("{rows} {columns}")]),
        };
    }
    command.arg("--").args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
    let _slot = slots::take();
    finish(command.spawn().expect("python3"), None, Duration::from_secs(300))
}
