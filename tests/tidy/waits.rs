//! What waits: the event loop, and the files named here.

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
    ("registry/channel.rs", "has closed its channel, or has just killed it"),
    ("watch/children.rs", "makes it"),
];

/// Calls that wait for an fd or a time.
const CALLS: &[&str] = &["poll_one(", "event::poll(", "event::wait(", "wait_ms(", "signal::wait("];

/// Files outside `watch` with such a call, and why it is no row of the loop.
const SLEEPERS: &[(&str, &str)] = &[
    ("cli/progress.rs", "takes no time: a pending signal is delivered"),
    ("container/child.rs", "takes no time: the parent may be gone"),
    ("container/hooks/inside.rs", "is the container's process, perhaps under its filter"),
    ("container/init.rs", "is the little init, whose filter allows no loop"),
    ("container/state/directory.rs", "waits for a lock: no fd tells that it is free"),
    ("engine/copy.rs", "waits for a lock: no fd tells that it is free"),
    ("init/block.rs", "waits for a disk in the boot, when there is no container"),
    ("init/control.rs", "waits for the host before the start and after the end"),
    ("init/early.rs", "waits for the console after the end"),
    ("init/power.rs", "waits for the machine to go off"),
    ("registry/channel.rs", "is a layer's reader: a thread without a loop"),
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

#[test]
fn what_waits_is_a_row_of_the_loop_or_named() {
    let is_loop = |file: &String| file.starts_with("watch/") || file.starts_with("sys/");
    let found = CALLS.iter().flat_map(|call| files_with(call));
    let mut found: Vec<String> = found.filter(|file| !is_loop(file)).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, SLEEPERS.iter().map(|(file, _)| *file).collect::<Vec<_>>());
}
