//! Commands: a table, and a file for each. Words become one call to the rooms below.

mod arguments;
mod attend;
mod bundle;
mod copy;
mod image;
mod inspect;
mod list_files;
mod place;
mod progress;
mod rootless;
mod spool;
mod unpack;
mod verify;

pub use arguments::{Arguments, Flag};

use crate::io::show::{Show, ShowC};
use crate::log::{self, Format, Level};
use crate::sys::fd::{FdRef, STDOUT};
use crate::sys::fs;
use crate::{Context, Error, Result};
use core::ffi::CStr;
use core::fmt::{self, Write};

/// A command.
pub struct Command {
    name: &'static str,
    /// The words it takes, as its usage shows them, and how many at least and at most.
    words: &'static str,
    least: usize,
    most: usize,
    about: &'static str,
    flags: &'static [Flag],
    run: fn(&Arguments<'_>) -> Result<()>,
}

const COMMANDS: &[&Command] =
    &[&inspect::COMMAND, &verify::COMMAND, &unpack::COMMAND, &bundle::COMMAND, &list_files::COMMAND, &copy::COMMAND];

/// Options that every command has; they may stand before its name, too.
const GLOBAL: &[Flag] = &[
    Flag::switch("quiet", b'q', "print nothing but errors"),
    Flag::value("log-format", 0, "text|json", "how messages on standard error are written"),
    Flag::switch("help", b'h', "show this"),
    Flag::switch("version", b'v', "show ocinit's version"),
];

/// Whether the words name a command, so that even PID 1 of a container may run it.
/// The kernel starts its init as `init`, with words of the kernel's command line: they are no command.
pub fn is_command(args: &[&CStr]) -> bool {
    let [name, words @ ..] = args else { return false };
    let is_option = |word: &&CStr| word.to_bytes().starts_with(b"-");
    let mut words = words.iter().skip_while(|word| is_option(word)).chain(words.iter().filter(|word| is_option(word)));
    !name.to_bytes().ends_with(b"/init") && words.next().is_some_and(|word| find(word).is_some() || is_option(word))
}

fn find(word: &CStr) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name.as_bytes() == word.to_bytes()).copied()
}

/// Runs a command; its exit status.
pub fn main(args: &'static [&'static CStr]) -> i32 {
    let result = run(Arguments::new(args.get(1..).unwrap_or(&[])));
    if let Err(error) = &result {
        crate::error!("{error}");
    }
    // A signal that ended the work was held back until all was cleaned up: now it may end the process.
    progress::let_signals_through();
    result.map_or_else(|error| i32::from(error.status()), |()| 0)
}

fn run(arguments: Arguments<'_>) -> Result<()> {
    let name = arguments.name()?;
    let command = name.and_then(find);
    let arguments = match command {
        Some(command) => arguments.of(command)?,
        None => arguments,
    };
    match arguments.value("log-format").map(CStr::to_bytes) {
        None | Some(b"text") => {}
        Some(b"json") => log::set_format(Format::Json),
        Some(other) => {
            return Err(Error::new(format_args!("--log-format {}: neither text nor json", Show(other))));
        }
    }
    if arguments.has("quiet") {
        log::set_level(Level::Error);
    }
    match (command, name) {
        (Some(command), _) if arguments.has("help") => print(format_args!("{}", CommandHelp(command))),
        (Some(command), _) => (command.run)(&arguments).map_err(|error| rootless::advise(error, &arguments)),
        (None, None) if arguments.has("version") => print(format_args!("ocinit {}\n", env!("CARGO_PKG_VERSION"))),
        (None, None) if arguments.has("help") => print(format_args!("{Help}")),
        (None, None) => Err(Error::new(format_args!("no command given: see ocinit --help"))),
        (None, Some(name)) => {
            let shown = ShowC(name);
            let mut known = COMMANDS.iter().map(|command| command.name);
            Err(match nearest(name.to_bytes(), &mut known) {
                Some(near) => Error::new(format_args!("unknown command {shown}; did you mean {near}?")),
                None => Error::new(format_args!("unknown command {shown}: see ocinit --help")),
            })
        }
    }
}

/// Letters of a name that may be wrong for it to be taken for a slip, of one that is long enough.
const SLIPS_MAX: usize = 2;
/// Longer names are not compared, in bytes.
const COMPARED_BYTES: usize = 24;

/// The name that is nearest to what was typed, if one is near.
fn nearest<'k>(typed: &[u8], known: &mut dyn Iterator<Item = &'k str>) -> Option<&'k str> {
    let mut best = None;
    for name in known {
        let distance = edit_distance(typed, name.as_bytes());
        if distance <= SLIPS_MAX.min((name.len() + 1) / 3) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Levenshtein's: letters to insert, to remove or to change.
fn edit_distance(a: &[u8], b: &[u8]) -> usize {
    if a.len().max(b.len()) > COMPARED_BYTES {
        return usize::MAX;
    }
    let mut row: [usize; COMPARED_BYTES + 1] = core::array::from_fn(|n| n);
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = core::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// How a command is called.
struct Usage(&'static Command);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Command { name, words, flags, .. } = self.0;
        let options = if flags.is_empty() { "" } else { "[OPTION]... " };
        write!(f, "{name} {options}{words}")
    }
}

struct CommandHelp(&'static Command);

impl fmt::Display for CommandHelp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "usage: ocinit {}\n\n{}\n\n", Usage(self.0), self.0.about)?;
        for Flag { long, short, value, about } in self.0.flags.iter().chain(GLOBAL) {
            let (space, letter) = if value.is_empty() { ("", *short) } else { (" ", *short) };
            match letter {
                0 => writeln!(f, "      --{long}{space}{value}\n          {about}")?,
                letter => writeln!(f, "  -{}, --{long}{space}{value}\n          {about}", char::from(letter))?,
            }
        }
        Ok(())
    }
}

struct Help;

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("usage: ocinit COMMAND ...\n\n")?;
        for command in COMMANDS {
            writeln!(f, "  {}\n      {}", Usage(command), command.about)?;
        }
        f.write_str("\nocinit COMMAND --help shows a command's options.\n")?;
        f.write_str("As PID 1 it boots the OCI image on a disk: see README.md.\n")
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
        assert!(is_command(&[c"ocinit", c"--quiet", c"unpack"]));
        assert!(is_command(&[c"/usr/bin/ocinit", c"--version"]));
        assert!(!is_command(&[c"/init", c"unpack"]));
        assert!(!is_command(&[c"/sbin/init", c"--help"]));
        assert!(!is_command(&[c"ocinit", c"sh"]) && !is_command(&[c"ocinit"]));
    }

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let near = |typed: &str| nearest(typed.as_bytes(), &mut ["unpack", "inspect", "ps", "list"].into_iter());
        for (typed, name) in [("unpak", "unpack"), ("inpsect", "inspect"), ("lst", "list"), ("unpack", "unpack")] {
            assert_eq!(near(typed), Some(name));
        }
        for typed in ["", "x", "frobnicate", "inspectinspectinspectinspect"] {
            assert_eq!(near(typed), None, "{typed}");
        }
        assert_eq!(edit_distance(b"kitten", b"sitting"), 3);
    }
}
