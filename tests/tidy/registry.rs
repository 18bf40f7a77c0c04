//! The rules for the transport helper, `registry/`: it has std, and rules of its own.

use super::{Source, collect, expect_none, lines_with, long_files, source};
use std::path::Path;

const LINES_MAX: usize = 400;

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("registry/src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 20, "{} files are not the whole source", files.len());
    let of = |file: &std::path::PathBuf| {
        let name = file.strip_prefix(&root).expect("below src").to_str().expect("UTF-8");
        source(name.to_string(), std::fs::read_to_string(file).expect("source"))
    };
    files.iter().map(of).collect()
}

#[test]
fn unsafe_and_system_calls_of_the_helper_stand_in_one_file() {
    let others = sources().into_iter().filter(|source| source.name != "sys.rs");
    let words = ["unsafe", "asm!", "syscall"];
    let found = others.flat_map(|source| lines_with(&source, &words)).collect();
    expect_none(found, "unsafe outside registry/src/sys.rs");
}

#[test]
fn rights_are_dropped_before_the_answer_that_allows_requests() {
    let control = sources().into_iter().find(|source| source.name == "control.rs").expect("it");
    let line = |wanted: &str| {
        let found = control.code.iter().position(|line| line.contains(wanted));
        found.unwrap_or_else(|| panic!("no {wanted}"))
    };
    let order = ["settings.build(", "confine::confine(", "Answer::Ready {"].map(line);
    assert!(order.is_sorted(), "{order:?}");
    // Nothing else reads files or starts programs.
    let words = ["std::fs", "Command", "std::env"];
    let may = ["credentials.rs", "helper.rs", "settings.rs", "main.rs", "tls/files.rs"];
    let others = sources().into_iter().filter(|source| {
        !may.contains(&source.name.as_str())
            && !["control.rs", "confine.rs"].contains(&source.name.as_str())
    });
    let holds = |line: &String| words.iter().any(|word| line.contains(word));
    let mut found = Vec::new();
    for source in others {
        let lines = source.code.iter().filter(|line| holds(line));
        found.extend(lines.map(|line| format!("{}: {line}", source.name)));
    }
    expect_none(found, "files and programs are for what runs before the start");
}

#[test]
fn the_messages_need_core_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/codec");
    let mut found = Vec::new();
    for name in ["transport.rs", "transport/packet.rs"] {
        let text = std::fs::read_to_string(root.join(name)).expect(name);
        let lines = source(name.to_string(), text).code;
        let is_other = |line: &String| line.contains("crate::") || line.contains("std::");
        found.extend(lines.into_iter().filter(is_other).map(|line| format!("{name}: {line}")));
    }
    expect_none(found, "the helper includes these files by their path");
}

#[test]
fn files_of_the_helper_fit_one_subject() {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("registry"), &mut files);
    expect_none(long_files(&files, LINES_MAX), "a file is longer than a subject needs");
}
