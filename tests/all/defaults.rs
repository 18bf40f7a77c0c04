//! Default restrictions of an image's container, seen from inside: docker's.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support;
use crate::support::images::Layer;
use crate::support::json::Json;
use crate::support::lab::{self, PLACE, Runtime};
use crate::support::tar::Header;
use crate::support::{Tar, busybox, tool};

/// An image built on a machine with a name and a name server, with a world-writable device.
fn image() -> PathBuf {
    let kmsg = Header { mode: 0o666, device: (1, 11), ..Header::new("kmsg", b'3') };
    let layer = Tar::new()
        .directory("etc/", 0o755)
        .file("etc/resolv.conf", 0o644, "nameserver 9.9.9.9\n")
        .file("etc/hostname", 0o644, "buildhost\n")
        .file("etc/hosts", 0o644, "9.9.9.9 buildhost\n")
        .entry(&kmsg, b"");
    let place = Path::new(PLACE).join("image");
    busybox().config(r#""Cmd":["sh"]"#).layer(Layer::plain(layer)).write(&place);
    place
}

/// Runs a script in a container of that image, with these options.
fn run(options: &[&str], script: &str) -> Output {
    let mut command = Command::new(Runtime::Ocinit.program());
    command.arg("--root").arg(Path::new(PLACE).join("state")).arg("run").args(options);
    // Tests run at the same time, and all share the machine's cgroups.
    let id = format!("defaults-{:?}", std::thread::current().id()).replace(['(', ')'], "-");
    command.args(["--image", "image", &id, "--", "sh", "-c", script]).current_dir(PLACE);
    command.output().expect("ocinit starts")
}

#[track_caller]
fn said(options: &[&str], script: &str) -> String {
    let output = run(options, script);
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{options:?}: {} {why}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A line of /proc/self/status, without its name.
const STATUS: &str =
    "grep -E '^(NoNewPrivs|Seccomp|CapEff|CapBnd):' /proc/self/status | tr '\\t\\n' '  '";

/// Returns a limit, lowered to what this process could set.
fn limit(kind: i32, wanted: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills one `struct rlimit`.
    assert_eq!(unsafe { libc::getrlimit(kind, &mut limit) }, 0);
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).expect("CapEff");
    let may_raise = u64::from_str_radix(effective, 16).expect("a set") >> 24 & 1 != 0;
    if may_raise { wanted } else { wanted.min(limit.rlim_max) }
}

#[test]
fn an_images_container_has_dockers_defaults() {
    lab::enter();
    image();
    assert_eq!(
        said(&[], STATUS).trim(),
        "CapEff: 00000000a80425fb CapBnd: 00000000a80425fb NoNewPrivs: 0 Seccomp: 2"
    );
    let files = limit(libc::RLIMIT_NOFILE, 524_288);
    assert_eq!(said(&[], "ulimit -Sn; ulimit -Hn"), format!("{}\n{files}\n", files.min(1024)));
    let sysctls = "cd /proc/sys/net/ipv4; cat ip_unprivileged_port_start ping_group_range";
    assert_eq!(said(&[], sysctls), "0\n0\t2147483647\n");
    // No new user namespace, no keyring, no io_uring: calls that docker's filter refuses.
    let refused = run(&[], "unshare -U true");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("Operation not permitted"),
        "{refused:?}"
    );
    // Devices of a layer, or made by the container's root, exist, but cannot be opened.
    for node in ["/kmsg", "/tmp/kmsg"] {
        let refused = run(&[], &format!("test -c {node} || mknod {node} c 1 11; head -c 1 {node}"));
        assert!(
            String::from_utf8_lossy(&refused.stderr).contains("Operation not permitted"),
            "{node}: {refused:?}"
        );
    }
    let hidden = "cd /sys/devices/virtual; ls powercap 2>/dev/null; wc -c </proc/interrupts; wc -c </proc/keys; \
                  cat /sys/devices/system/cpu/cpu*/thermal_throttle/* 2>/dev/null; true";
    assert_eq!(said(&[], hidden), "0\n0\n");
}

