//! config.md, "Mounts" and "Linux mount options".

use std::os::unix::fs::symlink;

use super::case::{Case, case};
use crate::support::lab::Lab;

pub fn cases() -> Vec<Case> {
    [places(), kinds(), flags(), recursive(), propagation(), links(), wrong()]
        .into_iter()
        .flatten()
        .collect()
}

/// A directory of the bundle with a file, and a mount in it.
fn source(lab: &mut Lab) {
    std::fs::create_dir_all(lab.bundle.join("vol/sub")).unwrap();
    std::fs::write(lab.bundle.join("vol/file"), "content\n").unwrap();
}

/// The same with a tmpfs at `sub`, which holds `deep`.
fn with_submount(lab: &mut Lab) {
    source(lab);
    let target = lab.bundle.join("vol/sub");
    let status = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "t"])
        .arg(&target)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::write(target.join("deep"), "").unwrap();
}

fn unmount(lab: &Lab) {
    let target = lab.bundle.join("vol/sub");
    let _ = std::process::Command::new("umount").args(["-l"]).arg(&target).status();
}

/// `run`, for a bundle whose volume has a mount in it.
fn run_with_submount(lab: &mut Lab) -> String {
    with_submount(lab);
    let seen = lab.run().show();
    unmount(lab);
    seen
}

fn places() -> Vec<Case> {
    vec![
        case("mounts.order", "are made in the order of the list")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "one"}, {"destination": "/mnt/in", "type": "tmpfs", "source": "two"}, {"destination": "/mnt", "type": "tmpfs", "source": "three"}]}"#)
            .sh("awk '$2 ~ /^.mnt/ {print $1, $2}' /proc/mounts; ls /mnt")
            .gives("one /mnt\ntwo /mnt/in\nthree /mnt\n"),
        case("mounts.destination.made", "a destination that is not there is made, with the directories above it")
            .with(r#"{"mounts+": [{"destination": "/a/b/c", "type": "tmpfs", "source": "t"}]}"#)
            .sh("grep -c ' /a/b/c ' /proc/mounts; stat -c '%a %u:%g' /a /a/b")
            .gives("1\n755 0:0\n755 0:0\n"),
        case("mounts.destination.relative", "a relative destination is one from / (deprecated)")
            .with(r#"{"mounts+": [{"destination": "mnt", "type": "tmpfs", "source": "t"}]}"#)
            .sh("grep -c ' /mnt ' /proc/mounts")
            .gives("1\n"),
        case("mounts.destination.dots", "`..` does not leave the root")
            .with(r#"{"mounts+": [{"destination": "/../../mnt/../mnt", "type": "tmpfs", "source": "t"}]}"#)
            .sh("grep -c ' /mnt ' /proc/mounts")
            .gives("1\n"),
        case("mounts.source.relative", "the source of a bind is relative to the bundle")
            .setup(source)
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "vol", "options": ["bind"]}]}"#)
            .sh("cat /mnt/file")
            .gives("content\n"),
        case("mounts.bind.file", "a file is bound over a file, which is made where there is none")
            .setup(source)
            .with(r#"{"mounts+": [{"destination": "/etc/new/file", "type": "bind", "source": "@BUNDLE@/vol/file", "options": ["bind", "ro"]}]}"#)
            .sh("cat /etc/new/file; echo x 2>/dev/null >/etc/new/file || echo no")
            .gives("content\nno\n"),
        case("mounts.bind.device", "a device is bound as a file is")
            .with(r#"{"mounts+": [{"destination": "/dev/other", "type": "bind", "source": "/dev/zero", "options": ["bind"]}]}"#)
            .sh("stat -c %t:%T /dev/other; head -c 2 /dev/other | od -An -tx1")
            .gives("1:5\n 00 00\n"),
        case("mounts.bind.socket", "a socket is bound as a file is")
            .setup(|lab| drop(std::os::unix::net::UnixListener::bind(lab.bundle.join("socket")).unwrap()))
            .with(r#"{"mounts+": [{"destination": "/run/s", "type": "bind", "source": "@BUNDLE@/socket", "options": ["bind"]}]}"#)
            .sh("test -S /run/s && echo socket")
            .gives("socket\n"),
        case("mounts.bind.type", "options say that it is a bind: the type is a dummy")
            .setup(source)
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "vol", "options": ["rbind"]}]}"#)
            .sh("cat /mnt/file")
            .gives("content\n"),
        case("mounts.bind.untyped", "a bind needs no type")
            .setup(source)
            .with(r#"{"mounts+": [{"destination": "/mnt", "source": "vol", "options": ["bind"]}]}"#)
            .sh("cat /mnt/file")
            .gives("content\n"),
        case("mounts.bind", "a bind leaves the mounts beneath its source out")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "vol", "options": ["bind"]}]}"#)
            .sh("ls /mnt/sub")
            .act(run_with_submount)
            .gives(""),
        case("mounts.rbind", "an rbind takes them along")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "vol", "options": ["rbind"]}]}"#)
            .sh("ls /mnt/sub")
            .act(run_with_submount)
            .gives("deep\n"),
        case("mounts.write", "what is written to a bind is at its source")
            .setup(source)
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "vol", "options": ["bind"]}]}"#)
            .sh("echo changed >/mnt/file")
            .act(|lab| format!("{}{}", lab.run().show(), lab.file("b/vol/file")))
            .gives("changed\n"),
        case("mounts.none", "null is none").with(r#"{"mounts=": null}"#).sh("echo runs").gives("runs\n"),
    ]
}

