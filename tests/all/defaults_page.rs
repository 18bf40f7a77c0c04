//! docs/defaults.md: the defaults of containers. ocinit's columns come from its containers in all
//! three lives; `OCINIT_WRITE=1` writes the page.

use std::path::Path;
use std::process::Command;

use crate::support;
use crate::support::images::Layer;
use crate::support::lab::{self, PLACE, Runtime};
use crate::support::tar::Header;
use crate::support::{Boot, Tar, busybox, project, tool};

/// Prints a line for each row of the page.
const PROBE: &str = r#"
status() { awk -v name="$1:" '$1 == name {print $2}' /proc/self/status; }
limit() { awk -v name="$1" 'index($0, name) == 1 {print $(NF-2) ":" $(NF-1)}' /proc/self/limits; }
can() { "$@" >/dev/null 2>&1 && echo allowed || echo refused; }
echo "capabilities $(status CapEff)"
echo "nobodys $(status CapInh) $(status CapAmb)"
echo "seccomp $(status Seccomp)"
echo "namespaces $(can unshare -U true)"
echo "nnp $(status NoNewPrivs)"
echo "nofile $(limit 'Max open files')"
echo "nproc $(limit 'Max processes')"
echo "ports $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)"
echo "ping $(tr '\t' ' ' </proc/sys/net/ipv4/ping_group_range)"
# An allowed open fails, as there is no such device.
node() { case $(cat $1 2>&1) in
    *'not permitted'*|*denied*) echo refused;; *'device or address'*) echo allowed;; *) echo no node;; esac; }
echo "layer $(node /strange)"
mknod /tmp/strange c 60 0 2>/dev/null
echo "made $(node /tmp/strange)"
seen=
for path in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi \
    /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware \
    /sys/devices/system/cpu/cpu*/thermal_throttle; do
    if test -d $path; then test -z "$(ls -A $path)" || seen="$seen $path"
    elif test -e $path; then test $(head -c 1 $path | wc -c) = 0 || seen="$seen $path"; fi
done
echo "masked ${seen:-all}"
seen=
for path in /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger; do
    test ! -e $path || grep -q " $path [^ ]* ro," /proc/mounts || seen="$seen $path"
done
echo "readonly ${seen:-all}"
# Options of mounts that are not of interest.
ordinary='rw|relatime|seclabel|inode64|gid=[0-9]*|mode=[0-9]*'
ordinary="$ordinary|ptmxmode=[0-9]*|uid=[0-9]*|nr_inodes=[0-9]*|strictatime|nsdelegate|memory_recursiveprot|favordynmods"
for path in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup; do
    echo "$path $(awk -v path=$path '$2 == path {line = $3 " " $4} END {print line}' /proc/mounts |
        sed -E -e "s/($ordinary),?//g" -e 's/,$//')"
done
echo "dev $(ls /dev | grep -v -x -e console -e core | tr '\n' ' ')"
echo "hosts $(awk '{print $2}' /etc/hosts | head -n 1)"
echo "hostname $(can grep -q buildhost /etc/hostname)"
echo "resolv $(grep -c nameserver /etc/resolv.conf)"
"#;

