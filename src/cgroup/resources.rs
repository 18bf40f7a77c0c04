//! Limits: `linux.resources` of the runtime-spec as files of cgroup2.
//!
//! One table says which member is which file and how its value is written there. What depends on
//! two members (memory and swap, quota and period) and lists have a function each. The same walk
//! checks, with nothing written, and sets.

use super::target::Target;
use super::weight;
use crate::codec::json::Value;
use crate::io::lossy::Lossy;
use crate::io::path::PathBuf;
use crate::io::text::words;
use crate::sys::fd::CWD;
use crate::sys::fs;
use crate::{Error, Result};
use core::fmt;

/// Object, member, file, kind, one after the other. Kinds: see [`one`].
///
/// `idle` stands before `shares`: a group that is idle takes no weight. Kernels without swap, or
/// before 4.3, have no use for what cgroups of version 1 have and version 2 has not; asking for it
/// is an error.
const TABLE: &str = "memory reservation memory.low limit \
     memory kernel - none \
     memory kernelTCP - none \
     memory swappiness - none \
     memory disableOOMKiller - none \
     cpu idle cpu.idle number \
     cpu shares cpu.weight shares \
     cpu realtimeRuntime - none \
     cpu realtimePeriod - none \
     cpu cpus cpuset.cpus text \
     cpu mems cpuset.mems text \
     pids limit pids.max pids \
     blockIO weight io.weight weight \
     blockIO leafWeight - none \
     blockIO weightDevice io.weight devices \
     blockIO throttleReadBpsDevice io.max rbps \
     blockIO throttleWriteBpsDevice io.max wbps \
     blockIO throttleReadIOPSDevice io.max riops \
     blockIO throttleWriteIOPSDevice io.max wiops \
     network classID - none \
     network priorities - none";

/// What stands for no request in a member that cgroup2 has nothing for: docker writes `"kernel":
/// 0`.
const NOTHING: &str = "0 -1 false [] {}";

/// Sets, or checks, all limits of `linux.resources`, whose types were checked (`spec::schema`).
pub(super) fn apply(resources: &Value<'_>, target: &mut Target<'_>) -> Result<()> {
    if let Some(memory) = resources.member("memory") {
        set_memory(&memory, target)?;
    }
    if let Some(cpu) = resources.member("cpu") {
        set_quota(&cpu, target)?;
    }
    let mut table = words(TABLE);
    let mut word = || core::str::from_utf8(table.next().unwrap_or_default()).unwrap_or_default();
    let (mut section, mut object) = ("", None);
    loop {
        let [name, key, file, kind] = [word(), word(), word(), word()];
        if name.is_empty() {
            break;
        }
        if name != section {
            (section, object) = (name, resources.member(name));
        }
        if let Some(value) = object.and_then(|object| object.member(key)) {
            one(&value, file, kind, target)?;
        }
    }
    for limit in resources.list_or_none("hugepageLimits") {
        let (size, bytes) = (limit.require_text("pageSize")?, integer(&limit, "limit"));
        for kind in ["", ".rsvd"] {
            let file = file_name(&limit, format_args!("hugetlb.{size}{kind}.max"))?;
            // What is reserved counts, too, from Linux 5.7 on.
            if kind.is_empty() || !target.lacks(file.as_c_str()) {
                target.put(&limit, file.as_bytes(), format_args!("{bytes}"))?;
            }
        }
    }
    for (device, limit) in resources.entries_or_none("rdma") {
        for (key, name) in [("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object")] {
            if let Some(number) = limit.member(key) {
                target.put(
                    &limit,
                    b"rdma.max",
                    format_args!("{device} {name}={}", number.as_json()),
                )?;
            }
        }
    }
    for (file, value) in resources.entries_or_none("unified") {
        let text = value.as_text()?;
        target.put(
            &value,
            file_name(&value, format_args!("{file}"))?.as_bytes(),
            format_args!("{text}"),
        )?;
    }
    Ok(())
}

