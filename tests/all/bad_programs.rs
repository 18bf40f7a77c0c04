//! Programs and images that cannot be run: one line in the words that clients look for, runc's exit
//! status, and no leftovers.

use crate::support::images::Layer;
use crate::support::lab::{self, Lab, Runtime};
use crate::support::refusal::{CREATE, Case, RUN, check, leftovers, misses};
use crate::support::{Image, Layout, Tar, busybox, read, write};

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
