//! The front door `cli`: a file is a table of options, `parse`, one call, print, the status.

use super::{Source, expect_none, room_of, source, sources};

/// Files that read the words themselves, or pick the command.
const READERS: [&str; 3] = ["cli/arguments.rs", "cli/command.rs", "cli/mod.rs"];

/// What `cli` may use of `sys` beside an errno: what prints, and names without a system call.
const SYS_IN_CLI: &[(&str, &str)] = &[
    ("cli/kill.rs", "crate::sys::signal"),
    ("cli/list_files.rs", "crate::sys::fs"),
    ("cli/mod.rs", "crate::sys::fd::STDERR"),
    ("cli/mod.rs", "crate::sys::{process, signal}"),
    ("cli/print.rs", "crate::sys::Result"),
    ("cli/print.rs", "crate::sys::fd::{FdRef, STDOUT}"),
    ("cli/print.rs", "crate::sys::fs"),
    ("cli/progress.rs", "crate::sys::event::wait_ms"),
    ("cli/progress.rs", "crate::sys::fd::STDERR"),
    ("cli/progress.rs", "crate::sys::signal::{self, SignalSet}"),
    ("cli/progress.rs", "crate::sys::{fs, process, time, tty}"),
];

fn is_door(source: &Source) -> bool {
    room_of(&source.name) == "cli"
}

/// A function: its name, its signature, its body.
struct Function {
    name: String,
    signature: String,
    body: String,
}

/// Returns the functions of a file, by rustfmt's indentation.
fn functions(source: &Source) -> Vec<Function> {
    let mut found = Vec::new();
    let text: Vec<&str> = source.text.lines().take(source.code.len()).collect();
    for (at, line) in text.iter().enumerate() {
        let code = line.trim_start();
        let Some(start) =
            ["fn ", "pub fn ", "pub(super) fn "].iter().find(|s| code.starts_with(**s))
        else {
            continue;
        };
        let indent = &line[..line.len() - code.len()];
        let end = format!("{indent}}}");
        let length = text[at..].iter().position(|line| *line == end).unwrap_or(0);
        let whole = text[at..=at + length].join("\n");
        let (signature, body) = whole.split_once(" {\n").unwrap_or((&whole, ""));
        found.push(Function {
            name: super::word(&code[start.len()..]),
            signature: signature.to_string(),
            body: body.to_string(),
        });
    }
    found
}

/// Every place where words are read elsewhere than in `parse`.
fn wrong_readers(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for Function { name, signature, body } in functions(source) {
        if !signature.replace("fmt::Arguments<", "").contains("Arguments<") {
            continue;
        }
        let is_parse = name == "parse" || name.starts_with("parse_");
        let uses = super::lines_of_word(&body, "arguments");
        let passes_on = |line: &&String| line.contains("parse(arguments");
        let is_right = match &*name {
            "run" => !uses.is_empty() && uses.iter().all(|line| passes_on(&line)),
            _ => is_parse && !body.contains("memory::claim") && !body.contains("warning!"),
        };
        if !is_right {
            found.push(format!("{}: {name}", source.name));
        }
    }
    found
}

#[test]
fn words_are_read_in_parse_alone() {
    let files = sources();
    let doors = files.iter().filter(|s| is_door(s) && !READERS.contains(&&*s.name));
    expect_none(
        doors.flat_map(wrong_readers).collect(),
        "run is parse(arguments), one call, print",
    );
    let check = |text: &str| wrong_readers(&source("cli/x.rs".into(), text.into())).len();
    assert_eq!(check("fn parse(arguments: &Arguments<'_>) -> X {\n    arguments.has()\n}\n"), 0);
    assert_eq!(
        check("fn run(arguments: &Arguments<'_>) {\n    let x = parse(arguments)?;\n}\n"),
        0
    );
    assert_eq!(check("fn run(arguments: &Arguments<'_>) {\n    arguments.has()\n}\n"), 1);
    assert_eq!(check("fn act(arguments: &Arguments<'_>) {\n    act()\n}\n"), 1);
}

#[test]
fn cli_uses_of_sys_what_prints() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| is_door(source)) {
        for line in source.code.iter().filter(|line| line.contains("crate::sys::")) {
            let is_named =
                SYS_IN_CLI.iter().any(|(file, name)| *file == source.name && line.contains(*name));
            if !is_named && !line.contains("crate::sys::Errno;") {
                found.push(format!("{}: {line}", source.name));
            }
        }
    }
    expect_none(found, "system calls are engine's");
    for (file, name) in SYS_IN_CLI {
        let is_used = |s: &Source| s.name == *file && s.code.iter().any(|line| line.contains(name));
        assert!(sources().iter().any(is_used), "{file} does not use {name}");
    }
}
