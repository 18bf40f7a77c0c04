//! After a kill at any moment `delete --force` removes all leftovers of a runtime: mounts, cgroups,
//! processes, states. `OCINIT_ROUNDS=1000` sets the number.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use crate::support::lab::{self, Lab, Runtime};

/// Rounds by default.
const ROUNDS: u32 = 60;
/// The kill comes within this many microseconds: a create takes some 5,000, on a busy machine more.
const LATEST_US: u64 = 16_000;

/// Processes of the machine by their pids, without those of the kernel.
fn processes() -> BTreeSet<i32> {
    let entries = std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether the process has this root, working directory or program of the lab: it is its
/// container's, or was to be.
fn belongs(pid: i32, lab: &Lab) -> bool {
    let links = ["root", "cwd", "exe"]
        .map(|name| std::fs::read_link(format!("/proc/{pid}/{name}")).unwrap_or_default());
    let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let is_zombie = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.contains(") Z "));
    !is_zombie
        && (links.iter().any(|link| link.starts_with(&lab.dir))
            || cgroup.contains(&lab.id)
            || line.contains(&lab.id))
}

/// What a process left after its runtime was killed: waited for, as a process dies only after its
/// SIGKILL.
fn lingering(before: &BTreeSet<i32>, lab: &Lab) -> Vec<String> {
    let mut left = Vec::new();
    for _ in 0..400 {
        let new = processes().into_iter().filter(|pid| !before.contains(pid) && belongs(*pid, lab));
        left = new
            .map(|pid| {
                format!(
                    "{pid} {}",
                    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()
                )
            })
            .collect();
        if left.is_empty() {
            return left;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    left
}

/// One round: a command is killed after so long, then `delete --force`; an empty text if nothing is
/// left.
fn round(words: &[&str], after: Duration) -> String {
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.merge(
        r#"{"process": {"args": ["/bin/sleep", "1000"]}, "mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "t"}],
            "linux": {"maskedPaths": ["/proc/kcore", "/proc/keys", "/etc"], "readonlyPaths": ["/proc/sys"]},
            "hooks": {"createRuntime": [{"path": "/bin/true"}], "poststop": [{"path": "/bin/true"}]}}"#,
    );
    let before = processes();
    let mut command = lab.command(words);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ocinit");
    std::thread::sleep(after);
    let _ = child.kill();
    let status = child.wait().expect("wait");
    let mut wrong = Vec::new();
    let deleted = lab.call(&["delete", "--force", "@ID@"]);
    if deleted.status != 0 {
        wrong.push(format!("delete --force: {}", deleted.err.trim()));
    }
    wrong.extend(lingering(&before, &lab).into_iter().map(|process| format!("process {process}")));
    let left = lab.leftovers();
    if !left.is_empty() {
        wrong.push(left);
    }
    let states = std::fs::read_dir(&lab.state)
        .expect("state root")
        .map(|entry| entry.expect("entry").file_name());
    wrong.extend(states.map(|name| format!("{name:?} in the state root")));
    // The same id can be used again.
    let again = lab.call(&["run", "--bundle", "@BUNDLE@", "--detach", "@ID@"]);
    if again.status != 0 {
        wrong.push(format!("the id again: {}", again.err.trim()));
    }
    if wrong.is_empty() {
        String::new()
    } else {
        format!("{words:?} after {after:?} ({status}): {}", wrong.join("; "))
    }
}

fn rounds(words: &[&str]) {
    lab::enter();
    let count =
        std::env::var("OCINIT_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    // Spread over the time, in an order that looks random: a step that has no common factor with
    // it.
    let moments =
        (0..u64::from(count)).map(|number| Duration::from_micros(number * 6_151 % LATEST_US));
    let wrong: Vec<_> =
        moments.map(|after| round(words, after)).filter(|line| !line.is_empty()).collect();
    assert!(wrong.is_empty(), "{} of {count} rounds:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn create_is_killed_at_any_moment() {
    rounds(&["create", "--bundle", "@BUNDLE@", "@ID@"]);
}

#[test]
fn run_is_killed_at_any_moment() {
    rounds(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
}

/// This would not see a process that stays if it could not see one that is there.
#[test]
fn the_checks_above_see_what_they_look_for() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.merge(r#"{"process": {"args": ["/bin/sleep", "1000"]}}"#);
    let before = processes();
    assert_eq!(lab.call(&["run", "--detach", "--bundle", "@BUNDLE@", "@ID@"]).status, 0);
    let new: Vec<_> = processes()
        .into_iter()
        .filter(|pid| !before.contains(pid) && belongs(*pid, &lab))
        .collect();
    assert_eq!(new.len(), 1, "the sleep is seen");
    assert_eq!(lab.leftovers(), "state cgroup");
}