fn kinds() -> Vec<Case> {
    vec![
        case("mounts.tmpfs.data", "options that are no flags are the file system's")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "t", "options": ["size=64k", "mode=1770", "uid=3", "gid=0"]}]}"#)
            .sh("stat -c '%a %u' /mnt; dd if=/dev/zero of=/mnt/x bs=1k count=100 2>/dev/null; stat -c %s /mnt/x")
            .gives("1770 3\n65536\n"),
        case("mounts.tmpfs.mode", "without mode it is what the directory was")
            .with(r#"{"mounts+": [{"destination": "/tmp", "type": "tmpfs", "source": "t"}]}"#)
            .sh("stat -c %a /tmp")
            .gives("1777\n"),
        case("mounts.tmpcopyup", "what is beneath is copied up")
            .with(r#"{"mounts+": [{"destination": "/etc", "type": "tmpfs", "source": "t", "options": ["tmpcopyup"]}]}"#)
            .setup(|lab| {
                std::fs::create_dir(lab.rootfs.join("etc/dir")).unwrap();
                symlink("dir/x", lab.rootfs.join("etc/link")).unwrap();
                std::fs::write(lab.rootfs.join("etc/dir/x"), "copied\n").unwrap();
            })
            .sh("grep -c ' /etc tmpfs' /proc/mounts; cat /etc/link; touch /etc/dir/new && echo writable")
            .gives("1\ncopied\nwritable\n"),
        case("mounts.sysfs", "sysfs is mounted")
            .with(r#"{"linux": {"namespaces+": [{"type": "network"}]}, "mounts+": [{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}]}"#)
            .sh("ls /sys/class/net; mkdir /sys/x 2>/dev/null || echo no")
            .gives("lo\nno\n"),
        case("mounts.proc", "/proc is the pid namespace's")
            .sh("set -- /proc/[0-9]*; echo $#; cat /proc/1/comm; true")
            .gives("1\nsh\n"),
        case("mounts.devpts", "a new instance has no terminal of the caller's").sh("ls /dev/pts").gives("ptmx\n"),
        case("mounts.mqueue", "mqueue is the ipc namespace's").sh("grep -c ' /dev/mqueue mqueue ' /proc/mounts; ls /dev/mqueue").gives("1\n"),
        case("mounts.overlay", "overlay takes its data")
            .setup(|lab| {
                for directory in ["lower", "upper", "work"] {
                    std::fs::create_dir(lab.bundle.join(directory)).unwrap();
                }
                std::fs::write(lab.bundle.join("lower/low"), "").unwrap();
            })
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "overlay", "source": "overlay", "options": ["lowerdir=@BUNDLE@/lower", "upperdir=@BUNDLE@/upper", "workdir=@BUNDLE@/work"]}]}"#)
            .sh("ls /mnt; touch /mnt/up")
            .act(|lab| format!("{}{}", lab.run().show(), lab.bundle.join("upper/up").exists()))
            .gives("low\ntrue"),
        case("mounts.cgroup", "`cgroup` is cgroup v2 where that is what there is, at the container's own")
            .with(r#"{"linux": {"namespaces+": [{"type": "cgroup"}]}, "mounts+": [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}]}"#)
            .sh("awk '$2 == \"/sys/fs/cgroup\" {print $3}' /proc/mounts; cat /sys/fs/cgroup/cgroup.procs | head -1; mkdir /sys/fs/cgroup/x 2>/dev/null || echo no")
            .gives("cgroup2\n1\nno\n"),
    ]
}

