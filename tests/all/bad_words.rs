//! Words of a command that cannot be, and containers that are not there: one line, the exit status
//! that runc gives, and nothing left behind. And what is passed on where nothing is wrong.
//! bad_programs.rs has what cannot be run.

use crate::support::lab::{self, Lab, Runtime};
use crate::support::refusal::{CREATE, Case, RUN, check, leftovers, misses, plain};
use crate::support::write;

#[test]
fn an_absent_container_is_told_by_every_command() {
    lab::enter();
    let says = &["container does not exist"];
    let one = |words| plain(words, says, [1, 1]);
    check(&[
        one(&["state", "@ID@"]),
        one(&["start", "@ID@"]),
        one(&["kill", "@ID@", "KILL"]),
        one(&["delete", "@ID@"]),
        one(&["pause", "@ID@"]),
        one(&["resume", "@ID@"]),
        one(&["update", "--pids-limit", "5", "@ID@"]),
        one(&["ps", "@ID@"]),
        one(&["events", "--stats", "@ID@"]),
        plain(&["exec", "@ID@", "/bin/true"], says, [255, 255]),
        plain(
            &["exec", "--pid-file", "@DIR@/pid", "--detach", "@ID@", "/bin/true"],
            says,
            [255, 255],
        ),
    ]);
}

#[test]
fn words_that_cannot_be_are_told() {
    lab::enter();
    check(&[
        plain(
            &["create", "--bundle", "@DIR@/absent", "@ID@"],
            &["bundle @DIR@/absent: no such file or directory"],
            [1, 1],
        ),
        plain(
            &["run", "--bundle", "@DIR@/absent", "@ID@"],
            &["bundle @DIR@/absent: no such file or directory"],
            [1, 1],
        ),
        plain(
            &["create", "--bundle", "@BUNDLE@/config.json", "@ID@"],
            &["config.json: not a directory"],
            [1, 1],
        ),
        // The current directory is no bundle.
        plain(&["create", "@ID@"], &["open config.json: no such file or directory"], [1, 1]),
        plain(&["create", "--bundle", "@BUNDLE@"], &["usage: ocinit create "], [1, 1]),
        plain(
            &["create", "--bundle", "@BUNDLE@", "@ID@", "word"],
            &["arguments are for --image"],
            [1, 1],
        ),
        plain(
            &["create", "--bundle", "@BUNDLE@", "@ID@/x"],
            &["invalid container ID format"],
            [1, 1],
        ),
        plain(
            &["create", "--bundel", "@BUNDLE@", "@ID@"],
            &["create: no option --bundel; did you mean --bundle?"],
            [1, 1],
        ),
        plain(&["create", "@ID@", "--bundle"], &["--bundle needs a value"], [1, 1]),
        plain(&["state"], &["usage: ocinit state"], [1, 1]),
        plain(&["exec"], &["usage: ocinit exec"], [1, 1]),
        plain(&["exec", "--nonsense", "@ID@"], &["exec: no option --nonsense"], [1, 1]),
        plain(
            &["checkpoint", "@ID@"],
            &["checkpoint: ocinit neither saves containers nor restores them"],
            [1, 1],
        ),
        plain(&["nonsense", "@ID@"], &["unknown command nonsense"], [125, 3]),
        plain(
            &["create", "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/absent/pid", "@ID@"],
            &["pid file @DIR@/absent/pid: no such file"],
            [1, 1],
        ),
        plain(
            &["run", "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/absent/pid", "@ID@"],
            &["pid file @DIR@/absent/pid: no such file"],
            [1, 1],
        ),
        plain(
            &["create", "--bundle", "@BUNDLE@", "--console-socket", "@DIR@/absent", "@ID@"],
            &["console-socket @DIR@/absent: no such file"],
            [1, 1],
        ),
        plain(
            &["create", "--bundle", "@BUNDLE@", "--preserve-fds", "90", "@ID@"],
            &["--preserve-fds: descriptor 3 is not open"],
            [1, 1],
        ),
        plain(
            &["create", "--bundle", "@BUNDLE@", "--preserve-fds", "x", "@ID@"],
            &["--preserve-fds x"],
            [1, 1],
        ),
    ]);
}

#[test]
fn a_terminal_that_has_nowhere_to_go_is_told() {
    lab::enter();
    let of = |words, damage, says| Case {
        patch: r#"{"process": {"terminal": true}}"#,
        damage,
        words,
        says,
        status: [1, 1],
    };
    const TO_SOCKET: &[&str] =
        &["create", "--bundle", "@BUNDLE@", "--console-socket", "@DIR@/console", "@ID@"];
    check(&[
        of(
            CREATE,
            |_| (),
            &["cannot allocate tty if ocinit will detach without setting console socket"],
        ),
        of(TO_SOCKET, |_| (), &["console-socket @DIR@/console: no such file or directory"]),
        of(
            TO_SOCKET,
            |lab| write(&lab.dir.join("console"), ""),
            &["console-socket @DIR@/console: connection refused"],
        ),
        // No process listens there any more.
        of(
            TO_SOCKET,
            |lab| drop(std::os::unix::net::UnixListener::bind(lab.dir.join("console")).unwrap()),
            &["console-socket @DIR@/console: connection refused"],
        ),
    ]);
}

