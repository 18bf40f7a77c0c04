//! Limits: `linux.resources` of the runtime-spec as files of cgroup2.
//!
//! One table says which member is which file and how its value is written there. What depends on two members (memory and
//! swap, quota and period) and lists have a function each. The same walk checks, with nothing written, and sets.

use super::{FILE_BYTES, read};
use crate::codec::json::Value;
use crate::container::write_file;
use crate::io::path::PathBuf;
use crate::io::show::Show;
use crate::io::text::{decimal, words};
use crate::sys::fd::{CWD, FdRef};
use crate::sys::{Errno, fs};
use crate::{Error, Result};
use core::fmt;

/// Object, member, file, kind, one after the other. Kinds: see [`one`].
///
/// `idle` stands before `shares`: a group that is idle takes no weight. Kernels without swap, or before 4.3, have no use
/// for what cgroups of version 1 have and version 2 has not; asking for it is an error.
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
     pids limit pids.max limit \
     blockIO weight io.weight weight \
     blockIO leafWeight - none \
     blockIO weightDevice io.weight devices \
     blockIO throttleReadBpsDevice io.max rbps \
     blockIO throttleWriteBpsDevice io.max wbps \
     blockIO throttleReadIOPSDevice io.max riops \
     blockIO throttleWriteIOPSDevice io.max wiops \
     network classID - none \
     network priorities - none";

/// What stands for no request in a member that cgroup2 has nothing for: docker writes `"kernel": 0`.
const NOTHING: &str = "0 -1 false [] {}";

/// Where limits go.
pub(super) struct Target<'a> {
    /// The group; where there is none, nothing is written, and it is only seen whether it could be.
    group: Option<FdRef<'a>>,
    /// The controllers there are; `None` without cgroup2.
    controllers: Option<&'a [u8]>,
    /// The group has had limits before.
    is_update: bool,
    is_count: bool,
    written: usize,
}

impl<'a> Target<'a> {
    /// A group, as it is made or later.
    pub(super) fn of(group: FdRef<'a>, is_update: bool) -> Target<'a> {
        Target { group: Some(group), controllers: None, is_update, is_count: false, written: 0 }
    }

    /// A machine with these controllers, or without cgroup2.
    pub(super) fn dry(controllers: Option<&'a [u8]>) -> Target<'a> {
        Target { group: None, controllers, is_update: false, is_count: false, written: 0 }
    }

    /// Nothing: what would be written is counted.
    pub(super) fn count() -> Target<'a> {
        Target { is_count: true, ..Target::dry(None) }
    }

    /// How many lines were, or would be, written.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    fn put(&mut self, value: &Value<'_>, file: &[u8], text: fmt::Arguments<'_>) -> Result<()> {
        self.written += 1;
        let controller = file.split(|byte| *byte == b'.').next().unwrap_or_default();
        let missing = |what: &str| {
            let name = Show(controller);
            value.blame(Error::new(format_args!("no controller {name} {what}")))
        };
        let Some(group) = self.group else {
            return match self.controllers {
                _ if self.is_count => Ok(()),
                None => Err(value.fault("there is no cgroup2 at /sys/fs/cgroup, so there are no limits")),
                Some(list) => {
                    let mut known = list.split(u8::is_ascii_whitespace);
                    match controller == b"cgroup" || known.any(|one| one == controller) {
                        true => Ok(()),
                        false => Err(missing("on this machine")),
                    }
                }
            };
        };
        let mut name = PathBuf::new();
        match name.push_bytes(file).and_then(|()| write_file(group, name.as_c_str(), text)) {
            Ok(()) => Ok(()),
            // In words that docker does not take for a program that is missing.
            Err(Errno::ENOENT) if !self.has(group, controller) => Err(missing("in the control group")),
            Err(Errno::ENOENT) => Err(value.blame(Error::new(format_args!("this kernel has no {}", Show(file))))),
            Err(errno) => {
                Err(value.blame(Error::with_errno(format_args!("write {text} to {}: {errno}", Show(file)), errno)))
            }
        }
    }

    fn has(&self, group: FdRef<'_>, controller: &[u8]) -> bool {
        let mut buffer = [0; FILE_BYTES];
        let list = read(group, c"cgroup.controllers", &mut buffer).unwrap_or_default();
        controller == b"cgroup" || list.split(u8::is_ascii_whitespace).any(|one| one == controller)
    }

    /// Whether the kernel has a file; where there is no group yet, that is not known.
    fn lacks(&self, file: &core::ffi::CStr) -> bool {
        self.group.is_some_and(|group| fs::access(group, file, 0).is_err())
    }

