//! Small attributes of a container's process: environment, CPUs, inheritable capabilities, clocks.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::support;
use crate::support::lab::{self, Lab, Runtime, done};

/// `exec`, and a start in a joined pid namespace, write labels to the kernel's file: without
/// SELinux the kernel says EINVAL; a file that is missing would be ENOENT.
#[test]
fn labels_reach_the_kernel_whoever_writes_them() {
    if !std::path::Path::new("/proc/self/attr/exec").exists()
        || std::path::Path::new("/sys/fs/selinux/enforce").exists()
    {
        return;
    }
    lab::enter();
    let mut pod = Lab::new(Runtime::Ocinit);
    pod.script("exec sleep 1000");
    done(&pod.call(&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]));
    let said = pod.call(&["exec", "--process-label", "a_u:b_r:c_t:s0", "@ID@", "/bin/true"]);
    assert!(said.err.contains("set selinux label a_u:b_r:c_t:s0: invalid argument"), "{said:?}");
    let pid = pod.state().at("pid").show();
    for joined in ["", "pid"] {
        let mut lab = Lab::new(Runtime::Ocinit);
        lab.merge(r#"{"process": {"selinuxLabel": "a_u:b_r:c_t:s0"}}"#);
        let path = |kind: &str| match kind == joined {
            true => format!(r#", "path": "/proc/{pid}/ns/{kind}""#),
            false => String::new(),
        };
        let namespaces = format!(
            r#"[{{"type": "pid"{}}}, {{"type": "ipc"}}, {{"type": "uts"}}, {{"type": "mount"}}]"#,
            path("pid")
        );
        lab.merge(&format!(r#"{{"linux": {{"namespaces": {namespaces}}}}}"#));
        let said = lab.run();
        assert!(
            said.err.contains("set selinux label a_u:b_r:c_t:s0: invalid argument"),
            "{joined}: {said:?}"
        );
    }
}

/// As in runc 1.3.6, the last entry of a name wins, for getenv(3) and the search in PATH, and an
/// empty HOME counts as unset.
#[test]
fn of_several_variables_of_one_name_the_last_is_there_alone() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    let env = r#"["A=1", "PATH=/nowhere", "B=x", "HOME=/x", "A=2", "PATH=/bin", "HOME=", "A=3"]"#;
    let expected = "B=x\nPATH=/bin\nA=3\nHOME=/root\n";
    lab.merge(&format!(r#"{{"process": {{"args": ["env"], "env": {env}}}}}"#));
    assert_eq!(lab.run().show(), expected);

    lab.script("exec sleep 1000");
    lab.merge(r#"{"process": {"env": ["PATH=/bin", "HOME=/old", "LAST=1"]}}"#);
    done(&lab.call(&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]));
    let said = lab.call(&["exec", "-e", "HOME=/tmp", "-e", "X=1", "-e", "X=2", "@ID@", "env"]);
    assert_eq!(said.show(), "PATH=/bin\nLAST=1\nHOME=/tmp\nX=2\n");
    let said = lab.call(&["exec", "-e", "PATH=/nowhere", "@ID@", "env"]);
    assert!(said.err.contains("executable file not found in $PATH"), "{said:?}");
    std::fs::write(
        lab.dir.join("process"),
        format!(r#"{{"user": {{}}, "cwd": "/", "args": ["env"], "env": {env}}}"#),
    )
    .unwrap();
    assert_eq!(lab.call(&["exec", "--process", "@DIR@/process", "@ID@"]).show(), expected);
    for (variable, why) in
        [("NAME", "missing '='"), ("=x", "name cannot be empty"), ("", "missing '='")]
    {
        let said = lab.call(&["exec", "-e", variable, "@ID@", "env"]);
        let error = format!("ocinit: --env {variable}: invalid environment variable: {why}\n");
        assert_eq!((said.status, said.err), (255, error));
    }
}

/// A hook's own environment follows the same rule. Without the fix both entries are there.
#[test]
fn of_several_variables_of_a_hook_the_last_is_there_alone() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    let hook = r#"{"path": "/bin/sh", "args": ["sh", "-c", "tr '\\0' ' ' </proc/$$/environ >@PLACE@; true"], "env": ["A=1", "PATH=/bin:/usr/bin", "A=2"]}"#;
    let [outside, inside] = ["@DIR@/seen", "/seen"].map(|place| hook.replace("@PLACE@", place));
    lab.merge(&format!(
        r#"{{"hooks": {{"createRuntime": [{outside}], "startContainer": [{inside}]}}}}"#
    ));
    done(&lab.run());
    assert_eq!(lab.file("seen"), "PATH=/bin:/usr/bin A=2 ");
    assert_eq!(lab.file("b/rootfs/seen"), "PATH=/bin:/usr/bin A=2 ");
}

/// The caller's CPU affinity (taskset, a pinned daemon) does not reach the container; exec's own
/// setting does.
#[test]
fn the_callers_cpus_do_not_stick() {
    lab::enter();
    let allowed = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        line.map(|list| list.trim().to_string()).unwrap_or_default()
    };
    let all = allowed(&std::fs::read_to_string("/proc/self/status").unwrap());
    if !all.contains(['-', ',']) {
        return eprintln!("skipped: needs two CPUs");
    }
    let mut lab = Lab::new(Runtime::Ocinit);
    let show = "cat /proc/self/status";
    let pinned = |lab: &Lab, words: &[&str]| {
        let mut command = Command::new("taskset");
        let told = lab.command(words);
        command
            .args(["-c", "0"])
            .arg(told.get_program())
            .args(told.get_args())
            .current_dir(&lab.dir);
        lab.finish(&mut command)
    };
    lab.script(show);
    assert_eq!(allowed(&pinned(&lab, &["run", "--bundle", "@BUNDLE@", "@ID@"]).out), all, "run");
    lab.script(&format!("{show} >/tmp/status"));
    done(&pinned(&lab, &["create", "--bundle", "@BUNDLE@", "@ID@"]));
    done(&pinned(&lab, &["start", "@ID@"]));
    lab.wait_for("stopped");
    assert_eq!(allowed(&lab.file("b/rootfs/tmp/status")), all, "create, start");
    done(&lab.call(&["delete", "-f", "@ID@"]));
    lab.script("exec sleep 1000");
    done(&lab.call(&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]));
    assert_eq!(allowed(&pinned(&lab, &["exec", "@ID@", "/bin/sh", "-c", show]).out), all, "exec");
    for (affinity, expected) in
        [(r#""initial": "0""#, all.as_str()), (r#""initial": "0", "final": "1""#, "1")]
    {
        std::fs::write(
            lab.dir.join("process"),
            format!(
                r#"{{"user": {{}}, "cwd": "/", "args": ["/bin/sh", "-c", "{show}"], "env": ["PATH=/bin"],
                    "execCPUAffinity": {{{affinity}}}}}"#
            ),
        )
        .unwrap();
        let said = pinned(&lab, &["exec", "--process", "@DIR@/process", "@ID@"]);
        assert_eq!(allowed(&said.out), expected, "exec with {affinity}");
    }
    let image = support::images::busybox_layout();
    let image = image.to_str().unwrap();
    let said = pinned(&lab, &["run", "--image", image, "other", "cat", "/proc/self/status"]);
    assert_eq!(allowed(&said.out), all, "run --image: {said:?}");
}

/// A capability may be inheritable without being permitted.
#[test]
fn what_is_inheritable_need_not_be_permitted() {
    lab::enter();
    for user in [0, 1000] {
        let mut lab = Lab::new(Runtime::Ocinit);
        lab.merge(&format!(
            r#"{{"process": {{"user": {{"uid": {user}, "gid": {user}}}, "capabilities": {{
                "bounding=": ["CAP_CHOWN", "CAP_KILL"], "permitted=": ["CAP_KILL"], "effective=": ["CAP_KILL"],
                "inheritable=": ["CAP_CHOWN", "CAP_KILL", "CAP_MKNOD"], "ambient=": ["CAP_KILL", "CAP_CHOWN"]}}}}}}"#
        ));
        lab.script("sed -n 's/^Cap\\(Inh\\|Bnd\\|Amb\\):.//p' /proc/self/status | cut -c 9-");
        // CHOWN is bit 0, KILL is bit 5; MKNOD is outside of the bounding set, and cannot be given.
        assert_eq!(lab.run().show(), "00000021\n00000021\n00000020\n", "{user}");
    }
}

