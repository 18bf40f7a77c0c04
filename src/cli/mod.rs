//! Commands: a table, and a file for each. A file turns words into one call to the rooms below.

mod arguments;
mod bundle;
mod command;
mod container;
mod copy;
mod create;
mod create_options;
mod delete;
mod events;
mod exec;
mod features;
mod global;
mod help;
mod image;
mod inspect;
mod kill;
mod list;
mod list_files;
#[cfg(all(test, feature = "tools", feature = "runtime"))]
mod manual_tests;
mod max_size;
mod nearest;
mod notices;
mod options;
mod pause;
mod print;
mod progress;
mod ps;
mod run;
mod settings;
mod spec;
mod start;
mod state;
mod unpack;
mod update;
mod verify;

use crate::Result;
use crate::engine::rootless;
use crate::error::STATUS_FAILED;
use crate::log::{self, Format};
use crate::sys::fd::STDERR;
use crate::sys::{process, signal};
use arguments::Arguments;
use command::{Command, Run, VERSION};
use core::ffi::CStr;

/// Every command, by the feature of Cargo.toml that includes it. A left-out one is only named:
/// without a reference its code is not linked.
const COMMANDS: &[Entry] = &[
    tool(&inspect::COMMAND),
    tool(&verify::COMMAND),
    tool(&unpack::COMMAND),
    tool(&bundle::COMMAND),
    tool(&list_files::COMMAND),
    tool(&copy::COMMAND),
    runtime(&run::COMMAND),
    runtime(&create::COMMAND),
    runtime(&start::COMMAND),
    runtime(&exec::COMMAND),
    runtime(&state::COMMAND),
    runtime(&list::COMMAND),
    runtime(&ps::COMMAND),
    runtime(&pause::PAUSE),
    runtime(&pause::RESUME),
    runtime(&update::COMMAND),
    runtime(&events::COMMAND),
    runtime(&kill::COMMAND),
    runtime(&delete::COMMAND),
    runtime(&spec::COMMAND),
    runtime(&features::COMMAND),
    Entry::new("", true, &help::HELP),
    Entry::new("", true, &help::VERSION),
];

const fn tool(command: &'static Command) -> Entry {
    Entry::new("tools", cfg!(feature = "tools"), command)
}

const fn runtime(command: &'static Command) -> Entry {
    Entry::new("runtime", cfg!(feature = "runtime"), command)
}

/// A row of the table of commands.
struct Entry {
    name: &'static str,
    feature: &'static str,
    command: Option<&'static Command>,
}

impl Entry {
    const fn new(feature: &'static str, is_built: bool, command: &'static Command) -> Entry {
        let name = command.name;
        Entry { name, feature, command: if is_built { Some(command) } else { None } }
    }

    fn of(word: &CStr) -> Option<&'static Entry> {
        COMMANDS.iter().find(|entry| entry.name.as_bytes() == word.to_bytes())
    }
}

/// Returns all commands that are compiled in.
fn built() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().filter_map(|entry| entry.command)
}

/// Commands that make a cgroup, and cannot leave that to systemd.
const MAKING: [&str; 2] = [run::COMMAND.name, create::COMMAND.name];

/// Returns whether the words name a command, so that even PID 1 of a container may run it. The
/// kernel starts its init as `init`, with words of the kernel's command line, which are not a
/// command.
pub fn is_command(args: &[&CStr]) -> bool {
    let [name, words @ ..] = args else { return false };
    let is_option = |word: &&CStr| word.to_bytes().starts_with(b"-");
    let mut words = words
        .iter()
        .skip_while(|word| is_option(word))
        .chain(words.iter().filter(|word| is_option(word)));
    !name.to_bytes().ends_with(b"/init")
        && words.next().is_some_and(|word| Entry::of(word).is_some() || is_option(word))
}

fn find(word: &CStr) -> Option<&'static Command> {
    Entry::of(word)?.command
}

/// Runs a command. Returns its exit status.
pub fn main(args: &'static [&'static CStr]) -> i32 {
    // The caller may ignore SIGCHLD; then a child could not be waited for.
    signal::reset(signal::SIGCHLD);
    log::set_format(plain_format());
    let mut failed = STATUS_FAILED.into();
    let result = run(Arguments::new(args.get(1..).unwrap_or(&[])), args, &mut failed);
    if let Err(error) = &result {
        crate::error!("{error}");
        // A log file is for programs; the user on stderr gets the error, too.
        if log::set_target(STDERR).raw() != STDERR.raw() {
            log::set_format(plain_format());
            crate::error!("{error}");
        }
    }
    // A signal that ended the work was held back for the cleanup: now it may end the process.
    progress::let_signals_through();
    match result {
        Ok(status) => status,
        Err(error) if error.status() == STATUS_FAILED => failed,
        Err(error) => error.status().into(),
    }
}

/// Returns the format of lines on stderr. conmon sets this variable and reads the lines; podman
/// prefixes our name.
fn plain_format() -> Format {
    if process::variable(b"_OCI_SYNCPIPE").is_some() { Format::Bare } else { Format::Text }
}

/// `failed` becomes the exit status of our own failure.
fn run(arguments: Arguments<'_>, typed: &[&CStr], failed: &mut i32) -> Result<i32> {
    let name = arguments.name()?;
    let command = match name.and_then(find) {
        Some(command) if !arguments.has(VERSION) => command,
        _ => {
            global::parse(&arguments).set_up()?;
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
        // As in docker and podman for a container of an image: 1 may be its process's status.
        *failed = if makes_image { STATUS_FAILED.into() } else { 1 };
    }
    // Errors in the options go to the log that the options before the name select.
    let checked = arguments.of(command);
    global::parse(checked.as_ref().unwrap_or(&arguments)).set_up()?;
    let arguments = checked?;
    if arguments.has("help") {
        return help::command(command).map(|()| 0);
    }
    match command.run {
        Run::Program(run) => run(&arguments).map(|()| 0),
        Run::Image(run) => {
            let is_rootless = options::parse_rootless(&arguments);
            let advise = |error| if is_rootless { error } else { rootless::advise(error) };
            run(&arguments).map(|()| 0).map_err(advise)
        }
        Run::Container(run) => {
            if command.name == "exec" {
                // 255, because a process's own status is seldom that.
                *failed = 255;
            }
            global::parse_manager(command, &arguments)?;
            // runc's clients parse the text. With an image the exit status is docker's: 126, 127.
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
}
