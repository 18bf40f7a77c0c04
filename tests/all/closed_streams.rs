//! A caller with closed standard streams: every process gets /dev/null in their place. Else the
//! next opened file, a directory of the host, would become a standard stream of the container.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::support;
use crate::support::copy_program;
use crate::support::lab::{self, Lab, Runtime, Said};

/// All ways to close some of the three.
const CLOSED: [&str; 7] = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"];
const USER: u32 = 1234;

/// Writes each fd of the shell: the numbers of a device, else its link.
const LOOK: &str = "for n in 0 1 2 3 4 5 6 7 8 9 10 11 12; do f=/proc/$$/fd/$n; [ -e $f ] || continue; \
    d=$(stat -L -c %F:%t:%T $f); case $d in character*) echo $n ${d##* };; *) echo $n $(readlink $f);; esac; done";
const NULL: &str = "file:1:3";

/// The caller, and the command that starts the process.
struct Start {
    name: &'static str,
    words: &'static [&'static [&'static str]],
}

const STARTS: [Start; 5] = [
    Start { name: "run", words: &[&["run", "--bundle", "@BUNDLE@", "@ID@"]] },
    Start { name: "run -d", words: &[&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]] },
    Start {
        name: "create, start",
        words: &[&["create", "--bundle", "@BUNDLE@", "@ID@"], &["start", "@ID@"]],
    },
    Start { name: "exec", words: &[&["exec", "@ID@", "/bin/sh", "/look"]] },
    Start { name: "exec -d", words: &[&["exec", "-d", "@ID@", "/bin/sh", "/look"]] },
];

/// Calls ocinit as this user with these streams closed.
fn call(lab: &Lab, closed: &str, user: u32, words: &[&str]) -> Said {
    let program = lab.dir.join("ocinit");
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &format!("exec \"$@\" {closed}"), "sh"])
        .arg(program)
        .arg("--root")
        .arg(&lab.state);
    command.args(words.iter().map(|word| lab.fill(word))).current_dir(&lab.dir);
    command.env("TMPDIR", &lab.dir);
    if user != 0 {
        command.uid(user).gid(user);
    }
    lab.finish(&mut command)
}

