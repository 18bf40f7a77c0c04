//! Options that several commands have.

use super::command::Flag;
use super::settings::flag;

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
