//! `ocinit copy` beside other copies: many at once, with one pid, killed in the middle.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::support;
use crate::support::images::Layer;
use crate::support::layout::sha256;
use crate::support::{Image, Tar, random_bytes, read, scratch, tool, write};

pub fn ocinit(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(support::ocinit());
    command.args(words).current_dir(directory).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
pub fn succeeds(directory: &Path, words: &[&str]) {
    let output = ocinit(directory, words).output().expect("ocinit runs");
    assert!(output.status.success(), "{words:?}: {}", line(&output));
}

/// Returns an image with some megabytes of its own.
pub fn image(seed: u8) -> Image {
    let layer = |n: u8| {
        Layer::plain(Tar::new().file(
            &format!("f{seed}{n}"),
            0o644,
            [random_bytes(1 << 20), vec![seed, n]].concat(),
        ))
    };
    Image {
        architecture: "amd64".into(),
        os: "linux".into(),
        config: String::new(),
        layers: (0..3).map(layer).collect(),
    }
}

/// Makes two layouts, `a` and `b`. Returns their directory.
pub fn start(name: &str) -> PathBuf {
    let directory = scratch(&format!("shared-{name}"));
    image(1).write(&directory.join("a"));
    image(2).write(&directory.join("b"));
    directory
}

/// Returns the sorted tags of a layout. All its blobs are right, and no partial file is left.
#[track_caller]
pub fn tags(layout: &Path) -> Vec<String> {
    for blob in std::fs::read_dir(layout.join("blobs/sha256")).expect("blobs") {
        let path = blob.expect("blob").path();
        assert!(
            sha256(&read(&path)).ends_with(path.file_name().unwrap().to_str().unwrap()),
            "{}",
            path.display()
        );
    }
    let mut names: Vec<String> = std::fs::read_dir(layout)
        .expect("layout")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["blobs", "index.json", "oci-layout"]);
    let index = String::from_utf8(read(&layout.join("index.json"))).expect("UTF-8");
    let mut tags: Vec<String> = index
        .split(r#""org.opencontainers.image.ref.name":""#)
        .skip(1)
        .map(|rest| rest.split('"').next().expect("a tag").to_string())
        .collect();
    tags.sort();
    succeeds(layout.parent().expect("parent"), &["verify", layout.to_str().expect("UTF-8")]);
    tags
}

/// Starts twelve copies at once; `to` names each one's target.
pub fn twelve(directory: &Path, to: impl Fn(usize) -> String) -> Vec<Output> {
    let children: Vec<Child> = (1..=12)
        .map(|n| {
            ocinit(directory, &["copy", if n % 2 == 0 { "a" } else { "b" }, &to(n)])
                .spawn()
                .expect("ocinit runs")
        })
        .collect();
    children.into_iter().map(|child| child.wait_with_output().expect("it ends")).collect()
}

pub fn numbered(first: &[&str]) -> Vec<String> {
    let mut tags: Vec<String> =
        (1..=12).map(|n| format!("t{n}")).chain(first.iter().map(|it| it.to_string())).collect();
    tags.sort();
    tags
}

#[test]
fn twelve_copies_at_once_keep_all_tags() {
    let directory = start("twelve");
    succeeds(&directory, &["copy", "a", "oci:there:first"]);
    std::fs::create_dir(directory.join("empty")).expect("directory");
    for (target, first) in [("there", &["first"][..]), ("new", &[]), ("empty", &[])] {
        for output in twelve(&directory, |n| format!("oci:{target}:t{n}")) {
            assert!(output.status.success(), "{target}: {}", line(&output));
        }
        assert_eq!(tags(&directory.join(target)), numbered(first), "{target}");
    }
    // An archive has one maker: the others say so, and nothing is replaced.
    for transport in ["oci-archive", "docker-archive"] {
        let outputs = twelve(&directory, |_| format!("{transport}:{transport}.tar"));
        let good = outputs.iter().filter(|output| output.status.success()).count();
        let said = outputs.iter().filter(|output| !output.status.success()).map(line);
        assert_eq!(good, 1, "{transport}");
        assert!(
            said.clone()
                .all(|line| line.contains("is there already") || line.contains("file exists")),
            "{:?}",
            said.collect::<Vec<_>>()
        );
        succeeds(&directory, &["verify", &format!("{transport}.tar")]);
    }
    let left: Vec<_> = std::fs::read_dir(&directory).expect("directory").collect();
    assert_eq!(left.len(), 7, "{left:?}");
}

/// In pid namespaces of their own all copies have one pid.
fn with_one_pid(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["-pf", "--kill-child", "--"])
        .arg(support::ocinit())
        .args(words)
        .current_dir(directory);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn copies_with_one_pid_do_not_meet() {
    let directory = start("pid");
    for round in 0..3 {
        let target = format!("l{round}");
        succeeds(&directory, &["copy", "a", &format!("oci:{target}:first")]);
        let children: Vec<Child> = (1..=4)
            .map(|n| {
                let from = if n % 2 == 0 { "a" } else { "b" };
                with_one_pid(&directory, &["copy", from, &format!("oci:{target}:t{n}")])
                    .spawn()
                    .expect("unshare runs")
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().expect("it ends");
            assert!(output.status.success(), "{}", line(&output));
        }
        assert_eq!(tags(&directory.join(&target)), ["first", "t1", "t2", "t3", "t4"]);
    }
}

/// Kills a command by SIGKILL after a moment. Returns true if it had not ended.
fn killed_after(mut command: Command, delay: Duration) -> bool {
    let mut child = command.process_group(0).spawn().expect("it runs");
    std::thread::sleep(delay);
    let is_running = child.try_wait().expect("child").is_none();
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-9", "--", &group]).stderr(Stdio::null()).status();
    // Its pipes end with their last process.
    child.wait_with_output().expect("it ends");
    is_running
}

#[test]
fn a_killed_command_is_in_nobodys_way() {
    let directory = start("killed");
    std::fs::create_dir(directory.join("empty")).expect("directory");
    succeeds(&directory, &["copy", "a", "oci:grown:first"]);
    let cases: [&[&str]; 6] = [
        &["copy", "b", "oci:new:x"],
        &["copy", "b", "oci:grown:x"],
        &["copy", "b", "oci:empty:x"],
        &["copy", "b", "oci-archive:b.tar"],
        &["copy", "b", "docker-archive:d.tar"],
        &["unpack", "b", "rootfs"],
    ];
    let mut caught = 0;
    for round in 0..60 {
        let words = cases[round % cases.len()];
        let delay = Duration::from_micros(500 + 700 * (round as u64 / 6));
        caught += usize::from(killed_after(with_one_pid(&directory, words), delay));
        // It may have been killed after its last step.
        for made in ["new", "b.tar", "d.tar", "rootfs"] {
            let path = directory.join(made);
            let _ = if path.is_dir() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
        }
        let output = with_one_pid(&directory, words).output().expect("it runs");
        assert!(output.status.success(), "{words:?} after {delay:?}: {}", line(&output));
        match words[2].split_once(':').map_or(words[2], |(_, rest)| rest) {
            "new:x" => assert_eq!(tags(&directory.join("new")), ["x"]),
            "empty:x" => assert_eq!(tags(&directory.join("empty")), ["x"]),
            "grown:x" => assert_eq!(tags(&directory.join("grown")), ["first", "x"]),
            "rootfs" => {
                assert_eq!(std::fs::read_dir(directory.join("rootfs")).expect("rootfs").count(), 3)
            }
            archive => succeeds(&directory, &["verify", archive]),
        }
        for name in std::fs::read_dir(&directory).expect("directory") {
            let name = name.expect("entry").file_name().into_string().expect("UTF-8");
            assert!(!name.contains(".partial-"), "{words:?}: {name} is left");
        }
        if round % cases.len() == 2 {
            std::fs::remove_dir_all(directory.join("empty")).expect("remove");
            std::fs::create_dir(directory.join("empty")).expect("directory");
        }
        for made in ["new", "b.tar", "d.tar", "rootfs"] {
            let path = directory.join(made);
            let _ = if path.is_dir() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
        }
    }
    assert!(caught >= 10, "{caught} of 60 were killed before their end: wait less");
}

#[test]
fn what_is_at_work_is_not_swept() {
    let directory = start("at-work");
    let partial = directory.join("new.partial-0123456789abcdef");
    write(&partial, "at work");
    let mut holder = Command::new("flock")
        .arg(&partial)
        .args(["sleep", "60"])
        .process_group(0)
        .spawn()
        .expect("flock runs");
    let is_held = || {
        !Command::new("flock")
            .args(["-n"])
            .arg(&partial)
            .arg("true")
            .status()
            .expect("flock runs")
            .success()
    };
    while !is_held() {
        assert!(holder.try_wait().expect("flock").is_none());
        std::thread::sleep(Duration::from_millis(10));
    }
    succeeds(&directory, &["copy", "a", "oci:new"]);
    let is_there = partial.exists();
    tool(Command::new("kill").args(["--", &format!("-{}", holder.id())]));
    holder.wait().expect("flock ends");
    assert!(is_there, "another command's file was removed");
    std::fs::remove_dir_all(directory.join("new")).expect("remove");
    succeeds(&directory, &["copy", "a", "oci:new"]);
    assert!(!partial.exists(), "a stale file stays");
}
