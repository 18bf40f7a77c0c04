//! Who may collect children.

use super::{Source, sources};

/// Files that collect children beside the event loop (`watch`): each waits for a process of its own
/// that ends soon, in a child, or when there is no loop any more.
const COLLECTORS: &[&str] = &[
    "watch/children.rs",
    "init/reaper.rs",
    "init/power.rs",
    "engine/processes.rs",
    "container/hooks.rs",
    "container/mounts/idmap.rs",
    "container/mounts/lent.rs",
    "container/procfs_maker.rs",
    "container/running.rs",
    "container/userns.rs",
];

#[test]
fn children_are_collected_by_the_loop_and_by_those_named() {
    let calls = |source: &Source| source.code.iter().any(|line| line.contains("process::wait("));
    let found: Vec<String> =
        sources().iter().filter(|s| calls(s)).map(|s| s.name.clone()).collect();
    let mut named: Vec<&str> = COLLECTORS.to_vec();
    named.sort_unstable();
    let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, named);
}
