//! What a command is, how it is called, and the options that every command has.

use super::arguments::Arguments;
use crate::Result;
use core::fmt;

/// An option of a command.
#[derive(Clone, Copy)]
pub struct Flag {
    /// Its name after `--`.
    pub long: &'static str,
    /// Its letter after `-`; 0 where it has none.
    pub short: u8,
    /// What its value is called; empty where it takes none. In brackets: only after a `=`.
    pub value: &'static str,
    /// For `--help`.
    pub about: &'static str,
}

impl Flag {
    /// An option that is there or not.
    pub const fn switch(long: &'static str, short: u8, about: &'static str) -> Flag {
        Flag { long, short, value: "", about }
    }

    /// An option with a value.
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
    /// The words it takes, as its usage shows them, and how many at least and at most.
    pub words: &'static str,
    pub least: usize,
    pub most: usize,
    pub about: &'static str,
    pub flags: &'static [Flag],
    pub run: Run,
}

/// What a command does.
pub enum Run {
    /// Shows something about this program.
    Program(fn(&Arguments<'_>) -> Result<()>),
    /// Something with images. It fails with status 125, as docker and podman do.
    Image(fn(&Arguments<'_>) -> Result<()>),
    /// Something with containers, as runc does it; its exit status. It fails with status 1, or 255
    /// where that is exec.
    Container(fn(&Arguments<'_>) -> Result<i32>),
}

/// So many words that those behind the first are not ours: they are passed on as they are, options
/// and all.
pub const PASSED_ON: usize = usize::MAX;

impl Command {
    pub fn passes_on(&self) -> bool {
        self.most == PASSED_ON
    }

    pub fn is_of_runtime(&self) -> bool {
        matches!(self.run, Run::Container(_))
    }
}

/// Options that every command has; they may stand before its name, too.
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

/// The option that stands before a command's name only.
pub const VERSION: &str = "version";

/// How a command is called.
pub struct Usage(pub &'static Command);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Command { name, words, flags, .. } = self.0;
        let options = if flags.is_empty() { "" } else { " [OPTION]..." };
        let space = if words.is_empty() { "" } else { " " };
        write!(f, "{name}{options}{space}{words}")
    }
}
