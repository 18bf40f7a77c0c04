//! config-linux.md: sysctl, masked and read-only paths, rootfs propagation, cgroups, intelRdt and
//! what else there is.

use std::os::unix::fs::symlink;

use super::case::{Case, case, refusal};

pub fn cases() -> Vec<Case> {
    [sysctl(), masked(), readonly(), propagation(), cgroups(), rare()]
        .into_iter()
        .flatten()
        .collect()
}

fn sysctl() -> Vec<Case> {
    vec![
        case("sysctl.ipc", "those of the ipc namespace are set")
            .with(r#"{"linux": {"sysctl": {"kernel.msgmax": "4096", "kernel.shm_rmid_forced": "1", "fs.mqueue.msg_max": "20"}}}"#)
            .sh("cat /proc/sys/kernel/msgmax /proc/sys/kernel/shm_rmid_forced /proc/sys/fs/mqueue/msg_max")
            .gives("4096\n1\n20\n"),
        case("sysctl.net", "those of the network namespace are set")
            .with(r#"{"linux": {"namespaces+": [{"type": "network"}], "sysctl": {"net.ipv4.ip_forward": "1"}}}"#)
            .sh("cat /proc/sys/net/ipv4/ip_forward")
            .gives("1\n"),
        case("sysctl.slash", "a name may be written with slashes, for interfaces whose names have dots")
            .with(r#"{"linux": {"namespaces+": [{"type": "network"}], "sysctl": {"net/ipv4/conf/lo/forwarding": "1"}}}"#)
            .sh("cat /proc/sys/net/ipv4/conf/lo/forwarding")
            .gives("1\n"),
        case("sysctl.readonly", "they are set though /proc/sys is read-only for the program")
            .with(r#"{"linux": {"sysctl": {"kernel.msgmax": "4096"}, "readonlyPaths": ["/proc/sys"]}}"#)
            .sh("cat /proc/sys/kernel/msgmax; echo 1 2>/dev/null >/proc/sys/kernel/msgmax || echo no")
            .gives("4096\nno\n"),
        case("sysctl.net.host", "without a network namespace one of the network would be the host's")
            .with(r#"{"linux": {"sysctl": {"net.ipv4.ip_forward": "1"}}}"#)
            .refused_naming(&["net.ipv4.ip_forward"]),
        case("sysctl.ipc.host", "without an ipc namespace one of it would be the host's")
            .with(r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}], "sysctl": {"kernel.msgmax": "4096"}}}"#)
            .refused_naming(&["kernel.msgmax"]),
        case("sysctl.host", "one that has no namespace is the host's")
            .with(r#"{"linux": {"sysctl": {"vm.overcommit_memory": "1"}}}"#)
            .refused_naming(&["vm.overcommit_memory"]),
        case("sysctl.unknown", "one that the kernel has not is an error")
            .with(r#"{"linux": {"namespaces+": [{"type": "network"}], "sysctl": {"net.nonsense": "1"}}}"#)
            .refused_naming(&["net/nonsense"]),
        case("sysctl.value", "a value that the kernel refuses is an error")
            .with(r#"{"linux": {"sysctl": {"kernel.msgmax": "nonsense"}}}"#)
            .refused_naming(&["kernel/msgmax"]),
        case("sysctl.dots", "`..` in a name leads nowhere")
            .with(r#"{"linux": {"namespaces+": [{"type": "network"}], "sysctl": {"net/../vm/overcommit_memory": "1"}}}"#)
            .refused_naming(&["net/../vm/overcommit_memory"]),
    ]
}

fn masked() -> Vec<Case> {
    vec![
        case("maskedPaths.file", "a file is empty")
            .with(r#"{"linux": {"maskedPaths": ["/etc/passwd", "/proc/kcore", "/proc/keys"]}}"#)
            .sh("wc -c </etc/passwd; wc -c </proc/keys; echo x >/etc/passwd; wc -c </etc/passwd")
            .gives("0\n0\n0\n"),
        case("maskedPaths.directory", "a directory is empty and read-only")
            .with(r#"{"linux": {"maskedPaths": ["/etc", "/proc/scsi"]}}"#)
            .sh("ls /etc; touch /etc/x 2>/dev/null || echo no")
            .gives("no\n"),
        case("maskedPaths.absent", "one that is not there is left out")
            .with(r#"{"linux": {"maskedPaths": ["/no/such"]}}"#)
            .sh("echo runs")
            .gives("runs\n"),
        case("maskedPaths.relative", "MUST be absolute").with(r#"{"linux": {"maskedPaths": ["etc/passwd"]}}"#).refused_naming(&["maskedPaths"]),
        case("maskedPaths.link", "a link leads to a place in the root, and the host's is not touched")
            .with(r#"{"linux": {"maskedPaths": ["/way"]}}"#)
            .setup(|lab| symlink("/../../etc/passwd", lab.rootfs.join("way")).unwrap())
            .sh("wc -c </etc/passwd")
            .gives("0\n"),
        case("maskedPaths.null-link", "an image's /dev/null that is a link masks with nothing of the host's (CVE-2025-31133)")
            .with(r#"{"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}], "linux": {"maskedPaths": ["/etc/group"]}}"#)
            .setup(|lab| {
                std::fs::write(lab.rootfs.join("secret"), "SECRET\n").unwrap();
                symlink("/secret", lab.rootfs.join("dev/null")).unwrap();
            })
            .sh("cat /etc/group")
            .act(|lab| if lab.run().out.contains("SECRET") { "the secret".into() } else { "no secret".into() })
            .gives("no secret"),
        case("maskedPaths.both", "masked and read-only at once is masked")
            .with(r#"{"linux": {"maskedPaths": ["/proc/sys"], "readonlyPaths": ["/proc/sys"]}}"#)
            .sh("ls /proc/sys | wc -l")
            .gives("0\n"),
        case("maskedPaths.several", "what docker masks")
            .with(r#"{"linux": {"maskedPaths": ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"], "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}}"#)
            .sh("cat /proc/kcore /proc/keys /proc/timer_list | wc -c; echo b 2>/dev/null >/proc/sysrq-trigger || echo no")
            .gives("0\nno\n"),
    ]
}

fn readonly() -> Vec<Case> {
    vec![
        case("readonlyPaths", "are there, and cannot be written")
            .with(r#"{"linux": {"readonlyPaths": ["/etc", "/proc/sys"]}}"#)
            .sh("head -c 5 /etc/passwd; echo; touch /etc/x 2>/dev/null || echo no; echo x 2>/dev/null >/proc/sys/kernel/msgmax || echo no; touch /tmp/x && echo yes")
            .gives("root:\nno\nno\nyes\n"),
        case("readonlyPaths.absent", "one that is not there is left out")
            .with(r#"{"linux": {"readonlyPaths": ["/no/such"]}}"#)
            .sh("echo runs")
            .gives("runs\n"),
        case("readonlyPaths.relative", "MUST be absolute").with(r#"{"linux": {"readonlyPaths": ["etc"]}}"#).refused_naming(&["readonlyPaths"]),
        case("readonlyPaths.flags", "what else the mount forbids stays forbidden")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "t", "options": ["nosuid", "nodev", "noexec"]}], "linux": {"readonlyPaths": ["/mnt"]}}"#)
            .sh("awk '$5 == \"/mnt\" {f = $6} END {print f}' /proc/self/mountinfo")
            .gives("ro,nosuid,nodev,noexec,relatime\n"),
        case("readonlyPaths.submount", "a mount beneath is read-only too")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "t"}, {"destination": "/mnt/in", "type": "tmpfs", "source": "t"}], "linux": {"readonlyPaths": ["/mnt"]}}"#)
            .sh("touch /mnt/x 2>/dev/null || echo no; touch /mnt/in/x 2>/dev/null || echo no")
            .gives("no\nno\n"),
    ]
}

fn propagation() -> Vec<Case> {
    let rows = [
        ("rootfsPropagation.private", r#"{"linux": {"rootfsPropagation": "private"}}"#, ""),
        ("rootfsPropagation.shared", r#"{"linux": {"rootfsPropagation": "shared"}}"#, "shared"),
        (
            "rootfsPropagation.unbindable",
            r#"{"linux": {"rootfsPropagation": "unbindable"}}"#,
            "unbindable",
        ),
        ("rootfsPropagation.rprivate", r#"{"linux": {"rootfsPropagation": "rprivate"}}"#, ""),
    ];
    let row = |(name, patch, wanted): (&'static str, &'static str, &'static str)| {
        case(name, "is that of the root's mount")
            .with(patch)
            .sh("awk '$5 == \"/\" {print $7}' /proc/self/mountinfo | sed 's/^-//; s/:.*//'")
            .act(|lab| lab.run().show().trim_end().to_string())
            .gives(wanted)
    };
    let mut cases: Vec<_> = rows.map(row).into_iter().collect();
    cases.push(
        case("rootfsPropagation.unknown", "an unknown value is an error")
            .with(r#"{"linux": {"rootfsPropagation": "nonsense"}}"#)
            .refused_naming(&["rootfsPropagation"]),
    );
    cases
}

fn cgroups() -> Vec<Case> {
    vec![
        case("cgroupsPath", "the program is in it; it is absolute from the cgroup mount")
            .sh("sed -n 's/^0:://p' /proc/self/cgroup")
            .act(|lab| lab.run().show().replace(&lab.id, "ID"))
            .gives("/ID\n"),
        case("cgroupsPath.deep", "it may be a path")
            .with(r#"{"linux": {"cgroupsPath": "/@ID@/deep"}}"#)
            .sh("sed -n 's/^0:://p' /proc/self/cgroup")
            .act(|lab| lab.run().show().replace(&lab.id, "ID"))
            .gives("/ID/deep\n"),
        case("cgroupsPath.absent", "without it the runtime chooses: the id, beneath where it is itself or at the root")
            .with(r#"{"linux": {"cgroupsPath": null}}"#)
            .sh("sed -n 's/^0:://p' /proc/self/cgroup")
            .act(|lab| if lab.run().out.trim_end().ends_with(&lab.id) { "ID".into() } else { "another".into() })
            .gives("ID"),
        case("cgroupsPath.removed", "it goes with the container")
            .act(|lab| {
                lab.run();
                lab.leftovers()
            })
            .gives(""),
        case("cgroupsPath.dots", "`..` does not lead out of the cgroup mount")
            .with(r#"{"linux": {"cgroupsPath": "/../../../../mnt/@ID@"}}"#)
            .act(|lab| {
                lab.run();
                let made = std::fs::read_dir("/mnt").unwrap().filter(|entry| entry.as_ref().unwrap().path() != lab.dir).count();
                // runc and crun leave the group above theirs.
                let _ = std::fs::remove_dir("/sys/fs/cgroup/mnt");
                // The template is the one other thing there.
                format!("{}", made - 1)
            })
            .gives("0"),
        case("cgroups.controller", "a limit is set, or MUST be an error where its controller is not there")
            .with(r#"{"linux": {"resources": {"pids": {"limit": 10}}}}"#)
            .act(|lab| {
                let there = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
                if !there.contains("pids") {
                    return refusal(lab, &["run", "--bundle", "@BUNDLE@", "@ID@"]);
                }
                lab.create();
                let set = std::fs::read_to_string(lab.cgroup().join("pids.max")).unwrap_or_default();
                if set == "10\n" { "refused".into() } else { set }
            })
            .gives("refused"),
        case("cgroups.unified.controller", "a file of a controller that no kernel has MUST be an error")
            .with(r#"{"linux": {"resources": {"unified": {"nonsense.max": "1"}}}}"#)
            .refused_naming(&["nonsense.max"]),
        case("cgroups.unified", "a file of `unified` that is not there MUST be an error")
            .with(r#"{"linux": {"resources": {"unified": {"hugetlb.nonsense": "1"}}}}"#)
            .refused_naming(&["hugetlb.nonsense"]),
        case("cgroups.unified.core", "a file of the core needs no controller")
            .with(r#"{"linux": {"resources": {"unified": {"cgroup.max.depth": "3"}}}}"#)
            .sh("echo runs")
            .act(|lab| {
                lab.create();
                std::fs::read_to_string(lab.cgroup().join("cgroup.max.depth")).unwrap_or_default()
            })
            .gives("3\n"),
        case("cgroups.unified.path", "a name of `unified` that is a path is an error")
            .with(r#"{"linux": {"resources": {"unified": {"../cgroup.max.depth": "3"}}}}"#)
            .refused_naming(&["unified"]),
        case("cgroups.devices", "a device that is not allowed cannot be opened; the default devices always can")
            .with(r#"{"linux": {"devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438}, {"path": "/dev/zero2", "type": "c", "major": 1, "minor": 11, "fileMode": 438}], "resources": {"devices": [{"allow": false, "access": "rwm"}]}}}"#)
            .sh("head -c 1 /dev/zero >/dev/null && echo zero; true </dev/zero2 || echo kmsg; true 2>/dev/null </dev/fuse || echo fuse")
            .act(|lab| lab.run().out)
            .gives("zero\nkmsg\nfuse\n"),
        case("cgroups.devices.allow", "one that is allowed again after all were denied can")
            .with(r#"{"linux": {"devices": [{"path": "/dev/loop-control", "type": "c", "major": 10, "minor": 237, "fileMode": 438}], "resources": {"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 237, "access": "r"}]}}}"#)
            .sh("true </dev/loop-control && echo read; true 2>/dev/null >/dev/loop-control || echo not written")
            .act(|lab| lab.run().out)
            .gives("read\nnot written\n"),
        case("cgroups.devices.access", "an unknown access is an error")
            .with(r#"{"linux": {"resources": {"devices": [{"allow": true, "type": "c", "access": "rwx"}]}}}"#)
            .refused_naming(&["access"]),
    ]
}

fn rare() -> Vec<Case> {
    vec![
        case("intelRdt", "where resctrl is not mounted it MUST be an error")
            .with(r#"{"linux": {"intelRdt": {"closID": "some", "l3CacheSchema": "L3:0=1"}}}"#)
            .refused_naming(&["intelRdt"]),
        case("netDevices", "one that the host has not MUST be an error (1.3.0)")
            .with(r#"{"linux": {"namespaces+": [{"type": "network"}], "netDevices": {"nonsense0": {"name": "eth0"}}}}"#)
            .refused_naming(&["nonsense0"]),
        case("netDevices.move", "one is moved, renamed and up (1.3.0)")
            .with(r#"{"linux": {"namespaces+": [{"type": "network"}], "netDevices": {"cnf0": {"name": "eth7"}}}}"#)
            .sh("ifconfig eth7 2>&1 | grep -c UP; true")
            .act(|lab| {
                let link = |words: &[&str]| std::process::Command::new("ip").arg("link").args(words).output();
                // The name is this runtime's: cases of several run at once.
                let name =
                    format!("cnf{}", std::process::id() % 1000 * 10 + u32::from(lab.runtime.name().len() as u8 % 10));
                lab.merge(r#"{"linux": {"netDevices": null}}"#);
                lab.merge(&format!(r#"{{"linux": {{"netDevices": {{"{name}": {{"name": "eth7"}}}}}}}}"#));
                let made = link(&["add", &name, "type", "veth", "peer", "name", &format!("{name}p")]).is_ok_and(|output| output.status.success());
                let seen = if made { lab.run().show() } else { "this kernel has no pairs of devices".into() };
                let _ = link(&["del", &name]);
                seen
            })
            .gives("1\n"),
        case("mountLabel", "a label is left out where the kernel runs without SELinux")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "t"}], "linux": {"mountLabel": "system_u:object_r:container_file_t:s0"}}"#)
            .gives(""),
        case("memoryPolicy", "MPOL_BIND to a node that is there is the program's (1.3.0)")
            .with(r#"{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0"}}}"#)
            .sh("grep -q bind:0 /proc/self/numa_maps && echo bound; true")
            .gives("bound\n"),
        case("memoryPolicy.unknown", "an unknown mode MUST be an error (1.3.0)")
            .with(r#"{"linux": {"memoryPolicy": {"mode": "MPOL_NONSENSE"}}}"#)
            .refused_naming(&["linux.memoryPolicy.mode"]),
        case("vm", "sections of other platforms are left alone")
            .with(r#"{"windows": {"layerFolders": ["C:\\x"]}, "solaris": {}, "zos": {}}"#)
            .sh("echo runs")
            .gives("runs\n"),
    ]
}
