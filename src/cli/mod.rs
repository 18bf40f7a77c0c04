//! Commands: a table, and a file for each. Words become one call to the rooms below.

mod image;
mod unpack;

use crate::sys::fd::{FdRef, STDOUT};
use crate::sys::fs;
use crate::{Context, Error, Result};
use core::ffi::CStr;
use core::fmt::{self, Write};

struct Command {
    name: &'static str,
    words: &'static str,
    about: &'static str,
    run: fn(&[&CStr]) -> Result<()>,
}

const COMMANDS: &[Command] = &[Command {
    name: "unpack",
    words: "IMAGE ROOTFS",
    about: "verify an image and unpack its layers",
    run: unpack::run,
}];

/// Whether the words name a command, so that even PID 1 of a container may run it.
/// The kernel starts its init as `init`, with words of the kernel's command line: they are no command.
pub fn is_command(args: &[&CStr]) -> bool {
    let [name, word, ..] = args else { return false };
    !name.to_bytes().ends_with(b"/init") && (find(word).is_some() || is_option(word))
}

fn find(word: &CStr) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name.as_bytes() == word.to_bytes())
}

fn is_option(word: &CStr) -> bool {
    matches!(word.to_bytes(), b"--help" | b"-h" | b"--version")
}

/// Runs a command; its exit status.
pub fn main(args: &'static [&'static CStr]) -> i32 {
    let words = args.get(1..).unwrap_or(&[]);
    match run(words) {
        Ok(()) => 0,
        Err(error) => {
            crate::error!("{error}");
            i32::from(error.status())
        }
    }
}

fn run(words: &[&CStr]) -> Result<()> {
    let Some((word, rest)) = words.split_first() else {
        return Err(Error::new(format_args!("no command given: see ocinit --help")));
    };
    match (find(word), word.to_bytes()) {
        (Some(command), _) => (command.run)(rest),
        (None, b"--version") => print(format_args!("ocinit {}\n", env!("CARGO_PKG_VERSION"))),
        (None, b"--help" | b"-h") => print(format_args!("{Help}")),
        _ => Err(Error::new(format_args!("unknown command {}: see ocinit --help", crate::io::show::ShowC(word)))),
    }
}

struct Help;

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("usage: ocinit COMMAND ...\n\n")?;
        for Command { name, words, about, .. } in COMMANDS {
            writeln!(f, "  {name} {words}\n      {about}")?;
        }
        f.write_str("  --help, --version\n\nAs PID 1 it boots the OCI image on a disk: see README.md.\n")
    }
}

/// Prints to standard output.
fn print(text: fmt::Arguments<'_>) -> Result<()> {
    struct Output(FdRef<'static>, crate::sys::Result<()>);
    impl Write for Output {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.1 = self.1.and_then(|()| fs::write_all(self.0, text.as_bytes()));
            self.1.map_err(|_| fmt::Error)
        }
    }
    let mut output = Output(STDOUT, Ok(()));
    let _ = output.write_fmt(text);
    output.1.doing("write standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_no_command() {
        assert!(is_command(&[c"ocinit", c"unpack", c"a", c"b"]));
        assert!(is_command(&[c"/usr/bin/ocinit", c"--version"]));
        assert!(!is_command(&[c"/init", c"unpack"]));
        assert!(!is_command(&[c"/sbin/init", c"--help"]));
        assert!(!is_command(&[c"ocinit", c"sh"]) && !is_command(&[c"ocinit"]));
    }
}
