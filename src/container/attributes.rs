//! What few processes want: a scheduler, a priority of their input and output, CPUs, a personality,
//! memory of certain nodes, labels of security modules. (runtime-spec: config.md "Linux Process",
//! config-linux.md.)
//!
//! All of it is checked before anything is made, by [`check`], which reads it as [`apply`] does.

use super::procfs::Procfs;
use crate::codec::json::Value;
use crate::error::{Context, Error, Result};
use crate::io::text::{decimal, words};
use crate::spec::{Process, Spec};
use crate::sys::attributes::{self, Scheduler};
use crate::sys::{Errno, system};
use core::ffi::CStr;

/// Without `SCHED_`; the place is the number (4 is not used).
const POLICIES: &str = "OTHER FIFO RR BATCH ISO IDLE DEADLINE";
/// Without `SCHED_FLAG_`; the place is the bit.
const FLAGS: &str =
    "RESET_ON_FORK RECLAIM DL_OVERRUN KEEP_POLICY KEEP_PARAMS UTIL_CLAMP_MIN UTIL_CLAMP_MAX";
/// Without `IOPRIO_CLASS_`; the place is the number.
const CLASSES: &str = "NONE RT BE IDLE";
/// Without `MPOL_`; the place is the number.
pub const MEMORY_MODES: &str =
    "DEFAULT PREFERRED BIND INTERLEAVE LOCAL PREFERRED_MANY WEIGHTED_INTERLEAVE";
/// Without `MPOL_F_`; the first is bit 13.
pub const MEMORY_FLAGS: &str = "NUMA_BALANCING RELATIVE_NODES STATIC_NODES";
/// The personality of a 32-bit Linux (`PER_LINUX32`).
const LINUX32: u32 = 8;

/// Words of a mask with a bit for each CPU that a kernel can be built for (NR_CPUS).
const ALL_CPUS: usize = 8192 / 64;

/// CPUs or memory nodes, a bit each.
pub type Set = [u64; 16];

/// Checks what a process and its container want.
pub fn check(spec: &Spec<'_>) -> Result<()> {
    check_process(&spec.process)?;
    personality(spec)?;
    memory_policy(spec)?;
    Ok(())
}

/// The same of the process alone.
pub fn check_process(process: &Process<'_>) -> Result<()> {
    scheduler(process)?;
    io_priority(process)?;
    affinity(process, "initial")?;
    affinity(process, "final").map(drop)
}

/// Gives the process `pid` its scheduler; 0 is this one.
pub fn schedule(pid: i32, process: &Process<'_>) -> Result<()> {
    match scheduler(process)? {
        Some(wanted) => attributes::set_scheduler(pid, &wanted).doing("set the scheduler"),
        None => Ok(()),
    }
}

/// Applies all attributes but the scheduler to this process and its children, while it may.
/// `is_new`: a new container's process, to which exec's CPU affinity does not apply.
pub fn apply(spec: &Spec<'_>, is_new: bool) -> Result<()> {
    if let Some(wanted) = io_priority(&spec.process)? {
        attributes::set_io_priority(wanted).doing("set the priority of input and output")?;
    }
    if let Some(domain) = personality(spec)? {
        attributes::set_personality(domain).doing("set the personality")?;
    }
    if let Some((mode, nodes)) = memory_policy(spec)? {
        attributes::set_memory_policy(mode, &nodes).doing("set the memory policy")?;
    }
    // The caller's affinity is not inherited: the cpuset of the cgroup counts. An error does not
    // matter.
    let _ = attributes::set_affinity(&[u64::MAX; ALL_CPUS]);
    match is_new {
        true => Ok(()),
        false => set_affinity(&spec.process, "final"),
    }
}

/// `initial` is where an added process is until it is in the container's cgroup, `final` where it
/// is then.
pub fn set_affinity(process: &Process<'_>, key: &str) -> Result<()> {
    match affinity(process, key)? {
        Some(set) => attributes::set_affinity(&set).context("set the CPUs:", &key),
        None => Ok(()),
    }
}

