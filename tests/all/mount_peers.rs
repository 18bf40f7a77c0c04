//! Mounts in a container do not reach the host, and the container sees no other cgroups and kernel
//! settings of the host.

use std::collections::BTreeSet;

use crate::support::lab::{self, Lab, Runtime, host, mountinfo};

/// Returns the peer groups in a text of mountinfo.
fn groups(text: &str) -> BTreeSet<String> {
    text.split_whitespace().filter(|word| word.starts_with("shared:")).map(String::from).collect()
}

const USERS: &str = r#"{"linux": {"namespaces+": [{"type": "user"}],
    "uidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}],
    "gidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}]}}"#;

/// Every kind of mount: new, copied, bound recursively, of devices, masked, read-only, id-mapped.
const ALL_KINDS: &str = r#"{"mounts+": [
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid"]},
    {"destination": "/etc2", "type": "tmpfs", "source": "t", "options": ["tmpcopyup"]},
    {"destination": "/one", "type": "bind", "source": "@DIR@/src", "options": ["bind", "rw"]},
    {"destination": "/all", "type": "bind", "source": "@DIR@/src", "options": ["rbind", "ro"]},
    {"destination": "/rel", "type": "bind", "source": "../src", "options": ["rbind"]},
    {"destination": "/slave", "type": "bind", "source": "@DIR@/src", "options": ["rbind", "rslave"]},
    {"destination": "/long", "type": "overlay", "source": "o", "options": ["lowerdir=@DIR@/low:@LONG@"]}],
    "process": {"args": ["/bin/cat", "/proc/self/mountinfo"]},
    "linux": {"maskedPaths": ["/proc/keys", "/sys/firmware"], "readonlyPaths": ["/proc/sys", "/all"],
        "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]}}"#;

/// Without the fix the cgroup mount of a container without a cgroup namespace is in the host's peer
/// group. So are binds with a shared rootfsPropagation and a user namespace.
#[test]
fn no_mount_is_a_peer_of_the_hosts_that_was_not_asked_for() {
    lab::enter();
    host("mount --make-rshared /");
    for users in [false, true] {
        for (own_groups, propagation) in
            [(false, ""), (true, ""), (false, "rslave"), (false, "rprivate"), (false, "shared")]
        {
            for options in [&[][..], &["--no-pivot"]] {
                let mut lab = Lab::new(Runtime::Ocinit);
                let long = lab.dir.join(format!("{}/{}", "l".repeat(150), "m".repeat(150)));
                std::fs::create_dir_all(&long).unwrap();
                host(&lab.fill(
                    "mkdir @DIR@/src @DIR@/low; mount -t tmpfs src @DIR@/src; mkdir @DIR@/src/a; mount -t tmpfs a @DIR@/src/a",
                ));
                lab.merge(&ALL_KINDS.replace("@LONG@", long.to_str().unwrap()));
                if own_groups {
                    lab.merge(r#"{"linux": {"namespaces+": [{"type": "cgroup"}]}}"#);
                }
                if users {
                    // Without its own network namespace it cannot mount sysfs.
                    lab.merge(USERS).merge(r#"{"linux": {"namespaces+": [{"type": "network"}]}}"#);
                }
                if !propagation.is_empty() {
                    lab.merge(&format!(r#"{{"linux": {{"rootfsPropagation": "{propagation}"}}}}"#));
                }
                let what =
                    format!("users {users}, groups {own_groups}, {propagation}, {options:?}");
                let before = mountinfo();
                let said =
                    lab.call(&[&["run"], options, &["--bundle", "@BUNDLE@", "@ID@"]].concat());
                assert_eq!((said.status, said.err.as_str()), (0, ""), "{what}");
                let hosts = groups(&before);
                assert!(hosts.len() > 5, "{before}");
                let is_peer = |line: &&str| groups(line).intersection(&hosts).next().is_some();
                let peers: Vec<_> = said.out.lines().filter(is_peer).collect();
                // rootfsPropagation asks for shared binds, but only of the host's shared mounts.
                let asked = |line: &str| {
                    let place = line.split(' ').nth(4).unwrap();
                    propagation == "shared"
                        && !users
                        && ["/one", "/all", "/rel", "/all/a", "/rel/a"].contains(&place)
                };
                let bad: Vec<_> = peers.into_iter().filter(|line| !asked(line)).collect();
                assert!(bad.is_empty(), "{what}: {bad:#?}");
                assert_eq!(mountinfo(), before, "{what}");
                host(&lab.fill("umount -R @DIR@/src"));
            }
        }
    }
}

/// Without the fix the host's control groups are hidden, and the container cannot be deleted.
#[test]
fn what_a_container_mounts_over_its_control_groups_stays_there() {
    lab::enter();
    host("mount --make-rshared /");
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.merge(
        r#"{"mounts+": [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}],
            "process": {"capabilities": {
                "bounding": ["CAP_SYS_ADMIN"], "effective": ["CAP_SYS_ADMIN"], "permitted": ["CAP_SYS_ADMIN"]}}}"#,
    );
    lab.script("mount -t tmpfs over /sys/fs/cgroup && mkdir /sys/fs/cgroup/x && echo mounted >/mnt/done; sleep 100");
    let before = mountinfo();
    lab::launch(&lab);
    assert_eq!(lab.wait_for_file("b/rootfs/mnt/done"), "mounted\n");
    assert_eq!(mountinfo(), before);
    lab::done(&lab.call(&["delete", "--force", "@ID@"]));
    assert_eq!(lab.leftovers(), "");
}

/// Without the fix it is writable: the container could write any cgroup.kill of the host.
#[test]
fn control_groups_that_are_not_the_containers_are_read_only() {
    lab::enter();
    let show = "grep ' /sys/fs/cgroup ' /proc/self/mountinfo | cut -d' ' -f6; \
        ( : >>/sys/fs/cgroup/cgroup.procs ) 2>/dev/null && echo WRITABLE";
    let cgroup = r#"{"mounts+": [
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw", "nosuid"]}]}"#;
    // These tests' cgroup may be the root.
    let is_root =
        std::fs::read_to_string("/proc/self/cgroup").unwrap().lines().any(|line| line == "0::/");
    for (namespaces, is_read_only) in [
        ("{}", true),
        (
            r#"{"linux": {"namespaces+": [{"type": "cgroup", "path": "/proc/self/ns/cgroup"}]}}"#,
            true,
        ),
        (r#"{"linux": {"namespaces+": [{"type": "cgroup"}]}}"#, is_root),
    ] {
        let mut lab = Lab::new(Runtime::Ocinit);
        lab.global = vec!["--cgroup-manager".into(), "disabled".into()];
        lab.merge(cgroup).merge(namespaces).merge(r#"{"linux": {"cgroupsPath": null}}"#);
        lab.script(show);
        let said = lab.run();
        let expected =
            if is_read_only { "ro,nosuid,relatime\n" } else { "rw,nosuid,relatime\nWRITABLE\n" };
        assert_eq!(said.out, expected, "{namespaces} {said:?}");
    }
    // It may write its own cgroup, which it asked for.
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.merge(cgroup).script(show);
    assert_eq!(lab.run().out, "rw,nosuid,relatime\nWRITABLE\n");
}

/// Root of a user namespace in the container can mount a procfs if it sees one without masks.
/// Without the fix it sees the host's, below a second one or elsewhere.
#[test]
fn without_a_pivot_no_procfs_of_the_hosts_is_left() {
    lab::enter();
    let mount = "unshare -U -r -m -p -f sh -c 'mount -t proc proc /mnt' 2>/dev/null && echo MOUNTED; \
        unshare -U -r -m -n sh -c 'mount -t sysfs sysfs /mnt' 2>/dev/null && echo MOUNTED";
    for (second, undo) in [
        ("true", "true"),
        ("mount -t proc proc /proc", "umount /proc"),
        ("mkdir -p '/mnt/a b/proc'; mount -t proc proc '/mnt/a b/proc'", "umount '/mnt/a b/proc'"),
        ("mkdir -p /mnt/sys; mount --rbind /sys /mnt/sys", "umount -R /mnt/sys"),
        (
            "mkdir -p /mnt/s; mount -t sysfs sysfs /mnt/s; mount -t proc proc /proc; mount -t proc proc /proc",
            "umount /mnt/s /proc; umount /proc",
        ),
    ] {
        host(second);
        let mut lab = Lab::new(Runtime::Ocinit);
        lab.merge(
            r#"{"mounts+": [{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]}],
                "process": {"user": {"uid": 1000, "gid": 1000}},
                "linux": {"maskedPaths": ["/proc/keys", "/proc/scsi", "/sys/kernel"]}}"#,
        );
        lab.script(mount);
        let before = mountinfo();
        let said = lab.call(&["run", "--no-pivot", "--bundle", "@BUNDLE@", "@ID@"]);
        assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""), "{second}");
        assert_eq!(mountinfo(), before, "{second}");
        lab.script("ls -d /proc/self /sys/class && grep -c . /proc/self/mountinfo");
        let said = lab.call(&["run", "--no-pivot", "--bundle", "@BUNDLE@", "@ID@"]);
        assert!(said.out.starts_with("/proc/self\n/sys/class\n"), "{said:?}");
        host(undo);
    }
    // It would work if the container saw one.
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.merge(r#"{"process": {"user": {"uid": 1000, "gid": 1000}}}"#);
    lab.script("unshare -U -r -m -p -f sh -c 'mount -t proc proc /mnt' && echo MOUNTED");
    let said = lab.run();
    assert_eq!(said.out, "MOUNTED\n", "{said:?}");
}
