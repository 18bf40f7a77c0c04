//! Real cgroups, as root, in the test's own mount namespace with cgroup2 at its usual path.
//! Controllers that this machine's cgroup2 lacks are tested in a VM (tests/all/runtime_vm.rs).

use super::*;
use crate::spec::{self, LimitKey, Resources, SpecMemory};
use crate::sys::arena::Word;
use crate::sys::clone::{self, CLONE_NEWNS, Side, fork};
use crate::sys::process::{self, Ended, Whom};
use crate::sys::{mount, signal};
use std::fs as files;
use std::path::Path;

/// Moves the test's thread to its own mount namespace, with cgroup2 mounted. Returns false if that
/// is not possible.
pub fn own_hierarchy() -> bool {
    let done = clone::unshare(CLONE_NEWNS)
        .and_then(|()| mount::set_propagation(c"/", libc::MS_REC | libc::MS_PRIVATE))
        .and_then(|()| mount::mount(c"none", MOUNT, c"cgroup2", 0, c""));
    if let Err(errno) = done {
        eprintln!("skipped: needs root and cgroup2: {errno}");
    }
    done.is_ok()
}

/// A name that no other test has.
pub fn name(test: &str) -> String {
    format!("ocinit-{test}-{}", std::process::id())
}

/// Returns the limits of a document like `linux.resources`; they live as long as the tests.
pub fn resources(text: &str) -> Result<Resources<'static>> {
    let strings = vec![0; 4 * text.len() + 64].leak();
    let lists = vec![Word::uninit(); SpecMemory::LISTS].leak();
    spec::read_limits(text.as_bytes().to_vec().leak(), &mut SpecMemory::new(strings, lists))
}

fn update(group: &Cgroup, text: &str) -> Result<()> {
    let Resources { limits, device_rules } = resources(text)?;
    group.update(limits, device_rules, false)
}

/// Makes a cgroup for a config with this `linux`.
fn create(id: &str, linux: &str) -> Result<Option<Cgroup>> {
    let spec = crate::spec::leaked_linux(linux, "")?;
    CgroupPath::find(&spec, id.as_bytes())?.map_or(Ok(None), |place| place.create(&spec, false))
}

fn error(id: &str, linux: &str) -> String {
    create(id, linux).map(|_| ()).unwrap_err().to_string()
}

/// Returns a process that waits in the cgroup.
pub fn sleeper(group: &Cgroup) -> (i32, Fd) {
    match fork(0, Some(group.directory())).unwrap() {
        Side::Parent(pid, pidfd) => (pid, pidfd),
        Side::Child => loop {
            let _ = crate::sys::event::wait_ms(1000);
        },
    }
}

pub fn ended(pidfd: &Fd) -> Option<Ended> {
    process::wait(Whom::Pidfd(pidfd.by_ref()), true).unwrap().map(|(_, how)| how)
}

fn content(group: &Cgroup, file: &str) -> String {
    files::read_to_string(Path::new(group.path().to_str().unwrap()).join(file)).unwrap()
}

fn exists(group: &str) -> bool {
    Path::new("/sys/fs/cgroup").join(group).exists()
}