/// The same as an ordinary user, who has these ranges of ids.
fn run_as_user(ranges: &str, options: &str, script: &str) -> Output {
    let place = Path::new(PLACE).join("user");
    std::fs::create_dir_all(&place).expect("a directory");
    std::os::unix::fs::chown(&place, Some(4242), Some(4242)).expect("chown");
    std::fs::copy(Runtime::Ocinit.program(), Path::new(PLACE).join("ocinit")).expect("a copy");
    for (name, text) in
        [("passwd", "root:x:0:0::/:/bin/sh\ntester:x:4242:4242::/:/bin/sh\n"), ("ranges", ranges)]
    {
        std::fs::write(Path::new(PLACE).join(name), text).expect("a file");
    }
    let setup = format!(
        "touch /etc/subuid /etc/subgid; mount --bind ../passwd /etc/passwd; mount --bind ../ranges /etc/subuid; \
         mount --bind ../ranges /etc/subgid; exec setpriv --reuid 4242 --regid 4242 --clear-groups \
         ../ocinit --root state run {options} --image ../image user -- sh -c \"$0\""
    );
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", &setup, script])
        .current_dir(&place)
        .output()
        .expect("unshare starts")
}

#[test]
fn a_users_container_has_them_as_far_as_the_user_may() {
    lab::enter();
    image();
    let probe = format!(
        "{STATUS}; echo; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range; \
         ulimit -Sn; ulimit -Hn; head -n 1 /etc/hosts; grep -c 9.9.9.9 /etc/resolv.conf; unshare -U true 2>&1"
    );
    // A user has no capability to raise a limit.
    let mut own = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills one `struct rlimit`.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut own) }, 0);
    let files = own.rlim_max.min(524_288);
    for (ranges, ping) in [("", "0\t0"), ("tester:100000:65536\n", "0\t65536")] {
        let output = run_as_user(ranges, "", &probe);
        let said = String::from_utf8_lossy(&output.stdout).replace(" \n", "\n");
        let expected = format!(
            "CapEff: 00000000a80425fb CapBnd: 00000000a80425fb NoNewPrivs: 0 Seccomp: 2\n0\n{ping}\n{}\n{files}\n\
             127.0.0.1\tlocalhost ocinit\n0\nunshare: unshare(0x10000000): Operation not permitted\n",
            files.min(1024)
        );
        assert_eq!(said, expected, "{ranges}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let output = run_as_user(
        "",
        "--privileged",
        "grep Seccomp: /proc/self/status; mount -t tmpfs none /tmp && test -c /dev/zero",
    );
    assert!(output.status.success() && output.stdout == b"Seccomp:\t0\n", "{output:?}");
}

#[test]
fn create_takes_the_same_options() {
    lab::enter();
    image();
    let ocinit = |words: &[&str]| {
        let mut command = Command::new(Runtime::Ocinit.program());
        command.arg("--root").arg(Path::new(PLACE).join("state")).args(words).current_dir(PLACE);
        String::from_utf8(tool(&mut command)).expect("UTF-8")
    };
    let options = ["--security-opt", "no-new-privileges", "--ulimit", "nofile=7:8", "--privileged"];
    let words = ["--image", "image", "defaults-create", "--", "sh", "-c", "sleep 60"];
    let mut create = vec!["create"];
    create.extend(options.iter().chain(&words));
    // The container must not inherit a pipe that this test reads to its end.
    let mut command = Command::new(Runtime::Ocinit.program());
    command.arg("--root").arg(Path::new(PLACE).join("state")).args(&create).current_dir(PLACE);
    let status =
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("ocinit starts");
    assert!(status.success());
    ocinit(&["start", "defaults-create"]);
    let inside = ocinit(&[
        "exec",
        "defaults-create",
        "sh",
        "-c",
        "grep -E 'NoNewPrivs|Seccomp:' /proc/1/status; ulimit -Hn",
    ]);
    let files = ocinit(&["exec", "defaults-create", "grep", "open files", "/proc/1/limits"]);
    ocinit(&["delete", "--force", "defaults-create"]);
    assert!(inside.starts_with("NoNewPrivs:\t1\nSeccomp:\t0\n"), "{inside}");
    assert_eq!(files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["7", "8"]);
}

