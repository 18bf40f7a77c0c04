//! Options that several commands have.

use super::arguments::Arguments;
use super::command::Flag;
use super::settings::flag;
use crate::io::lossy::LossyC;
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
/// Which of the images for many platforms.
pub const PLATFORM: Flag = Flag::value(
    "platform",
    0,
    "OS/ARCH[/VARIANT]",
    "the image for this platform, not for this machine",
);
/// The option of a command that gives the tag apart from the image.
pub const REF: Flag = Flag::value("ref", 0, "NAME", "the image's tag, where IMAGE does not say it");
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

/// Returns true for --rootless. Among the options of all commands it has a value.
pub fn parse_rootless(arguments: &Arguments<'_>) -> bool {
    arguments.has("rootless") && arguments.value("rootless") != Some(c"false")
}

/// Whom something is shown to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A person: as a table, or as text.
    Person,
    /// A program: as JSON.
    Program,
}

/// Returns the value of --format. `person` is the word for a person, and the default.
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
