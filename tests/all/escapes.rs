//! Published escapes from runc, crun, youki and others, tried on ocinit: files, fds and rights
//! within reach of a container. Each test states the result without the fix. See escapes_links.rs,
//! too.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support;
use crate::support::copy_program;
use crate::support::lab::{self, Lab, Runtime, Said};

fn lab() -> Lab {
    lab::enter();
    Lab::new(Runtime::Ocinit)
}

const SLEEPS: &str = r#"{"process": {"args": ["/bin/sleep", "1000"]}}"#;

#[track_caller]
fn begin(lab: &Lab) {
    for said in [lab.create(), lab.start()] {
        assert_eq!(said.status, 0, "{}", said.err);
    }
}

/// A copy of the binary, so that a test which succeeds in writing to it harms nothing else.
fn own_copy(lab: &Lab) -> PathBuf {
    let copy = lab.dir.join("ocinit");
    copy_program(Runtime::Ocinit.program(), &copy);
    copy
}

/// The command of a lab, by another binary.
fn by(binary: &Path, lab: &Lab, words: &[&str]) -> Said {
    let told = lab.command(words);
    let mut command = Command::new(binary);
    command.args(told.get_args()).current_dir(&lab.dir);
    lab.finish(&mut command)
}

/// A process of root's with every capability, and a `/proc` where it may do all that it likes.
const PRIVILEGED: &str = r#"{"process": {"noNewPrivileges": false, "capabilities": {
    "bounding": ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_CHOWN", "CAP_FOWNER", "CAP_KILL", "CAP_MKNOD"],
    "effective": ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_CHOWN", "CAP_FOWNER", "CAP_KILL", "CAP_MKNOD"],
    "permitted": ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_CHOWN", "CAP_FOWNER", "CAP_KILL", "CAP_MKNOD"]}}}"#;