/// `linux.timeOffsets` in a user namespace: its root may write them.
#[test]
fn clocks_are_set_in_a_user_namespace_too() {
    lab::enter();
    for users in ["", r#"{"type": "user"}, "#] {
        let mut lab = Lab::new(Runtime::Ocinit);
        let maps = r#""uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
            "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],"#;
        lab.merge(&format!(
            r#"{{"linux": {{"namespaces": [{users}{{"type": "time"}}, {{"type": "mount"}}, {{"type": "pid"}}], {}
                "timeOffsets": {{"boottime": {{"secs": 1000000}}, "monotonic": {{"secs": 500}}}}}}, "hostname": null,
                "mounts": [{{"destination": "/proc", "type": "proc", "source": "proc"}}]}}"#,
            if users.is_empty() { "" } else { maps }
        ));
        for place in [&lab.dir, &lab.bundle, &lab.rootfs, &lab.rootfs.join("dev")] {
            std::os::unix::fs::chown(place, Some(100_000), Some(100_000)).unwrap();
        }
        lab.script("cat /proc/uptime");
        let said = lab.run();
        let seconds: f64 =
            said.out.split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
        assert!(seconds > 1_000_000.0, "{users}: {said:?}");
    }
}

/// ocinit's own file is on a mount of another mount namespace, which cannot be copied.
#[test]
fn the_program_may_lie_in_another_mount_namespace() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.script("echo it runs");
    // A process whose mount namespace has its own file system with the program.
    let place = lab.dir.join("elsewhere");
    std::fs::create_dir(&place).unwrap();
    let script = "mount -t tmpfs none \"$1\" && cp \"$2\" \"$1/ocinit\" && touch \"$1/../ready\" && exec sleep 30";
    let mut holder = Command::new("unshare")
        .args(["-m", "--propagation", "private", "sh", "-c", script, "sh"])
        .args([place.as_os_str(), Runtime::Ocinit.program().as_ref()])
        .process_group(0)
        .spawn()
        .unwrap();
    for _ in 0..500 {
        if lab.dir.join("ready").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let program = format!("/proc/{}/root{}/ocinit", holder.id(), place.display());
    let told = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
    let mut command = Command::new(program);
    command.args(told.get_args()).current_dir(&lab.dir);
    let said = lab.finish(&mut command);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(said.show(), "it runs\n", "{said:?}");
}

