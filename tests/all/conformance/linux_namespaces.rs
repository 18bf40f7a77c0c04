//! config-linux.md, "Namespaces", "User namespace mappings", "Offset for Time Namespace".

use std::io::Read;
use std::process::{Child, Command, Stdio};

use super::case::{Case, case};
use crate::support::lab::Lab;

pub fn cases() -> Vec<Case> {
    [made(), joined(), users(), time(), wrong()].into_iter().flatten().collect()
}

/// The name in /proc/PID/ns of each kind.
const KINDS: [(&str, &str, &str); 7] = [
    ("namespaces.pid", "pid", "pid"),
    ("namespaces.network", "network", "net"),
    ("namespaces.ipc", "ipc", "ipc"),
    ("namespaces.uts", "uts", "uts"),
    ("namespaces.mount", "mount", "mnt"),
    ("namespaces.cgroup", "cgroup", "cgroup"),
    ("namespaces.time", "time", "time"),
];

fn link(path: &str) -> String {
    std::fs::read_link(path).map(|link| link.display().to_string()).unwrap_or_default()
}

fn made() -> Vec<Case> {
    let new = KINDS.map(|(name, kind, file)| {
        case(name, "a type of the list is a new namespace, one that is not is the caller's")
            .setup(move |lab| {
                let others = if kind == "mount" { "" } else { r#"{"type": "mount"}, "# };
                lab.merge(&format!(
                    r#"{{"hostname": null, "linux": {{"namespaces": [{others}{{"type": "{kind}"}}]}}}}"#
                ));
                lab.script(&format!("readlink /proc/self/ns/{file}; readlink /proc/self/ns/user"));
            })
            .act(move |lab| {
                let said = lab.run().show();
                let mut lines = said.lines().map(String::from);
                let (this, user) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
                let is_new =
                    this != link(&format!("/proc/thread-self/ns/{file}")) && this.contains('[') && this.contains(':');
                format!("{} {}", if is_new { "new" } else { "not new" }, user == link("/proc/self/ns/user"))
            })
            .gives("new true")
    });
    let more = vec![
        case("namespaces.inherited", "those that are not in the list are the caller's")
            .with(r#"{"hostname": null, "linux": {"namespaces": [{"type": "mount"}]}}"#)
            .sh("for n in pid net ipc uts cgroup user; do readlink /proc/self/ns/$n; done")
            .act(|lab| {
                let own = ["pid", "net", "ipc", "uts", "cgroup", "user"]
                    .map(|name| link(&format!("/proc/self/ns/{name}")) + "\n");
                if lab.run().show() == own.concat() { "the caller's".into() } else { "others".into() }
            })
            .gives("the caller's"),
        case("namespaces.network.loopback", "the loopback of a new network is up, as all runtimes have it")
            .with(r#"{"linux": {"namespaces+": [{"type": "network"}]}}"#)
            .sh("ifconfig lo | grep -c UP; ping -c 1 -W 1 127.0.0.1 >/dev/null 2>&1; ls /sys 2>/dev/null; true")
            .gives("1\n"),
        case("namespaces.cgroup.root", "the container's cgroup is the root of a new cgroup namespace")
            .with(r#"{"linux": {"namespaces+": [{"type": "cgroup"}]}}"#)
            .sh("sed -n 's/^0:://p' /proc/self/cgroup")
            .gives("/\n"),
        case("namespaces.pid.shared", "without a pid namespace all that the program left ends with delete --force")
            .with(r#"{"linux": {"namespaces": [{"type": "mount"}]}, "hostname": null}"#)
            .sh("sleep 1000 & echo $! ; sleep 1000")
            .act(|lab| {
                let output = std::fs::File::create(lab.dir.join("said")).unwrap();
                let mut run = lab.command(&["run", "--detach", "--bundle", "@BUNDLE@", "@ID@"]);
                let status =
                    run.stdin(std::process::Stdio::null()).stdout(output).stderr(std::process::Stdio::null()).status();
                let pid = lab.wait_for_file("said");
                let (alive, procs) = (alive(pid.trim()), lab.call(&["delete", "--force", "@ID@"]).verdict());
                let begin = std::time::Instant::now();
                while self::alive(pid.trim()) && begin.elapsed().as_secs() < 2 {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                format!("{} {alive} {procs} {}", status.unwrap().success(), self::alive(pid.trim()))
            })
            .gives("true true ok false"),
    ];
    new.into_iter().chain(more).collect()
}

fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// A process in namespaces of its own, and its pid.
struct Holder(Child);

impl Holder {
    fn new(options: &[&str]) -> Holder {
        let mut command = Command::new("unshare");
        let mut holder = Holder(
            command
                .args(options)
                .args(["sh", "-c", "echo; exec sleep 1000"])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        // It has them when it speaks.
        let _ = holder.0.stdout.take().unwrap().read(&mut [0]).unwrap();
        holder
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs with a namespace that is joined by path, and says whether it is that.
fn join(lab: &mut Lab, option: &str, kind: &str, file: &str) -> String {
    let holder = Holder::new(&[option]);
    let path = format!("/proc/{}/ns/{file}", holder.0.id());
    lab.merge(&format!(
        r#"{{"hostname": null, "linux": {{"namespaces": [{{"type": "mount"}}, {{"type": "{kind}", "path": "{path}"}}]}}}}"#
    ));
    let said = lab.run();
    if said.out.trim() == link(&path) {
        "joined".into()
    } else {
        format!("{}: {}", said.show(), said.err)
    }
}

fn joined() -> Vec<Case> {
    vec![
        case("namespaces.path.network", "one with a path is joined")
            .sh("readlink /proc/self/ns/net")
            .act(|lab| join(lab, "--net", "network", "net"))
            .gives("joined"),
        case("namespaces.path.uts", "one with a path is joined")
            .sh("readlink /proc/self/ns/uts")
            .act(|lab| join(lab, "--uts", "uts", "uts"))
            .gives("joined"),
        case("namespaces.path.ipc", "one with a path is joined")
            .sh("readlink /proc/self/ns/ipc")
            .act(|lab| join(lab, "--ipc", "ipc", "ipc"))
            .gives("joined"),
        case("namespaces.path.cgroup", "one with a path is joined")
            .sh("readlink /proc/self/ns/cgroup")
            .act(|lab| join(lab, "--cgroup", "cgroup", "cgroup"))
            .gives("joined"),
        case("namespaces.path.pid", "the program is in a pid namespace that is joined, not beside it")
            .sh("readlink /proc/self/ns/pid; test $$ = 1 || echo not 1")
            .act(|lab| {
                // A pid namespace lives as long as its first process.
                let holder = Holder::new(&["--pid", "--fork", "--kill-child"]);
                let path = format!("/proc/{}/ns/pid_for_children", holder.0.id());
                lab.merge(&format!(
                    r#"{{"hostname": null, "linux": {{"namespaces": [{{"type": "mount"}}, {{"type": "pid", "path": "{path}"}}]}}}}"#
                ));
                let said = lab.run();
                let seen = said.out.replace(&link(&path), "joined");
                if said.status == 0 { seen } else { format!("{seen}{}", said.err) }
            })
            .gives("joined\nnot 1\n"),
        case("namespaces.path.hostname", "a joined uts namespace keeps its name where hostname is not said")
            .sh("hostname")
            .act(|lab| {
                let holder = Holder::new(&["--uts"]);
                let path = format!("/proc/{}/ns/uts", holder.0.id());
                let set = ["-u", "-t", &holder.0.id().to_string(), "hostname", "joined-name"].map(String::from);
                assert!(Command::new("nsenter").args(set).status().unwrap().success());
                lab.merge(&format!(
                    r#"{{"hostname": null, "linux": {{"namespaces": [{{"type": "mount"}}, {{"type": "uts", "path": "{path}"}}]}}}}"#
                ));
                lab.run().show()
            })
            .gives("joined-name\n"),
    ]
}

/// A user namespace whose root is the host's 100000.
const USER: &str = r#"{"linux": {"namespaces+": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 200000, "size": 65536}]}}"#;

fn own(lab: &mut Lab) {
    let words = ["-h", "-R", "100000:200000"];
    assert!(Command::new("chown").args(words).arg(&lab.rootfs).status().unwrap().success());
    // The root of the namespace must reach its root file system.
    for place in [&lab.dir, &lab.bundle] {
        std::fs::set_permissions(place, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
    }
}

fn users() -> Vec<Case> {
    vec![
        case("user.mappings", "uid and gid maps are what they are said to be")
            .with(USER)
            .setup(own)
            .sh("cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '; id -u; stat -c %u:%g /bin")
            .gives(" 0 100000 65536\n 0 200000 65536\n0\n0:0\n"),
        case("user.several", "a map may have several lines")
            .with(r#"{"linux": {"namespaces+": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 1000, "hostID": 300000, "size": 5}], "gidMappings": [{"containerID": 0, "hostID": 200000, "size": 10}]}}"#)
            .setup(own)
            .sh("tr -s ' ' </proc/self/uid_map")
            .gives(" 0 100000 10\n 1000 300000 5\n"),
        case("user.identity", "the program may be another user of the namespace")
            .with(USER)
            .with(r#"{"process": {"user": {"uid": 1000, "gid": 1000, "additionalGids": [7]}}}"#)
            .setup(own)
            .sh("id -u; id -g; sed -n 's/^Groups:[[:space:]]*//p' /proc/self/status")
            .gives("1000\n1000\n7 \n"),
        case("user.owner", "the namespaces are owned by the user namespace: its root may set their names")
            .with(USER)
            .with(r#"{"process": {"capabilities": {"bounding": ["CAP_SYS_ADMIN"], "effective": ["CAP_SYS_ADMIN"], "permitted": ["CAP_SYS_ADMIN"]}}}"#)
            .setup(own)
            .sh("hostname changed && hostname")
            .gives("changed\n"),
        case("user.devices", "the default devices are there, though a user namespace cannot make any")
            .with(USER)
            .setup(own)
            .sh("for d in null zero full random urandom tty; do stat -c '%n %t:%T' /dev/$d; done; echo x >/dev/null && echo writes")
            .gives("/dev/null 1:3\n/dev/zero 1:5\n/dev/full 1:7\n/dev/random 1:8\n/dev/urandom 1:9\n/dev/tty 5:0\nwrites\n"),
        case("user.unmapped", "a user that is not mapped is an error")
            .with(USER)
            .with(r#"{"process": {"user": {"uid": 70000}}}"#)
            .setup(own)
            .refused_naming(&["uid"]),
        case("user.no-mappings", "mappings without a user namespace are an error")
            .with(r#"{"linux": {"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}}"#)
            .refused_naming(&["uidMappings"]),
        case("user.overlap", "a map that the kernel refuses is an error")
            .with(r#"{"linux": {"namespaces+": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 5, "hostID": 200000, "size": 10}], "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 10}]}}"#)
            .setup(own)
            .refused(),
    ]
}

fn time() -> Vec<Case> {
    vec![
        case("timeOffsets", "are those of a new time namespace")
            .with(r#"{"linux": {"namespaces+": [{"type": "time"}], "timeOffsets": {"boottime": {"secs": 86400000, "nanosecs": 0}, "monotonic": {"secs": 100, "nanosecs": 5}}}}"#)
            .sh("tr -s ' ' </proc/self/timens_offsets; awk '{print ($1 > 86400000) ? \"later\" : \"now\"}' /proc/uptime")
            .gives("monotonic 100 5\nboottime 86400000 0\nlater\n"),
        case("timeOffsets.no-namespace", "without a time namespace they are an error")
            .with(r#"{"linux": {"timeOffsets": {"boottime": {"secs": 86400}}}}"#)
            .refused_naming(&["time"]),
        case("timeOffsets.clock", "an unknown clock is an error")
            .with(r#"{"linux": {"namespaces+": [{"type": "time"}], "timeOffsets": {"nonsense": {"secs": 1}}}}"#)
            .refused_naming(&["timeOffsets"]),
    ]
}

fn wrong() -> Vec<Case> {
    vec![
        case("namespaces.duplicate", "two of one type MUST be an error")
            .with(r#"{"linux": {"namespaces+": [{"type": "uts"}]}}"#)
            .refused_naming(&["linux.namespaces[4].type"]),
        case("namespaces.unknown", "an unknown type is an error")
            .with(r#"{"linux": {"namespaces+": [{"type": "nonsense"}]}}"#)
            .refused_naming(&["linux.namespaces[4].type"]),
        case("namespaces.path.absent", "a path that is not there is an error")
            .with(r#"{"linux": {"namespaces+": [{"type": "network", "path": "/no/such"}]}}"#)
            .refused_naming(&["/no/such"]),
        case("namespaces.path.type", "a path of another type MUST be an error")
            .with(
                r#"{"linux": {"namespaces+": [{"type": "network", "path": "/proc/self/ns/ipc"}]}}"#,
            )
            .refused_naming(&["/proc/self/ns/ipc"]),
        case("namespaces.path.file", "a path that is no namespace is an error")
            .with(r#"{"linux": {"namespaces+": [{"type": "network", "path": "/etc/passwd"}]}}"#)
            .refused_naming(&["/etc/passwd"]),
        case("namespaces.path.relative", "a path MUST be absolute")
            .with(
                r#"{"linux": {"namespaces+": [{"type": "network", "path": "proc/self/ns/net"}]}}"#,
            )
            .refused_naming(&["namespaces"]),
    ]
}
