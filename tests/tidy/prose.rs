//! The prose rules that a reader of the text can check: width, words, how a doc begins.

use super::{collect, expect_none};
use std::path::{Path, PathBuf};

const COLUMNS_MAX: usize = 100;

/// A process is "it", and people are "the user" or "the caller".
const PERSONS: [&str; 7] =
    ["whoever", "whomever", "nobody", "somebody", "anybody", "everybody", "whosoever"];

/// Words that begin a clause in the place of a noun.
const CLAUSES: [&str; 9] =
    ["What", "Where", "Who", "Whom", "Whose", "Whether", "Whatever", "Wherever", "How"];

/// A comment of one file: its lines, without their marks, and the code line after it.
struct Comment {
    at: String,
    lines: Vec<String>,
    is_doc: bool,
    next: String,
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    files.retain(|file| file.extension().is_some_and(|kind| kind == "rs"));
    files
}

fn comments(name: &str, text: &str) -> Vec<Comment> {
    let mut found: Vec<Comment> = Vec::new();
    let mut is_open = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if let Some(rest) = line.strip_prefix("//") {
            let is_doc = rest.starts_with(['/', '!']);
            let said = rest.trim_start_matches(['/', '!']).trim();
            match found.last_mut().filter(|last| is_open && last.is_doc == is_doc) {
                Some(last) => last.lines.push(said.into()),
                None => found.push(Comment {
                    at: format!("{name}:{}", at + 1),
                    lines: vec![said.into()],
                    is_doc,
                    next: String::new(),
                }),
            }
            is_open = true;
        } else if !line.starts_with("#[") {
            if let Some(last) = found.last_mut().filter(|_| is_open) {
                last.next = line.into();
            }
            is_open = false;
        }
    }
    found
}

fn all_comments(folder: &str) -> Vec<Comment> {
    let read = |file: &PathBuf| std::fs::read_to_string(file).expect("source");
    files(folder)
        .iter()
        .flat_map(|file| comments(&file.display().to_string(), &read(file)))
        .collect()
}

#[test]
fn comments_fit_a_hundred_columns() {
    let mut found = Vec::new();
    for file in [files("src"), files("tests")].concat() {
        let text = std::fs::read_to_string(&file).expect("source");
        found.extend(wide_comments(&text).map(|at| format!("{}:{at}", file.display())));
    }
    expect_none(found, "a comment wider than 100 columns");
}

fn wide_comments(text: &str) -> impl Iterator<Item = usize> {
    let is_wide =
        |line: &str| line.trim_start().starts_with("//") && line.chars().count() > COLUMNS_MAX;
    text.lines().enumerate().filter(move |(_, line)| is_wide(line)).map(|(at, _)| at + 1)
}

#[test]
fn comments_name_no_persons_without_a_name() {
    let mut all = all_comments("src");
    all.extend(all_comments("tests").into_iter().filter(|one| !one.at.contains("tests/tidy/")));
    let found = all.iter().filter_map(person_in).collect();
    expect_none(found, "a comment with nobody, somebody, whoever: name the process or the user");
}

fn person_in(comment: &Comment) -> Option<String> {
    let text = comment.lines.join(" ").to_lowercase();
    let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '`');
    let word = words.find(|word| PERSONS.contains(word))?;
    Some(format!("{}: {word}", comment.at))
}

#[test]
fn docs_begin_with_a_noun_or_a_verb() {
    let found = all_comments("src").iter().filter_map(clause_in).collect();
    expect_none(
        found,
        "a doc that begins with a clause: name the thing, or say \"Returns whether\"",
    );
}

fn clause_in(comment: &Comment) -> Option<String> {
    let first = comment.lines[0].split(' ').next().unwrap_or_default();
    (comment.is_doc && CLAUSES.contains(&first)).then(|| format!("{}: {first}", comment.at))
}

#[test]
fn a_function_of_a_truth_says_what_it_returns() {
    let found = all_comments("src").iter().filter_map(silent_truth).collect();
    expect_none(found, "a doc of a function that returns a bool, without \"Returns\"");
}

fn silent_truth(comment: &Comment) -> Option<String> {
    let is_function = comment.next.contains("fn ") && comment.next.ends_with("-> bool {");
    let is_silent = comment.is_doc && is_function && !comment.lines.join(" ").contains("eturns");
    is_silent.then(|| format!("{}: {}", comment.at, comment.next))
}

#[test]
fn the_checks_of_prose_see_what_they_look_for() {
    let wide = format!("let x = 1;\n    // {}\n", "x".repeat(100));
    assert_eq!(wide_comments(&wide).collect::<Vec<_>>(), [2]);
    assert_eq!(wide_comments(&"x".repeat(200)).count(), 0);
    let of = |text: &str| comments("x.rs", text);
    assert_eq!(
        person_in(&of("// A file of\n// nobody's.\n")[0]).as_deref(),
        Some("x.rs:1: nobody")
    );
    assert!(person_in(&of("/// The user `nobody`.\n")[0]).is_none());
    assert!(clause_in(&of("/// Where it is.\nfn x() {}\n")[0]).is_some());
    assert!(clause_in(&of("// Where it is\n")[0]).is_none());
    assert!(silent_truth(&of("/// It is.\n#[inline]\nfn x() -> bool {\n")[0]).is_some());
    assert!(silent_truth(&of("/// Returns it.\nfn x() -> bool {\n")[0]).is_none());
}
