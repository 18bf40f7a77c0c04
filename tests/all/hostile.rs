//! `ocinit unpack` on hundreds of hostile or damaged images. `tests/all/hostile/make.py` makes them
//! when the test runs, each with the expected result: one line that has a text, or a tree. Needs
//! root.
//!
//! For each case: no file outside the root has changed, down to the inodes' change time. It ended
//! within seconds and within a fixed address space. Stderr has exactly the expected line, and a
//! failure left nothing behind.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support;
use crate::support::{scratch, tool, tree};

/// The processor time that a case may take, in seconds; the slowest inflates and hashes a gigabyte.
const CPU_SECONDS: u64 = 30;
/// And on the clock, where the machine has much to do.
const TIME: Duration = Duration::from_secs(120);
/// The address space of the process, in bytes: its static memory, its code and its stack.
const ADDRESS_SPACE: u64 = 32 << 20;

/// A line of make.py's list.
struct Case {
    name: String,
    refused: bool,
    /// What standard error must hold: the whole line ends or goes on around it.
    line: String,
    /// The tmpfs that holds the root.
    disk: Option<String>,
    /// The address space that it gets, in bytes.
    space: u64,
    /// The root directory is there before, and must be as it was.
    premade: bool,
}

fn cases(top: &Path) -> Vec<Case> {
    let list = String::from_utf8(support::read(&top.join("list"))).expect("UTF-8");
    let parse = |(index, line): (usize, &str)| {
        let mut words = line.split('\t');
        let mut next = || words.next().expect("a word").to_string();
        let (name, verdict, line) = (next(), next(), next());
        let options: BTreeMap<_, _> = words.filter_map(|option| option.split_once('=')).collect();
        let disk = options.get("disk").map(|size| size.to_string());
        let space =
            options.get("space").map_or(ADDRESS_SPACE, |bytes| bytes.parse().expect("a number"));
        // Half of all roots are there before, so that both ways are tried.
        let premade = disk.is_none() && (index % 2 == 0 || options.contains_key("premade"));
        Case { name, refused: verdict == "refuses", line, disk, space, premade }
    };
    list.lines().enumerate().map(parse).collect()
}

/// What must not change, and what names in layers lead to: files, links, directories, a program
/// with setuid.
fn make_canary(canary: &Path) {
    std::fs::create_dir_all(canary.join("dir/inner")).expect("canary");
    for (name, mode) in [("secret", 0o600), ("program", 0o4755), ("dir/file", 0o644)] {
        let file = canary.join(name);
        support::write(&file, "untouched");
        chown(&file, Some(1234), Some(1234)).expect("chown");
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).expect("chmod");
    }
    symlink("dir", canary.join("link")).expect("symlink");
    std::fs::hard_link(canary.join("secret"), canary.join("dir/linked")).expect("link");
}

fn record(directory: &Path) -> Vec<String> {
    tree::read(directory).iter().map(|(path, entry)| format!("{path} {}", entry.record())).collect()
}

struct Outcome {
    status: Option<i32>,
    line: String,
    /// Peak resident memory in KiB.
    peak: u64,
}