/// CVE-2019-5736: the image's program is a link to /proc/self/exe, so that the runtime executes
/// itself in the container; a library or script then opens the runtime for writing. Without the fix
/// the binary on the host has other bytes, or the program that was started is the runtime's file
/// itself (its device and inode).
#[test]
fn the_runtime_cannot_be_overwritten_through_proc_self_exe() {
    let mut lab = lab();
    let binary = own_copy(&lab);
    let before = std::fs::read(&binary).unwrap();
    lab.merge(PRIVILEGED).merge(r#"{"process": {"args": ["/proc/self/exe", "--version"]}}"#);
    by(&binary, &lab, &["run", "--bundle", "@BUNDLE@", "@ID@"]);
    assert!(std::fs::read(&binary).unwrap() == before, "the binary was changed");

    // A script whose interpreter is the runtime.
    std::fs::write(lab.rootfs.join("bin/script"), "#!/proc/self/exe\n").unwrap();
    std::fs::set_permissions(lab.rootfs.join("bin/script"), PermissionsExt::from_mode(0o755))
        .unwrap();
    lab.merge(r#"{"process": {"args": ["/bin/script"]}}"#);
    by(&binary, &lab, &["run", "--bundle", "@BUNDLE@", "@ID@"]);
    assert!(std::fs::read(&binary).unwrap() == before, "the binary was changed");
}

/// The same from the inside: a process waits for what `exec` brings in and opens /proc/PID/exe of
/// it for writing, again and again. Without the fix one of a hundred finds the runtime's file
/// there, and writes to it when the runtime has ended.
#[test]
fn the_runtime_cannot_be_overwritten_by_who_waits_for_an_exec() {
    let mut lab = lab();
    let binary = own_copy(&lab);
    let before = std::fs::read(&binary).unwrap();
    let inode = std::fs::metadata(&binary).unwrap().ino();
    // It is busy as long as it is executed: what is open for reading is opened again for writing
    // until it is free.
    let watcher = "cd /proc; echo ready >/tmp/ready; while :; do for p in [0-9]*; do [ $p = 1 ] && continue; \
        i=$(stat -L -c %i $p/exe 2>/dev/null); [ \"$i\" = INODE ] || continue; echo \"$p\" >>/tmp/seen; \
        ( exec 7<$p/exe || exit; n=0; while [ $n -lt 30 ]; do echo x >/proc/self/fd/7 && echo wrote >>/tmp/seen && exit; \
        n=$((n+1)); sleep 0.002; done ) 2>/dev/null; done; done";
    lab.merge(PRIVILEGED).script(&watcher.replace("INODE", &inode.to_string()));
    assert_eq!(by(&binary, &lab, &["run", "--detach", "--bundle", "@BUNDLE@", "@ID@"]).status, 0);
    lab.wait_for_file("b/rootfs/tmp/ready");
    for _ in 0..lab::turns(40, 2000) {
        let said = by(&binary, &lab, &["exec", "@ID@", "/proc/self/exe"]);
        assert!(said.status != -1, "it hangs");
        by(&binary, &lab, &["exec", "@ID@", "/bin/true"]);
    }
    assert!(
        !lab.file("b/rootfs/tmp/seen").contains("wrote"),
        "the runtime's own file was within reach"
    );
    assert!(std::fs::read(&binary).unwrap() == before, "the binary was changed");
}

/// CVE-2024-21626: descriptors of the caller, and a working directory through one of them. Without
/// the fix `cwd` is the host's directory, whose parent's files can be read, and the descriptors are
/// in the list.
#[test]
fn a_leaked_descriptor_is_no_way_out() {
    lab::enter();
    for number in 3..12 {
        let mut lab = Lab::new(Runtime::Ocinit);
        std::fs::write(lab.dir.join("secret"), "SECRET\n").unwrap();
        lab.merge(&format!(r#"{{"process": {{"cwd": "/proc/self/fd/{number}"}}}}"#));
        lab.script("cat ../secret secret 2>/dev/null; ls -la /proc/self/fd");
        let run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
        // Seven directories of the host, open and without close-on-exec.
        let mut shell = Command::new("/bin/sh");
        let script =
            lab.fill("exec 3<@DIR@ 4<@DIR@ 5</ 6<@DIR@ 7<@DIR@ 8<@BUNDLE@ 9</; exec \"$@\"");
        shell.args(["-c", &script, "sh"]).arg(run.get_program()).args(run.get_args());
        let said = lab.finish(&mut shell);
        assert!(!said.out.contains("SECRET"), "{}", said.out);
        assert!(!said.out.contains(lab.dir.to_str().unwrap()), "{}", said.out);
    }
}

/// The same by `exec --cwd`, and by a link of the image's to such a place.
#[test]
fn a_leaked_descriptor_is_no_way_out_of_exec() {
    let mut lab = lab();
    std::fs::write(lab.dir.join("secret"), "SECRET\n").unwrap();
    symlink("/proc/self/fd/7", lab.rootfs.join("way")).unwrap();
    lab.merge(SLEEPS);
    begin(&lab);
    for cwd in
        ["/proc/self/fd/3", "/proc/self/fd/5", "/proc/self/fd/7", "/way", "/proc/self/cwd/../../.."]
    {
        let run = lab.command(&[
            "exec",
            "--cwd",
            cwd,
            "@ID@",
            "/bin/sh",
            "-c",
            "cat ../secret secret 2>/dev/null; pwd",
        ]);
        let mut shell = Command::new("/bin/sh");
        let script = lab.fill("exec 3<@DIR@ 5<@DIR@ 7<@DIR@; exec \"$@\"");
        shell.args(["-c", &script, "sh"]).arg(run.get_program()).args(run.get_args());
        let said = lab.finish(&mut shell);
        assert!(!said.out.contains("SECRET"), "{cwd}: {}", said.out);
    }
}

/// CVE-2022-29162: capabilities that can be inherited by default. Without the fix CapInh is not 0,
/// of run and of exec.
#[test]
fn nothing_is_inheritable_that_nobody_asked_for() {
    let mut lab = lab();
    lab.merge(SLEEPS);
    begin(&lab);
    let pid = lab.state().at("pid").show();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("CapInh:\t0000000000000000"), "{status}");
    let said =
        lab.call(&["exec", "--cap", "CAP_CHOWN", "@ID@", "grep", "CapInh", "/proc/self/status"]);
    assert_eq!(said.out, "CapInh:\t0000000000000000\n");
}

/// CVE-2023-25173, moby 36109, CVE-2022-2989: the caller's supplementary groups. Without the fix
/// they are the container's.
#[test]
fn the_callers_groups_do_not_come_along() {
    let mut lab = lab();
    lab.merge(SLEEPS);
    begin(&lab);
    let groups = |words: &[&str]| {
        let run = lab.command(words);
        let mut command = Command::new("setpriv");
        command.args(["--groups", "4,6,20"]).arg(run.get_program()).args(run.get_args());
        lab.finish(&mut command).out
    };
    assert_eq!(
        groups(&["exec", "@ID@", "grep", "Groups", "/proc/self/status"]).trim_end(),
        "Groups:"
    );
    assert_eq!(
        groups(&["exec", "-u", "1000:1000", "@ID@", "grep", "Groups", "/proc/self/status"])
            .trim_end(),
        "Groups:"
    );
}

/// CVE-2026-30892, CVE-2024-40635: a user that is not a number, or too large. Without the fix the
/// process is root's.
#[test]
fn a_user_that_cannot_be_read_is_not_root() {
    let mut lab = lab();
    lab.merge(SLEEPS);
    begin(&lab);
    for user in [
        "4294967296",
        "4294967295",
        "-1",
        "",
        ":",
        "1000:",
        ":0",
        "0x0",
        "1000:4294967296",
        " 0",
        "99999999999999999999",
        "nobody-there",
    ] {
        let said = lab.call(&["exec", "-u", user, "@ID@", "id", "-u"]);
        assert!(said.status != 0 || said.out == "1000\n", "{user:?}: {said:?}");
    }
}

/// What `exec` enters is hostile: its /proc is a volume, /etc/passwd a fifo or an endless file,
/// /bin a link to the host. Without the fix exec hangs, reads the host's file or grows without end.
#[test]
fn a_hostile_root_is_entered_and_not_believed() {
    let mut lab = lab();
    std::fs::remove_file(lab.rootfs.join("etc/passwd")).unwrap();
    assert!(Command::new("mkfifo").arg(lab.rootfs.join("etc/passwd")).status().unwrap().success());
    std::fs::remove_file(lab.rootfs.join("etc/group")).unwrap();
    symlink("/dev/zero", lab.rootfs.join("etc/group")).unwrap();
    std::fs::create_dir(lab.bundle.join("fake")).unwrap();
    lab.merge(SLEEPS);
    begin(&lab);
    for words in [
        &["exec", "@ID@", "/bin/true"] as &[_],
        &["exec", "-u", "1000", "@ID@", "/bin/true"],
        &["exec", "-u", "1000:7", "@ID@", "true"],
    ] {
        let said = lab.call(words);
        assert!(said.status != -1, "{words:?} hangs");
    }
}

/// runc's ids become directories: without the fix `..` is the directory above the state root, and
/// `delete --force` removes it.
#[test]
fn an_id_is_a_name_and_no_way() {
    let lab = lab();
    std::fs::create_dir_all(lab.dir.join("precious")).unwrap();
    std::fs::write(lab.dir.join("precious/state.json"), "{}").unwrap();
    for id in ["..", ".", "", "../precious", "/", "a/../../precious", "precious/.."] {
        for words in [
            &["create", "--bundle", "@BUNDLE@"] as &[_],
            &["delete", "--force"],
            &["delete"],
            &["state"],
            &["kill"],
            &["start"],
        ] {
            let mut all = words.to_vec();
            all.push(id);
            let said = lab.call(&all);
            let is_right = said.status != 0 || words == ["delete", "--force"];
            assert!(is_right, "{all:?}: {said:?}");
        }
    }
    assert!(
        lab.dir.join("precious/state.json").exists()
            && lab.state.exists()
            && lab.bundle.join("config.json").exists()
    );
}

/// CVE-2016-9962: what `exec` brings in can be traced by the container before it has given up its
/// powers. Without the fix a process of the container's that is in its pid namespace attaches to it
/// and reads a descriptor of the host's.
#[test]
fn what_enters_has_nothing_of_the_hosts() {
    let mut lab = lab();
    let watcher = "cd /proc; echo ready >/tmp/ready; while :; do for p in [0-9]*; do [ $p = 1 ] && continue; \
        ls -l $p/fd 2>/dev/null | grep -E ' -> (/|[^ps/])' | grep -v -e /dev/null -e '/proc' -e '(deleted)' -e pipe: >>/tmp/seen; done; done";
    // Root of the container with the capabilities that a container has, CAP_SYS_PTRACE not among
    // them.
    lab.script(watcher);
    begin(&lab);
    lab.wait_for_file("b/rootfs/tmp/ready");
    for _ in 0..lab::turns(30, 1500) {
        lab.call(&["exec", "@ID@", "/bin/true"]);
    }
    let seen = lab.file("b/rootfs/tmp/seen");
    // Standard streams are what it is given.
    let is_given = |line: &str| [".in", ".out", ".err"].iter().any(|end| line.ends_with(end));
    let is_hosts = |line: &&str| {
        (line.contains(lab.dir.to_str().unwrap()) || line.contains("cgroup")) && !is_given(line)
    };
    let hosts: Vec<_> = seen.lines().filter(is_hosts).collect();
    assert!(hosts.is_empty(), "{}", hosts.join("\n"));
}

/// The same of what is created and waits: it is process 1 of the container, and may wait for long
/// while `exec` enters. Without the fix its descriptors are ways to the bundle, the state and
/// whatever the caller had as working directory.
#[test]
fn what_waits_for_its_start_has_nothing_of_the_hosts() {
    let mut lab = lab();
    std::fs::write(lab.dir.join("secret"), "SECRET\n").unwrap();
    lab.script("true");
    assert_eq!(lab.create().status, 0);
    let script = "ls -l /proc/1/fd /proc/1/cwd /proc/1/root; cat /proc/1/fd/*/secret /proc/1/fd/*/../secret /proc/1/cwd/secret";
    for words in [
        &["exec", "@ID@", "/bin/sh", "-c", script] as &[_],
        &["exec", "--cap", "CAP_SYS_PTRACE", "@ID@", "/bin/sh", "-c", script],
    ] {
        let said = lab.call(words);
        assert!(!said.out.contains("SECRET"), "the host's files are within reach: {}", said.out);
    }
}

/// TIOCSTI (CVE-2017-5226): the container's program types into the caller's terminal. Without a
/// session of its own what it typed is on the caller's terminal after it ended.
#[test]
fn the_callers_terminal_is_not_the_containers() {
    let mut lab = lab();
    // Standard streams are the caller's terminal; the container has none of its own.
    lab.script("cut -d ' ' -f 6,7 /proc/$$/stat; echo x 2>/dev/null >/dev/tty || echo no terminal");
    let run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
    let mut command = Command::new("python3");
    command.arg(support::project().join("tests/all/support/terminal.py")).arg("--");
    let said = lab.finish(command.arg(run.get_program()).args(run.get_args()));
    // A session of its own (its number in its own pid namespace is 1), and no controlling terminal.
    assert_eq!(said.out.replace('\r', ""), "1 0\nno terminal\n", "{said:?}");
}

/// CVE-2023-25809: without a cgroup namespace the whole hierarchy is within reach. Without the fix
/// a container that asks for a `cgroup` mount read-only can write to the group above its own.
#[test]
fn a_read_only_cgroup_mount_is_read_only() {
    let mut lab = lab();
    lab.merge(PRIVILEGED).merge(
        r#"{"mounts+": [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro", "nosuid", "noexec", "nodev"]}]}"#,
    );
    lab.script(
        "for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir $d/escaped 2>/dev/null && echo made; done; echo end",
    );
    let said = lab.run();
    assert_eq!(said.out, "end\n", "{said:?}");
}

/// Hooks run with what they are given: none of the runtime's descriptors. Without the fix a hook
/// that forks keeps the state directory, or the pipe that the runtime waits on, open: `create`
/// hangs, or `run` does.
#[test]
fn a_hook_that_forks_keeps_nothing() {
    let mut lab = lab();
    let hook = "ls /proc/self/fd | tr '\\\\n' ' ' >@DIR@/fds; sleep 30 >/dev/null 2>&1 </dev/null & echo $! >@DIR@/pid";
    lab.merge(&format!(
        r#"{{"hooks": {{"createRuntime": [{{"path": "/bin/sh", "args": ["sh", "-c", "{hook}"], "env": ["PATH=/usr/bin:/bin"]}}]}}}}"#
    ));
    lab.script("echo ran");
    let begin = std::time::Instant::now();
    let said = lab.run();
    let took = begin.elapsed();
    let pid = lab.file("pid").trim().to_string();
    let _ = Command::new("kill").arg(&pid).status();
    assert_eq!(said.out, "ran\n", "{said:?}");
    assert!(took.as_secs() < 10, "it waited for what the hook left: {took:?}");
    assert_eq!(lab.file("fds"), "0 1 2 3 ", "3 is the directory that ls reads");
}