/// Has the next exec take the labels of security modules.
pub fn label(process: &Process<'_>, proc: Option<&Procfs>) -> Result<()> {
    let Some(proc) = proc else { return Ok(()) };
    if let Some(profile) = process.apparmor {
        let mut text = crate::io::path::PathBuf::new();
        let text = text
            .push_bytes(b"exec ")
            .and_then(|()| text.push_bytes(profile.to_bytes()))
            .map(|()| text);
        let text = text.doing("apparmor profile")?;
        let written = match proc.write_past(c"self/attr/apparmor/exec", text.as_bytes()) {
            Err(Errno::ENOENT) if is_apparmor_there() => {
                proc.write_past(c"self/attr/exec", text.as_bytes())
            }
            Err(Errno::ENOENT) => {
                return Err(Error::new(format_args!(
                    "apparmor profile: the kernel has no AppArmor"
                )));
            }
            written => written,
        };
        written.context("apply apparmor profile", &crate::io::lossy::LossyC(profile))?;
    }
    if let Some(label) = process.selinux {
        let written = proc.write_past(c"self/attr/exec", label.to_bytes());
        written.context("set selinux label", &crate::io::lossy::LossyC(label))?;
    }
    Ok(())
}

/// Whether a process wants a label.
pub fn is_labelled(process: &Process<'_>) -> bool {
    process.apparmor.is_some() || process.selinux.is_some()
}

fn is_apparmor_there() -> bool {
    crate::sys::fs::access(crate::sys::fd::CWD, c"/sys/module/apparmor", libc::F_OK).is_ok()
}

/// The place of a word in a list, both without what all of them begin with.
fn place(value: &Value<'_>, prefix: &str, known: &'static str) -> Result<u32> {
    let text = value.as_text()?.as_escaped();
    let name = text.as_bytes().strip_prefix(prefix.as_bytes());
    let found = words(known).position(|word| Some(word) == name);
    found
        .map(|place| place as u32)
        .ok_or_else(|| value.at(Error::new(format_args!("{text}: unknown"))))
}

fn bits(of: &Value<'_>, prefix: &str, known: &'static str) -> Result<u64> {
    of.list("flags")?.try_fold(0, |bits, flag| Ok(bits | 1 << place(&flag, prefix, known)?))
}

fn number(of: &Value<'_>, key: &str) -> Result<i64> {
    of.get(key)?.map_or(Ok(0), |value| value.as_i64())
}

fn scheduler(process: &Process<'_>) -> Result<Option<Scheduler>> {
    let Some(wanted) = process.document.and_then(|process| process.member("scheduler")) else {
        return Ok(None);
    };
    Ok(Some(Scheduler {
        size: 0,
        policy: place(&wanted.require("policy")?, "SCHED_", POLICIES)?,
        flags: bits(&wanted, "SCHED_FLAG_", FLAGS)?,
        nice: number(&wanted, "nice")? as i32,
        priority: number(&wanted, "priority")? as u32,
        runtime: number(&wanted, "runtime")? as u64,
        deadline: number(&wanted, "deadline")? as u64,
        period: number(&wanted, "period")? as u64,
    }))
}

/// Class and priority as ioprio_set(2) takes them.
fn io_priority(process: &Process<'_>) -> Result<Option<u32>> {
    let Some(wanted) = process.document.and_then(|process| process.member("ioPriority")) else {
        return Ok(None);
    };
    let class = wanted.require("class")?;
    match (place(&class, "IOPRIO_CLASS_", CLASSES)?, number(&wanted, "priority")?) {
        (0, _) => Err(class.error("unknown")),
        (class, priority @ 0..=7) => Ok(Some(class << 13 | priority as u32)),
        _ => Err(wanted.error_in("priority", "not within 0 and 7")),
    }
}

fn affinity(process: &Process<'_>, key: &str) -> Result<Option<Set>> {
    let wanted =
        process.document.and_then(|process| process.member("execCPUAffinity")?.member(key));
    wanted.map(|list| set_of(&list)).transpose()
}

/// `0-3,7`.
fn set_of(list: &Value<'_>) -> Result<Set> {
    let mut set = Set::default();
    for part in list.as_text()?.as_escaped().as_bytes().split(|byte| *byte == b',') {
        let mut ends = part.splitn(2, |byte| *byte == b'-').map(|end| decimal(end.trim_ascii()));
        let first = ends.next().flatten();
        let last = ends.next().unwrap_or(first);
        let (Some(first), Some(last)) = (first, last) else {
            return Err(list.error("not a list of numbers"));
        };
        if first > last || last >= 64 * set.len() as u64 {
            return Err(list.error("not a range of numbers below 1024"));
        }
        (first..=last).for_each(|number| set[number as usize / 64] |= 1 << (number % 64));
    }
    Ok(set)
}