/// A pid file that cannot get its name leaves no part of it either.
#[test]
fn a_pid_file_is_there_whole_or_not_at_all() {
    lab::enter();
    for runtime in [Runtime::Ocinit, Runtime::Runc] {
        let mut lab = Lab::new(runtime);
        lab.script("exec sleep 1000");
        // Options may stand behind the id, too; runc takes them before it alone.
        let words: &[&str] = match runtime {
            Runtime::Ocinit => &["create", "@ID@", "--pid-file", "pid", "--bundle", "b"],
            _ => CREATE,
        };
        let said = lab.call(words);
        assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (0, "", ""), "{runtime:?}");
        // Without an end of line, as callers read it.
        assert_eq!(lab.file("pid"), lab.state().at("pid").show(), "{runtime:?}");
        assert_eq!(lab.start().status, 0);
        let said =
            lab.call(&["exec", "--detach", "--pid-file", "@DIR@/pid", "@ID@", "sleep", "1000"]);
        assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (0, "", ""), "{runtime:?}");
        let pid: u32 = lab.file("pid").parse().unwrap();
        // runc's may not have executed it yet.
        let words = (0..500).find_map(|_| {
            let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(if words.contains("sleep") {
                0
            } else {
                10
            }));
            Some(words).filter(|words| words.contains("sleep"))
        });
        let words = words.expect("it is executed");
        assert!(
            words.contains("sleep") && lab.state().at("pid").show() != pid.to_string(),
            "{runtime:?}"
        );
    }
    let lab = Lab::new(Runtime::Ocinit);
    std::fs::create_dir(lab.dir.join("directory")).unwrap();
    for command in ["create", "run"] {
        let said =
            lab.call(&[command, "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/directory", "@ID@"]);
        let says = lab.fill("write the pid file @DIR@/directory: is a directory");
        assert_eq!((misses(&said, &[says], 1), leftovers(&lab)), Default::default());
        let left = std::fs::read_dir(&lab.dir).unwrap().flatten().map(|entry| entry.file_name());
        assert_eq!(left.filter(|name| name.to_string_lossy().contains("partial")).count(), 0);
    }
    // Files with names like ours belong to the user.
    for name in ["pid.partial", "pid.partial-1"] {
        write(&lab.dir.join(name), "mine");
    }
    assert_eq!(
        lab.call(&["create", "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/pid", "@ID@"]).status,
        0
    );
    assert_eq!(
        (lab.file("pid.partial").as_str(), lab.file("pid.partial-1").as_str()),
        ("mine", "mine")
    );
}

/// An id that is in use is refused, and who has it keeps all that it has.
#[test]
fn a_used_id_is_told_and_its_container_is_as_it_was() {
    lab::enter();
    for runtime in [Runtime::Ocinit, Runtime::Runc] {
        let mut lab = Lab::new(runtime);
        lab.script("exec sleep 1000");
        assert_eq!(lab.call(CREATE).status, 0, "{runtime:?}");
        let before = (lab.state(), lab.file("pid"));
        for words in [CREATE, RUN] {
            let said = lab.call(words);
            match runtime {
                Runtime::Ocinit => assert_eq!(
                    misses(&said, &["container with given ID already exists".into()], 1),
                    ""
                ),
                _ => assert_eq!(said.status, 1),
            }
            assert_eq!((lab.state(), lab.file("pid")), before, "{runtime:?}");
        }
        assert_eq!((lab.start().status, lab.status().as_str()), (0, "running"), "{runtime:?}");
        assert!(lab.cgroup().exists());
    }
}

#[test]
fn run_passes_streams_and_the_status_on_as_runc_does() {
    lab::enter();
    for runtime in [Runtime::Ocinit, Runtime::Runc] {
        let mut lab = Lab::new(runtime);
        // Not as process 1 of a pid namespace, which a signal of its own does not end.
        lab.merge(
            r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "ipc"}]}}"#,
        );
        lab.input = "one\ntwo\n".into();
        for (script, status, out, err) in [
            ("exit 0", 0, "", ""),
            ("exit 3", 3, "", ""),
            ("exit 255", 255, "", ""),
            ("kill -KILL $$", 137, "", ""),
            ("kill -TERM $$", 143, "", ""),
            ("kill -SEGV $$", 139, "", ""),
            (
                "tac=; while read -r line; do tac=\"$line $tac\"; done; echo $tac; echo error >&2",
                0,
                "two one\n",
                "error\n",
            ),
        ] {
            lab.script(script);
            let said = lab.run();
            let said = (said.status, said.out.as_str(), said.err.as_str());
            assert_eq!(said, (status, out, err), "{runtime:?}: {script}");
            assert_eq!(leftovers(&lab), "", "{runtime:?}: {script}");
        }
        lab.script("exec sleep 1000");
        assert_eq!((lab.create().status, lab.start().status), (0, 0));
        for (script, status) in [("exit 4", 4), ("kill -KILL $$", 137), ("kill -HUP $$", 129)] {
            let said = lab.call(&["exec", "@ID@", "/bin/sh", "-c", script]);
            assert_eq!((said.status, said.err.as_str()), (status, ""), "{runtime:?}: {script}");
        }
        assert_eq!(lab.call(&["exec", "@ID@", "cat"]).out, lab.input, "{runtime:?}");
    }
}