/// Options and the words of /proc/self/mountinfo that they become.
const FLAGS: &[(&str, &str, &str, &str)] = &[
    ("mounts.option.ro", "ro", r#"["ro"]"#, "ro,relatime"),
    ("mounts.option.rw", "rw", r#"["ro", "rw"]"#, "rw,relatime"),
    ("mounts.option.nosuid", "nosuid", r#"["nosuid"]"#, "rw,nosuid,relatime"),
    ("mounts.option.suid", "suid after nosuid", r#"["nosuid", "suid"]"#, "rw,relatime"),
    ("mounts.option.nodev", "nodev", r#"["nodev"]"#, "rw,nodev,relatime"),
    ("mounts.option.dev", "dev after nodev", r#"["nodev", "dev"]"#, "rw,relatime"),
    ("mounts.option.noexec", "noexec", r#"["noexec"]"#, "rw,noexec,relatime"),
    ("mounts.option.exec", "exec after noexec", r#"["noexec", "exec"]"#, "rw,relatime"),
    ("mounts.option.noatime", "noatime", r#"["noatime"]"#, "rw,noatime"),
    ("mounts.option.strictatime", "strictatime", r#"["strictatime"]"#, "rw"),
    ("mounts.option.relatime", "relatime", r#"["relatime"]"#, "rw,relatime"),
    ("mounts.option.nodiratime", "nodiratime", r#"["nodiratime"]"#, "rw,nodiratime,relatime"),
    ("mounts.option.defaults", "defaults", r#"["defaults"]"#, "rw,relatime"),
    ("mounts.option.nosymfollow", "nosymfollow", r#"["nosymfollow"]"#, "rw,relatime,nosymfollow"),
    ("mounts.option.sync", "sync", r#"["sync"]"#, "rw,relatime sync"),
    ("mounts.option.dirsync", "dirsync", r#"["dirsync"]"#, "rw,relatime dirsync"),
    ("mounts.option.lazytime", "lazytime", r#"["lazytime"]"#, "rw,relatime lazytime"),
    ("mounts.option.silent", "silent and loud", r#"["silent", "loud"]"#, "rw,relatime"),
    (
        "mounts.option.iversion",
        "iversion and noiversion",
        r#"["iversion", "noiversion"]"#,
        "rw,relatime",
    ),
    (
        "mounts.option.many",
        "all that a container's /dev/shm has",
        r#"["nosuid", "noexec", "nodev", "mode=1777"]"#,
        "rw,nosuid,nodev,noexec,relatime",
    ),
];

fn flags() -> Vec<Case> {
    let of_tmpfs = FLAGS.iter().map(|(name, rule, options, wanted)| {
        let patch = format!(r#"{{"mounts+": [{{"destination": "/mnt", "type": "tmpfs", "source": "t", "options": {options}}}]}}"#);
        case(name, rule)
            .setup(move |lab| {
                lab.merge(&patch);
            })
            // The flags of the mount, then those of the file system that are not the usual ones.
            .sh("awk '$5 == \"/mnt\" {n = split($NF, s, \",\"); printf $6; for (i = 1; i <= n; i++) if (s[i] ~ /^(sync|dirsync|lazytime)$/) printf \" \" s[i]; print \"\"}' /proc/self/mountinfo")
            .act(|lab| lab.run().show().trim_end().to_string())
            .gives(wanted)
    });
    let of_binds = vec![
        case("mounts.bind.ro", "ro, nosuid, nodev and noexec of a bind are the bind's, and the source stays as it is")
            .setup(source)
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "vol", "options": ["bind", "ro", "nosuid", "nodev", "noexec"]}]}"#)
            .sh("awk '$5 == \"/mnt\" {print $6}' /proc/self/mountinfo; touch /mnt/x 2>/dev/null || echo no")
            .gives("ro,nosuid,nodev,noexec,relatime\nno\n"),
        case("mounts.bind.kept", "flags of the source that are not asked for go as soon as one is asked for; access times stay")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "vol/sub", "options": ["bind", "ro"]}]}"#)
            .sh("awk '$5 == \"/mnt\" {print $6}' /proc/self/mountinfo")
            .act(|lab| {
                with_submount(lab);
                let target = lab.bundle.join("vol/sub");
                let remount = ["-o", "remount,nosuid,nodev,noatime"];
                assert!(std::process::Command::new("mount").args(remount).arg(&target).status().unwrap().success());
                let seen = lab.run().show();
                unmount(lab);
                seen
            })
            .gives("ro,noatime\n"),
        case("mounts.remount", "remount changes a mount that is there")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "t"}, {"destination": "/mnt", "type": "tmpfs", "source": "t", "options": ["remount", "ro"]}]}"#)
            .sh("grep -c ' /mnt ' /proc/mounts; touch /mnt/x 2>/dev/null || echo no")
            .gives("1\nno\n"),
    ];
    of_tmpfs.chain(of_binds).collect()
}

fn recursive() -> Vec<Case> {
    let rows = [
        (
            "mounts.option.rro",
            "rro makes what is beneath read-only too",
            r#"["rbind", "rro"]"#,
            "ro,relatime",
        ),
        ("mounts.option.ro.rbind", "ro does not", r#"["rbind", "ro"]"#, "rw,relatime"),
        (
            "mounts.option.rnosuid",
            "rnosuid, rnodev and rnoexec too",
            r#"["rbind", "rnosuid", "rnodev", "rnoexec"]"#,
            "rw,nosuid,nodev,noexec,relatime",
        ),
        ("mounts.option.rnoatime", "rnoatime too", r#"["rbind", "rnoatime"]"#, "rw,noatime"),
        (
            "mounts.option.rnosymfollow",
            "rnosymfollow too",
            r#"["rbind", "rnosymfollow"]"#,
            "rw,relatime,nosymfollow",
        ),
    ];
    let row = |(name, rule, options, wanted): (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    )| {
        case(name, rule)
            .setup(move |lab| {
                lab.merge(&format!(
                    r#"{{"mounts+": [{{"destination": "/mnt", "type": "bind", "source": "vol", "options": {options}}}]}}"#
                ));
            })
            .sh("awk '$5 == \"/mnt/sub\" {print $6}' /proc/self/mountinfo")
            .act(|lab| run_with_submount(lab).trim_end().to_string())
            .gives(wanted)
    };
    rows.map(row).into_iter().collect()
}

fn propagation() -> Vec<Case> {
    let rows = [
        ("mounts.option.private", "private", r#"["bind", "private"]"#, ""),
        ("mounts.option.shared", "shared", r#"["bind", "shared"]"#, "shared"),
        (
            "mounts.option.slave",
            "slave: its master is the caller's mount",
            r#"["bind", "slave"]"#,
            "",
        ),
        ("mounts.option.unbindable", "unbindable", r#"["bind", "unbindable"]"#, "unbindable"),
        ("mounts.option.rshared", "rshared", r#"["rbind", "rshared"]"#, "shared"),
        ("mounts.option.rprivate", "rprivate", r#"["rbind", "rprivate"]"#, ""),
    ];
    let row = |(name, rule, options, wanted): (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    )| {
        case(name, rule)
            .setup(move |lab| {
                source(lab);
                lab.merge(&format!(
                    r#"{{"mounts+": [{{"destination": "/mnt", "type": "bind", "source": "vol", "options": {options}}}]}}"#
                ));
            })
            .sh("awk '$5 == \"/mnt\" {print $7}' /proc/self/mountinfo | sed 's/^-//; s/:.*//'")
            .act(|lab| lab.run().show().trim_end().to_string())
            .gives(wanted)
    };
    rows.map(row).into_iter().collect()
}

fn links() -> Vec<Case> {
    vec![
        case("mounts.destination.link", "an absolute link in the root leads to a place in the root")
            .setup(|lab| symlink("/mnt", lab.rootfs.join("way")).unwrap())
            .with(r#"{"mounts+": [{"destination": "/way/in", "type": "tmpfs", "source": "t"}]}"#)
            .sh("awk '$1 == \"t\" {print $2}' /proc/mounts")
            .gives("/mnt/in\n"),
        case("mounts.destination.escape", "a link that leads out of the root leads nowhere but into it (CVE-2021-30465)")
            .setup(|lab| symlink("../../../../../../../mnt", lab.rootfs.join("way")).unwrap())
            .with(r#"{"mounts+": [{"destination": "/way/escaped", "type": "tmpfs", "source": "t"}]}"#)
            .sh("awk '$1 == \"t\" {print $2}' /proc/mounts")
            .act(|lab| format!("{}{}", lab.run().show(), std::path::Path::new("/mnt/escaped").exists()))
            .gives("/mnt/escaped\nfalse"),
        case("mounts.destination.proc", "/proc that is a link is refused, or is the root's own place (CVE-2019-19921)")
            .setup(|lab| {
                std::fs::remove_dir(lab.rootfs.join("proc")).unwrap();
                symlink("tmp", lab.rootfs.join("proc")).unwrap();
            })
            .refused_naming(&["proc"]),
        case("mounts.destination.file-link", "a file bound at a link is bound where the link leads in the root")
            .setup(|lab| {
                source(lab);
                symlink("/tmp/target", lab.rootfs.join("etc/resolv.conf")).unwrap();
                std::fs::write(lab.rootfs.join("tmp/target"), "").unwrap();
            })
            .with(r#"{"mounts+": [{"destination": "/etc/resolv.conf", "type": "bind", "source": "vol/file", "options": ["bind"]}]}"#)
            .sh("cat /etc/resolv.conf; awk '$2 ~ /target|resolv/ {print $2}' /proc/mounts")
            .gives("content\n/tmp/target\n"),
        case("mounts.source.link", "the source of a bind may be a link of the caller's")
            .setup(|lab| {
                source(lab);
                symlink("vol", lab.bundle.join("way")).unwrap();
            })
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "way", "options": ["bind"]}]}"#)
            .sh("cat /mnt/file")
            .gives("content\n"),
    ]
}

fn wrong() -> Vec<Case> {
    vec![
        case("mounts.source.absent", "a source that is not there is an error")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "nowhere", "options": ["bind"]}]}"#)
            .refused_naming(&["nowhere"]),
        case("mounts.type.unknown", "a file system that the kernel has not is an error")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "nonsense", "source": "x"}]}"#)
            .refused_naming(&["nonsense"]),
        case("mounts.option.unknown", "an option that the file system does not know is an error")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "x", "options": ["nonsense=1"]}]}"#)
            .refused_naming(&["/mnt"]),
        case("mounts.destination.missing", "destination is REQUIRED")
            .with(r#"{"mounts+": [{"type": "tmpfs", "source": "x"}]}"#)
            .refused_naming(&["mounts[5].destination"]),
        case("mounts.bind.file-over-directory", "a file cannot be bound over a directory")
            .setup(source)
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "vol/file", "options": ["bind"]}]}"#)
            .refused_naming(&["/mnt"]),
        case("mounts.bind.directory-over-file", "a directory cannot be bound over a file")
            .setup(source)
            .with(r#"{"mounts+": [{"destination": "/etc/passwd", "type": "bind", "source": "vol", "options": ["bind"]}]}"#)
            .refused_naming(&["/etc/passwd"]),
        case("mounts.idmap.alone", "idmap without mappings and without a user namespace MUST be an error (1.2.0)")
            .setup(source)
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "vol", "options": ["bind", "idmap"]}]}"#)
            .refused_naming(&["/mnt"]),
        case("mounts.idmap.half", "uidMappings require gidMappings (1.0.2)")
            .setup(source)
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "vol", "options": ["bind", "idmap"], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}]}]}"#)
            .refused_naming(&["/mnt"]),
        case("mounts.idmap", "mappings are the bind's (1.2.0)")
            .setup(|lab| {
                source(lab);
                std::os::unix::fs::chown(lab.bundle.join("vol/file"), Some(3), Some(4)).unwrap();
            })
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "bind", "source": "vol", "options": ["bind", "idmap"], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}], "gidMappings": [{"containerID": 0, "hostID": 2000, "size": 10}]}]}"#)
            .sh("stat -c %u:%g /mnt/file")
            .gives("1003:2004\n"),
    ]
}