/// Runs it to its end, with an eye on its memory. `None`: it took too long.
fn run(case: &Case, place: &Path) -> Option<Outcome> {
    let (image, root) = (place.join("image"), place.join("place/rootfs"));
    let mut command = Command::new("prlimit");
    command.arg(format!("--as={}", case.space)).arg(format!("--cpu={CPU_SECONDS}"));
    if let Some(size) = &case.disk {
        let script = r#"mount -t tmpfs -o size="$1" none "${4%/*}" && exec "$2" unpack "$3" "$4""#;
        command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, "sh", size]);
        command.arg(env!("CARGO_BIN_EXE_ocinit")).arg(image).arg(root);
    } else {
        command.arg(env!("CARGO_BIN_EXE_ocinit")).arg("unpack").arg(image).arg(root);
    }
    let error = std::fs::File::create(place.join("stderr")).expect("create");
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(error).spawn().expect("starts");
    let (start, mut peak) = (Instant::now(), 0);
    let status = loop {
        if let Some(status) = child.try_wait().expect("wait") {
            break status;
        }
        peak = peak_of(child.id()).unwrap_or(peak);
        if start.elapsed() > TIME {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let line = String::from_utf8(support::read(&place.join("stderr"))).expect("UTF-8");
    std::fs::remove_file(place.join("stderr")).expect("remove");
    Some(Outcome { status: status.code(), line, peak })
}

/// Peak resident memory of a running ocinit, in KiB.
fn peak_of(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let is_ours = status.starts_with("Name:\tocinit\n");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.split_whitespace().next().filter(|_| is_ours)?.parse().ok()
}

/// What is wrong with how the case ended.
fn check(case: &Case, place: &Path, peak: &AtomicU64) -> Result<(), String> {
    let root = place.join("place/rootfs");
    std::fs::create_dir(place.join("place")).expect("place");
    if case.premade {
        std::fs::create_dir(&root).expect("rootfs");
        std::fs::set_permissions(&root, Permissions::from_mode(0o711)).expect("chmod");
    }
    let before = record(&place.join("image"));
    let Some(outcome) = run(case, place) else { return Err(format!("took longer than {TIME:?}")) };
    peak.fetch_max(outcome.peak, Ordering::Relaxed);
    if record(&place.join("image")) != before {
        return Err("the image was changed".into());
    }
    let Outcome { status, line, .. } = outcome;
    if case.disk.is_none() {
        let mut beside: Vec<_> =
            std::fs::read_dir(place.join("place")).expect("place").flatten().collect();
        beside.retain(|entry| entry.file_name() != "rootfs");
        if !beside.is_empty() {
            return Err(format!("beside the root: {beside:?}"));
        }
    }
    let said = if case.line.is_empty() {
        line.is_empty()
    } else {
        line.contains(&case.line) && line.lines().count() == 1
    };
    let is_ours = line.is_empty() || line.starts_with("ocinit: ") && line.ends_with('\n');
    if !said || !is_ours {
        return Err(format!("said {line:?}, not {:?}", case.line));
    }
    match (case.refused, status) {
        (true, Some(125)) => check_nothing_left(case, &root),
        (false, Some(0)) => tree::check(
            &String::from_utf8(support::read(&place.join("tree"))).expect("UTF-8"),
            &tree::read(&root),
        ),
        _ => Err(format!("status {status:?}, {line:?}")),
    }
}

fn check_nothing_left(case: &Case, root: &Path) -> Result<(), String> {
    if !case.premade {
        return if root.exists() { Err("a half root is left".into()) } else { Ok(()) };
    }
    let stat =
        root.symlink_metadata().map_err(|error| format!("the root that was there: {error}"))?;
    let left = tree::read(root).len() - 1;
    match (stat.mode() & 0o7777, stat.uid(), stat.gid(), left) {
        (0o711, 0, 0, 0) => Ok(()),
        now => Err(format!("the root that was there is not as it was: {now:?}")),
    }
}

/// Thousands of files are made in memory, if files have `user.` attributes there: before Linux 6.6
/// they have none.
fn mount_in_memory(top: &Path) {
    let release = support::read(Path::new("/proc/sys/kernel/osrelease"));
    let mut numbers = release
        .split(|byte| !byte.is_ascii_digit())
        .map(|number| String::from_utf8_lossy(number).parse());
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0_u32);
    if (next(), next()) >= (6, 6) {
        support::tmpfs::mount_here(top, 1 << 30);
    }
}

fn make_cases(top: &Path) {
    let script = support::project().join("tests/all/hostile/make.py");
    tool(Command::new("python3").arg("-B").arg(script).arg(top));
}

#[test]
fn hostile_images_get_nowhere() {
    let top = scratch("hostile");
    mount_in_memory(&top);
    let canary = top.join("canary");
    make_cases(&top);
    make_canary(&canary);
    let untouched = record(&canary);
    let only = std::env::var("OCINIT_HOSTILE").unwrap_or_default();
    let cases: Vec<Case> =
        cases(&top).into_iter().filter(|case| case.name.starts_with(&only)).collect();
    let (next, peak) = (AtomicUsize::new(0), AtomicU64::new(0));
    let (faults, times) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = Instant::now();
            let place: PathBuf = top.join(&case.name);
            let mut result = check(case, &place, &peak);
            if record(&canary) != untouched {
                result =
                    Err("the canary was touched, by this case or by one at the same time".into());
            }
            match result {
                // Deep trees and large ones are not kept.
                Ok(()) => drop(Command::new("rm").arg("-rf").arg(&place).status()),
                Err(fault) => faults.lock().expect("lock").push(format!("{}: {fault}", case.name)),
            }
            times.lock().expect("lock").push((start.elapsed(), &case.name));
        }
    };
    std::thread::scope(|scope| {
        (0..std::thread::available_parallelism().map_or(2, usize::from))
            .for_each(|_| drop(scope.spawn(work)));
    });
    let (faults, mut times, peak) =
        (faults.into_inner().unwrap(), times.into_inner().unwrap(), peak.into_inner());
    times.sort();
    println!(
        "{} cases, the slowest {:?}, peak {peak} KiB",
        cases.len(),
        &times[times.len().saturating_sub(10)..]
    );
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), cases.len(), faults.join("\n"));
    assert!(!only.is_empty() || cases.len() >= 150, "{} cases are not all", cases.len());
}
