//! The table of docs/conformance.md: every case and who differs, made of the cases themselves.

use std::fmt::Write as _;

use super::case::Case;
use crate::support::lab::Runtime;
use crate::support::project;

/// The page, of the sections and their cases.
pub fn page(sections: &[(&str, Vec<Case>)]) -> String {
    let all = || sections.iter().flat_map(|(_, cases)| cases);
    let mut page = String::from(HEAD);
    page.push_str("| | cases | as the rule says | otherwise |\n|---|---|---|---|\n");
    for runtime in Runtime::ALL {
        let otherwise = all().filter(|case| case.told(runtime).is_some()).count();
        let (name, count) = (runtime.name(), all().count());
        let _ = writeln!(page, "| {name} | {count} | {} | {otherwise} |", count - otherwise);
    }
    for (title, cases) in sections {
        let _ = write!(
            page,
            "\n## {title}\n\n| case | rule | ocinit | runc | crun |\n|---|---|---|---|---|\n"
        );
        for case in cases {
            let cell = |runtime| case.told(runtime).unwrap_or("✓");
            let cells = Runtime::ALL.map(|runtime| cell(runtime).replace('|', "\\|"));
            let _ = writeln!(
                page,
                "| `{}` | {} | {} |",
                case.name,
                case.rule.replace('|', "\\|"),
                cells.join(" | ")
            );
        }
    }
    page
}

const HEAD: &str = "\
# Conformance

What the runtime-spec says, and what runc's command line does, case by case. `cargo test --test all conformance` asks ocinit, Debian 12's
runc 1.1.5 and its crun 1.8.1, and fails where one of them does not do what this table says. ✓ is \"does as the rule says\"; any other
text is what it does instead. `OCINIT_WRITE=1 cargo test --test all conformance::the_page` writes this page.

Where no runtime but ocinit does what the rule says, the rule is the specification's own text, or younger than Debian's versions.

What no case can ask, decided after runc 1.3.6:

- A container in a pid namespace that was joined is set up by an intermediate process outside of it. Hooks before the start get that
  process's pid, because the namespace's other processes must reach nothing of the host.
- `state`, `list` and `delete` read a state only if its owner is the caller and nobody else may write it.
- A destination of a mount may begin with the root's path on the host.
- Ambient capabilities that are not both permitted and inheritable are left out; `--debug` says which.

";

/// Fails unless the page is this; writes it where `OCINIT_WRITE` is set.
pub fn check(sections: &[(&str, Vec<Case>)]) {
    let (path, wanted) = (project().join("docs/conformance.md"), page(sections));
    if std::env::var_os("OCINIT_WRITE").is_some() {
        std::fs::write(&path, &wanted).expect("docs/conformance.md");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == wanted,
        "docs/conformance.md is not of these cases: OCINIT_WRITE=1 cargo test --test all conformance::the_page"
    );
}
