//! The invariants of ARCHITECTURE.md that a reader of the text can check, such as the edges between
//! rooms and the places of `unsafe`.

mod circles;
mod doors;
mod edges;
mod prose;
mod registry;
mod waits;

use edges::{EDGES, GROUND};
use std::path::{Path, PathBuf};

/// What all may use of `sys`: an errno is a number and part of an error, `cpu` is instructions,
/// `zstd` works in memory.
const NO_SYSTEM_CALL: &[&str] =
    &["crate::sys::Errno", "crate::sys::arch::crc32", "crate::sys::zstd"];

/// Where `unsafe` may stand.
fn may_be_unsafe(file: &str) -> bool {
    file.starts_with("sys/") || ["sync.rs", "memory.rs", "main.rs"].contains(&file)
}

const LINES_MAX: usize = 500;
/// The same for a file of tests/.
const TEST_LINES_MAX: usize = 450;

struct Source {
    /// Beneath `src/`: `sys/fs.rs`.
    name: String,
    /// The whole text.
    text: String,
    /// Lines without comments, up to the unit tests.
    code: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 30, "{} files are not the whole source", files.len());
    let name = |file: &Path| {
        file.strip_prefix(&root).expect("below src").to_str().expect("UTF-8").to_string()
    };
    let read = |file: &PathBuf| std::fs::read_to_string(file).expect("source");
    files.iter().map(|file| source(name(file), read(file))).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("src") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn source(name: String, text: String) -> Source {
    // A file that is all tests is declared as `#[cfg(test)] mod tests;` by another.
    let all_tests = name == "pages.rs" || name.ends_with("tests.rs") || name.contains("/tests/");
    let mut code = Vec::new();
    for line in text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")) {
        let line = line.trim_start();
        let comment = if line.starts_with("//") { Some(0) } else { line.find(" // ") };
        code.push(line[..comment.unwrap_or(line.len())].to_string());
    }
    if all_tests {
        code.clear();
    }
    Source { name, text, code }
}

/// `crate::` names of a line: the rooms it uses, also in `use crate::{codec, io};`. In main.rs the
/// crate is `ocinit`.
fn rooms_used(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let ends = ["crate::", "ocinit::"].map(|name| line.match_indices(name));
    for (at, name) in ends.into_iter().flatten() {
        let rest = &line[at + name.len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(top_names(list)),
            None => found.push(word(rest)),
        }
    }
    found.into_iter().filter(|name| EDGES.iter().any(|(room, _)| room == name)).collect()
}