    /// The number that a file begins with; none for `max`, or without a group.
    fn current(&self, file: &core::ffi::CStr) -> Option<i64> {
        let mut buffer = [0; FILE_BYTES];
        let text = read(self.group?, file, &mut buffer).ok()?;
        decimal(text.split(u8::is_ascii_whitespace).next()?).map(|number| number as i64)
    }
}

/// Sets, or checks, all limits of `linux.resources`.
pub(super) fn apply(resources: &Value<'_>, target: &mut Target<'_>) -> Result<()> {
    if let Some(memory) = resources.get("memory")? {
        set_memory(&memory, target)?;
    }
    if let Some(cpu) = resources.get("cpu")? {
        set_quota(&cpu, target)?;
    }
    let mut table = words(TABLE);
    let (mut section, mut object) = ("", None);
    while let (Some(name), Some(key), Some(file), Some(kind)) = (table.next(), table.next(), table.next(), table.next())
    {
        let [name, key] = [name, key].map(|word| core::str::from_utf8(word).unwrap_or_default());
        if name != section {
            (section, object) = (name, resources.get(name)?);
        }
        if let Some(object) = &object
            && let Some(value) = object.get(key)?
        {
            one(&value, file, kind, target)?;
        }
    }
    for limit in resources.list("hugepageLimits")? {
        let size = limit.require_text("pageSize")?;
        let bytes = limit.require_u64("limit")?;
        let file = |suffix: &str| file_name(&limit, format_args!("hugetlb.{size}{suffix}.max"));
        target.put(&limit, file("")?.as_bytes(), format_args!("{bytes}"))?;
        // What is reserved counts, too, from Linux 5.7 on.
        let reserved = file(".rsvd")?;
        if !target.lacks(reserved.as_c_str()) {
            target.put(&limit, reserved.as_bytes(), format_args!("{bytes}"))?;
        }
    }
    for (device, limit) in resources.entries_or_none("rdma") {
        for (key, name) in [("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object")] {
            if let Some(number) = limit.get(key)? {
                target.put(&limit, b"rdma.max", format_args!("{device} {name}={}", number.as_u64()?))?;
            }
        }
    }
    for (file, value) in resources.entries_or_none("unified") {
        let text = value.as_text()?;
        target.put(&value, file_name(&value, format_args!("{file}"))?.as_bytes(), format_args!("{text}"))?;
    }
    Ok(())
}

/// The name of one file of a group: one component, `CONTROLLER.PARAMETER`.
fn file_name(value: &Value<'_>, name: fmt::Arguments<'_>) -> Result<PathBuf> {
    let mut path = PathBuf::new();
    let fits = path.set(name).is_ok();
    match fits && path.as_bytes().contains(&b'.') && !path.as_bytes().contains(&b'/') {
        true => Ok(path),
        false => Err(value.fault("not CONTROLLER.PARAMETER, without slashes")),
    }
}

/// Sets one member that is one file, or a line for each device.
fn one(value: &Value<'_>, file: &[u8], kind: &[u8], target: &mut Target<'_>) -> Result<()> {
    match kind {
        b"none" => match words(NOTHING).any(|word| word == value.as_json().as_bytes()) {
            true => Ok(()),
            false => Err(value.fault("cgroup2 has no such limit")),
        },
        b"limit" => match limit(value)? {
            None => Ok(()),
            Some(limit) => target.put(value, file, format_args!("{}", Max(limit))),
        },
        b"number" => target.put(value, file, format_args!("{}", value.as_i64()?)),
        // As runc and crun converted them for years; newer ones have 100 for 1024, where this gives 39.
        b"shares" => match value.as_u64()? {
            0 => Ok(()),
            shares => target.put(value, file, format_args!("{}", 1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142)),
        },
        b"text" => match value.as_text()? {
            text if text.is_empty() => Ok(()),
            text => target.put(value, file, format_args!("{text}")),
        },
        b"weight" => match value.as_u64()? {
            0 => Ok(()),
            weight => put_weight(value, "", weight, target),
        },
        _ => value.items()?.try_for_each(|device| {
            let (major, minor) = (device.require("major")?.as_i64()?, device.require("minor")?.as_i64()?);
            let mut name = PathBuf::new();
            let _ = name.set(format_args!("{major}:{minor} "));
            let name = core::str::from_utf8(name.as_bytes()).unwrap_or_default();
            if kind == b"devices" {
                return match device.get("weight")? {
                    None => Ok(()),
                    Some(weight) => put_weight(&device, name, weight.as_u64()?, target),
                };
            }
            let (kind, rate) = (Show(kind), device.require_u64("rate")?);
            // 0 took a limit away in version 1.
            target.put(&device, file, format_args!("{name}{kind}={}", Max(if rate == 0 { -1 } else { rate as i64 })))
        }),
    }
}

