//! Who may collect children.

use super::{Source, sources};

/// waitid(2) stands only there.
const COLLECTOR: &str = "watch/children.rs";

/// Files that wait for a child of their own while nothing else can happen to them, and why.
const WAITERS: &[(&str, &str)] = &[
    ("container/hooks/inside.rs", "is the container's process, perhaps under its filter"),
    ("container/mounts/idmap.rs", "has just killed it"),
    ("container/procfs_maker.rs", "is an intermediate process"),
    ("container/running.rs", "has just killed it"),
    ("container/starting.rs", "has just killed it, and the loop has failed"),
    ("container/userns.rs", "enters a user namespace before there is a container"),
    ("engine/processes.rs", "has read all output of ps(1), which is ending"),
    ("watch/children.rs", "makes it"),
];

fn files_with(call: &str) -> Vec<String> {
    let calls = |source: &&Source| source.code.iter().any(|line| line.contains(call));
    let mut found: Vec<String> =
        sources().iter().filter(calls).map(|source| source.name.clone()).collect();
    found.sort_unstable();
    found
}

#[test]
fn children_are_collected_by_the_loop_and_by_those_named() {
    assert_eq!(files_with("process::wait("), [COLLECTOR]);
    let mut found = [files_with("await_end("), files_with("await_end_of(")].concat();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, WAITERS.iter().map(|(file, _)| *file).collect::<Vec<_>>());
}