fn word(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

fn top_names(list: &str) -> Vec<String> {
    let (mut names, mut depth, mut start) = (Vec::new(), 0, true);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            ' ' => {}
            _ if start && depth == 0 => {
                names.push(word(&list[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

fn room_of(name: &str) -> &str {
    name.split('/').next().expect("a name").trim_end_matches(".rs")
}

/// Every place where the drawing is not kept.
fn wrong_edges(source: &Source) -> Vec<String> {
    let room = room_of(&source.name);
    let allowed = EDGES.iter().find(|(from, _)| *from == room).map(|(_, to)| *to);
    let Some(allowed) = allowed else {
        return vec![format!("{}: the room {room} is not in the drawing", source.name)];
    };
    // A list over several lines is one statement.
    let mut code = source.code.join(" ");
    for number in NO_SYSTEM_CALL {
        code = code.replace(number, "");
    }
    let used = rooms_used(&code).into_iter();
    let wrong = used.filter(|to| {
        to != room && !GROUND.contains(&to.as_str()) && !allowed.contains(&to.as_str())
    });
    wrong.map(|to| format!("{}: {room} may not use {to}", source.name)).collect()
}

fn holds_word(line: &str, wanted: &str) -> bool {
    let around =
        |character: Option<char>| !character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(wanted).any(|(at, _)| {
        around(line[..at].chars().next_back()) && around(line[at + wanted.len()..].chars().next())
    })
}

/// Lines of code outside strings that hold one of these words, as `file:line: text`.
fn lines_with(source: &Source, words: &[&str]) -> Vec<String> {
    let number_of = |(at, line): (usize, &String)| format!("{}:{}: {line}", source.name, at + 1);
    let hit = |line: &str| words.iter().any(|wanted| holds_word(&without_strings(line), wanted));
    source.code.iter().enumerate().filter(|(_, line)| hit(line)).map(number_of).collect()
}

/// Returns the lines of a text that hold a word outside strings.
fn lines_of_word(text: &str, word: &str) -> Vec<String> {
    let hit = |line: &&str| holds_word(&without_strings(line), word);
    text.lines().filter(hit).map(str::to_string).collect()
}

fn without_strings(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

#[track_caller]
fn expect_none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn rooms_use_only_what_stands_below_them() {
    expect_none(
        sources().iter().flat_map(wrong_edges).collect(),
        "see the drawing in ARCHITECTURE.md",
    );
}

#[test]
fn unsafe_stands_in_sys_sync_memory_and_main_alone() {
    let found = sources()
        .iter()
        .filter(|source| !may_be_unsafe(&source.name))
        .flat_map(unsafe_lines)
        .collect();
    expect_none(found, "unsafe outside sys/, sync.rs, memory.rs and main.rs");
}

fn unsafe_lines(source: &Source) -> Vec<String> {
    lines_with(source, &["unsafe", "asm!", "global_asm!", "naked_asm!"])
}

#[test]
fn each_use_of_unsafe_says_why_it_may() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| may_be_unsafe(&source.name)) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (at, line) in lines.iter().enumerate().take(source.code.len()) {
            if !(line.contains("unsafe {") || line.contains("unsafe impl")) {
                continue;
            }
            let reason = |line: &&str| line.contains("SAFETY:");
            if !lines[at.saturating_sub(6)..=at].iter().any(reason) {
                found.push(format!("{}:{}: {line}", source.name, at + 1));
            }
        }
    }
    expect_none(found, "unsafe without a SAFETY: comment just above");
}

#[test]
fn there_is_no_heap_and_no_std() {
    let words = ["alloc", "std", "extern crate"];
    let here = |line: &String| words.iter().any(|wanted| names_crate(line, wanted));
    let mut found = Vec::new();
    for source in sources() {
        let lines = source.code.iter().filter(|line| here(line));
        found.extend(lines.map(|line| format!("{}: {line}", source.name)));
    }
    expect_none(found, "std or alloc outside unit tests");
}

fn names_crate(line: &str, wanted: &str) -> bool {
    let line = without_strings(line);
    if wanted == "extern crate" {
        return line.contains(wanted);
    }
    holds_word(&line, wanted) && line.contains(&format!("{wanted}::"))
}

#[test]
fn system_call_numbers_stand_in_sys_alone() {
    let outside = sources().into_iter().filter(|source| !source.name.starts_with("sys/"));
    let number = |line: &&String| line.contains("libc::SYS_") || line.contains("libc::syscall");
    let mut found = Vec::new();
    for source in outside {
        found.extend(
            source.code.iter().filter(number).map(|line| format!("{}: {line}", source.name)),
        );
    }
    expect_none(found, "a system call outside sys/");
}

#[test]
fn what_codec_may_use_of_sys_makes_no_system_call() {
    let files = sources();
    let of = |name: &str| {
        lines_with(files.iter().find(|s| s.name == name).expect(name), &["libc", "syscall", "asm!"])
    };
    assert_eq!(
        [of("sys/arch/x86_64/crc32.rs"), of("sys/zstd.rs")],
        [const { Vec::<String>::new() }; 2]
    );
    assert!(!of("sys/fs.rs").is_empty(), "this check would see nothing");
}

#[test]
fn only_front_doors_print_errors() {
    let front = |source: &&Source| !["init", "cli", "main", "log"].contains(&room_of(&source.name));
    let prints = |line: &&String| {
        line.trim_start().starts_with("error!(") || line.contains("crate::error!(")
    };
    let mut found = Vec::new();
    for source in sources().iter().filter(front) {
        found.extend(
            source.code.iter().filter(prints).map(|line| format!("{}: {line}", source.name)),
        );
    }
    expect_none(found, "an error printed below the front doors");
}

#[test]
fn use_cases_print_nothing_and_know_no_words() {
    let words = ["error!(", "warning!(", "info!(", "log::line(", "Arguments<", "Flag", "Command"];
    let is_wrong = |line: &str| {
        let line = without_strings(line).replace("fmt::Arguments<", "");
        words.iter().any(|word| line.contains(word))
    };
    assert!(is_wrong("    crate::warning!(\"x\");") && !is_wrong("text: fmt::Arguments<'_>"));
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| room_of(&source.name) == "engine") {
        let lines = source.code.iter().filter(|line| is_wrong(line));
        found.extend(lines.map(|line| format!("{}: {line}", source.name)));
    }
    expect_none(found, "engine/ takes structs, returns results and gives notices");
}

#[test]
fn words_of_a_command_line_do_not_leave_cli() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| room_of(&source.name) != "cli") {
        let lines = source.code.iter().filter(|line| line.contains("cli::arguments"));
        found.extend(lines.map(|line| format!("{}: {line}", source.name)));
    }
    expect_none(found, "Arguments outside cli/");
}

/// What of `container/` reads JSON: a container's own state.
const READS_JSON: [&str; 1] = ["container/state"];

#[test]
fn a_config_is_data_where_containers_are_made() {
    let names = |line: &&String| line.contains("Value<") || line.contains("json::Value");
    let mut found = Vec::new();
    for source in sources() {
        let is_wanted = ["container", "cgroup"].contains(&room_of(&source.name));
        if is_wanted && !READS_JSON.iter().any(|name| source.name.starts_with(name)) {
            found.extend(source.code.iter().filter(names).map(|l| format!("{}: {l}", source.name)));
        }
    }
    expect_none(found, "spec::read alone reads a config");
}

#[test]
fn nothing_is_left_to_do() {
    let words = ["todo!", "unimplemented!", "TODO", "FIXME", "XXX", "dbg!"];
    let mut found = Vec::new();
    for source in sources() {
        let lines =
            source.text.lines().filter(|line| words.iter().any(|wanted| holds_word(line, wanted)));
        found.extend(lines.map(|line| format!("{}: {line}", source.name)));
    }
    expect_none(found, "work left to do");
}

#[test]
fn files_fit_one_subject() {
    let [mut source, mut tests] = [Vec::new(), Vec::new()];
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut source);
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut tests);
    assert!(source.len() > 30 && tests.len() > 100, "these are not all files");
    let found = [long_files(&source, LINES_MAX), long_files(&tests, TEST_LINES_MAX)].concat();
    expect_none(found, "a file is longer than a subject needs");
}

