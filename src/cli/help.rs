//! `ocinit help`, `--help` and `version`; and the error for an unknown command.

use super::arguments::Arguments;
use super::command::{Command, Flag, GLOBAL, Run, Usage, VERSION as VERSION_OPTION};
use super::nearest::nearest;
use super::print::print;
use super::{Entry, built, find};
use crate::io::lossy::LossyC;
use crate::{Error, Result};
use core::ffi::CStr;
use core::fmt;

pub(super) const HELP: Command = Command {
    name: "help",
    words: "[COMMAND]",
    least: 0,
    most: 1,
    about: "List the commands, or show the options of one.",
    flags: &[],
    run: Run::Program(run),
};

/// Returns the word after `help`, if there is one.
fn parse<'a>(arguments: &Arguments<'a>) -> Option<&'a CStr> {
    arguments.words().next()
}

fn run(arguments: &Arguments<'_>) -> Result<()> {
    match parse(arguments) {
        None => overview(),
        Some(name) => match find(name) {
            Some(known) => command(known),
            None => Err(unknown(name, &mut 0)),
        },
    }
}

pub(super) const VERSION: Command = Command {
    name: "version",
    words: "",
    least: 0,
    most: 0,
    about: "Show the version.",
    flags: &[],
    run: Run::Program(|_| version()),
};

/// Global options that do not apply to images.
const OF_RUNTIME: [&str; 4] = ["root", "rootless", "cgroup-manager", "systemd-cgroup"];

/// runc's commands that ocinit refuses: podman takes a working `checkpoint --help` for support.
const REFUSED: [&str; 2] = ["checkpoint", "restore"];

/// Commands of docker, podman and crun, each with its replacement here.
const ELSEWHERE: [(&str, &str); 29] = [
    ("rm", "a container is removed by ocinit delete"),
    ("remove", "a container is removed by ocinit delete"),
    ("stop", "a container is ended by ocinit kill ID TERM, then ocinit delete -f"),
    ("restart", "see ocinit kill, delete and run"),
    ("unpause", "see ocinit resume"),
    ("ls", "see ocinit list"),
    ("top", "see ocinit ps"),
    ("stats", "see ocinit events --stats"),
    ("attach", "see ocinit exec --tty"),
    ("container", "see ocinit list"),
    ("info", "see ocinit features"),
    ("logs", "ocinit keeps no logs: the output of a process is its caller's"),
    ("wait", "ocinit run stays with its container and ends with its status"),
    ("images", "ocinit has no store of images; see ocinit inspect IMAGE"),
    ("image", "ocinit has no store of images; see ocinit inspect IMAGE"),
    ("rmi", "ocinit has no store of images: an image is a directory or a file"),
    ("history", "see ocinit inspect IMAGE"),
    ("pull", GET_BY),
    ("search", GET_BY),
    ("login", GET_BY),
    ("push", "ocinit has no network: skopeo copy oci:DIR docker://NAME"),
    ("load", "see ocinit copy"),
    ("import", "see ocinit copy"),
    ("save", "see ocinit copy"),
    ("export", "see ocinit unpack"),
    ("tag", "see ocinit copy"),
    ("cp", "see ocinit unpack and ocinit exec"),
    ("commit", BUILD_BY),
    ("build", BUILD_BY),
];
const GET_BY: &str = "ocinit has no network: skopeo copy docker://NAME oci:DIR:latest";
const BUILD_BY: &str = "ocinit builds no images: see buildah or docker buildx";

/// Three lines that callers of a runtime parse: name and version, commit, version of the
/// runtime-spec.
const VERSION_TEXT: &str = concat!(
    "ocinit version ",
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("CARGO_PKG_VERSION"),
    "\nspec: 1.3.0\n"
);

pub(super) fn version() -> Result<()> {
    print(format_args!("{VERSION_TEXT}"))
}

/// Prints all commands.
pub(super) fn overview() -> Result<()> {
    print(format_args!("{Help}"))
}

/// Prints how a command is called.
pub(super) fn command(command: &'static Command) -> Result<()> {
    print(format_args!("{}", CommandHelp(command)))
}

/// Returns the error for an unknown command. `failed` becomes the exit status.
#[cold]
pub(super) fn unknown(name: &CStr, failed: &mut i32) -> Error {
    let shown = LossyC(name);
    let is_it = |known: &str| known.as_bytes() == name.to_bytes();
    if let Some(Entry { name, feature, .. }) = Entry::of(name) {
        return Error::new(format_args!(
            "{name}: this ocinit was built without it (feature {feature})"
        ));
    }
    if REFUSED.into_iter().any(is_it) {
        *failed = 1;
        return Error::new(format_args!(
            "{shown}: ocinit neither saves containers nor restores them"
        ));
    }
    if let Some((_, instead)) = ELSEWHERE.iter().find(|(known, _)| is_it(known)) {
        return Error::new(format_args!("unknown command {shown}: {instead}"));
    }
    match nearest(name.to_bytes(), &mut built().map(|command| command.name)) {
        Some(near) => Error::new(format_args!("unknown command {shown}; did you mean {near}?")),
        None => Error::new(format_args!("unknown command {shown}: see ocinit --help")),
    }
}

struct CommandHelp(&'static Command);

impl fmt::Display for CommandHelp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "usage: ocinit {}\n\n{}\n\n", Usage(self.0), self.0.about)?;
        // The command's own option has this name.
        let is_own = |flag: &&Flag| self.0.flags.iter().any(|own| own.long == flag.long);
        let is_shown = |flag: &&Flag| self.0.is_of_runtime() || !OF_RUNTIME.contains(&flag.long);
        let of_all = GLOBAL
            .iter()
            .filter(|flag| is_shown(flag) && !is_own(flag) && flag.long != VERSION_OPTION);
        for Flag { long, short, value, about } in self.0.flags.iter().chain(of_all) {
            let space = if value.is_empty() || value.starts_with('[') { "" } else { " " };
            match *short {
                0 => writeln!(f, "      --{long}{space}{value}\n          {about}")?,
                letter => writeln!(
                    f,
                    "  -{}, --{long}{space}{value}\n          {about}",
                    char::from(letter)
                )?,
            }
        }
        Ok(())
    }
}

/// Groups of commands, in the order of the list.
const SECTIONS: [&str; 3] = ["Images", "Containers", "This program"];

fn section(command: &Command) -> &'static str {
    let [images, containers, program] = SECTIONS;
    match command.run {
        Run::Image(_) => images,
        Run::Container(_) => containers,
        Run::Program(_) => program,
    }
}

/// Returns each group with its commands.
#[cfg(all(test, feature = "tools", feature = "runtime"))]
pub(super) fn sections()
-> impl Iterator<Item = (&'static str, impl Iterator<Item = &'static Command>)> {
    SECTIONS
        .into_iter()
        .map(|title| (title, built().filter(move |command| section(command) == title)))
}

struct Help;

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("usage: ocinit COMMAND ...\n")?;
        let is_there = |title: &&str| built().any(|command| section(command) == *title);
        for title in SECTIONS.into_iter().filter(is_there) {
            writeln!(f, "\n{title}:")?;
            for command in built().filter(|command| section(command) == title) {
                writeln!(f, "  {}\n      {}", Usage(command), command.about)?;
            }
        }
        f.write_str("\nocinit COMMAND --help shows a command's options.\n")?;
        f.write_str(match cfg!(feature = "init") {
            true => "As PID 1 it boots the OCI image on a disk: see README.md.\n",
            false => "It was built without PID 1 (feature init).\n",
        })
    }
}