/// The name of one file of a group: one component, `CONTROLLER.PARAMETER`.
fn file_name(value: &Value<'_>, name: fmt::Arguments<'_>) -> Result<PathBuf> {
    let mut path = PathBuf::new();
    let fits = path.set(name).is_ok();
    match fits && path.as_bytes().contains(&b'.') && !path.as_bytes().contains(&b'/') {
        true => Ok(path),
        false => Err(value.error("not CONTROLLER.PARAMETER, without slashes")),
    }
}

/// Sets one member that is one file, or a line for each device.
fn one(value: &Value<'_>, file: &str, kind: &str, target: &mut Target<'_>) -> Result<()> {
    let number = as_integer(value);
    let number = match kind {
        "none" => {
            return match words(NOTHING).any(|word| word == value.as_json().as_bytes()) {
                true => Ok(()),
                false => Err(value.error("cgroup2 has no such limit")),
            };
        }
        "text" => {
            let text = value.as_text()?;
            return match text.is_empty() {
                true => Ok(()),
                false => target.put(value, file.as_bytes(), format_args!("{text}")),
            };
        }
        "weight" => return put_weight(value, "", number, target),
        "limit" => {
            at_least_none(value, number)?;
            number
        }
        // A container needs one process, so 0 becomes 1.
        "pids" => {
            at_least_none(value, number)?;
            if number == 0 { 1 } else { number }
        }
        "shares" => weight::of_shares(number),
        // 0 is a value there.
        "number" => return target.put(value, file.as_bytes(), format_args!("{number}")),
        _ => {
            return value.items().unwrap_or_default().try_for_each(|device| {
                let [major, minor, weight, rate] =
                    ["major", "minor", "weight", "rate"].map(|key| integer(&device, key));
                if integer(&device, "leafWeight") != 0 {
                    return Err(device.error_in("leafWeight", "cgroup2 has no such limit"));
                }
                let mut name = PathBuf::new();
                let _ = name.set(format_args!("{major}:{minor} "));
                let name = core::str::from_utf8(name.as_bytes()).unwrap_or_default();
                match kind {
                    "devices" => put_weight(&device, name, weight, target),
                    // 0 took a limit away in version 1.
                    _ => {
                        let rate = Max(if matches!(rate, 0 | i64::MAX) { -1 } else { rate });
                        target.put(&device, file.as_bytes(), format_args!("{name}{kind}={rate}"))
                    }
                }
            });
        }
    };
    match number {
        0 => Ok(()),
        number => target.put(value, file.as_bytes(), format_args!("{}", Max(number))),
    }
}

/// Weights are those of the scheduler BFQ, 10 to 1000; without it 1 to 10000.
fn put_weight(value: &Value<'_>, device: &str, weight: i64, target: &mut Target<'_>) -> Result<()> {
    let (file, scaled) = match target.lacks(c"io.bfq.weight") {
        true => ("io.weight", 1 + (weight - 10) * 9999 / 990),
        false => ("io.bfq.weight", weight),
    };
    match weight {
        0 => Ok(()),
        10..=1000 => target.put(value, file.as_bytes(), format_args!("{device}{scaled}")),
        _ => Err(value.error("not 10 to 1000")),
    }
}

/// A number; 0 where there is none, which is Go's for what was not given.
fn integer(object: &Value<'_>, key: &str) -> i64 {
    object.member(key).map_or(0, |value| as_integer(&value))
}

/// One beyond 2^63 limits nothing any more.
fn as_integer(value: &Value<'_>) -> i64 {
    value.as_i64().unwrap_or(i64::MAX)
}

/// A limit is -1, for none, or more.
fn at_least_none(value: &Value<'_>, limit: i64) -> Result<()> {
    if limit < -1 { Err(value.error("below -1")) } else { Ok(()) }
}

/// A limit as cgroup2 has it; -1 is none.
struct Max(i64);

