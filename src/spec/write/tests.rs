use super::*;
use crate::spec::{User, leaked};
use std::string::String;
use std::vec::Vec;

const CONFIGS: [(&str, &str); 6] = [
    ("full", include_str!("../../../tests/configs/full.json")),
    ("runc", include_str!("../../../tests/configs/runc.json")),
    ("runc-rootless", include_str!("../../../tests/configs/runc-rootless.json")),
    ("crun", include_str!("../../../tests/configs/crun.json")),
    ("buildah", include_str!("../../../tests/configs/buildah.json")),
    ("docker", include_str!("../../../tests/configs/docker.json")),
];

/// A config with the members that the others lack.
const FEW: &str = r#"{"ociVersion":"1.3.0","root":{"path":"/r"},"process":{"cwd":"/","args":["x"],
    "scheduler":{"policy":"SCHED_DEADLINE","flags":["SCHED_FLAG_RECLAIM"],"nice":-5,"priority":-1,"runtime":1,"deadline":2,"period":3},
    "ioPriority":{"class":"IOPRIO_CLASS_RT","priority":7},"selinuxLabel":"a:b","apparmorProfile":"p",
    "execCPUAffinity":{"initial":"0-3,7,1023","final":"5"}},
    "hooks":{"prestart":[{"path":"/a"}],"poststop":[{"path":"/b","args":["x",""],"env":[],"timeout":5},{"path":"/c","env":["A=B"]}]},
    "linux":{"namespaces":[{"type":"time"},{"type":"network"},{"type":"user"}],"mountLabel":"l","cgroupsPath":"/x",
    "uidMappings":[{"containerID":0,"hostID":5,"size":1}],"gidMappings":[{"containerID":0,"hostID":5,"size":1}],
    "timeOffsets":{"boottime":{"secs":-5},"monotonic":{"nanosecs":7}},"personality":{"domain":"LINUX32"},
    "memoryPolicy":{"mode":"MPOL_BIND","nodes":"1,3-4","flags":["MPOL_F_STATIC_NODES"]},
    "intelRdt":{"closID":"","schemata":["a","b"],"l3CacheSchema":"L3:0=f","enableCMT":true},
    "netDevices":{"eth0":{"name":"a"},"eth1":{}},
    "seccomp":{"defaultAction":"SCMP_ACT_KILL","flags":[],"listenerPath":"/l","listenerMetadata":"","architectures":["SCMP_ARCH_ARM"],
    "syscalls":[{"names":["a","no_such_call"],"action":"SCMP_ACT_TRACE","errnoRet":7,"args":[{"index":1,"op":"SCMP_CMP_MASKED_EQ","value":18446744073709551615,"valueTwo":3}]},
    {"names":["b"],"action":"SCMP_ACT_NOTIFY"}]}}}"#;

fn written(spec: &Spec<'_>) -> String {
    let mut text: Vec<u8> = Vec::new();
    write(spec, &mut Writer::with_indent(&mut text, ""));
    String::from_utf8(text).unwrap()
}

/// Fails unless two specs are equal, apart from their source text. A new field does not compile
/// before it is compared here.
fn compare(name: &str, a: &Spec<'_>, b: &Spec<'_>) {
    macro_rules! same {
        ($kind:ident of $a:expr, $b:expr; $($field:ident)*; $($left:ident)*) => {
            let $kind { $($field,)* $($left: _,)* } = $a;
            $(assert!(*$field == $b.$field, "{name}: {}", stringify!($field));)*
        };
    }
    same!(Spec of a, b; root hostname domainname mounts devices namespaces joined masked_paths
        readonly_paths uid_mappings gid_mappings annotations stop_signal
        default_seccomp sysctls mount_label cgroup_path hooks seccomp clocks personality
        memory_policy intel_rdt net_devices limits device_rules init;
        process source);
    same!(Process of &a.process, b.process; terminal args env cwd capabilities no_new_privileges
        rlimits oom_score_adj apparmor selinux console_size scheduler io_priority cpus_initial
        cpus_final; user);
    same!(User of &a.process.user, b.process.user; uid gid umask; additional_gids);
    assert_eq!(a.process.user.additional_gids[..], b.process.user.additional_gids[..]);
}

#[test]
fn what_is_written_is_read_as_it_was() {
    for (name, text) in CONFIGS.into_iter().chain([("few", FEW)]) {
        let spec = leaked(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let text = written(&spec);
        let again = leaked(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
        compare(name, &spec, &again);
        assert_eq!(written(&again), text, "{name}");
    }
}
