//! Escapes by a race: a container with CAP_SYS_PTRACE takes fds, directories, capabilities and
//! secrets of a process that enters its pid namespace, or uses it before it has a filter. The short
//! form takes seconds; `make test-escapes` sets `OCINIT_ESCAPES=long`.

use std::path::PathBuf;
use std::process::Command;

use crate::support;
use crate::support::copy_program;
use crate::support::lab::{self, Lab, Runtime, done};

/// Returns root's container with a waiting thief.
fn thief() -> Lab {
    let mut lab = Lab::new(Runtime::Ocinit);
    let source = support::project().join("tests/all/support/thief.c");
    let built = Command::new("gcc")
        .args(["-O2", "-static", "-o"])
        .arg(lab.rootfs.join("bin/thief"))
        .arg(source)
        .status();
    assert!(built.expect("gcc").success());
    for place in [lab.dir.clone(), lab.state.clone(), lab.bundle.clone(), PathBuf::from(lab::PLACE)]
    {
        std::fs::write(place.join("secret-of-the-host"), "SECRET\n").unwrap();
    }
    let all = r#"["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_KILL", "CAP_AUDIT_WRITE",
        "CAP_NET_BIND_SERVICE"]"#;
    lab.merge(&format!(
        r#"{{"process": {{"capabilities": {{"bounding": {all}, "effective": {all}, "permitted": {all}}}}}}}"#
    ));
    lab.merge(&guarded(false));
    lab.script("exec /bin/thief >/tmp/stolen 2>&1");
    // Its cgroup has its limits; whether it is visible is not the subject.
    done(&lab.call(&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]));
    assert_eq!(lab.wait_for_file("b/rootfs/tmp/stolen"), "ready\n");
    lab
}

/// Returns a config with a filter, and with a hook whose environment is the host's secret.
fn guarded(no_new_privs: bool) -> String {
    format!(
        r#"{{"process": {{"noNewPrivileges": {no_new_privs}}},
            "hooks": {{"poststop": [{{"path": "/bin/true", "env": ["A={WORD}"]}}]}},
            "linux": {{"seccomp": {{"defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}}]}}}}}}"#
    )
}

/// See thief.c.
const WORD: &str = "WORD-OF-THE-HOST";

/// Calls the runtime with a secret in its environment.
fn call(lab: &Lab, words: &[&str]) -> lab::Said {
    lab.finish(lab.command(words).env("A_SECRET", WORD))
}

/// Returns what the thief got of the host.
fn stolen(lab: &Lab) -> String {
    let text = lab.file("b/rootfs/tmp/stolen");
    text.lines().filter(|line| *line != "ready").map(|line| format!("{line}\n")).collect()
}

/// The thief does see a process with the host's root. If not, this test would prove nothing.
#[track_caller]
fn the_thief_takes_what_it_can(lab: &Lab) {
    let pid = lab.state().at("pid").show();
    for _ in 0..20 {
        let enter = ["-t", &pid, "-p", "sleep", "0.05"];
        assert!(
            Command::new("nsenter")
                .args(enter)
                .current_dir(&lab.dir)
                .status()
                .expect("nsenter")
                .success()
        );
        if stolen(lab).contains("SECRET") {
            return;
        }
    }
    panic!("the thief does not see who comes in: {}", stolen(lab));
}

/// `exec`: without the fix the thief gets the caller's directory, the state's root and the cgroup
/// within ten turns.
#[test]
fn exec_gives_nothing_to_who_waits_for_it() {
    lab::enter();
    let lab = thief();
    for turn in 0..lab::turns(60, 3000) {
        let said = match turn % 3 {
            0 => call(&lab, &["exec", "@ID@", "/bin/true"]),
            1 => call(&lab, &["exec", "-d", "@ID@", "/bin/true"]),
            _ => call(&lab, &["exec", "--user", "1000:1000", "@ID@", "/bin/true"]),
        };
        assert!(said.status != -1, "it hangs: {said:?}");
        assert_eq!(stolen(&lab), "", "after {turn} turns");
    }
    the_thief_takes_what_it_can(&lab);
}

/// A new container joins another's pid namespace, as in a pod. Without the fix the other gets the
/// host's root, the bundle and the state of one in ten. The new one works as ever, and sees the
/// other's processes.
#[test]
fn a_new_container_in_a_joined_pid_namespace_gives_nothing() {
    lab::enter();
    let thief = thief();
    let pid = thief.state().at("pid").show();
    let other = |turn: u32| {
        let mut lab = Lab::new(Runtime::Ocinit);
        lab.merge(&guarded(turn % 4 < 2));
        std::fs::write(lab.dir.join("secret-of-the-host"), "SECRET\n").unwrap();
        lab.merge(&format!(
            r#"{{"linux": {{"namespaces": [{{"type": "pid", "path": "/proc/{pid}/ns/pid"}}, {{"type": "mount"}},
                    {{"type": "ipc"}}, {{"type": "uts"}}]}},
                "hooks": {{"createRuntime": [{{"path": "/bin/true"}}]}}}}"#
        ));
        // The process keeps its config for startContainer hooks: the secret is not in this one.
        if turn % 8 < 4 {
            lab.merge(r#"{"hooks": {"poststop": [], "startContainer": [{"path": "/bin/true"}]}}"#);
        }
        lab
    };
    for turn in 0..lab::turns(30, 1500) {
        let mut lab = other(turn);
        lab.script(
            "cat /proc/1/comm; read -r pid rest </proc/self/stat; [ $pid -gt 1 ] && hostname",
        );
        let said = match turn % 2 {
            0 => call(&lab, &["run", "--bundle", "@BUNDLE@", "@ID@"]),
            _ => {
                done(&call(&lab, &["create", "--bundle", "@BUNDLE@", "@ID@"]));
                assert_eq!(lab.status(), "created");
                call(&lab, &["start", "@ID@"])
            }
        };
        assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
        if turn % 2 == 0 {
            assert_eq!(said.out, "thief\nbox\n");
        }
        let taken: String = stolen(&thief).lines().filter(|line| !is_its_own(line)).collect();
        assert_eq!(taken, "", "after {turn} turns");
    }
    the_thief_takes_what_it_can(&thief);
}

