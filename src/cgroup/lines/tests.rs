use super::*;
use crate::cgroup::tests::resources;

/// A cgroup that is updated: 100 bytes of memory of which 40 are used, 50 of swap, no quota, on a
/// kernel with the scheduler BFQ.
const NOW: Facts = Facts { used: 40, memory: 100, swap: 50, ..Facts::NEW };
/// A kernel with swap, without BFQ, before 5.7.
const OLD: Facts = Facts { has_bfq: false, has_rsvd: false, ..Facts::NEW };
const NO_SWAP: Facts = Facts { has_swap: false, ..Facts::NEW };

/// Returns `FILE=VALUE` of each line with blanks between, or the error.
fn said(text: &str, facts: &Facts) -> String {
    let limits = resources(text).unwrap_or_else(|error| panic!("{text}: {error}")).limits;
    let mut said = Vec::new();
    let done = lines(limits, facts, &mut |line| {
        said.push(format!("{}={}", line.file.to_str().unwrap(), line.value));
        Ok(())
    });
    done.map_or_else(|error| error.to_string(), |()| said.join(" "))
}

/// Fails unless a member has these lines. Each case: the facts, its object, the lines.
fn hold(member: &str, cases: &[(&Facts, &str, &str)]) {
    for (facts, value, wanted) in cases {
        assert_eq!(said(&format!(r#"{{"{member}":{value}}}"#), facts), *wanted, "{value}");
    }
}

const MAX: i64 = i64::MAX;

#[test]
fn memory_and_swap_are_worked_out_from_both() {
    let new = &Facts::NEW;
    hold(
        "memory",
        &[
            (new, "{}", ""),
            (new, r#"{"limit":0,"swap":0}"#, ""),
            (new, r#"{"limit":64}"#, "memory.max=64"),
            (new, r#"{"limit":64,"swap":100}"#, "memory.swap.max=36 memory.max=64"),
            (new, r#"{"limit":64,"swap":64}"#, "memory.swap.max=0 memory.max=64"),
            (new, r#"{"limit":64,"swap":-1}"#, "memory.swap.max=max memory.max=64"),
            // No limit on memory is none on swap, unless there is one on swap.
            (new, r#"{"limit":-1}"#, "memory.swap.max=max memory.max=max"),
            (new, r#"{"limit":-1,"swap":64}"#, "memory.swap.max=64 memory.max=max"),
            (new, r#"{"swap":-1}"#, "memory.swap.max=max"),
            (new, r#"{"swap":64}"#, "memory.swap: needs a limit on memory alone, too"),
            (new, r#"{"limit":0,"swap":64}"#, "memory.swap: needs a limit on memory alone, too"),
            (
                new,
                r#"{"limit":64,"swap":63}"#,
                "memory.swap: memory and swap together must be at least memory alone",
            ),
            (new, r#"{"limit":-2}"#, "memory.limit: below -1"),
            (new, r#"{"limit":1,"swap":-9223372036854775808}"#, "memory.swap: below -1"),
            (new, r#"{"limit":64,"swap":100,"reservation":0}"#, "memory.swap.max=36 memory.max=64"),
            (new, r#"{"reservation":-1}"#, "memory.low=max"),
            (new, r#"{"reservation":-2}"#, "memory.reservation: below -1"),
            // A kernel without swap uses none.
            (&NO_SWAP, r#"{"limit":64,"swap":100}"#, "memory.max=64"),
            (&NO_SWAP, r#"{"swap":-1}"#, ""),
            (
                &NO_SWAP,
                r#"{"limit":64,"swap":63}"#,
                "memory.swap: memory and swap together must be at least memory alone",
            ),
        ],
    );
    let both = format!(r#"{{"memory":{{"limit":{MAX},"swap":{MAX}}}}}"#);
    assert_eq!(said(&both, new), format!("memory.swap.max=0 memory.max={MAX}"));
}

#[test]
fn what_an_update_does_not_say_stays_as_it_was() {
    let unlimited = &Facts { memory: -1, swap: -1, ..NOW };
    let without_swap = &Facts { swap: 0, ..NOW };
    let huge = &Facts { memory: MAX, swap: MAX, ..NOW };
    hold(
        "memory",
        &[
            (&NOW, r#"{"swap":130}"#, "memory.swap.max=30"),
            (&NOW, r#"{"limit":0,"swap":130}"#, "memory.swap.max=30"),
            // 150 for both together.
            (&NOW, r#"{"limit":60}"#, "memory.swap.max=90 memory.max=60"),
            (&NOW, r#"{"limit":150}"#, "memory.swap.max=0 memory.max=150"),
            (
                &NOW,
                r#"{"limit":151}"#,
                "memory.swap: memory and swap together must be at least memory alone",
            ),
            (without_swap, r#"{"limit":151}"#, "memory.swap.max=0 memory.max=151"),
            (&Facts { swap: -1, ..NOW }, r#"{"limit":151}"#, "memory.max=151"),
            (unlimited, r#"{"limit":60}"#, "memory.max=60"),
            (unlimited, r#"{"swap":60}"#, "memory.swap: needs a limit on memory alone, too"),
            (huge, r#"{"limit":1}"#, "memory.swap.max=9223372036854775806 memory.max=1"),
            // No limit may be below what is used, if that is wanted.
            (&NOW, r#"{"limit":40,"swap":40}"#, "memory.swap.max=0 memory.max=40"),
            (
                &NOW,
                r#"{"limit":40,"swap":41,"checkBeforeUpdate":true}"#,
                "memory: rejecting memory limit 40 <= usage 40",
            ),
            (
                &NOW,
                r#"{"limit":30,"swap":40,"checkBeforeUpdate":true}"#,
                "memory: rejecting memory+swap limit 40 <= usage 40",
            ),
            (
                &NOW,
                r#"{"limit":41,"swap":41,"checkBeforeUpdate":true}"#,
                "memory.swap.max=0 memory.max=41",
            ),
            (
                &NOW,
                r#"{"limit":-1,"checkBeforeUpdate":true}"#,
                "memory.swap.max=max memory.max=max",
            ),
            (
                &NOW,
                r#"{"limit":30,"swap":-1,"checkBeforeUpdate":false}"#,
                "memory.swap.max=max memory.max=30",
            ),
        ],
    );
}

#[test]
fn quota_and_period_are_one_file() {
    let new = &Facts::NEW;
    let now = &Facts { quota: 20_000, ..NOW };
    hold(
        "cpu",
        &[
            (new, r#"{"quota":0,"period":0}"#, ""),
            (new, r#"{"quota":50000}"#, "cpu.max=50000"),
            (new, r#"{"quota":50000,"period":200000}"#, "cpu.max=50000 200000"),
            (new, r#"{"period":200000}"#, "cpu.max=max 200000"),
            (now, r#"{"period":200000}"#, "cpu.max=20000 200000"),
            (now, r#"{"quota":-1}"#, "cpu.max=max"),
            (now, r#"{"quota":-5,"period":1000}"#, "cpu.max=max 1000"),
            (new, r#"{"period":18446744073709551615}"#, "cpu.max=max 9223372036854775807"),
            // The burst may have to be smaller before, or larger after.
            (
                new,
                r#"{"quota":20000,"burst":4000}"#,
                "cpu.max.burst=4000 cpu.max=20000 cpu.max.burst=4000",
            ),
            (new, r#"{"burst":0}"#, "cpu.max.burst=0"),
            (new, r#"{"burst":18446744073709551615}"#, "cpu.max.burst=18446744073709551615"),
        ],
    );
}

#[test]
fn each_kind_has_its_values() {
    let new = &Facts::NEW;
    hold(
        "cpu",
        &[
            (new, r#"{"shares":0}"#, ""),
            (new, r#"{"shares":1024}"#, "cpu.weight=100"),
            (new, r#"{"shares":18446744073709551615}"#, "cpu.weight=10000"),
            // A cgroup that is idle takes no weight, and one that is not any more does.
            (new, r#"{"shares":2,"idle":0}"#, "cpu.idle=0 cpu.weight=1"),
            (new, r#"{"idle":-7}"#, "cpu.idle=-7"),
            (new, r#"{"cpus":"","mems":"0-1,3"}"#, "cpuset.mems=0-1,3"),
            (new, r#"{"realtimeRuntime":0,"realtimePeriod":0}"#, ""),
            (new, r#"{"realtimePeriod":1}"#, "cpu.realtimePeriod: cgroup2 has no such limit"),
        ],
    );
    hold(
        "pids",
        &[
            (new, r#"{"limit":0}"#, "pids.max=1"),
            (new, r#"{"limit":-1}"#, "pids.max=max"),
            (new, r#"{"limit":-2}"#, "pids.limit: below -1"),
            (new, r#"{"limit":9223372036854775807}"#, "pids.max=9223372036854775807"),
        ],
    );
    hold(
        "blockIO",
        &[
            (new, r#"{"weight":0}"#, ""),
            (new, r#"{"weight":9}"#, "blockIO.weight: not 10 to 1000"),
            (new, r#"{"weight":1001}"#, "blockIO.weight: not 10 to 1000"),
            (new, r#"{"weight":10}"#, "io.bfq.weight=10"),
            (&OLD, r#"{"weight":10}"#, "io.weight=1"),
            (&OLD, r#"{"weight":1000}"#, "io.weight=10000"),
            (
                &OLD,
                r#"{"weightDevice":[{"major":8,"minor":0,"weight":500}]}"#,
                "io.weight=8:0 4950",
            ),
            (
                new,
                r#"{"weightDevice":[{"major":8,"minor":0,"weight":0},{"major":8,"minor":16,"weight":9}]}"#,
                "blockIO.weightDevice[1]: not 10 to 1000",
            ),
            (
                new,
                r#"{"weightDevice":[{"major":8,"minor":0,"weight":5,"leafWeight":5}]}"#,
                "blockIO.weightDevice[0].leafWeight: cgroup2 has no such limit",
            ),
            (new, r#"{"leafWeight":1}"#, "blockIO.leafWeight: cgroup2 has no such limit"),
            (
                new,
                r#"{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":0},{"major":8,"minor":1,"rate":18446744073709551615}],
                    "throttleWriteIOPSDevice":[{"major":-1,"minor":0,"rate":7}]}"#,
                "io.max=8:0 rbps=max io.max=8:1 rbps=max io.max=-1:0 wiops=7",
            ),
        ],
    );
    hold(
        "hugepageLimits",
        &[
            (new, r#"[{"pageSize":"2MB","limit":0}]"#, "hugetlb.2MB.max=0 hugetlb.2MB.rsvd.max=0"),
            (
                &OLD,
                r#"[{"pageSize":"1GB","limit":18446744073709551615}]"#,
                "hugetlb.1GB.max=9223372036854775807",
            ),
            (
                new,
                r#"[{"pageSize":"2MB/..","limit":1}]"#,
                "hugepageLimits[0]: not CONTROLLER.PARAMETER, without slashes",
            ),
        ],
    );
    hold(
        "rdma",
        &[
            (new, r#"{"a":{},"b":{"hcaObjects":0}}"#, "rdma.max=b hca_object=0"),
            (
                new,
                r#"{"b":{"hcaObjects":4294967295,"hcaHandles":3},"a":{"hcaHandles":1}}"#,
                "rdma.max=b hca_handle=3 rdma.max=b hca_object=4294967295 rdma.max=a hca_handle=1",
            ),
        ],
    );
    hold(
        "unified",
        &[
            (
                new,
                r#"{"memory.high":"","io.max":"8:0 rbps=1\n8:1 wiops=2"}"#,
                "memory.high= io.max=8:0 rbps=1\n8:1 wiops=2",
            ),
            (new, r#"{"../x":"1"}"#, "unified.../x: not CONTROLLER.PARAMETER, without slashes"),
        ],
    );
}

#[test]
fn limits_of_version_1_are_refused_in_their_place() {
    for (text, wanted) in [
        (
            r#"{"memory":{"kernel":0,"kernelTCP":-1,"swappiness":0,"disableOOMKiller":false,"useHierarchy":true}}"#,
            "",
        ),
        (r#"{"network":{"classID":0,"priorities":[]}}"#, ""),
        (
            r#"{"memory":{"disableOOMKiller":true}}"#,
            "memory.disableOOMKiller: cgroup2 has no such limit",
        ),
        (
            r#"{"network":{"priorities":[{"name":"eth0","priority":0}]}}"#,
            "network.priorities: cgroup2 has no such limit",
        ),
        // The first in the order of their setting, whatever the config's is.
        (
            r#"{"unified":{"x":"1"},"network":{"classID":1},"memory":{"limit":-7}}"#,
            "memory.limit: below -1",
        ),
        (
            r#"{"unified":{"x":"1"},"network":{"classID":1}}"#,
            "network.classID: cgroup2 has no such limit",
        ),
    ] {
        assert_eq!(said(text, &Facts::NEW), wanted, "{text}");
    }
}

#[test]
fn an_error_of_the_caller_ends_the_lines() {
    let limits = resources(r#"{"pids":{"limit":5},"memory":{"limit":9}}"#).unwrap().limits;
    let mut count = 0;
    let done = lines(limits, &Facts::NEW, &mut |line| {
        count += 1;
        Err(Error::new(format_args!("{}: no", line.from)))
    });
    assert_eq!((done.unwrap_err().to_string(), count), ("memory.limit: no".to_string(), 1));
    assert!(are_asked_for(limits).unwrap());
    let nothing = resources(r#"{"memory":{"limit":0},"cpu":{"shares":0,"cpus":""}}"#).unwrap();
    assert!(
        !are_asked_for(nothing.limits).unwrap()
            && are_asked_for(&[Limit::number(LimitKey::MEMORY, -2)]).is_err()
    );
}