#[test]
fn etc_is_the_containers_and_not_the_build_machines() {
    lab::enter();
    image();
    let etc =
        said(&[], "cat /etc/hosts /etc/hostname /etc/resolv.conf; stat -c %a /etc/hosts; hostname");
    assert!(
        etc.starts_with("127.0.0.1\tlocalhost ocinit\n::1\tlocalhost ip6-localhost ip6-loopback\n"),
        "{etc}"
    );
    assert!(
        !etc.contains("9.9.9.9") && !etc.contains("buildhost") && etc.ends_with("644\nocinit\n"),
        "{etc}"
    );
}

#[test]
fn what_stands_in_the_place_of_a_file_of_etc_is_not_followed() {
    lab::enter();
    let link = |name, target, kind| Header { link: target, ..Header::new(name, kind) };
    let layer = Tar::new()
        .directory("etc/", 0o755)
        .file("etc/passwd", 0o644, "root:x:0:0::/:/bin/sh\n")
        .entry(&link("etc/hosts", "etc/passwd", b'1'), b"")
        .entry(&link("etc/hostname", "../../../../../outside", b'2'), b"")
        .directory("etc/resolv.conf/", 0o755);
    let place = Path::new(PLACE);
    busybox().config(r#""Cmd":["sh"]"#).layer(Layer::plain(layer)).write(&place.join("image"));
    std::fs::write(place.join("outside"), "host").expect("outside");
    let script = "cat /etc/passwd; test -f /etc/hosts && test ! -L /etc/hostname && test -d /etc/resolv.conf; echo $?";
    assert_eq!(said(&[], script), "root:x:0:0::/:/bin/sh\n0\n");
    assert_eq!(std::fs::read_to_string(place.join("outside")).expect("outside"), "host");
    // /etc itself leads out of the root.
    std::fs::remove_dir_all(place.join("image")).expect("image");
    let layer = Tar::new().entry(&link("etc", "../../../../../../elsewhere", b'2'), b"");
    busybox_without_etc(layer).write(&place.join("image"));
    std::fs::create_dir(place.join("elsewhere")).expect("elsewhere");
    symlink(place.join("elsewhere"), "/elsewhere").ok();
    let ended = run(&[], "cat /etc/hostname");
    std::fs::remove_file("/elsewhere").ok();
    assert!(
        std::fs::read_dir(place.join("elsewhere")).expect("elsewhere").next().is_none(),
        "{ended:?}"
    );
}

#[test]
fn an_etc_that_is_no_directory_or_closed_stays_with_a_warning() {
    lab::enter();
    let file = Tar::new().file("etc", 0o644, "x");
    busybox_without_etc(file).write(&Path::new(PLACE).join("image"));
    let output = run(&[], "cat /etc");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "x", "{output:?}");
    let warning = "ocinit: /etc is not written for the container: not a directory\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), warning);
}

