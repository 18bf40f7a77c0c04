//! Options of several commands.

use super::arguments::Arguments;
use super::command::Flag;
use super::settings::{FLAGS, flag};
use crate::engine::Attach;
use crate::engine::notify::Listeners;
use crate::io::lossy::LossyC;
use crate::io::text::decimal;
use crate::limits::PRESERVED_FDS_MAX;
use crate::{Error, Result};

pub const BUNDLE: Flag =
    Flag::value("bundle", b'b', "DIR", "the bundle: the current directory, if not given");
pub const DRY_RUN: Flag =
    Flag::switch("dry-run", 0, "print what would be made of the bundle; make nothing");
pub const PLAN_FORMAT: Flag =
    Flag::value("format", 0, "text|json", "how --dry-run prints it; text, if not given");
pub const IMAGE: Flag = Flag::value(
    "image",
    0,
    "IMAGE",
    "an image instead of a bundle; words after the ID are arguments in the place of its Cmd",
);
pub const CONSOLE: Flag = Flag::value(
    "console-socket",
    0,
    "SOCKET",
    "a socket that gets the master of the process's terminal",
);
pub const PID_FILE: Flag = Flag::value("pid-file", 0, "FILE", "a file that gets the process's pid");
pub const PIDFD: Flag =
    Flag::value("pidfd-socket", 0, "SOCKET", "a socket that gets a pidfd of the process");
pub const PRESERVED: Flag =
    Flag::value("preserve-fds", 0, "N", "descriptors from 3 up that the process keeps");
pub const NO_PIVOT: Flag = Flag::switch("no-pivot", 0, "enter the root by chroot");
pub const NO_KEYRING: Flag =
    Flag::switch("no-new-keyring", 0, "the process keeps the caller's session keyring");
/// Selects one of the images for many platforms.
pub const PLATFORM: Flag = Flag::value(
    "platform",
    0,
    "OS/ARCH[/VARIANT]",
    "the image for this platform, not for this machine",
);
/// The option that gives the tag apart from the image.
pub const REF: Flag = Flag::value("ref", 0, "NAME", "the image's tag, where IMAGE does not say it");
/// The options for a registry, of every command that reads an image.
pub const REGISTRY: [Flag; 5] = [
    Flag::value("authfile", 0, "FILE", "docker://: read credentials from this file alone"),
    Flag::value("creds-file", 0, "FILE", "docker://: a file with one line, USER:PASSWORD"),
    Flag::value("cert-dir", 0, "DIR", "docker://: *.crt to trust, and *.cert with *.key to show"),
    Flag {
        long: "tls-verify",
        short: 0,
        value: "[=BOOL]",
        about: "docker://: false takes any certificate, and http if the host has no TLS",
    },
    Flag::value("mirror", 0, "HOST[:PORT]", "docker://: ask this host first; may be repeated"),
];

/// Returns these options, and those about a registry.
pub const fn and_registry<const SOME: usize, const ALL: usize>(some: [Flag; SOME]) -> [Flag; ALL] {
    assert!(ALL == SOME + REGISTRY.len());
    let mut all = [REF; ALL];
    let mut n = 0;
    while n < ALL {
        all[n] = if n < SOME { some[n] } else { REGISTRY[n - SOME] };
        n += 1;
    }
    all
}

/// Returns these options, and docker's for an image's container.
pub const fn and_settings<const SOME: usize, const ALL: usize>(some: [Flag; SOME]) -> [Flag; ALL] {
    assert!(ALL == SOME + FLAGS.len());
    let mut all = [REF; ALL];
    let mut n = 0;
    while n < ALL {
        all[n] = if n < SOME { some[n] } else { FLAGS[n - SOME] };
        n += 1;
    }
    all
}

/// Returns the options of `create` and `run`: the source, then `more`, then the others.
pub const fn of_create<const MORE: usize, const ALL: usize>(more: [Flag; MORE]) -> [Flag; ALL] {
    assert!(ALL == WHAT.len() + MORE + HOW.len());
    let mut all = [BUNDLE; ALL];
    let mut n = 0;
    while n < ALL {
        all[n] = match n {
            n if n < WHAT.len() => WHAT[n],
            n if n < WHAT.len() + MORE => more[n - WHAT.len()],
            n => HOW[n - WHAT.len() - MORE],
        };
        n += 1;
    }
    all
}
const WHAT: [Flag; 14 + FLAGS.len()] = and_settings(OF_IMAGE);
const OF_IMAGE: [Flag; 14] =
    and_registry([BUNDLE, IMAGE, PLATFORM, REF, MAX_SIZE, TTY, PRIVILEGED, SECURITY_OPT, ULIMIT]);
const HOW: [Flag; 8] =
    [CONSOLE, PID_FILE, PIDFD, PRESERVED, NO_PIVOT, NO_KEYRING, DRY_RUN, PLAN_FORMAT];
/// Number of options that `create` and `run` share.
pub const SHARED: usize = WHAT.len() + HOW.len();
pub const TTY: Flag = flag("tty");
pub const PRIVILEGED: Flag = flag("privileged");
pub const SECURITY_OPT: Flag = flag("security-opt");
pub const ULIMIT: Flag = flag("ulimit");
pub const MAX_SIZE: Flag = Flag::value(
    "max-size",
    0,
    "SIZE",
    "refuse an image whose layers unpack to more bytes than this: 500m, 2g",
);
pub const ROOTLESS: Flag = Flag::switch(
    "rootless",
    0,
    "without root: in a user namespace; owners that it has not are recorded, devices are empty files",
);

/// Returns true for --rootless without a value: the global option has one.
pub fn parse_rootless(arguments: &Arguments<'_>) -> bool {
    arguments.has("rootless") && arguments.value("rootless") != Some(c"false")
}

/// Returns the receivers of the process's pid.
pub fn parse_listeners<'a>(arguments: &Arguments<'a>) -> Listeners<'a> {
    Listeners {
        console: arguments.value("console-socket"),
        pidfd: arguments.value("pidfd-socket"),
        pid_file: arguments.value("pid-file"),
    }
}

/// Returns the number of --preserve-fds.
pub fn parse_preserved(arguments: &Arguments<'_>) -> Result<u32> {
    let text = arguments.value("preserve-fds").unwrap_or(c"0");
    let count = decimal(text.to_bytes()).filter(|count| *count < PRESERVED_FDS_MAX);
    count
        .map(|count| count as u32)
        .ok_or_else(|| Error::new(format_args!("--preserve-fds {}: not a number", LossyC(text))))
}

/// Returns whether the caller attends the process.
pub fn parse_attach(arguments: &Arguments<'_>) -> Attach {
    if arguments.has("detach") { Attach::No } else { Attach::Yes }
}

/// The form of output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For the user: a table, or text.
    Person,
    /// For a program: JSON.
    Program,
}

/// Returns the value of --format. `person` is the word for the user's form, and the default.
pub fn parse_format(arguments: &Arguments<'_>, person: &str) -> Result<Format> {
    let Some(format) = arguments.value("format") else { return Ok(Format::Person) };
    match format.to_bytes() {
        word if word == person.as_bytes() => Ok(Format::Person),
        b"json" => Ok(Format::Program),
        _ => {
            Err(Error::new(format_args!("--format {}: neither {person} nor json", LossyC(format))))
        }
    }
}
