//! Words of a command that cannot be, containers that are not there, programs and images that
//! cannot be run: one line, the exit status that runc gives, and nothing left behind. And what is
//! passed on where nothing is wrong.

use crate::support::images::Layer;
use crate::support::lab::{self, Lab, Runtime};
use crate::support::refusal::{CREATE, Case, RUN, check, leftovers, misses, plain};
use crate::support::{Image, Layout, Tar, busybox, read, write};

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
        // Nobody listens there any more.
        of(
            TO_SOCKET,
            |lab| drop(std::os::unix::net::UnixListener::bind(lab.dir.join("console")).unwrap()),
            &["console-socket @DIR@/console: connection refused"],
        ),
    ]);
}

/// `[create, run]` of a command, and the statuses of both of ours.
fn command(args: &'static str, says: &'static [&'static str], status: i32) -> [Case; 2] {
    [CREATE, RUN].map(|words| Case {
        patch: args,
        damage: no_programs,
        words,
        says,
        status: [status, 1],
    })
}

/// Files that cannot be executed.
fn no_programs(lab: &Lab) {
    use std::os::unix::fs::PermissionsExt;
    for (name, mode, text) in
        [("plain", 0o644, "#!/bin/sh\n"), ("script", 0o755, "#!/absent\n"), ("data", 0o755, "data")]
    {
        let path = lab.rootfs.join(name);
        write(&path, text);
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }
}

/// The words are those that docker, containerd and podman look for; runc's status is 1.
#[test]
fn a_command_that_cannot_be_executed_is_told_in_the_words_that_callers_know() {
    lab::enter();
    let cases = [
        command(
            r#"{"process": {"args": ["absent"]}}"#,
            &["exec: \"absent\": executable file not found in $PATH"],
            1,
        ),
        command(
            r#"{"process": {"args": [""]}}"#,
            &["exec: \"\": executable file not found in $PATH"],
            1,
        ),
        command(
            r#"{"process": {"args": ["/absent"]}}"#,
            &["exec: \"/absent\": stat /absent: no such file or directory"],
            1,
        ),
        command(
            r#"{"process": {"args": ["/bin"]}}"#,
            &["exec: \"/bin\": ", "permission denied"],
            1,
        ),
        command(
            r#"{"process": {"args": ["/plain"]}}"#,
            &["exec: \"/plain\": permission denied"],
            1,
        ),
        command(
            r#"{"process": {"args": ["/plain/x"]}}"#,
            &["exec: \"/plain/x\": ", "not a directory"],
            1,
        ),
        command(
            r#"{"process": {"cwd": "/plain"}}"#,
            &["working directory /plain: not a directory"],
            1,
        ),
    ];
    check(cases.iter().flatten());
    // These are seen only when they are executed: by `run` and `start`.
    for (args, says, status) in [
        (r#"["/script"]"#, "exec /script: its interpreter /absent: no such file or directory", 1),
        (r#"["/data"]"#, "exec /data: exec format error", 1),
    ] {
        let mut lab = Lab::new(Runtime::Ocinit);
        lab.merge(&format!(r#"{{"process": {{"args": {args}}}}}"#));
        no_programs(&lab);
        assert_eq!(
            (misses(&lab.run(), &[says.into()], status), leftovers(&lab)),
            Default::default()
        );
        assert_eq!(lab.create().status, 0);
        let said = lab.start();
        assert!(
            said.status != 0 && misses(&said, &[says.into()], said.status).is_empty(),
            "{said:?}"
        );
        assert_eq!(lab.wait_for("stopped"), "stopped");
        assert_eq!(lab.call(&["delete", "@ID@"]).status, 0);
        assert_eq!(leftovers(&lab), "");
    }
}

#[test]
fn an_exec_that_fails_has_status_255_and_the_container_lives_on() {
    lab::enter();
    let rows: [(&[&str], &str, [i32; 2]); 19] = [
        (&["@ID@", "absent"], "exec: \"absent\": executable file not found in $PATH", [255, 255]),
        (
            &["@ID@", "/absent"],
            "exec: \"/absent\": stat /absent: no such file or directory",
            [255, 255],
        ),
        (&["@ID@", "/bin"], "permission denied", [255, 255]),
        (&["@ID@", "/plain"], "exec: \"/plain\": permission denied", [255, 255]),
        (
            &["@ID@", "/script"],
            "exec /script: its interpreter /absent: no such file or directory",
            [255, 1],
        ),
        (&["@ID@", "/data"], "exec /data: exec format error", [255, 1]),
        (&["@ID@"], "exec: no command given", [255, 255]),
        (&["--cwd", "/absent", "@ID@", "true"], "/absent: no such file or directory", [255, 255]),
        (&["--user", "nobody", "@ID@", "true"], "--user nobody", [255, 255]),
        (&["--user", "4294967295", "@ID@", "true"], "--user 4294967295", [255, 255]),
        (
            &["--process", "@DIR@/absent", "@ID@"],
            "open @DIR@/absent: no such file or directory",
            [255, 255],
        ),
        (
            &["--process", "@DIR@/torn", "@ID@"],
            "process @DIR@/torn: invalid JSON at byte ",
            [255, 255],
        ),
        (
            &["--process", "@DIR@/wrong", "@ID@"],
            "process @DIR@/wrong: args: not an array",
            [255, 255],
        ),
        (&["--process", "@DIR@/no-args", "@ID@"], "process @DIR@/no-args: args", [255, 255]),
        (
            &["--tty", "--detach", "@ID@", "true"],
            "cannot allocate tty if ocinit will detach",
            [255, 255],
        ),
        (
            &["--console-socket", "@DIR@/absent", "-t", "-d", "@ID@", "true"],
            "@DIR@/absent: no such file or directory",
            [255, 255],
        ),
        (
            &["--pid-file", "@DIR@/absent/pid", "@ID@", "sleep", "1000"],
            "@DIR@/absent/pid: no such file or directory",
            [255, 255],
        ),
        (&["--preserve-fds", "90", "@ID@", "true"], "--preserve-fds: descriptor ", [255, 255]),
        (
            &["--pid-file", "@DIR@", "@ID@", "sleep", "1000"],
            "write the pid file @DIR@: ",
            [255, 255],
        ),
    ];
    let mut missed = String::new();
    for runtime in [Runtime::Ocinit, Runtime::Runc] {
        let mut lab = Lab::new(runtime);
        lab.script("exec sleep 1000");
        no_programs(&lab);
        write(&lab.dir.join("torn"), r#"{"args": ["true"], "cwd""#);
        write(&lab.dir.join("wrong"), r#"{"args": "true", "cwd": "/"}"#);
        write(&lab.dir.join("no-args"), r#"{"cwd": "/"}"#);
        assert_eq!((lab.create().status, lab.start().status), (0, 0));
        for (words, says, status) in rows {
            let said = lab.call(&[&["exec"], words].concat());
            match runtime {
                Runtime::Ocinit => missed.push_str(&misses(&said, &[lab.fill(says)], status[0])),
                _ if said.status != status[1] => {
                    missed.push_str(&format!("runc, not {}: {words:?} {said:?}\n", status[1]))
                }
                _ => {}
            }
        }
        let procs = std::fs::read_to_string(lab.cgroup().join("cgroup.procs")).unwrap();
        assert_eq!((procs.lines().count(), lab.status().as_str()), (1, "running"), "{runtime:?}");
        assert!(!lab.dir.with_extension("partial").exists());
    }
    assert!(missed.is_empty(), "\n{missed}");
}

/// Layouts in the lab: a good one, and some that are damaged.
fn images(lab: &Lab) {
    let of = |name: &str, image: Image| {
        let mut layout = Layout::create(&lab.dir.join(name));
        let stored = image.add(&mut layout, "latest");
        layout.write_index();
        (layout, stored)
    };
    of("good", busybox());
    of("no-command", busybox().config(r#""Cmd":["absent"],"Env":["PATH=/bin"]"#));
    of("no-user", busybox().config(r#""Cmd":["sh"],"User":"absent""#));
    let (layout, stored) =
        of("damaged", busybox().layer(Layer::plain(Tar::new().file("last", 0o644, "text"))));
    let path = layout.path(&stored.layers[1].digest);
    let mut bytes = read(&path);
    bytes[512] ^= 1;
    write(&path, bytes);
    let (layout, stored) = of("no-layer", busybox());
    std::fs::remove_file(layout.path(&stored.layers[0].digest)).unwrap();
    let (layout, _) = of("torn", busybox());
    let index = read(&layout.directory.join("index.json"));
    write(&layout.directory.join("index.json"), &index[..index.len() / 2]);
    std::fs::create_dir(lab.dir.join("tmp")).unwrap();
}

#[test]
fn an_image_that_cannot_be_run_leaves_no_bundle() {
    lab::enter();
    let lab = Lab::new(Runtime::Ocinit);
    images(&lab);
    write(&lab.dir.join("file"), "no socket");
    let rows: [(&[&str], &str, i32); 12] = [
        (&["--image", "@DIR@/absent", "@ID@"], "@DIR@/absent", 125),
        (&["--image", "@DIR@/good", "--ref", "none", "@ID@"], "none", 125),
        (&["--image", "@DIR@/good", "--platform", "linux/s390x", "@ID@"], "s390x", 125),
        (&["--image", "@DIR@/torn", "@ID@"], "index.json", 125),
        (&["--image", "@DIR@/no-layer", "@ID@"], ": missing", 125),
        (&["--image", "@DIR@/damaged", "@ID@"], "digest", 125),
        (&["--image", "@DIR@/no-user", "@ID@"], "absent", 125),
        (
            &["--image", "@DIR@/no-command", "@ID@"],
            "exec: \"absent\": executable file not found in $PATH",
            127,
        ),
        (&["--image", "@DIR@/good", "@ID@", "/bin"], "permission denied", 126),
        (
            &["--image", "@DIR@/good", "--pid-file", "@DIR@/absent/pid", "@ID@"],
            "@DIR@/absent/pid: no such file or directory",
            125,
        ),
        (
            &["--image", "@DIR@/good", "--console-socket", "@DIR@/file", "@ID@"],
            "@DIR@/file: connection refused",
            125,
        ),
        (&["--image", "@DIR@/good", "--bundle", "@BUNDLE@", "@ID@"], "--image and --bundle", 125),
    ];
    let mut missed = String::new();
    let mut try_it = |words: &[&str], says: &str, status: i32| {
        let said = lab.finish(lab.command(words).env("TMPDIR", lab.dir.join("tmp")));
        missed.push_str(&misses(&said, &[lab.fill(says)], status));
        let left: Vec<_> = std::fs::read_dir(lab.dir.join("tmp"))
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        let more = leftovers(&lab);
        if !left.is_empty() || !more.is_empty() {
            missed.push_str(&format!("{words:?} left {left:?} {more}\n"));
            left.into_iter().for_each(|path| std::fs::remove_dir_all(path).unwrap());
        }
    };
    for (words, says, status) in rows {
        for command in ["run", "create"] {
            try_it(&[&[command], words].concat(), says, status);
        }
    }
    // Its configuration can be had, and is refused for its terminal.
    try_it(&["create", "--image", "@DIR@/good", "--tty", "@ID@"], "cannot allocate tty", 125);
    assert!(missed.is_empty(), "\n{missed}");
    // What the checks above see where it is not refused.
    let said = lab.finish(
        lab.command(&["create", "--image", "@DIR@/good", "@ID@"])
            .env("TMPDIR", lab.dir.join("tmp")),
    );
    assert_eq!(
        (said.status, said.err.as_str(), std::fs::read_dir(lab.dir.join("tmp")).unwrap().count()),
        (0, "", 1)
    );
    assert_ne!(leftovers(&lab), "");
    let said = lab.call(&["create", "--image", "@DIR@/good", "@ID@"]);
    assert_eq!(misses(&said, &["container with given ID already exists".into()], 125), "");
    assert_eq!(lab.status(), "created");
    assert_eq!(lab.call(&["delete", "--force", "@ID@"]).status, 0);
    assert_eq!(
        (leftovers(&lab), std::fs::read_dir(lab.dir.join("tmp")).unwrap().count()),
        (String::new(), 0)
    );
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
