//! `ocinit spec` beside `runc spec`, field by field, and its config under runc; `ocinit features`
//! beside runc's.

use crate::support::images::busybox_tar_file;
use crate::support::{project, read, scratch, tool, write};
use std::path::Path;
use std::process::{Command, Output};

fn ocinit(words: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ocinit"))
        .args(words)
        .current_dir(directory)
        .output()
        .expect("ocinit starts")
}

/// What a config says, a line per fact.
fn facts(config: &Path) -> Vec<String> {
    let script = project().join("tests/all/support/config.py");
    let said = tool(Command::new("python3").arg(script).arg(config));
    String::from_utf8(said).expect("UTF-8").lines().map(str::to_string).collect()
}

/// What ocinit's has besides runc's; the other way about, what it lacks.
const MORE: [&str; 6] = [
    "hostname \"ocinit\"",
    "linux.maskedPaths /proc/interrupts",
    "linux.maskedPaths /sys/devices/virtual/powercap",
    "mount /proc proc proc nodev,noexec,nosuid",
    "mount /sys/fs/cgroup cgroup cgroup nodev,noexec,nosuid,ro",
    "ociVersion \"1.0.2\"",
];

#[test]
fn a_config_to_begin_with_is_runcs_where_it_is_not_stricter() {
    for (flags, namespaces) in [
        (&["spec"][..], "cgroup ipc mount network pid uts"),
        (&["spec", "--rootless"], "cgroup ipc mount pid user uts"),
    ] {
        let (ours, theirs) = (scratch("spec-ours"), scratch("spec-theirs"));
        let output = ocinit(flags, &ours);
        assert!(
            output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(),
            "{output:?}"
        );
        tool(Command::new("runc").args(flags).current_dir(&theirs));
        let (mut ours, theirs) =
            (facts(&ours.join("config.json")), facts(&theirs.join("config.json")));
        // runc has a cgroup namespace where the host has nothing but version 2.
        let named =
            ours.iter().position(|fact| fact.starts_with("linux.namespaces")).expect("namespaces");
        assert_eq!(ours.remove(named), format!("linux.namespaces {namespaces}"));
        let more: Vec<&String> = ours.iter().filter(|fact| !theirs.contains(fact)).collect();
        assert_eq!(more, MORE);
        let less = theirs
            .iter()
            .filter(|fact| !ours.contains(fact) && !fact.starts_with("linux.namespaces"));
        let less: Vec<&str> = less.map(|fact| fact.split(' ').next().expect("a word")).collect();
        // runc 1.1 has ambient capabilities that nothing makes inheritable; the newest has none.
        assert_eq!(
            less,
            ["hostname", "mount", "mount", "ociVersion", "process.capabilities.ambient"]
        );
    }
}

#[test]
fn a_config_that_is_there_stays_as_it_is() {
    let place = scratch("spec-there");
    std::fs::create_dir(place.join("bundle")).expect("bundle");
    write(&place.join("bundle/config.json"), "{}");
    for words in [&["spec", "-b", "bundle"][..], &["spec", "--bundle=bundle", "--rootless"]] {
        let output = ocinit(words, &place);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "ocinit: File config.json exists. Remove it first\n"
        );
        assert_eq!(read(&place.join("bundle/config.json")), b"{}");
    }
    let output = ocinit(&["spec", "-b", "absent"], &place);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "ocinit: enter the bundle absent: no such file or directory\n"
    );
    let theirs = Command::new("runc")
        .args(["spec", "-b", "bundle"])
        .current_dir(&place)
        .output()
        .expect("runc starts");
    assert!(
        String::from_utf8_lossy(&theirs.stderr)
            .contains("File config.json exists. Remove it first")
    );
    assert_eq!(theirs.status.code(), Some(1));
}

