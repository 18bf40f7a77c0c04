//! The plan of a config with every kind of limit: it needs no cgroup, as what the values depend on
//! is data. `OCINIT_WRITE=1` writes the files in tests/all/plans/ anew.

use super::*;
use crate::cgroup::{Facts, Manager};
use crate::codec::json::Writer;
use crate::container::Stdio;
use crate::container::state::{Id, Made, Missing, Root};
use crate::spec::leaked;

const LIMITS: &str = r#"{"ociVersion":"1.3.0","root":{"path":"/rootfs"},"process":{"args":["sh"],"cwd":"/"},
    "linux":{"cgroupsPath":"/pod/one","namespaces":[{"type":"mount"},{"type":"cgroup"}],"resources":{
    "unified":{"memory.high":"50331648","io.max":"254:0 rbps=1048576\n254:0 wiops=77"},
    "rdma":{"mlx5_1":{"hcaObjects":10000,"hcaHandles":3}},
    "hugepageLimits":[{"pageSize":"2MB","limit":4194304},{"pageSize":"1GB","limit":0}],
    "blockIO":{"weight":500,"weightDevice":[{"major":8,"minor":16,"weight":10}],
    "throttleReadBpsDevice":[{"major":8,"minor":16,"rate":600},{"major":8,"minor":0,"rate":0}],
    "throttleWriteBpsDevice":[{"major":8,"minor":16,"rate":601}],
    "throttleReadIOPSDevice":[{"major":8,"minor":16,"rate":602}],
    "throttleWriteIOPSDevice":[{"major":8,"minor":16,"rate":603}]},
    "pids":{"limit":0},
    "cpu":{"shares":1024,"quota":20000,"period":50000,"burst":4000,"cpus":"0-2,5","mems":"0","idle":0},
    "memory":{"limit":67108864,"swap":100663296,"reservation":33554432,"kernel":0,"checkBeforeUpdate":true},
    "devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"b","major":8,"access":"r"},
    {"allow":true,"type":"c","major":10,"minor":200,"access":"rw"},{"allow":false,"minor":3,"access":"m"}]}}}"#;

/// Fails unless a golden file has this text.
fn hold(name: &str, said: &str) {
    let file = format!("{}/tests/all/plans/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("OCINIT_WRITE").is_some() {
        std::fs::write(&file, said).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == said, "{file}: OCINIT_WRITE=1 writes it anew:\n{said}");
}

fn request<'a>(spec: &'a Spec<'a>) -> Request<'a> {
    let root = Root::open(c"/nonexistent/ocinit-plan", Missing::Ignore).unwrap();
    Request {
        id: Id::check(c"one").unwrap(),
        root: Box::leak(Box::new(root)),
        reserved: None,
        made: Made::No,
        bundle: c"/bundle",
        rootfs: spec.root.path,
        waits: true,
        stdio: Stdio::Terminal(None),
        preserved: 0,
        no_pivot: false,
        manager: Manager::Cgroupfs,
        keeps_keyring: false,
        shows_terminal: false,
        relay: None,
    }
}

#[test]
fn no_text_of_a_config_forges_a_line() {
    let config = r#"{"ociVersion":"1.3.0","root":{"path":"/r"},"process":{"args":["x\nprogram y"],"cwd":"/a\nb"},
        "mounts":[{"destination":"/a\nseccomp none","type":"t\u001b","source":"s\n","options":["o\n"]}],
        "linux":{"resources":{"unified":{"x.max\n":"1\nlimit y\r"}},"maskedPaths":["/a\n"]}}"#;
    let spec = leaked(config).unwrap();
    let plan = Plan { request: request(&spec), spec: &spec, filter: None };
    let mut text = String::new();
    plan.shown(Some(&CgroupPath::at(c"/sys/fs/cgroup/a\nb"))).write_text(&mut text).unwrap();
    for line in [
        r"cgroup /sys/fs/cgroup/a\x0ab",
        r"limit x.max\x0a = 1",
        r"limit x.max\x0a = limit y\x0d",
        r"mount /a\x0aseccomp none type t\x1b source s\x0a data o\x0a",
        r"program x\x0aprogram y",
    ] {
        assert_eq!(text.lines().filter(|said| *said == line).count(), 1, "{line}: {text}");
    }
    let words = text.lines().map(|line| line.split(' ').next().unwrap());
    assert!(words.clone().all(|word| !matches!(word, "b" | "y")), "{text}");
    assert_eq!(words.filter(|word| matches!(*word, "seccomp" | "program")).count(), 2, "{text}");
}

#[test]
fn all_kinds_of_limits_have_these_plans() {
    let spec = leaked(LIMITS).unwrap();
    let plan = Plan { request: request(&spec), spec: &spec, filter: None };
    let old = Facts { has_bfq: false, has_rsvd: false, has_swap: false, ..Facts::NEW };
    for (name, facts) in [("limits", Facts::NEW), ("limits-old-kernel", old)] {
        let mut path = CgroupPath::at(c"/sys/fs/cgroup/pod/one");
        path.facts = facts;
        let (mut text, mut json) = (String::new(), Vec::new());
        plan.shown(Some(&path)).write_text(&mut text).unwrap();
        hold(name, &text);
        plan.shown(Some(&path)).write(&mut Writer::new(&mut json)).unwrap();
        hold(&format!("{name}-json"), core::str::from_utf8(&json).unwrap());
    }
}