fn image() -> support::Image {
    // A number for experiments: no machine has such a device.
    let strange = Header { mode: 0o666, device: (60, 0), ..Header::new("strange", b'3') };
    let layer = Tar::new()
        .directory("etc/", 0o755)
        .file("etc/resolv.conf", 0o644, "nameserver 9.9.9.9\n")
        .file("etc/hostname", 0o644, "buildhost\n")
        .entry(&strange, b"");
    let quoted =
        PROBE.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    busybox().config(&format!(r#""Cmd":["sh","-c","{quoted}"]"#)).layer(Layer::plain(layer))
}

/// A row's title, its name in the probe, and the values of docker 29 and podman 5.8.
const ROWS: [(&str, &str, &str, &str); 24] = [
    ("capabilities of root", "capabilities", "14", "11: no AUDIT_WRITE, MKNOD, NET_RAW"),
    ("inheritable, ambient", "nobodys", "none", "none"),
    ("seccomp", "seccomp", "filter", "filter"),
    ("new user namespace", "namespaces", "refused", "allowed"),
    ("no_new_privs", "nnp", "0", "0"),
    ("nofile (soft:hard)", "nofile", "1024:524288", "the caller's"),
    ("nproc", "nproc", "unlimited", "the caller's"),
    ("net.ipv4.ip_unprivileged_port_start", "ports", "0", "1024"),
    ("net.ipv4.ping_group_range", "ping", "0 2147483647", "1 0"),
    ("a device of a layer, other than the usual", "layer", "refused", "refused"),
    ("a device that root makes", "made", "refused", "no node"),
    ("masked paths", "masked", "docker's", "docker's"),
    ("read-only paths", "readonly", "docker's", "docker's"),
    ("/proc", "/proc", "proc nosuid,nodev,noexec", "proc nosuid,nodev,noexec"),
    ("/dev", "/dev", "tmpfs nosuid,size=65536k", "tmpfs nosuid,size=65536k"),
    ("/dev/pts", "/dev/pts", "devpts nosuid,noexec", "devpts nosuid,noexec"),
    (
        "/dev/shm",
        "/dev/shm",
        "tmpfs nosuid,nodev,noexec,size=65536k",
        "tmpfs nosuid,nodev,noexec,size=64000k",
    ),
    ("/dev/mqueue", "/dev/mqueue", "mqueue nosuid,nodev,noexec", "mqueue nosuid,nodev,noexec"),
    ("/sys", "/sys", "sysfs ro,nosuid,nodev,noexec", "sysfs ro,nosuid,nodev,noexec"),
    (
        "/sys/fs/cgroup",
        "/sys/fs/cgroup",
        "cgroup2 ro,nosuid,nodev,noexec",
        "cgroup2 ro,nosuid,nodev,noexec",
    ),
    ("nodes and links in /dev", "dev", "the specification's", "the specification's"),
    ("/etc/hosts: localhost", "hosts", "yes", "yes"),
    ("/etc/hostname", "hostname", "its own", "its own"),
    ("/etc/resolv.conf", "resolv", "the host's servers", "the image's (`--network none`)"),
];

/// Returns the value of a row in one column.
fn value(said: &str, name: &str, is_machine: bool) -> String {
    let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no {name} in {said}")).trim().replace('\t', " ");
    match (name, line.as_str()) {
        ("capabilities", "00000000a80425fb") => "14".into(),
        ("nobodys", "0000000000000000 0000000000000000") => "none".into(),
        ("seccomp", "2") => "filter".into(),
        ("nofile" | "nproc", _) if !is_machine => limit(name, &line),
        ("nproc", "unlimited:unlimited") => "unlimited".into(),
        ("masked" | "readonly", "all") => "docker's".into(),
        ("dev", "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero") => {
            "the specification's".into()
        }
        ("hosts", "localhost") => "yes".into(),
        ("hostname", "refused") => "its own".into(),
        ("hostname", "allowed") => "the build machine's".into(),
        ("resolv", "0") => "no server".into(),
        ("resolv", _) => "the image's".into(),
        _ => line,
    }
}

/// Returns docker's limit, or the caller's if that is lower.
fn limit(name: &str, said: &str) -> String {
    let kind = if name == "nofile" { libc::RLIMIT_NOFILE } else { libc::RLIMIT_NPROC };
    let mut own = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills one `struct rlimit`.
    assert_eq!(unsafe { libc::getrlimit(kind, &mut own) }, 0);
    let (soft, hard) = if name == "nofile" { (1024, 524_288) } else { (u64::MAX, u64::MAX) };
    let show = |limit: u64| if limit == u64::MAX { "unlimited".into() } else { limit.to_string() };
    let here = own.rlim_max.min(hard);
    let all = [
        format!("{}:{}", show(soft), show(hard)),
        format!("{}:{}", show(soft.min(here)), show(here)),
    ];
    match all.iter().any(|one| one == said) {
        true if name == "nofile" => "1024:524288, as far as the caller may".into(),
        true => "unlimited, as far as the caller may".into(),
        false => said.into(),
    }
}

fn text(command: &mut Command) -> String {
    String::from_utf8(tool(command)).expect("UTF-8")
}

/// Returns the probe's output in each of ocinit's lives.
fn columns() -> [String; 4] {
    lab::enter();
    let place = Path::new(PLACE);
    image().write(&place.join("image"));
    let machine = Boot::new(place.join("image")).run();
    machine.expect_status(0);
    let run = |id: &str| {
        let mut command = Command::new(Runtime::Ocinit.program());
        command
            .arg("--root")
            .arg(place.join("state"))
            .args(["run", "--image", "image", id])
            .current_dir(PLACE);
        text(&mut command)
    };
    let root = run("defaults-page");
    let user = place.join("user");
    std::fs::create_dir(&user).expect("a directory");
    std::os::unix::fs::chown(&user, Some(4242), Some(4242)).expect("chown");
    std::fs::copy(Runtime::Ocinit.program(), place.join("ocinit")).expect("a copy");
    let mut as_user = Command::new("setpriv");
    as_user.args([
        "--reuid",
        "4242",
        "--regid",
        "4242",
        "--clear-groups",
        "../ocinit",
        "--root",
        "state",
    ]);
    let user = text(as_user.args(["run", "--image", "../image", "user"]).current_dir(user));
    tool(
        Command::new(Runtime::Ocinit.program())
            .args(["bundle", "image", "bundle"])
            .current_dir(PLACE),
    );
    let mut runc = Command::new(Runtime::Runc.program());
    runc.arg("--root").arg(place.join("runc")).args([
        "run",
        "--bundle",
        "bundle",
        "defaults-page-runc",
    ]);
    let bundle = text(runc.current_dir(PLACE));
    [machine.text().to_string(), root, user, bundle]
}

const HEAD: &str = "# Defaults

What a container gets by default, and the options that change it. ocinit's defaults are docker's in all three
lives: as PID 1 of a machine, in `run --image` and `create --image`, and in bundles of `bundle`.

";

const TAIL: &str = "
`tests/all/defaults_page.rs` looks into running containers for ocinit's four columns: a virtual machine, a container of root's, one of
a user's with one id, and a bundle under runc. podman's column has the same probe's output in a container of
podman 5.8.6 with crun 1.28 and `--network none`, on 2026-11-30, without a distribution's containers.conf. Its rows on
devices are podman's requests to crun, as there was no cgroup. docker's column has docker 29's requests to its runtime,
from its source code: no docker was at hand.

- The **14 capabilities**: CHOWN, DAC_OVERRIDE, FSETID, FOWNER, MKNOD, NET_RAW, SETGID, SETUID, SETFCAP, SETPCAP, NET_BIND_SERVICE,
  SYS_CHROOT, KILL, AUDIT_WRITE. A process that is not root's has them in its bounding set alone.
- The **seccomp profile** is the one of moby/profiles (02e898b of 2026), resolved for the bounding set: `src/spec/seccomp/default.txt`.
- The **usual devices**: null, zero, full, random, urandom, tty, console, ptmx, and those in /dev/pts. Every node can
  be made, but no other can be opened. A non-root user cannot make nodes, so such a container has no rules: a layer's
  node is an empty file there.
- **Masked**: /proc/acpi, asound, interrupts, kcore, keys, latency_stats, sched_debug, scsi, timer_list, timer_stats, /sys/firmware,
  /sys/devices/virtual/powercap, and each CPU's thermal_throttle. **Read-only**: /proc/bus, fs, irq, sys, sysrq-trigger.
- **ping_group_range** in a user namespace goes as far as it maps groups: the kernel takes no more.
- **/etc/hosts, /etc/hostname, /etc/resolv.conf** are written to the root. There is no network, so there is no name server; a
  bundle for the host's network (`bundle --rootless`) has the host's. PID 1 writes the first two where the image has none, and
  leaves the third.

## Otherwise

`run --image`, `create --image` and `bundle` have docker's options, and PID 1 has keys of the kernel's command line. An
existing bundle has its settings in config.json.

| option | key of PID 1 | effect |
|---|---|---|
| `--privileged` | `ocinit.privileged=on` | all capabilities and devices; no seccomp, nothing masked or read-only, /sys and its control groups writable. Its own namespaces stay |
| `--security-opt seccomp=unconfined` | `ocinit.seccomp=off` | no filter |
| `--security-opt seccomp=FILE` | – | the profile of that file, in docker's form or the runtime-spec's |
| `--security-opt no-new-privileges` | `ocinit.no-new-privileges=on` | no_new_privs is 1 |
| `--security-opt systempaths=unconfined` | – | nothing is masked or read-only |
| `--ulimit NAME=SOFT[:HARD]` | `ocinit.ulimit=NAME=SOFT[:HARD],...` | a limit, as in `nofile=1024:4096`; -1 is none |
";

#[test]
fn the_page_says_what_containers_show() {
    let columns = columns();
    let mut page = HEAD.to_string();
    page += "| | docker 29 | podman 5.8 | ocinit: PID 1 | `run --image` | the same, a user's | `bundle`, under runc |\n";
    page += "|---|---|---|---|---|---|---|\n";
    for (title, name, docker, podman) in ROWS {
        page += &format!("| {title} | {docker} | {podman} |");
        for (at, column) in columns.iter().enumerate() {
            page += &format!(" {} |", value(column, name, at == 0));
        }
        page.push('\n');
    }
    page += TAIL;
    let path = project().join("docs/defaults.md");
    if std::env::var_os("OCINIT_WRITE").is_some() {
        std::fs::write(&path, &page).expect("docs/defaults.md");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/defaults.md is of another time: OCINIT_WRITE=1 writes it. It would be:\n{page}"
    );
}
