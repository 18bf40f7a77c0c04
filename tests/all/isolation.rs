//! A container's view of its caller and the host, and its leftovers, from reading the runtime as an
//! attacker does.

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::support;
use crate::support::copy_program;
use crate::support::lab::{self, Lab, Runtime, done, launch, refused, sleeper};

#[test]
fn no_path_that_is_executed_leads_through_a_descriptor_of_ours() {
    // CVE-2024-21626: the program is found by the kernel before close-on-exec.
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    copy_program(lab.rootfs.join("bin/busybox"), &lab.dir.join("busybox"));
    let way = |number: u32| format!("/proc/self/fd/{number}/../../../../../../..@DIR@/busybox");
    for number in 3..20 {
        lab.merge(&format!(r#"{{"process": {{"args": ["{}", "echo", "out"]}}}}"#, way(number)));
        let said = lab.run();
        assert!(said.status != 0 && said.out.is_empty(), "{number}: {said:?}");
    }
    lab.script("exec sleep 1000");
    launch(&lab);
    for number in 3..20 {
        let said = lab.call(&["exec", "@ID@", &way(number), "echo", "out"]);
        assert!(said.status != 0 && said.out.is_empty(), "{number}: {said:?}");
    }
    done(&lab.call(&["delete", "-f", "@ID@"]));
}

#[test]
fn who_waits_for_the_start_has_nothing_of_the_host_open() {
    lab::enter();
    let lab = sleeper(Runtime::Ocinit);
    done(&lab.create());
    let pid = lab.state().at("pid").show();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors") {
        let entry = entry.expect("a descriptor");
        let number: u32 =
            entry.file_name().to_str().and_then(|name| name.parse().ok()).expect("a number");
        let target = std::fs::read_link(entry.path()).expect("what it is");
        let target = target.to_string_lossy();
        // A memory file and the descriptors of who runs this test are not ours.
        let ours = target.starts_with("socket:") || target.starts_with("anon_inode:");
        assert!(number < 3 || ours, "{number}: {target}");
    }
    done(&lab.call(&["delete", "-f", "@ID@"]));
}

#[test]
fn only_descriptors_that_were_given_are_preserved() {
    lab::enter();
    let lab = sleeper(Runtime::Ocinit);
    // None is open from 3 up but ours.
    let said = lab.call(&["run", "--preserve-fds", "1", "--bundle", "@BUNDLE@", "@ID@"]);
    refused(&lab, &said, "--preserve-fds: descriptor 3 is not open");
    assert_eq!(lab.status(), "absent");
}

#[test]
fn a_poststop_hook_that_fails_keeps_neither_the_others_nor_the_container() {
    lab::enter();
    let mut lab = sleeper(Runtime::Ocinit);
    let hook = |words: &str| format!(r#"{{"path": "/bin/sh", "args": ["sh", "-c", "{words}"]}}"#);
    lab.merge(&format!(
        r#"{{"hooks": {{"createRuntime": [{}], "poststop": [{}, {}]}}}}"#,
        hook("exit 3"),
        hook("exit 4"),
        hook("[ -d @STATE@/@ID@ ] || echo after >> @DIR@/hooks")
    ));
    let said = lab.create();
    refused(
        &lab,
        &said,
        "error running createRuntime hook #0: exit status 3, output: ; error running poststop hook #0: exit status 4",
    );
    assert_eq!((lab.status().as_str(), lab.wait_for_file("hooks").as_str()), ("absent", "after\n"));
}

#[test]
fn hooks_have_the_callers_umask() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.merge(
        r#"{"hooks": {"createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "umask > @DIR@/umask"]}]},
            "process": {"args": ["true"]}}"#,
    );
    let mut command = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
    // SAFETY: umask touches no memory.
    unsafe {
        command.pre_exec(|| {
            libc::umask(0o027);
            Ok(())
        })
    };
    done(&lab.finish(&mut command));
    assert_eq!(lab.wait_for_file("umask"), "0027\n");
}

#[test]
fn output_that_nobody_reads_any_more_does_not_end_a_terminals_process() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.script("echo one; while [ ! -e /tmp/go ]; do sleep 0.01; done; echo two; sleep 0.1; echo three; exit 3");
    lab.merge(r#"{"process": {"terminal": true}}"#);
    let mut command = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("run");
    assert_eq!(lab.wait_for("running"), "running");
    drop(child.stdout.take());
    std::fs::write(lab.rootfs.join("tmp/go"), "").expect("go");
    assert_eq!(child.wait().expect("its end").code(), Some(3));
    assert_eq!(lab.status(), "absent");
}