/// Returns a lab whose processes list their fds in /tmp/fds, for root or a user.
fn looking(user: u32) -> Lab {
    let mut lab = Lab::new(Runtime::Ocinit);
    // The user may not be able to reach this project's directory.
    copy_program(lab.runtime.program(), &lab.dir.join("ocinit"));
    std::fs::write(
        lab.rootfs.join("look"),
        format!("({LOOK}) >/tmp/part; mv /tmp/part /tmp/fds\n"),
    )
    .unwrap();
    lab.merge(r#"{"process": {"args": ["/bin/sh", "/look"]}}"#);
    if user != 0 {
        lab.for_user(user);
        for place in
            [&lab.dir, &lab.state, &lab.rootfs, &lab.rootfs.join("dev"), &lab.rootfs.join("tmp")]
        {
            std::os::unix::fs::chown(place, Some(user), Some(user)).expect("chown");
        }
    }
    lab
}

/// Returns the faulty fds of a process; empty if all closed streams are /dev/null.
fn wrong(lab: &Lab, text: &str, closed: &str) -> String {
    let mut wrong = Vec::new();
    let mut seen = [false; 3];
    for line in text.lines() {
        let (number, what) =
            line.trim_end_matches(" (deleted)").split_once(' ').unwrap_or((line, ""));
        let number: usize = number.parse().expect("a number");
        let is_right = match number {
            // The files of `finish`.
            0..=2 if !closes(closed, number) => what.ends_with([".in", ".out", ".err"][number]),
            0..=2 => what == NULL,
            // The shell's own script.
            _ => what == "/look",
        };
        if let Some(seen) = seen.get_mut(number) {
            *seen = true;
        }
        if !is_right {
            wrong.push(format!("{number} is {what}"));
        }
    }
    for (number, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
        wrong.push(format!("{number} is closed"));
    }
    wrong.join(", ").replace(lab.dir.to_str().unwrap(), "HOST")
}

fn closes(closed: &str, number: usize) -> bool {
    closed.split(' ').any(|one| one == ["<&-", ">&-", "2>&-"][number])
}

#[test]
fn what_is_closed_is_null_in_every_process() {
    lab::enter();
    let mut table = String::new();
    let mut failed = 0;
    for user in [0, USER] {
        for Start { name, words } in &STARTS {
            for closed in CLOSED {
                let mut lab = looking(user);
                let _ = std::fs::remove_file(lab.rootfs.join("tmp/fds"));
                if name.starts_with("exec") {
                    lab.merge(r#"{"process": {"args": ["/bin/sleep", "1000"]}}"#);
                    assert_eq!(
                        call(&lab, "", user, &["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]).status,
                        0
                    );
                }
                let mut status = 0;
                for words in *words {
                    status = status.max(call(&lab, closed, user, words).status);
                }
                let text = lab.wait_for_file("b/rootfs/tmp/fds");
                let mut said = wrong(&lab, &text, closed);
                if status != 0 {
                    said = format!("status {status} {said}");
                }
                failed += usize::from(!said.is_empty());
                let shown = if said.is_empty() { "null" } else { &said };
                table += &format!("{user:5} {name:15} {closed:14} {shown}\n");
                call(&lab, "", user, &["delete", "-f", "@ID@"]);
            }
        }
    }
    println!("{table}");
    assert_eq!(failed, 0, "\n{table}");
}

/// The same of an image's container; and of hooks, whose streams are files of their own.
#[test]
fn what_is_closed_is_null_for_images_and_is_nothing_to_hooks() {
    lab::enter();
    let image = support::images::busybox_layout();
    let image = image.to_str().expect("UTF-8");
    for closed in CLOSED {
        let lab = looking(0);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &lab.fill(&format!("exec \"$@\" 3>@DIR@/out {closed}")), "sh"]);
        command.arg(lab.dir.join("ocinit")).arg("--root").arg(&lab.state);
        let script = format!("({LOOK}) >&3; true");
        command.args([
            "run",
            "--preserve-fds",
            "1",
            "--image",
            image,
            &lab.id,
            "--",
            "sh",
            "-c",
            &script,
        ]);
        let said = lab.finish(command.env("TMPDIR", &lab.dir).current_dir(&lab.dir));
        assert_eq!(said.status, 0, "{closed}: {said:?}");
        let text = lab.file("out");
        let lines: String = text
            .lines()
            .filter(|line| !line.starts_with("3 "))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(wrong(&lab, &lines, closed), "", "{closed}\n{text}");

        let mut lab = looking(0);
        let look = LOOK.replace('"', "\\\"");
        let hook = |file: &str| {
            format!(
                r#"[{{"path": "/bin/sh", "args": ["sh", "-c", "({look}) >{file}; cat >>{file}"]}}]"#
            )
        };
        let [host, own] = [lab.fill(&hook("@DIR@/hook")), hook("/tmp/hook")];
        lab.merge(&format!(
            r#"{{"hooks": {{"createRuntime": {host}, "createContainer": {host}, "startContainer": {own}, "poststart": {host}}},
                "process": {{"args": ["true"]}}}}"#
        ));
        assert_eq!(call(&lab, closed, 0, &["run", "--bundle", "@BUNDLE@", "@ID@"]).status, 0);
        for file in ["hook", "b/rootfs/tmp/hook"] {
            let text = lab.file(file);
            for (number, line) in text.lines().take(3).enumerate() {
                assert!(line.starts_with(&format!("{number} /memfd:")), "{closed} {file}:\n{text}");
            }
            assert!(
                text.contains("\"ociVersion\""),
                "{closed} {file}: the state did not arrive:\n{text}"
            );
            assert!(!text.contains(lab.state.to_str().unwrap()), "{closed}: {text}");
        }
    }
}

/// An archive written while standard output or error is closed contains no message.
#[test]
fn an_archive_is_never_a_standard_stream() {
    lab::enter();
    let lab = looking(0);
    let image = support::images::busybox_layout();
    let image = image.to_str().expect("UTF-8");
    let copy = |closed: &str, name: &str| {
        let target = format!("oci-archive:@DIR@/{name}");
        let said = call(&lab, closed, 0, &["--debug", "copy", &format!("oci:{image}"), &target]);
        assert_eq!(said.status, 0, "{closed}: {said:?}");
        std::fs::read(lab.dir.join(name)).expect("archive")
    };
    let whole = copy("", "whole.tar");
    for (number, closed) in CLOSED.into_iter().enumerate() {
        assert!(
            copy(closed, &format!("{number}.tar")) == whole,
            "{closed}: the archive is another"
        );
    }
}

/// Without a /dev/null nothing is begun, and no message is written, as no fd is safe for it.
#[test]
fn without_a_null_device_nothing_begins() {
    lab::enter();
    let lab = looking(0);
    let script = "mount -t tmpfs none /dev || exit 1; \"$@\" <&- ; echo $? >@DIR@/status";
    let mut command = Command::new("unshare");
    command.args(["-m", "/bin/sh", "-c", &lab.fill(script), "sh"]).arg(lab.dir.join("ocinit"));
    let said = lab.finish(
        command
            .args(["--root"])
            .arg(&lab.state)
            .args(["run", "--bundle", "@BUNDLE@", "x"].map(|w| lab.fill(w))),
    );
    assert_eq!(
        (lab.file("status").as_str(), said.out.as_str(), said.err.as_str()),
        ("255\n", "", "")
    );
    assert!(!Path::new(&lab.state).join("x").exists());
}