/// Weights are those of the scheduler BFQ, 10 to 1000; without it 1 to 10000.
fn put_weight(value: &Value<'_>, device: &str, weight: u64, target: &mut Target<'_>) -> Result<()> {
    match weight {
        10..=1000 if target.lacks(c"io.bfq.weight") => {
            target.put(value, b"io.weight", format_args!("{device}{}", 1 + (weight - 10) * 9999 / 990))
        }
        10..=1000 => target.put(value, b"io.bfq.weight", format_args!("{device}{weight}")),
        _ => Err(value.fault("not 10 to 1000")),
    }
}

/// A limit: none where the member is 0 (Go's for what was not given), -1 for no limit.
fn limit(value: &Value<'_>) -> Result<Option<i64>> {
    match value.as_i64()? {
        0 => Ok(None),
        limit @ -1.. => Ok(Some(limit)),
        _ => Err(value.fault("below -1")),
    }
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
    let [limit_member, swap_member] = [memory.get("limit")?, memory.get("swap")?];
    let number = |member: &Option<Value<'_>>| member.as_ref().map_or(Ok(None), limit);
    let (wanted, total) = (number(&limit_member)?, number(&swap_member)?);
    if memory.get("checkBeforeUpdate")?.is_some_and(|check| matches!(check.as_bool(), Ok(true)))
        && let Some(used) = target.current(c"memory.current")
        && [wanted, total].iter().flatten().any(|limit| (0..=used).contains(limit))
    {
        return Err(memory.blame(Error::new(format_args!("the limit is not above what is in use, {used}"))));
    }
    let swap = match (total, wanted) {
        (Some(-1), _) | (None, Some(-1)) => Some(-1),
        (Some(total), _) => match wanted.or_else(|| target.current(c"memory.max")) {
            Some(limit @ 0..) => Some(at_least_nothing(total - limit, memory)?),
            _ => return Err(memory.fault_of("swap", "needs a limit on memory alone, too")),
        },
        // What both together were limited to stays so.
        (None, Some(wanted)) if target.is_update => {
            match (target.current(c"memory.max"), target.current(c"memory.swap.max")) {
                (Some(memory_now), Some(swap)) => Some(at_least_nothing(memory_now + swap - wanted, memory)?),
                _ => None,
            }
        }
        (None, _) => None,
    };
    // A kernel without swap uses none.
    if let Some(swap) = swap
        && (!target.lacks(c"memory.swap.max") || fs::access(CWD, c"/proc/swaps", 0).is_ok())
    {
        let member = swap_member.as_ref().or(limit_member.as_ref()).unwrap_or(memory);
        target.put(member, b"memory.swap.max", format_args!("{}", Max(swap)))?;
    }
    match (wanted, &limit_member) {
        (Some(wanted), Some(member)) => target.put(member, b"memory.max", format_args!("{}", Max(wanted))),
        _ => Ok(()),
    }
}

fn at_least_nothing(swap: i64, memory: &Value<'_>) -> Result<i64> {
    match swap {
        0.. => Ok(swap),
        _ => Err(memory.fault_of("swap", "memory and swap together must be at least memory alone")),
    }
}

/// `cpu.quota` and `cpu.period` in microseconds, one file together; the other one stays what it was. And `cpu.burst`.
fn set_quota(cpu: &Value<'_>, target: &mut Target<'_>) -> Result<()> {
    let [quota_member, period_member, burst] = [cpu.get("quota")?, cpu.get("period")?, cpu.get("burst")?];
    let quota = quota_member.as_ref().map_or(Ok(0), Value::as_i64)?;
    let period = period_member.as_ref().map_or(Ok(0), Value::as_u64)?;
    let put_burst = |target: &mut Target<'_>| match &burst {
        Some(value) => target.put(value, b"cpu.max.burst", format_args!("{}", value.as_u64()?)),
        None => Ok(()),
    };
    if quota != 0 || period != 0 {
        // The new burst may be what lets the new quota be as small as it is.
        let _ = put_burst(target);
        let quota = Max(if quota != 0 { quota } else { target.current(c"cpu.max").unwrap_or(-1) });
        let member = quota_member.as_ref().or(period_member.as_ref()).unwrap_or(cpu);
        match period {
            0 => target.put(member, b"cpu.max", format_args!("{quota}"))?,
            period => target.put(member, b"cpu.max", format_args!("{quota} {period}"))?,
        }
    }
    put_burst(target)
}
