//! Commands: a table, and a file for each. Words become one call to the rooms below.

mod arguments;
mod bundle;
mod container;
mod copy;
mod create;
mod delete;
mod events;
mod exec;
mod features;
mod foreground;
mod help;
mod image;
mod inspect;
mod kill;
mod list;
mod list_files;
mod making;
mod max_size;
mod pause;
mod progress;
mod ps;
mod quantity;
mod reached;
mod rootless;
mod run;
mod security;
mod spec;
mod spool;
mod staged;
mod start;
mod state;
mod temporary;
mod unpack;
mod update;
mod verify;

pub use arguments::{Arguments, Flag};

use crate::error::STATUS_FAILED;
use crate::io::lossy::{LossyC, On};
use crate::log::{self, Format, Level};
use crate::sys::fd::{self, CWD, FdRef, STDERR, STDOUT};
use crate::sys::{Errno, fs, process, signal};
use crate::{Context, Error, Result};
use core::ffi::CStr;
use core::fmt::{self, Write};
use help::Usage;

/// A command.
pub struct Command {
    name: &'static str,
    /// The words it takes, as its usage shows them, and how many at least and at most.
    words: &'static str,
    least: usize,
    most: usize,
    about: &'static str,
    flags: &'static [Flag],
    run: Run,
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
const PASSED_ON: usize = usize::MAX;

impl Command {
    fn passes_on(&self) -> bool {
        self.most == PASSED_ON
    }

    fn is_of_runtime(&self) -> bool {
        matches!(self.run, Run::Container(_))
    }
}

const COMMANDS: &[&Command] = &[
    &inspect::COMMAND,
    &verify::COMMAND,
    &unpack::COMMAND,
    &bundle::COMMAND,
    &list_files::COMMAND,
    &copy::COMMAND,
    &run::COMMAND,
    &create::COMMAND,
    &start::COMMAND,
    &exec::COMMAND,
    &state::COMMAND,
    &list::COMMAND,
    &ps::COMMAND,
    &pause::PAUSE,
    &pause::RESUME,
    &update::COMMAND,
    &events::COMMAND,
    &kill::COMMAND,
    &delete::COMMAND,
    &spec::COMMAND,
    &features::COMMAND,
    &help::HELP,
    &help::VERSION,
];

/// Commands that make a cgroup, and cannot leave that to systemd.
const MAKING: [&str; 2] = [run::COMMAND.name, create::COMMAND.name];

/// Options that every command has; they may stand before its name, too.
const GLOBAL: &[Flag] = &[
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
const VERSION: &str = "version";

/// Whether the words name a command, so that even PID 1 of a container may run it.
/// The kernel starts its init as `init`, with words of the kernel's command line: they are no
/// command.
pub fn is_command(args: &[&CStr]) -> bool {
    let [name, words @ ..] = args else { return false };
    let is_option = |word: &&CStr| word.to_bytes().starts_with(b"-");
    let mut words = words
        .iter()
        .skip_while(|word| is_option(word))
        .chain(words.iter().filter(|word| is_option(word)));
    !name.to_bytes().ends_with(b"/init")
        && words.next().is_some_and(|word| find(word).is_some() || is_option(word))
}

fn find(word: &CStr) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name.as_bytes() == word.to_bytes()).copied()
}

/// Runs a command; its exit status.
pub fn main(args: &'static [&'static CStr]) -> i32 {
    // Who starts us may ignore it; nobody could wait for a child then.
    signal::reset(signal::SIGCHLD);
    log::set_format(plain_format());
    let mut failed = STATUS_FAILED.into();
    let result = run(Arguments::new(args.get(1..).unwrap_or(&[])), args, &mut failed);
    if let Err(error) = &result {
        crate::error!("{error}");
        // A log file is for programs; whoever sees standard error is told, too.
        if log::set_target(STDERR).raw() != STDERR.raw() {
            log::set_format(plain_format());
            crate::error!("{error}");
        }
    }
    // A signal that ended the work was held back until all was cleaned up: now it may end the
    // process.
    progress::let_signals_through();
    match result {
        Ok(status) => status,
        Err(error) if error.status() == STATUS_FAILED => failed,
        Err(error) => error.status().into(),
    }
}

/// Returns the format of lines on standard error. conmon sets this variable and reads the lines;
/// podman puts our name before each.
fn plain_format() -> Format {
    if process::variable(b"_OCI_SYNCPIPE").is_some() { Format::Bare } else { Format::Text }
}