/// Returns the files with more lines than this, as `file: count lines`.
fn long_files(files: &[PathBuf], lines_max: usize) -> Vec<String> {
    let count = |file: &PathBuf| std::fs::read_to_string(file).expect("source").lines().count();
    let counted = files.iter().map(|file| (file, count(file)));
    counted
        .filter(|(_, lines)| *lines > lines_max)
        .map(|(file, lines)| format!("{}: {lines} lines", file.display()))
        .collect()
}

#[test]
fn the_checks_above_see_what_they_look_for() {
    let this = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tidy/main.rs");
    assert_eq!(long_files(std::slice::from_ref(&this), 100).len(), 1);
    let edges = |name: &str, text: &str| wrong_edges(&source(name.into(), text.into()));
    assert_eq!(
        edges("codec/tar.rs", "use crate::sys::fs;\n"),
        ["codec/tar.rs: codec may not use sys"]
    );
    assert_eq!(
        edges("codec/tar.rs", "use crate::{\n    io::{sys, Source},\n    sys,\n};\n").len(),
        1
    );
    assert_eq!(edges("image/mod.rs", "use crate::io; let x = crate::rootfs::apply();\n").len(), 1);
    assert_eq!(edges("new/mod.rs", "").len(), 1);
    assert!(edges("codec/tar.rs", "use crate::sys::Errno;\n").is_empty());
    assert!(
        edges(
            "codec/tar.rs",
            "//! crate::sys\nuse crate::{io, error};\n#[cfg(test)]\nuse crate::sys;\n"
        )
        .is_empty()
    );
    let unsafe_code = source(
        "io/x.rs".into(),
        "let x = unsafe { y };\n// unsafe\nlet unsafely = \"unsafe\";\n".into(),
    );
    assert_eq!(unsafe_lines(&unsafe_code), ["io/x.rs:1: let x = unsafe { y };"]);
    assert!(names_crate("use std::fs;", "std") && !names_crate("use crate::std_like;", "std"));
    assert!(
        names_crate("extern crate alloc;", "extern crate")
            && names_crate("use alloc::vec;", "alloc")
    );
}
