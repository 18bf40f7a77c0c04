use super::*;
use crate::codec::json::Writer;
use crate::spec::{Process, User, leaked};
use std::path::Path;

const FULL: &str = include_str!("../../../tests/configs/full.json");

/// The config of every member, but for limits that cgroup2 has not.
fn full() -> Spec<'static> {
    let mut spec = leaked(FULL).unwrap();
    let mut limits = Vec::new();
    for one in spec.limits {
        let alone = Spec { limits: core::slice::from_ref(one), ..Spec::NONE };
        if CgroupPath::at(c"/x").lines(&alone, &mut |_| Ok(())).is_ok() {
            limits.push(*one);
        }
    }
    spec.limits = limits.leak();
    spec
}

fn shown<'a>(spec: &'a Spec<'a>) -> Shown<'a> {
    Shown {
        id: Some(c"one"),
        bundle: Some(c"/bundle"),
        unpacked: None,
        root: spec.root.path,
        no_pivot: false,
        spec,
        filter: None,
        cgroup: Some(Box::leak(Box::new(CgroupPath::at(c"/sys/fs/cgroup/one")))),
    }
}

/// Fails unless the file in tests/all/plans is what was said; OCINIT_WRITE=1 writes it anew.
fn compare(name: &str, said: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/all/plans/{name}.txt"));
    if std::env::var_os("OCINIT_WRITE").is_some() {
        std::fs::write(&file, said).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == said, "{}: OCINIT_WRITE=1 writes it anew:\n{said}", file.display());
}

#[test]
fn the_config_that_has_every_member_has_this_plan() {
    let spec = full();
    let (mut text, mut json) = (String::new(), Vec::new());
    shown(&spec).write_text(&mut text).unwrap();
    shown(&spec).write(&mut Writer::with_indent(&mut json, "  ")).unwrap();
    compare("full", &text);
    compare("full-json", &String::from_utf8(json).unwrap());
}

/// A new field of a spec does not compile here before it has a word that both plans must show.
#[test]
fn every_field_of_a_spec_is_in_its_plan() {
    let spec = full();
    let (mut text, mut json) = (String::new(), Vec::new());
    shown(&spec).write_text(&mut text).unwrap();
    shown(&spec).write(&mut Writer::with_indent(&mut json, "")).unwrap();
    let json = String::from_utf8(json).unwrap();
    macro_rules! shows {
        ($kind:ident of $value:expr; $($field:ident $text:literal $json:literal,)*; $($left:ident)*) => {
            let $kind { $($field: _,)* $($left: _,)* } = $value;
            $(
                let name = stringify!($field);
                assert!(text.lines().any(|line| line.starts_with($text)), "{name}: {}", $text);
                assert!(json.contains(concat!("\"", $json, "\":")), "{name}: {}", $json);
            )*
        };
    }
    shows!(Spec of &spec;
        root "root " "root", hostname "hostname " "hostname", domainname "domainname " "domainname",
        mounts "mount " "mounts", devices "device " "devices", namespaces "namespace " "namespaces",
        joined "namespace network joined" "joined", masked_paths "masked " "maskedPaths",
        readonly_paths "read-only " "readonlyPaths", uid_mappings "users " "uidMappings",
        gid_mappings "groups " "gidMappings", annotations "annotations " "annotations",
        stop_signal "stopSignal " "stopSignal", sysctls "sysctl " "sysctl",
        mount_label "mountLabel " "mountLabel", limits "limit " "lines",
        device_rules "device rule " "deviceRules", hooks "hook " "hooks", clocks "timeOffsets " "timeOffsets",
        personality "personality " "personality", memory_policy "memoryPolicy " "memoryPolicy",
        intel_rdt "intelRdt " "intelRdt", net_devices "netDevices " "netDevices", init "init " "init",
        // The place is shown that follows from it; a filter is shown if one is compiled.
        ; process cgroup_path seccomp default_seccomp source);
    shows!(Process of &spec.process;
        terminal "terminal " "terminal", args "program " "args", env "environment " "environment",
        cwd "directory " "cwd", capabilities "capabilities bounding" "capabilities",
        no_new_privileges "noNewPrivileges " "noNewPrivileges", rlimits "rlimits " "rlimits",
        oom_score_adj "oomScoreAdj " "oomScoreAdj", apparmor "apparmorProfile " "apparmorProfile",
        selinux "selinuxLabel " "selinuxLabel", console_size "consoleSize " "consoleSize",
        scheduler "scheduler " "scheduler", io_priority "ioPriority " "ioPriority",
        cpus_initial "execCPUAffinity " "execCPUAffinity", cpus_final "execCPUAffinity " "execCPUAffinity",
        ; user);
    shows!(User of &spec.process.user;
        uid "user 1000" "uid", gid "user 1000:4294967294" "gid",
        additional_gids "user 1000:4294967294 0 10" "additionalGids", umask "umask " "umask",
        ;);
}