fn personality(spec: &Spec<'_>) -> Result<Option<u32>> {
    let Some(wanted) = spec.linux("personality") else { return Ok(None) };
    if wanted.list("flags")?.next().is_some() {
        return Err(wanted.error_in("flags", "none is supported"));
    }
    let domain = wanted.require("domain")?;
    match domain.as_text()?.as_escaped() {
        "LINUX" => Ok(Some(0)),
        "LINUX32" => Ok(Some(LINUX32)),
        other => Err(domain.at(Error::new(format_args!("{other}: neither LINUX nor LINUX32")))),
    }
}

fn memory_policy(spec: &Spec<'_>) -> Result<Option<(u32, Set)>> {
    let Some(wanted) = spec.linux("memoryPolicy") else { return Ok(None) };
    let mode = place(&wanted.require("mode")?, "MPOL_", MEMORY_MODES)?;
    let flags = bits(&wanted, "MPOL_F_", MEMORY_FLAGS)?;
    let nodes = match wanted.get("nodes")? {
        Some(nodes) if !nodes.as_text()?.is_empty() => set_of(&nodes)?,
        _ => Set::default(),
    };
    Ok(Some((mode | (flags as u32) << 13, nodes)))
}

/// Sets the NIS domain's name.
pub fn set_domain_name(name: Option<&CStr>) -> Result<()> {
    name.map_or(Ok(()), |name| {
        system::set_domain_name(name.to_bytes()).doing("set the domain's name")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json;
    use crate::io::strings::StringBlock;
    use crate::spec::{Lists, read_config};

    fn with<T>(
        process: &str,
        linux: &str,
        see: impl FnOnce(&Spec<'_>) -> Result<T>,
    ) -> core::result::Result<T, String> {
        let mut text = format!(
            r#"{{"ociVersion":"1.3.0","root":{{"path":"/"}},"process":{{"cwd":"/","args":["x"]{process}}},"linux":{{{linux}}}}}"#
        )
        .into_bytes();
        let mut memory = [0; 4096];
        let (mut strings, mut lists) = (StringBlock::new(&mut memory), Lists::empty());
        let spec = read_config(json::check(&mut text).unwrap(), &mut strings, &mut lists).unwrap();
        see(&spec).map_err(|error| error.to_string())
    }

    #[test]
    fn wrong_values_are_refused_first() {
        let check_of = |process: &str, linux: &str| with(process, linux, check);
        for (process, linux, text) in [
            (
                r#","scheduler":{"policy":"SCHED_X"}"#,
                "",
                "process.scheduler.policy: SCHED_X: unknown",
            ),
            (r#","scheduler":{"policy":"OTHER"}"#, "", "process.scheduler.policy: OTHER: unknown"),
            (
                r#","scheduler":{"policy":"SCHED_RR","flags":["SCHED_FLAG_X"]}"#,
                "",
                "process.scheduler.flags[0]: SCHED_FLAG_X: unknown",
            ),
            (
                r#","ioPriority":{"class":"IOPRIO_CLASS_NONE"}"#,
                "",
                "process.ioPriority.class: unknown",
            ),
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
        let numbers = with(
            r#","scheduler":{"policy":"SCHED_DEADLINE","flags":["SCHED_FLAG_RECLAIM","SCHED_FLAG_UTIL_CLAMP_MAX"],"runtime":1,"deadline":2,"period":3},
                "ioPriority":{"class":"IOPRIO_CLASS_IDLE"},"execCPUAffinity":{"final":"0-1,64,1023"}"#,
            r#""personality":{"domain":"LINUX32"},"memoryPolicy":{"mode":"MPOL_INTERLEAVE","nodes":"1,3","flags":["MPOL_F_STATIC_NODES"]}"#,
            |spec| {
                let wanted = scheduler(&spec.process)?.unwrap();
                assert_eq!((wanted.policy, wanted.flags), (libc::SCHED_DEADLINE as u32, 0x42));
                assert_eq!(
                    (wanted.runtime, wanted.deadline, wanted.period, wanted.nice),
                    (1, 2, 3, 0)
                );
                let cpus = affinity(&spec.process, "final")?.unwrap();
                assert_eq!(
                    (cpus[0], cpus[1], cpus[15], cpus.iter().map(|word| word.count_ones()).sum()),
                    (3, 1, 1 << 63, 4)
                );
                assert!(affinity(&spec.process, "initial")?.is_none());
                let (mode, nodes) = memory_policy(spec)?.unwrap();
                assert_eq!(
                    (mode, nodes[0]),
                    (libc::MPOL_INTERLEAVE as u32 | libc::MPOL_F_STATIC_NODES as u32, 0b1010)
                );
                Ok((io_priority(&spec.process)?, personality(spec)?))
            },
        );
        assert_eq!(numbers, Ok((Some(3 << 13), Some(8))));
    }
}
