use super::*;
use std::string::{String, ToString};

fn with<T>(
    process: &str,
    linux: &str,
    see: impl FnOnce(&Spec<'_>) -> T,
) -> core::result::Result<T, String> {
    let process = std::format!(r#","process":{{"cwd":"/","args":["x"]{process}}}"#);
    leaked_linux(&std::format!("{{{linux}}}"), &process)
        .map(|spec| see(&spec))
        .map_err(|error| error.to_string())
}

#[test]
fn wrong_values_are_refused_first() {
    let check_of = |process: &str, linux: &str| with(process, linux, |_| ());
    for (process, linux, text) in [
        (r#","scheduler":{"policy":"SCHED_X"}"#, "", "process.scheduler.policy: SCHED_X: unknown"),
        (r#","scheduler":{"policy":"OTHER"}"#, "", "process.scheduler.policy: OTHER: unknown"),
        (
            r#","scheduler":{"policy":"SCHED_RR","flags":["SCHED_FLAG_X"]}"#,
            "",
            "process.scheduler.flags[0]: SCHED_FLAG_X: unknown",
        ),
        (r#","ioPriority":{"class":"IOPRIO_CLASS_NONE"}"#, "", "process.ioPriority.class: unknown"),
        (
            r#","ioPriority":{"class":"IOPRIO_CLASS_BE","priority":8}"#,
            "",
            "process.ioPriority.priority: not within 0 and 7",
        ),
        (
            r#","ioPriority":{"class":"IOPRIO_CLASS_BE","priority":-1}"#,
            "",
            "process.ioPriority.priority: not within 0 and 7",
        ),
        (
            r#","execCPUAffinity":{"initial":"1-"}"#,
            "",
            "process.execCPUAffinity.initial: not a list of numbers",
        ),
        (
            r#","execCPUAffinity":{"final":"3-1"}"#,
            "",
            "process.execCPUAffinity.final: not a range of numbers below 1024",
        ),
        (
            r#","execCPUAffinity":{"final":"0,1024"}"#,
            "",
            "process.execCPUAffinity.final: not a range of numbers below 1024",
        ),
        (
            r#","execCPUAffinity":{"final":""}"#,
            "",
            "process.execCPUAffinity.final: not a list of numbers",
        ),
        (
            "",
            r#""personality":{"domain":"BSD"}"#,
            "linux.personality.domain: BSD: neither LINUX nor LINUX32",
        ),
        (
            "",
            r#""personality":{"domain":"LINUX","flags":["X"]}"#,
            "linux.personality.flags: none is supported",
        ),
        ("", r#""memoryPolicy":{"mode":"BIND"}"#, "linux.memoryPolicy.mode: BIND: unknown"),
        (
            "",
            r#""memoryPolicy":{"mode":"MPOL_BIND","nodes":"x"}"#,
            "linux.memoryPolicy.nodes: not a list of numbers",
        ),
        (
            "",
            r#""memoryPolicy":{"mode":"MPOL_BIND","flags":["MPOL_F_X"]}"#,
            "linux.memoryPolicy.flags[0]: MPOL_F_X: unknown",
        ),
    ] {
        assert_eq!(check_of(process, linux).unwrap_err(), text);
    }
    let all = r#","scheduler":{"policy":"SCHED_FIFO","priority":3,"flags":["SCHED_FLAG_RESET_ON_FORK"]},
        "ioPriority":{"class":"IOPRIO_CLASS_RT","priority":7},"execCPUAffinity":{"initial":"0-3, 7","final":"1023"}"#;
    assert_eq!(
        check_of(
            all,
            r#""personality":{"domain":"LINUX32","flags":[]},"memoryPolicy":{"mode":"MPOL_LOCAL"}"#
        ),
        Ok(())
    );
    assert_eq!(check_of("", ""), Ok(()));
}

#[test]
fn values_are_the_kernels() {
    let all = r#","scheduler":{"policy":"SCHED_DEADLINE","flags":["SCHED_FLAG_RECLAIM","SCHED_FLAG_UTIL_CLAMP_MAX"],"runtime":1,"deadline":2,"period":3},
        "ioPriority":{"class":"IOPRIO_CLASS_IDLE"},"execCPUAffinity":{"final":"0-1,64,1023"}"#;
    let linux = r#""personality":{"domain":"LINUX32"},"memoryPolicy":{"mode":"MPOL_INTERLEAVE","nodes":"1,3","flags":["MPOL_F_STATIC_NODES"]}"#;
    with(all, linux, |spec| {
        let wanted = spec.process.scheduler.unwrap();
        assert_eq!((wanted.policy, wanted.flags), (libc::SCHED_DEADLINE as u32, 0x42));
        assert_eq!((wanted.runtime, wanted.deadline, wanted.period, wanted.nice), (1, 2, 3, 0));
        let cpus = spec.process.cpus_final.unwrap();
        let count = cpus.iter().map(|word| word.count_ones()).sum::<u32>();
        assert_eq!((cpus[0], cpus[1], cpus[15], count), (3, 1, 1 << 63, 4));
        assert!(spec.process.cpus_initial.is_none());
        let policy = spec.memory_policy.unwrap();
        let mode = libc::MPOL_INTERLEAVE as u32 | libc::MPOL_F_STATIC_NODES as u32;
        assert_eq!((policy.mode, policy.nodes[0]), (mode, 0b1010));
        assert_eq!((spec.process.io_priority, spec.personality), (Some(3 << 13), Some(8)));
    })
    .unwrap();
}