/// `failed` becomes the exit status of a failure of ours.
fn run(arguments: Arguments<'_>, typed: &[&CStr], failed: &mut i32) -> Result<i32> {
    let name = arguments.name()?;
    let command = match name.and_then(find) {
        Some(command) if !arguments.has(VERSION) => command,
        _ => {
            set_up(&arguments)?;
            return match name {
                _ if arguments.has(VERSION) => help::version(),
                Some(name) => Err(help::unknown(name, failed)),
                None => help::overview(),
            }
            .map(|()| 0);
        }
    };
    let mut makes_image = false;
    if command.is_of_runtime() {
        makes_image = MAKING.contains(&command.name) && typed.iter().any(is_image_option);
        // As docker and podman have it for a container of an image: 1 may be its process's.
        *failed = if makes_image { STATUS_FAILED.into() } else { 1 };
    }
    // Even what is wrong with the options goes to the log that those before the name ask for.
    let checked = arguments.of(command);
    set_up(checked.as_ref().unwrap_or(&arguments))?;
    let arguments = checked?;
    if arguments.has("help") {
        return help::command(command).map(|()| 0);
    }
    match command.run {
        Run::Program(run) => run(&arguments).map(|()| 0),
        Run::Image(run) => {
            run(&arguments).map(|()| 0).map_err(|error| rootless::advise(error, &arguments))
        }
        Run::Container(run) => {
            if command.name == "exec" {
                // Not one of the process's own, most probably.
                *failed = 255;
            }
            check_manager(command, &arguments)?;
            // runc's callers read the text. With an image the exit status is docker's: 126, 127.
            run(&arguments)
                .map_err(|error| if makes_image { error } else { error.with_status(STATUS_FAILED) })
        }
    }
}

fn is_image_option(word: &&CStr) -> bool {
    word.to_bytes()
        .strip_prefix(b"--image")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'=')))
}

/// Returns an error for an unknown manager, and if `create` or `run` is to leave cgroups to
/// systemd.
fn check_manager(command: &Command, arguments: &Arguments<'_>) -> Result<()> {
    let manager = arguments.value("cgroup-manager").unwrap_or(c"cgroupfs");
    let is_systemd = match manager.to_bytes() {
        b"cgroupfs" | b"disabled" => arguments.has("systemd-cgroup"),
        b"systemd" => true,
        _ => return Err(choice("--cgroup-manager", manager, "cgroupfs nor disabled")),
    };
    match is_systemd && MAKING.contains(&command.name) {
        true => Err(Error::new(format_args!(
            "--systemd-cgroup: ocinit makes cgroups without systemd, as with --cgroup-manager cgroupfs"
        ))),
        false => Ok(()),
    }
}

/// Where messages go, which, and how they are written.
fn set_up(arguments: &Arguments<'_>) -> Result<()> {
    if let Some(name) = arguments.value("log") {
        // O_NONBLOCK: neither a FIFO without a reader nor a full one may stop a container.
        let flags = fs::O_WRONLY | fs::O_CREAT | fs::O_APPEND | fs::O_NONBLOCK | fs::O_NOCTTY;
        let file = match fs::open(CWD, name, flags, 0o644) {
            Err(Errno::ENXIO) => {
                return Err(Error::new(format_args!(
                    "open the log {}: no process reads it",
                    LossyC(name)
                )));
            }
            file => file.on("open the log", name)?,
        };
        // Not as one of the container's first three.
        log::set_target(fd::duplicate(file.by_ref(), 3).doing("duplicate a descriptor")?.leak());
    }
    let format = arguments.value("log-format").unwrap_or(c"text");
    match format.to_bytes() {
        b"text" => {}
        b"json" => log::set_format(Format::Json),
        _ => return Err(choice("--log-format", format, "text nor json")),
    }
    if arguments.has("quiet") {
        log::set_level(Level::Error);
    } else if arguments.has("debug") {
        log::set_level(Level::Debug);
    }
    Ok(())
}

/// The value of an option is none of those it can have.
#[cold]
fn choice(option: &str, value: &CStr, known: &str) -> Error {
    Error::new(format_args!("{option} {}: neither {known}", LossyC(value)))
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
        if distance <= SLIPS_MAX.min((name.len() + 1) / 3)
            && best.is_none_or(|(least, _)| distance < least)
        {
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
        let near = |typed: &str| {
            nearest(typed.as_bytes(), &mut ["unpack", "inspect", "ps", "list"].into_iter())
        };
        for (typed, name) in
            [("unpak", "unpack"), ("inpsect", "inspect"), ("lst", "list"), ("unpack", "unpack")]
        {
            assert_eq!(near(typed), Some(name));
        }
        for typed in ["", "x", "frobnicate", "inspectinspectinspectinspect"] {
            assert_eq!(near(typed), None, "{typed}");
        }
        assert_eq!(edit_distance(b"kitten", b"sitting"), 3);
    }
}