#[test]
fn a_namespace_of_another_kind_is_an_error_whichever_was_wanted() {
    lab::enter();
    for (kind, path) in [
        ("user", "/etc/passwd"),
        ("user", "/proc/self/ns/net"),
        ("network", "/proc/self/ns/uts"),
        ("pid", "/proc/self/ns/user"),
        ("uts", "/etc/passwd"),
    ] {
        let mut lab = Lab::new(Runtime::Ocinit);
        lab.script("id");
        lab.merge(&format!(
            r#"{{"hostname": null, "linux": {{"namespaces": [{{"type": "mount"}}, {{"type": "{kind}", "path": "{path}"}}]}}}}"#
        ));
        let said = lab.run();
        refused(&lab, &said, &format!("join namespace {path}: not of the type it is given for"));
        assert_eq!(said.out, "", "{kind}");
    }
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.script("echo the same");
    lab.merge(r#"{"hostname": null, "linux": {"namespaces": [{"type": "mount"}, {"type": "user", "path": "/proc/self/ns/user"}]}}"#);
    assert_eq!(lab.run().show(), "the same\n");
}

#[test]
fn an_ordinary_user_adds_a_process_before_the_start() {
    lab::enter();
    const USER: u32 = 1234;
    let mut lab = sleeper(Runtime::Ocinit);
    lab.merge(
        r#"{"linux": {"cgroupsPath": null,
            "namespaces": [{"type": "user"}, {"type": "mount"}, {"type": "pid"}, {"type": "ipc"}, {"type": "uts"}],
            "uidMappings": [{"containerID": 0, "hostID": 1234, "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": 1234, "size": 1}]}}"#,
    );
    for place in [&lab.state, &lab.rootfs, &lab.rootfs.join("dev")] {
        std::os::unix::fs::chown(place, Some(USER), Some(USER)).expect("chown");
    }
    // Other users may lack access to the project's directory.
    let program = lab.dir.join("ocinit");
    copy_program(lab.runtime.program(), &program);
    let call = |words: &[&str]| {
        let mut command = std::process::Command::new(&program);
        command.arg("--root").arg(&lab.state).args(words.iter().map(|word| lab.fill(word)));
        lab.finish(command.current_dir(&lab.dir).uid(USER).gid(USER))
    };
    done(&call(&["create", "--bundle", "@BUNDLE@", "@ID@"]));
    for status in ["created", "running"] {
        let said = call(&["state", "@ID@"]);
        assert!(said.out.contains(&format!("\"status\": \"{status}\"")), "{said:?}");
        // Root reads no state of another user's.
        refused(
            &lab,
            &lab.call(&["state", "@ID@"]),
            "it belongs to user 1234, and the caller is 0",
        );
        assert_eq!(
            call(&["exec", "@ID@", "sh", "-c", "id -u; echo $$ >&2"]).show(),
            "0\n",
            "{status}"
        );
        if status == "created" {
            done(&call(&["start", "@ID@"]));
        }
    }
    done(&call(&["delete", "-f", "@ID@"]));
}

#[test]
fn the_bundle_of_an_image_is_ours_alone_and_goes_whatever_fails() {
    lab::enter();
    let lab = Lab::new(Runtime::Ocinit);
    let place = lab.dir.join("bundles");
    std::fs::create_dir(&place).expect("bundles");
    let image = support::images::busybox_layout();
    let image = image.to_str().expect("UTF-8");
    let run = |words: &str| {
        let words: Vec<_> = words.split(' ').collect();
        lab.finish(lab.command(&words).env("TMPDIR", &place))
    };
    let kept = || std::fs::read_dir(&place).expect("bundles").count();
    done(&run(&format!("run --image {image} @ID@ true")));
    assert_eq!(kept(), 0);
    let said = run(&format!("create --tty --image {image} @ID@"));
    assert!(said.status == 125 && said.err.contains("cannot allocate tty"), "{said:?}");
    assert_eq!(kept(), 0);
    // Its name cannot be guessed, and differs each time.
    let mut names = Vec::new();
    for _ in 0..2 {
        done(&run(&format!("create --image {image} @ID@")));
        names.extend(
            std::fs::read_dir(&place)
                .expect("bundles")
                .map(|entry| entry.expect("a bundle").file_name()),
        );
        done(&run("delete @ID@"));
    }
    assert!(names.len() == 2 && names[0] != names[1] && kept() == 0, "{names:?}");
}

#[test]
fn a_filter_older_than_our_system_calls_stops_neither_the_process_nor_its_hooks() {
    // As docker's profiles have it for what they do not know, in a process that may gain
    // privileges: loaded early.
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.script("echo ran");
    lab.merge(
        r#"{"process": {"noNewPrivileges": false},
            "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
                [{"names": ["clone3", "close_range"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}},
            "hooks": {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo hook >> /tmp/hooks"]}]}}"#,
    );
    let said = lab.run();
    assert_eq!(said.show(), "ran\n", "{said:?}");
    assert_eq!(std::fs::read_to_string(lab.rootfs.join("tmp/hooks")).unwrap_or_default(), "hook\n");
}

/// A container has a session keyring of its own, unless its caller says otherwise; exec makes
/// another.
#[test]
fn the_callers_keyring_is_kept_only_where_that_is_asked_for() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    let made = |lab: &Lab, words: &[&str]| {
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "-e", "trace=keyctl", "-o"]).arg(lab.dir.join("trace"));
        let called = lab.command(words);
        command.arg(called.get_program()).args(called.get_args()).current_dir(&lab.dir);
        done(&lab.finish(&mut command));
        lab.file("trace").contains("KEYCTL_JOIN_SESSION_KEYRING")
    };
    lab.script("true");
    assert!(!made(&lab, &["run", "--no-new-keyring", "--bundle", "@BUNDLE@", "@ID@"]));
    assert!(made(&lab, &["run", "--bundle", "@BUNDLE@", "@ID@"]));
    lab.script("exec sleep 1000");
    launch(&lab);
    assert!(made(&lab, &["exec", "@ID@", "true"]));
    done(&lab.call(&["delete", "-f", "@ID@"]));
}
