//! Pages that are printed from the program's tables: a test holds each equal to its file, and
//! `OCINIT_WRITE=1` writes it.

use std::path::Path;
use std::sync::Mutex;

/// README has several tables, and a test writes one of them.
static README: Mutex<()> = Mutex::new(());

/// Fails unless the file is this text.
pub fn hold(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("OCINIT_WRITE").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect(path);
        std::fs::write(&file, text).expect(path);
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(there == text, "{path} is of another time: OCINIT_WRITE=1 cargo test --lib writes it");
}

/// Fails unless README's table that begins with this line has these rows.
pub fn hold_table(head: &str, rows: &[String]) {
    let _guard = README.lock();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let page = std::fs::read_to_string(readme).expect("README.md");
    let lines: Vec<&str> = page.lines().collect();
    let start = lines.iter().position(|line| *line == head).expect(head) + 2;
    let end = (start..lines.len()).find(|n| !lines[*n].starts_with('|')).unwrap_or(lines.len());
    let rows = rows.iter().map(String::as_str);
    let text: Vec<&str> =
        lines[..start].iter().copied().chain(rows).chain(lines[end..].iter().copied()).collect();
    hold("README.md", &(text.join("\n") + "\n"));
}

/// Returns text as a page of the manual has it; words between backticks are bold.
pub fn roff(text: &str) -> String {
    let mut page = String::new();
    let mut is_bold = false;
    for character in text.chars() {
        match character {
            '`' => {
                is_bold = !is_bold;
                page.push_str(if is_bold { "\\fB" } else { "\\fR" });
            }
            '\\' => page.push_str("\\e"),
            '-' => page.push_str("\\-"),
            '…' => page.push_str("..."),
            other => page.push(other),
        }
    }
    // A line must not begin as a request.
    if page.starts_with(['.', '\'']) { format!("\\&{page}") } else { page }
}