#[test]
fn runc_runs_it() {
    let place = scratch("spec-run");
    std::fs::create_dir(place.join("rootfs")).expect("rootfs");
    tool(
        Command::new("tar").arg("-xf").arg(busybox_tar_file()).arg("-C").arg(place.join("rootfs")),
    );
    assert!(ocinit(&["spec"], &place).status.success());
    let config = place.join("config.json");
    let text = String::from_utf8(read(&config)).expect("UTF-8");
    let changed = text.replace("\"terminal\": true", "\"terminal\": false");
    let changed =
        changed.replace("\t\t\t\"sh\"\n", "\"/bin/busybox\", \"sh\", \"-c\", \"hostname; exit 7\"");
    assert!(changed.contains("exit 7") && changed != text);
    write(&config, changed);
    let id = format!("ocinit-spec-{}", std::process::id());
    let output =
        Command::new("runc").args(["run", &id]).current_dir(&place).output().expect("runc starts");
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!((&output.stdout[..], output.status.code()), (&b"ocinit\n"[..], Some(7)), "{why}");
}

/// Compares two documents; prints what is wrong.
const COMPARE: &str = r#"
import json, re, sys
ours, theirs = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
def need(good, what):
    if not good:
        print(what)
known = {"ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations", "potentiallyUnsafeConfigAnnotations"}
linux = {"namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt", "mountExtensions",
    "netDevices", "memoryPolicy"}
need(set(ours) == known, "members: %s" % (set(ours) ^ known))
need(set(ours["linux"]) == linux, "linux: %s" % (set(ours["linux"]) ^ linux))
need((ours["ociVersionMin"], ours["ociVersionMax"]) == ("1.0.0", "1.3.0"), "versions")
# What runc 1.1 knows is known: it has neither idmap nor flags of seccomp yet. acl is a file system's own.
need(set(theirs["mountOptions"]) - {"acl", "noacl"} <= set(ours["mountOptions"]), "options: %s" % (set(theirs["mountOptions"]) - set(ours["mountOptions"])))
need({"idmap", "ridmap", "nosymfollow", "rro"} <= set(ours["mountOptions"]), "options of newer specifications")
need(ours["hooks"] == theirs["hooks"], "hooks")
need(ours["linux"]["capabilities"] == theirs["linux"]["capabilities"], "capabilities")
need(sorted(ours["linux"]["namespaces"]) == sorted(theirs["linux"]["namespaces"] + ["time"]), "namespaces")
for key in ("actions", "operators", "archs"):
    need(set(theirs["linux"]["seccomp"][key]) <= set(ours["linux"]["seccomp"][key]), key)
need(ours["linux"]["seccomp"]["enabled"] is True, "seccomp")
need(ours["linux"]["cgroup"] == {"v1": False, "v2": True, "systemd": False, "systemdUser": False, "rdma": True}, "cgroup")
for part in ("apparmor", "selinux", "intelRdt", "netDevices"):
    need(ours["linux"][part]["enabled"] is True, part)
need(ours["linux"]["mountExtensions"] == {"idmap": {"enabled": True}}, "mountExtensions")
need(ours["linux"]["memoryPolicy"] == {
    "modes": ["MPOL_" + m for m in "DEFAULT PREFERRED BIND INTERLEAVE LOCAL PREFERRED_MANY WEIGHTED_INTERLEAVE".split()],
    "flags": ["MPOL_F_" + f for f in "NUMA_BALANCING RELATIVE_NODES STATIC_NODES".split()]}, "memoryPolicy")
need(ours["potentiallyUnsafeConfigAnnotations"] == [], "annotations that are unsafe")
for key, value in ours["annotations"].items():
    need(re.fullmatch(r"[a-z]+(\.[a-z]+)+", key) and isinstance(value, str) and value, key)
def lists(value):
    for inner in value.values() if isinstance(value, dict) else ():
        if isinstance(inner, list):
            need(len(set(inner)) == len(inner), "twice: %s" % inner)
        lists(inner)
lists(ours)
"#;

#[test]
fn features_are_those_of_the_specification_and_not_less_than_runcs() {
    let place = scratch("features");
    let output = ocinit(&["features"], &place);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    write(&place.join("ours"), &output.stdout);
    write(&place.join("theirs"), tool(Command::new("runc").arg("features")));
    let said =
        tool(Command::new("python3").args(["-c", COMPARE, "ours", "theirs"]).current_dir(&place));
    assert_eq!(String::from_utf8_lossy(&said), "");
}