/// Kubernetes makes seven variables for each service. Without the fix 16,382 are the limit, fewer
/// than the kernel's, and take a minute; exec's process has 256 KiB; a startContainer hook that
/// inherits them takes 511.
#[test]
fn an_environment_may_be_as_large_as_the_kernel_takes_it() {
    const COUNT: usize = 17_000;
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    let variable = |n: usize| format!(r#""SERVICE_{n}_PORT_8080_TCP_ADDR=10.11.12.{}""#, n & 255);
    let env = (0..COUNT).chain([0]).map(variable).collect::<Vec<_>>().join(",");
    let process =
        format!(r#"{{"cwd": "/", "user": {{}}, "args": ["env"], "env": ["PATH=/bin", {env}]}}"#);
    std::fs::write(lab.dir.join("process"), &process).unwrap();
    lab.merge(&format!(r#"{{"process": {process}}}"#));
    lab.merge(r#"{"hooks": {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "env >/of-hook"]}]}}"#);
    let count = |text: &str| text.lines().filter(|line| line.starts_with("SERVICE_")).count();
    let said = lab.run();
    assert_eq!((said.status, said.err.as_str(), count(&said.out)), (0, "", COUNT));
    assert_eq!(count(&lab.file("b/rootfs/of-hook")), COUNT);
    lab.merge(r#"{"hooks": null, "process": {"args": ["sleep", "1000"]}}"#);
    done(&lab.call(&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]));
    let said = lab.call(&["exec", "--process", "@DIR@/process", "@ID@"]);
    assert_eq!((said.status, said.err.as_str(), count(&said.out)), (0, "", COUNT));
}