impl fmt::Display for Max {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ..0 => f.write_str("max"),
            number => number.fmt(f),
        }
    }
}

/// `memory.limit` and `memory.swap`, which counts both together there and swap alone here.
fn set_memory(memory: &Value<'_>, target: &mut Target<'_>) -> Result<()> {
    let members = ["limit", "swap"].map(|key| memory.member(key));
    let [wanted, total] = [0, 1].map(|n| members[n].as_ref().map_or(0, as_integer));
    for (member, number) in members.iter().zip([wanted, total]) {
        if let Some(member) = member {
            at_least_none(member, number)?;
        }
    }
    let used = target.current(c"memory.current");
    let is_checked =
        memory.member("checkBeforeUpdate").is_some_and(|check| check.as_json() == "true");
    for (what, limit) in [("memory+swap", total), ("memory", wanted)] {
        if is_checked && (1..=used).contains(&limit) {
            return Err(memory
                .at(Error::new(format_args!("rejecting {what} limit {limit} <= usage {used}"))));
        }
    }
    let now = if target.is_update { target.current(c"memory.max") } else { -1 };
    let swap_now = if target.is_update { target.current(c"memory.swap.max") } else { -1 };
    // What swap alone is limited to; 0 here for what it was.
    let both = match (total, wanted) {
        (0, -1) => -1,
        // A container without swap stays without swap.
        (0, 1..) if now >= 0 && swap_now == 0 => wanted,
        // What both together were limited to stays so.
        (0, 1..) if now >= 0 && swap_now >= 0 => now + swap_now,
        (total, _) => total,
    };
    let limit = match wanted {
        // Without a limit on memory only swap is limited.
        -1 => 0,
        0 if now < 0 && both > 0 => {
            return Err(memory.error_in("swap", "needs a limit on memory alone, too"));
        }
        0 => now,
        wanted => wanted,
    };
    if both > 0 && both < limit {
        return Err(
            memory.error_in("swap", "memory and swap together must be at least memory alone")
        );
    }
    let [limit_member, swap_member] = members;
    // A kernel without swap uses none.
    if both != 0
        && (!target.lacks(c"memory.swap.max") || fs::access(CWD, c"/proc/swaps", 0).is_ok())
    {
        let swap = Max(if both > 0 { both - limit } else { -1 });
        let member = swap_member.or(limit_member).unwrap_or(*memory);
        target.put(&member, b"memory.swap.max", format_args!("{swap}"))?;
    }
    match limit_member {
        Some(member) if wanted != 0 => {
            target.put(&member, b"memory.max", format_args!("{}", Max(wanted)))
        }
        _ => Ok(()),
    }
}

/// `cpu.quota` and `cpu.period` in microseconds, one file together; the other one stays what it
/// was. And `cpu.burst`.
fn set_quota(cpu: &Value<'_>, target: &mut Target<'_>) -> Result<()> {
    let [mut quota, period] = ["quota", "period"].map(|key| integer(cpu, key));
    let burst = cpu.member("burst");
    let put_burst = |target: &mut Target<'_>| match &burst {
        Some(value) => target.put(value, b"cpu.max.burst", format_args!("{}", value.as_json())),
        None => Ok(()),
    };
    if quota != 0 || period != 0 {
        // The new burst may be what lets the new quota be as small as it is.
        let _ = put_burst(target);
        let member = cpu.member(if quota != 0 { "quota" } else { "period" }).unwrap_or(*cpu);
        if quota == 0 {
            quota = target.current(c"cpu.max");
        }
        let mut text = PathBuf::new();
        let _ = text.set(format_args!("{}", Max(quota)));
        if period != 0 {
            let _ = fmt::write(&mut text, format_args!(" {period}"));
        }
        target.put(&member, b"cpu.max", format_args!("{}", Lossy(text.as_bytes())))?;
    }
    put_burst(target)
}