fn busybox_without_etc(layer: Tar) -> support::Image {
    let whiteout = Tar::new().file(".wh.etc", 0o644, "");
    busybox().config(r#""Cmd":["sh"]"#).layer(Layer::plain(whiteout)).layer(Layer::plain(layer))
}

#[test]
fn options_loosen_and_tighten() {
    lab::enter();
    image();
    let status = |options: &[&str]| said(options, STATUS).trim().to_string();
    let privileged = status(&["--privileged"]);
    assert!(
        privileged.ends_with("NoNewPrivs: 0 Seccomp: 0") && !privileged.contains("a80425fb"),
        "{privileged}"
    );
    for (options, end) in [
        (&["--security-opt", "seccomp=unconfined"][..], "NoNewPrivs: 0 Seccomp: 0"),
        (&["--security-opt", "no-new-privileges"], "NoNewPrivs: 1 Seccomp: 2"),
        (&["--security-opt", "no-new-privileges=true"], "NoNewPrivs: 1 Seccomp: 2"),
        (
            &["--security-opt", "no-new-privileges", "--security-opt", "no-new-privileges=false"],
            "NoNewPrivs: 0 Seccomp: 2",
        ),
        (
            &["--security-opt=apparmor=unconfined", "--security-opt", "label:disable"],
            "NoNewPrivs: 0 Seccomp: 2",
        ),
        (
            &["--security-opt=seccomp=unconfined", "--security-opt=seccomp=builtin"],
            "NoNewPrivs: 0 Seccomp: 2",
        ),
    ] {
        assert!(status(options).ends_with(end), "{options:?}: {}", status(options));
    }
    assert_eq!(said(&["--security-opt", "seccomp=unconfined"], "unshare -U true; echo $?"), "0\n");
    assert_eq!(
        said(
            &["--ulimit", "nofile=100:200", "--ulimit=core=0"],
            "ulimit -Sn; ulimit -Hn; ulimit -c"
        ),
        "100\n200\n0\n"
    );
    let all = "head -c 1 /kmsg >/dev/null && test -c /dev/kmsg && touch /proc/sys/kernel/domainname && \
               test $(wc -c </proc/interrupts) -gt 0 && mount -t tmpfs none /tmp && readlink /proc/self/ns/mnt";
    let namespace = said(&["--privileged"], all);
    assert_ne!(
        Path::new(namespace.trim()),
        std::fs::read_link("/proc/thread-self/ns/mnt").expect("a namespace")
    );
    let shown = said(&["--security-opt", "systempaths=unconfined"], "wc -c </proc/interrupts");
    assert_ne!(shown, "0\n");
}

/// A profile in docker's form, with conditions.
const PROFILE: &str = r#"{"defaultAction":"SCMP_ACT_ALLOW","comment":"docker's form",
    "archMap":[{"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_ARM"]},
               {"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],
    "syscalls":[
        {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95,"args":[],"comment":"x",
         "includes":{},"excludes":{"caps":["CAP_SYS_ADMIN"]}},
        {"name":"rmdir","action":"SCMP_ACT_ERRNO","errnoRet":95,"includes":{"caps":["CAP_CHOWN","CAP_SYS_ADMIN"]}},
        {"names":["link","linkat"],"action":"SCMP_ACT_ERRNO","errnoRet":95,"includes":{"arches":["arm64"]}},
        {"names":["symlink","symlinkat"],"action":"SCMP_ACT_ERRNO","errnoRet":95,
         "includes":{"minKernel":"4.8","arches":["amd64"]}},
        {"names":["truncate","ftruncate"],"action":"SCMP_ACT_ERRNO","errnoRet":95,"includes":{"minKernel":"5.13"}}]}"#;

#[test]
fn a_profile_of_dockers_form_is_decided_for_the_container() {
    lab::enter();
    image();
    std::fs::write(Path::new(PLACE).join("profile.json"), PROFILE).expect("profile");
    let option = ["--security-opt", "seccomp=profile.json"];
    let script = "cd /tmp; one() { \"$@\" 2>/dev/null; echo $?; }; one mkdir a; one mkdir -p /; one ln /kmsg /k; one ln -s x y";
    assert_eq!(said(&option, script), "1\n0\n0\n1\n");
    let privileged = ["--privileged", option[0], option[1]];
    assert_eq!(
        said(&privileged, "cd /tmp; mkdir a; echo $?; rmdir a 2>/dev/null; echo $?"),
        "0\n1\n"
    );
    let mut bundle = Command::new(Runtime::Ocinit.program());
    tool(bundle.arg("bundle").args(option).args(["image", "bundle"]).current_dir(PLACE));
    let config =
        std::fs::read_to_string(Path::new(PLACE).join("bundle/config.json")).expect("config.json");
    let profile = Json::parse(&config).at("linux.seccomp").to_string();
    assert!(
        profile.contains(r#""architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"]"#),
        "{profile}"
    );
    let mut piped = Command::new("bash");
    piped.args(["-c", "exec \"$0\" bundle --security-opt seccomp=<(cat profile.json) image piped"]);
    tool(piped.arg(Runtime::Ocinit.program()).current_dir(PLACE));
    let config =
        std::fs::read_to_string(Path::new(PLACE).join("piped/config.json")).expect("config.json");
    assert_eq!(Json::parse(&config).at("linux.seccomp").to_string(), profile, "from a pipe");
    for gone in ["archMap", "includes", "excludes", "comment", "rmdir", "truncate", "linkat\"]}"] {
        assert!(!profile.contains(gone), "{gone}: {profile}");
    }
}

#[test]
fn bad_values_are_one_line_and_make_nothing() {
    lab::enter();
    image();
    let place = Path::new(PLACE);
    std::fs::write(place.join("bad.json"), r#"{"defaultAction":"SCMP_ACT_NONE"}"#)
        .expect("profile");
    let kernel = r#"{"defaultAction":"SCMP_ACT_ALLOW",
        "syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","includes":{"minKernel":"new"}}]}"#;
    std::fs::write(place.join("kernel.json"), kernel).expect("profile");
    std::fs::write(place.join("text.json"), "{").expect("profile");
    for (option, why) in [
        (
            "--security-opt=seccomp=bad.json",
            "--security-opt seccomp bad.json: defaultAction: unknown",
        ),
        (
            "--security-opt=seccomp=kernel.json",
            "--security-opt seccomp kernel.json: syscalls[0].includes.minKernel: not MAJOR.MINOR",
        ),
        ("--security-opt=seccomp=text.json", "--security-opt seccomp text.json: "),
        (
            "--security-opt=seccomp=absent",
            "--security-opt seccomp absent: open absent: no such file or directory",
        ),
        ("--security-opt=seccomp=", "--security-opt seccomp=: not one of"),
        ("--security-opt=seccomp", "--security-opt seccomp: not one of"),
        (
            "--security-opt=no-new-privileges=yes",
            "--security-opt no-new-privileges=yes: not one of",
        ),
        ("--security-opt=selinux", "--security-opt selinux: not one of"),
        ("--ulimit=nofile", "--ulimit nofile: not NAME=SOFT[:HARD]"),
        ("--ulimit=files=1", "--ulimit files=1: there is no such limit"),
        ("--ulimit=nofile=9:1", "--ulimit nofile=9:1: the soft limit is above the hard one"),
    ] {
        for command in ["run", "bundle"] {
            let mut ocinit = Command::new(Runtime::Ocinit.program());
            ocinit
                .current_dir(PLACE)
                .arg("--root")
                .arg(place.join("state"))
                .arg(command)
                .arg(option);
            let words: &[&str] =
                if command == "run" { &["--image", "image", "bad"] } else { &["image", "bad"] };
            let output = ocinit.args(words).output().expect("ocinit starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(why) && said.lines().count() == 1, "{command} {option}: {said}");
            assert!(!output.status.success() && !place.join("bad").exists(), "{command} {option}");
        }
    }
    let mut ocinit = Command::new(Runtime::Ocinit.program());
    let output = ocinit
        .current_dir(PLACE)
        .args(["run", "--privileged", "x"])
        .output()
        .expect("ocinit starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("--privileged is for --image: a bundle has its own in config.json"),
        "{said}"
    );
}