/// Returns whether a line names what a tracer may have: the program's own files, root, directory
/// and streams, or its hooks'. (The host's root has the same name, but leads to the secret.)
fn is_its_own(line: &str) -> bool {
    // A shell keeps its standard streams under other numbers for a time.
    let is_given = [".in", ".out", ".err"]
        .iter()
        .any(|end| line.trim_end_matches(" (deleted)").ends_with(end));
    let is_hosts = line.contains(lab::PLACE) || line.contains("/sys/fs/cgroup");
    !line.contains("SECRET") && (is_given || !is_hosts)
}

/// The same with user namespaces: root, and the user who made it, join the pod's.
#[test]
fn a_new_container_joins_the_pid_namespace_of_a_user_namespace() {
    use std::os::unix::process::CommandExt;
    lab::enter();
    for user in [0, 1234] {
        let (host, size) = if user == 0 { (100_000, 65_536) } else { (user, 1) };
        let made = |namespaces: &str, maps: bool, script: &str| {
            let mut lab = Lab::new(Runtime::Ocinit);
            lab.merge(&format!(
                r#"{{"linux": {{"cgroupsPath": null, "namespaces": [{namespaces}]}}}}"#
            ));
            if maps {
                let map = format!(r#"[{{"containerID": 0, "hostID": {host}, "size": {size}}}]"#);
                lab.merge(&format!(
                    r#"{{"linux": {{"uidMappings": {map}, "gidMappings": {map}}}}}"#
                ));
            }
            for place in [
                &lab.dir,
                &lab.state,
                &lab.bundle,
                &lab.rootfs,
                &lab.rootfs.join("dev"),
                &lab.rootfs.join("tmp"),
            ] {
                std::os::unix::fs::chown(place, Some(host), Some(host)).unwrap();
            }
            if user != 0 {
                std::os::unix::fs::chown(&lab.state, Some(user), Some(user)).unwrap();
            }
            lab.script(script);
            copy_program(Runtime::Ocinit.program(), &lab.dir.join("ocinit"));
            lab
        };
        let call = |lab: &Lab, words: &[&str]| {
            let mut command = Command::new(lab.dir.join("ocinit"));
            command
                .arg("--root")
                .arg(&lab.state)
                .args(words.iter().map(|word| lab.fill(word)))
                .current_dir(&lab.dir);
            if user != 0 {
                command.uid(user).gid(user);
            }
            lab.finish(&mut command)
        };
        let own = r#"{"type": "user"}, {"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}"#;
        let first = made(own, true, "exec sleep 1000");
        done(&call(&first, &["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]));
        let said = call(&first, &["state", "@ID@"]);
        let pid = support::json::Json::parse(&said.out).at("pid").show();
        let joined = format!(
            r#"{{"type": "user", "path": "/proc/{pid}/ns/user"}}, {{"type": "pid", "path": "/proc/{pid}/ns/pid"}},
                {{"type": "mount"}}, {{"type": "ipc"}}, {{"type": "uts"}}"#
        );
        let second = made(&joined, false, "cat /proc/1/comm");
        let said = call(&second, &["run", "--bundle", "@BUNDLE@", "@ID@"]);
        assert_eq!(said.show(), "sleep\n", "{user}: {said:?}");
        call(&first, &["delete", "-f", "@ID@"]);
    }
}