#[test]
fn a_group_is_where_the_config_wants_it_and_goes_with_all_in_it() {
    if !own_hierarchy() {
        return;
    }
    let id = name("place");
    for (path, wanted) in [
        (String::new(), id.clone()),
        (format!("/{id}/a/../b"), format!("{id}/b")),
        (format!("../..//{id}/./c"), format!("{id}/c")),
        (format!("{id}.slice:ocinit:x"), format!("{id}.slice:ocinit:x")),
    ] {
        let group = create(&id, &format!(r#"{{"cgroupsPath":"{path}"}}"#)).unwrap().unwrap();
        assert_eq!(group.path().to_str().unwrap(), format!("/sys/fs/cgroup/{wanted}"));
        // As a container with its own cgroup may leave it.
        files::create_dir_all(format!("/sys/fs/cgroup/{wanted}/deep/deeper")).unwrap();
        files::create_dir_all(format!("/sys/fs/cgroup/{wanted}/other")).unwrap();
        let (_, pidfd) = sleeper(&group);
        let inner = Cgroup::open(&cstring(&format!("/sys/fs/cgroup/{wanted}/deep/deeper")))
            .unwrap()
            .unwrap();
        let (_, second) = sleeper(&inner);
        Cgroup::open(group.path()).unwrap().unwrap().remove().unwrap();
        assert_eq!([ended(&pidfd), ended(&second)], [Some(Ended::Killed(signal::SIGKILL)); 2]);
        assert!(!exists(&wanted));
        assert!(Cgroup::open(group.path()).unwrap().is_none());
        // Again, as if another process had removed it.
        group.remove().unwrap();
        let _ = files::remove_dir(format!("/sys/fs/cgroup/{id}"));
    }
    for path in ["/", "..", "/..", "/a/.."] {
        let said = error(&id, &format!(r#"{{"cgroupsPath":"{path}"}}"#));
        assert_eq!(said, format!("cgroupsPath {path}: not a group of its own"));
    }
}

fn cstring(text: &str) -> std::ffi::CString {
    std::ffi::CString::new(text).unwrap()
}

#[test]
fn a_failure_removes_what_was_made_and_nothing_else() {
    if !own_hierarchy() {
        return;
    }
    let id = name("undo");
    let kept = format!("/sys/fs/cgroup/{id}");
    files::create_dir(&kept).unwrap();
    let linux =
        |resources: &str| format!(r#"{{"cgroupsPath":"/{id}/a/b","resources":{resources}}}"#);
    // No kernel has this file.
    let said = error(&id, &linux(r#"{"unified":{"cgroup.nonsense":"1"}}"#));
    assert_eq!(said, "linux.resources.unified.cgroup.nonsense: this kernel has no cgroup.nonsense");
    assert!(exists(&id) && !exists(&format!("{id}/a")));
    let group = create(&id, &linux("{}")).unwrap().unwrap();
    assert_eq!(
        content(&group, "../../cgroup.subtree_control"),
        content(&group, "../../cgroup.controllers")
    );
    group.undo();
    assert!(exists(&id) && !exists(&format!("{id}/a")));
    // An existing empty cgroup is used, and stays if its container fails.
    files::create_dir_all(format!("{kept}/a/b")).unwrap();
    create(&id, &linux("{}")).unwrap().unwrap().undo();
    assert!(exists(&format!("{id}/a/b")));
    let group = create(&id, &linux("{}")).unwrap().unwrap();
    let (_, pidfd) = sleeper(&group);
    assert_eq!(error(&id, &linux("{}")), "container's cgroup is not empty: 1 process(es) found");
    group.signal(signal::SIGKILL).unwrap();
    ended(&pidfd);
    group.freeze(true).unwrap();
    assert_eq!(error(&id, &linux("{}")), "container's cgroup unexpectedly frozen");
    group.remove().unwrap();
    files::remove_dir(format!("{kept}/a")).unwrap();
    files::remove_dir(kept).unwrap();
}

#[test]
fn a_group_is_frozen_thawed_listed_and_signalled() {
    if !own_hierarchy() {
        return;
    }
    let group = create(&name("freeze"), "{}").unwrap().unwrap();
    assert!(!group.is_frozen());
    let inner = Path::new(group.path().to_str().unwrap()).join("inner");
    files::create_dir(&inner).unwrap();
    let inner = Cgroup::open(&cstring(inner.to_str().unwrap())).unwrap().unwrap();
    let mut sleepers: Vec<_> =
        (0..100).map(|n| sleeper(if n % 2 == 0 { &group } else { &inner })).collect();
    group.freeze(true).unwrap();
    assert!(group.is_frozen() && content(&group, "cgroup.events").contains("frozen 1"));
    let listed = || {
        let mut pids = Vec::new();
        group.each_process(&mut |pid| pids.push(pid)).unwrap();
        pids.sort_unstable();
        pids
    };
    let mut wanted: Vec<_> = sleepers.iter().map(|(pid, _)| *pid).collect();
    wanted.sort_unstable();
    assert_eq!(listed(), wanted);
    // A frozen cgroup stays frozen; a fatal signal reaches frozen processes, too.
    group.signal(signal::SIGTERM).unwrap();
    assert!(group.is_frozen());
    group.freeze(false).unwrap();
    assert!(!group.is_frozen());
    for (_, pidfd) in sleepers.drain(..) {
        assert_eq!(ended(&pidfd), Some(Ended::Killed(signal::SIGTERM)));
    }
    let (_, pidfd) = sleeper(&inner);
    group.signal(signal::SIGUSR1).unwrap();
    assert_eq!(ended(&pidfd), Some(Ended::Killed(signal::SIGUSR1)));
    assert!(!group.is_frozen() && listed().is_empty());
    // A frozen cgroup can be killed.
    let (_, pidfd) = sleeper(&inner);
    group.freeze(true).unwrap();
    group.kill_all().unwrap();
    assert_eq!(ended(&pidfd), Some(Ended::Killed(signal::SIGKILL)));
    group.remove().unwrap();
}

#[test]
fn limits_that_cannot_be_are_refused_before_anything_is_made() {
    if !own_hierarchy() {
        return;
    }
    let id = name("limits");
    let refused = |resources: &str| {
        let said = error(&id, &format!(r#"{{"resources":{resources}}}"#));
        assert!(!exists(&id));
        said.strip_prefix("linux.resources.").expect(&said).to_string()
    };
    for (resources, said) in [
        (r#"{"memory":{"limit":1048576}}"#, "memory.limit: no controller memory on this machine"),
        (r#"{"memory":{"limit":-1}}"#, "memory.limit: no controller memory on this machine"),
        (r#"{"memory":{"limit":-2}}"#, "memory.limit: below -1"),
        (
            r#"{"memory":{"limit":4096,"swap":4095}}"#,
            "memory.swap: memory and swap together must be at least memory alone",
        ),
        (r#"{"memory":{"swap":4096}}"#, "memory.swap: needs a limit on memory alone, too"),
        (
            r#"{"memory":{"limit":-1,"swap":4096}}"#,
            "memory.swap: no controller memory on this machine",
        ),
        (r#"{"pids":{"limit":0}}"#, "pids.limit: no controller pids on this machine"),
        (
            r#"{"blockIO":{"weightDevice":[{"major":8,"minor":0,"leafWeight":500}]}}"#,
            "blockIO.weightDevice[0].leafWeight: cgroup2 has no such limit",
        ),
        (r#"{"memory":{"kernel":1}}"#, "memory.kernel: cgroup2 has no such limit"),
        (r#"{"memory":{"swappiness":60}}"#, "memory.swappiness: cgroup2 has no such limit"),
        (
            r#"{"memory":{"disableOOMKiller":true}}"#,
            "memory.disableOOMKiller: cgroup2 has no such limit",
        ),
        (r#"{"cpu":{"realtimePeriod":1}}"#, "cpu.realtimePeriod: cgroup2 has no such limit"),
        (r#"{"cpu":{"quota":50000}}"#, "cpu.quota: no controller cpu on this machine"),
        (r#"{"cpu":{"cpus":"0"}}"#, "cpu.cpus: no controller cpuset on this machine"),
        (r#"{"pids":{"limit":5}}"#, "pids.limit: no controller pids on this machine"),
        (r#"{"blockIO":{"weight":5}}"#, "blockIO.weight: not 10 to 1000"),
        (
            r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1}]}}"#,
            "blockIO.throttleReadBpsDevice[0]: no controller io on this machine",
        ),
        (r#"{"network":{"classID":1}}"#, "network.classID: cgroup2 has no such limit"),
        (
            r#"{"network":{"priorities":[{"name":"eth0","priority":0}]}}"#,
            "network.priorities: cgroup2 has no such limit",
        ),
        (
            r#"{"hugepageLimits":[{"pageSize":"2MB/..","limit":1}]}"#,
            "hugepageLimits[0]: not CONTROLLER.PARAMETER, without slashes",
        ),
        (
            r#"{"unified":{"cgroup.procs/x":"1"}}"#,
            "unified.cgroup.procs/x: not CONTROLLER.PARAMETER, without slashes",
        ),
        (
            r#"{"unified":{"memory":"1"}}"#,
            "unified.memory: not CONTROLLER.PARAMETER, without slashes",
        ),
        (
            r#"{"unified":{"memory.max":"1"}}"#,
            "unified.memory.max: no controller memory on this machine",
        ),
        (
            r#"{"rdma":{"mlx5_1":{"hcaHandles":3}}}"#,
            "rdma.mlx5_1: no controller rdma on this machine",
        ),
        (r#"{"devices":[{"allow":true,"access":""}]}"#, "devices[0].access: missing"),
        (r#"{"devices":[{"allow":true,"access":"x"}]}"#, "devices[0].access: not of r, w and m"),
        (r#"{"devices":[{"allow":true,"access":"a"}]}"#, "devices[0].access: not of r, w and m"),
        (
            r#"{"devices":[{"allow":true,"type":"p","access":"r"}]}"#,
            "devices[0].type: not a, b or c",
        ),
        (
            r#"{"devices":[{"allow":true,"major":-2,"access":"r"}]}"#,
            "devices[0].major: not a device number",
        ),
    ] {
        assert_eq!(refused(resources), said, "{resources}");
    }
    // Empty values, as docker, podman and `runc spec` write them.
    let nothing = r#"{"resources":{"devices":[{"allow":false,"access":"rwm"}],
        "memory":{"limit":0,"swap":0,"kernel":0,"kernelTCP":-1,"disableOOMKiller":false},
        "cpu":{"shares":0,"quota":0,"period":0,"cpus":"","mems":""},"pids":{},
        "blockIO":{"weight":0},"network":{},"unified":null}}"#;
    create(&id, nothing).unwrap().unwrap().remove().unwrap();
    // The one controller that a host with v1 leaves to v2.
    let mut known = String::new();
    if let Ok(text) = files::read_to_string("/sys/fs/cgroup/cgroup.controllers") {
        known = text;
    }
    if !known.contains("hugetlb") {
        return eprintln!("skipped: needs the controller hugetlb");
    }
    let limit = r#"{"resources":{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}],"unified":{"hugetlb.1GB.max":"max"}}}"#;
    let group = create(&id, limit).unwrap().unwrap();
    assert_eq!(
        [content(&group, "hugetlb.2MB.max"), content(&group, "hugetlb.2MB.rsvd.max")],
        ["4194304\n"; 2]
    );
    update(&group, r#"{"hugepageLimits":[{"pageSize":"2MB","limit":2097152}]}"#).unwrap();
    assert_eq!(content(&group, "hugetlb.2MB.max"), "2097152\n");
    let said = update(&group, r#"{"memory":{"limit":4096}}"#).unwrap_err().to_string();
    assert_eq!(said, "update: memory.limit: no controller memory in the control group");
    group.remove().unwrap();
    let machine = [Limit::number(LimitKey::PROCESSES, 5)];
    let said =
        Cgroup::create_for_machine(&cstring(&id), &machine).map(|_| ()).unwrap_err().to_string();
    assert_eq!(said, "pids.limit: no controller pids in the control group");
    assert!(!exists(&id));
}

#[test]
fn without_cgroup2_there_are_no_groups_and_limits_are_refused() {
    let mounted = clone::unshare(CLONE_NEWNS)
        .and_then(|()| mount::set_propagation(c"/", libc::MS_REC | libc::MS_PRIVATE))
        .and_then(|()| mount::mount(c"none", MOUNT, c"tmpfs", 0, c""));
    if mounted.is_err() {
        return eprintln!("skipped: needs root");
    }
    let devices =
        r#"{"resources":{"devices":[{"allow":false,"access":"rwm"}],"memory":{"limit":0}}}"#;
    assert!(create("none", devices).unwrap().is_none() && create("none", "{}").unwrap().is_none());
    assert_eq!(
        error("none", r#"{"resources":{"memory":{"limit":4096}}}"#),
        "linux.resources.memory.limit: there is no cgroup2 at /sys/fs/cgroup, so there are no limits"
    );
    let said = Cgroup::create_for_machine(c"none", &[]).map(|_| ()).unwrap_err().to_string();
    assert_eq!(said, "/sys/fs/cgroup is not cgroup2");
    assert!(!exists("none"));
}
