//! A command: its name, its usage, and the options of every command.

use super::arguments::Arguments;
use crate::Result;
use core::fmt;

/// An option of a command.
#[derive(Clone, Copy)]
pub struct Flag {
    /// Its name after `--`.
    pub long: &'static str,
    /// Its letter after `-`, or 0.
    pub short: u8,
    /// The name of its value; empty if it takes none. Brackets mean: only after a `=`.
    pub value: &'static str,
    /// Its description in `--help`.
    pub about: &'static str,
}

impl Flag {
    /// Returns an option without a value.
    pub const fn switch(long: &'static str, short: u8, about: &'static str) -> Flag {
        Flag { long, short, value: "", about }
    }

    /// Returns an option with a value.
    pub const fn value(
        long: &'static str,
        short: u8,
        value: &'static str,
        about: &'static str,
    ) -> Flag {
        Flag { long, short, value, about }
    }
}

/// A command.
pub struct Command {
    pub name: &'static str,
    /// Its words in the usage line, and their least and greatest number.
    pub words: &'static str,
    pub least: usize,
    pub most: usize,
    pub about: &'static str,
    pub flags: &'static [Flag],
    pub run: Run,
}

/// The kind and the function of a command.
pub enum Run {
    /// About this program.
    Program(fn(&Arguments<'_>) -> Result<()>),
    /// On images. A failure has status 125, as in docker and podman.
    Image(fn(&Arguments<'_>) -> Result<()>),
    /// On containers, like runc. Returns the exit status. A failure has status 1, or 255 for exec.
    Container(fn(&Arguments<'_>) -> Result<i32>),
}

/// A number of words without a limit: those after the first are passed on unchanged, including
/// options.
pub const PASSED_ON: usize = usize::MAX;

impl Command {
    pub fn passes_on(&self) -> bool {
        self.most == PASSED_ON
    }

    pub fn is_of_runtime(&self) -> bool {
        matches!(self.run, Run::Container(_))
    }
}

/// Options of every command; they may also precede its name.
pub const GLOBAL: &[Flag] = &[
    Flag::switch("quiet", b'q', "print nothing but errors"),
    Flag::value("root", 0, "DIR", "where the state of containers is kept"),
    Flag::value("log", 0, "FILE", "write messages to the end of FILE"),
    Flag::value("log-format", 0, "text|json", "how messages are written"),
    Flag::switch("debug", 0, "more messages"),
    Flag {
        long: "rootless",
        short: 0,
        value: "[=BOOL|auto]",
        about: "accepted, as ocinit sees for itself",
    },
    Flag::value(
        "cgroup-manager",
        0,
        "cgroupfs|disabled",
        "with or without a cgroup for the container",
    ),
    Flag::switch(
        "systemd-cgroup",
        0,
        "refused where a container is made: cgroups are made without systemd",
    ),
    Flag::switch("help", b'h', "show this"),
    Flag::switch(VERSION, b'v', "show the version"),
];

/// The option that is valid only before a command's name.
pub const VERSION: &str = "version";

/// The usage line of a command.
pub struct Usage(pub &'static Command);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Command { name, words, flags, .. } = self.0;
        let options = if flags.is_empty() { "" } else { " [OPTION]..." };
        let space = if words.is_empty() { "" } else { " " };
        write!(f, "{name}{options}{space}{words}")
    }
}
