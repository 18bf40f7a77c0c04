//! Writes rare members of a config.json.

use super::list;
use crate::codec::json::Writer;
use crate::io::path::PathBuf;
use crate::io::text::words;
use crate::spec::attributes::{
    CLOCKS, ClockOffset, IO_CLASS_SHIFT, IO_CLASSES, IntelRdt, LINUX32, MEMORY_FLAG_SHIFT,
    MEMORY_FLAGS, MEMORY_MODES, MemoryPolicy, NetDevice, NumberSet, POLICIES, POLICY_FLAGS,
};
use crate::spec::syscalls::{ACTIONS, ARCHITECTURES, FLAGS, OPERATORS, Seccomp, action_of};
use crate::spec::{HookKind, Hooks, Process};
use core::ffi::CStr;
use core::fmt::Write;

/// Writes a member whose value is a word of a list, after the words' common prefix.
fn word_of(key: &str, prefix: &str, known: &'static str, place: usize, json: &mut Writer<'_>) {
    json.key(key).concat(prefix, words(known).nth(place).unwrap_or_default());
}

/// Writes the words of a list whose bits are set.
fn flags_of(key: &str, prefix: &str, known: &'static str, bits: u64, json: &mut Writer<'_>) {
    json.array_of(key);
    for (place, word) in words(known).enumerate() {
        if bits >> place & 1 != 0 {
            json.concat(prefix, word);
        }
    }
    json.end();
}

/// Writes CPUs or nodes: `0-3,7`.
fn numbers_of(key: &str, set: &NumberSet, json: &mut Writer<'_>) {
    let has =
        |number: usize| set.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 != 0);
    let (mut text, mut number) = (PathBuf::new(), 0);
    while number < 64 * set.len() {
        let first = number;
        while has(number) {
            number += 1;
        }
        if number > first {
            let between = if text.as_bytes().is_empty() { "" } else { "," };
            let _ = write!(text, "{between}{first}-{}", number - 1);
        }
        number += 1;
    }
    json.string_of(key, text.as_bytes());
}

fn text_of(key: &str, text: Option<&CStr>, json: &mut Writer<'_>) {
    if let Some(text) = text {
        json.string_of(key, text.to_bytes());
    }
}

/// Writes a process's scheduler and the members after it, in the specification's order.
pub(super) fn scheduling(process: &Process<'_>, json: &mut Writer<'_>) {
    if let Some(wanted) = &process.scheduler {
        json.object_of("scheduler");
        word_of("policy", "SCHED_", POLICIES, wanted.policy as usize, json);
        json.key("nice").signed(wanted.nice.into());
        json.key("priority").signed((wanted.priority as i32).into());
        flags_of("flags", "SCHED_FLAG_", POLICY_FLAGS, wanted.flags, json);
        for (key, number) in
            [("runtime", wanted.runtime), ("deadline", wanted.deadline), ("period", wanted.period)]
        {
            json.key(key).number(number);
        }
        json.end();
    }
    text_of("selinuxLabel", process.selinux, json);
    if let Some(priority) = process.io_priority {
        json.object_of("ioPriority");
        let class = (priority >> IO_CLASS_SHIFT) as usize;
        word_of("class", "IOPRIO_CLASS_", IO_CLASSES, class, json);
        json.key("priority").number((priority & 7).into());
        json.end();
    }
    if process.cpus_initial.is_some() || process.cpus_final.is_some() {
        json.object_of("execCPUAffinity");
        for (key, cpus) in [("initial", &process.cpus_initial), ("final", &process.cpus_final)] {
            if let Some(cpus) = cpus {
                numbers_of(key, cpus, json);
            }
        }
        json.end();
    }
}

/// Writes the hooks, if there are any.
pub(super) fn hooks(hooks: &Hooks<'_>, json: &mut Writer<'_>) {
    if hooks.all().is_empty() {
        return;
    }
    json.object_of("hooks");
    for kind in HookKind::ALL {
        if hooks.of(kind).is_empty() {
            continue;
        }
        json.array_of(kind.name());
        for hook in hooks.of(kind) {
            json.object();
            json.string_of("path", hook.path.to_bytes());
            list("args", hook.args, json);
            if let Some(env) = hook.env {
                list("env", env, json);
            }
            if let Some(seconds) = hook.timeout_s {
                json.key("timeout").number(seconds.into());
            }
            json.end();
        }
        json.end();
    }
    json.end();
}

/// Writes a profile in the runtime-spec's form.
pub(super) fn seccomp(profile: &Seccomp<'_>, json: &mut Writer<'_>) {
    json.object_of("seccomp");
    action("defaultAction", "defaultErrnoRet", profile.default, json);
    flags_of("architectures", "SCMP_ARCH_", ARCHITECTURES, profile.architectures.into(), json);
    if let Some(flags) = profile.flags {
        flags_of("flags", "SECCOMP_FILTER_FLAG_", FLAGS, flags.into(), json);
    }
    text_of("listenerPath", profile.listener_path, json);
    text_of("listenerMetadata", profile.listener_metadata, json);
    json.array_of("syscalls");
    for rule in profile.rules {
        json.object();
        list("names", rule.names, json);
        action("action", "errnoRet", rule.verdict, json);
        let (first, end) = rule.conditions;
        if first < end {
            json.array_of("args");
            for one in profile.conditions.get(first.into()..end.into()).unwrap_or(&[]) {
                json.object();
                json.key("index").number(one.argument.into());
                json.key("value").number(one.value);
                json.key("valueTwo").number(one.masked);
                word_of("op", "SCMP_CMP_", OPERATORS, one.operator.into(), json);
                json.end();
            }
            json.end();
        }
        json.end();
    }
    json.end();
    json.end();
}

fn action(key: &str, errno_key: &str, verdict: u32, json: &mut Writer<'_>) {
    let (action, errno) = action_of(verdict);
    word_of(key, "SCMP_ACT_", ACTIONS, action, json);
    if let Some(errno) = errno {
        json.key(errno_key).number(errno.into());
    }
}

/// Writes the group of resctrl.
pub(super) fn intel_rdt(wanted: &IntelRdt<'_>, json: &mut Writer<'_>) {
    json.object_of("intelRdt");
    text_of("closID", wanted.clos_id, json);
    list("schemata", wanted.schemata, json);
    text_of("l3CacheSchema", wanted.l3_cache, json);
    text_of("memBwSchema", wanted.memory_bandwidth, json);
    if wanted.is_monitored {
        json.key("enableMonitoring").boolean(true);
    }
    json.end();
}

/// Writes the memory policy.
pub(super) fn memory_policy(policy: &MemoryPolicy, json: &mut Writer<'_>) {
    json.object_of("memoryPolicy");
    let mode = policy.mode & ((1 << MEMORY_FLAG_SHIFT) - 1);
    word_of("mode", "MPOL_", MEMORY_MODES, mode as usize, json);
    if policy.nodes.iter().any(|word| *word != 0) {
        numbers_of("nodes", &policy.nodes, json);
    }
    let flags = policy.mode >> MEMORY_FLAG_SHIFT;
    flags_of("flags", "MPOL_F_", MEMORY_FLAGS, flags.into(), json);
    json.end();
}

/// Writes the personality.
pub(super) fn personality(domain: u32, json: &mut Writer<'_>) {
    json.object_of("personality");
    json.string_of("domain", if domain == LINUX32 { b"LINUX32" } else { b"LINUX" });
    json.end();
}

/// Writes the clocks' offsets, if there are any.
pub(super) fn clocks(clocks: &[Option<ClockOffset>; 2], json: &mut Writer<'_>) {
    if *clocks == [None; 2] {
        return;
    }
    json.object_of("timeOffsets");
    for (clock, offset) in CLOCKS.iter().zip(clocks) {
        if let Some(ClockOffset { seconds, nanoseconds }) = offset {
            json.object_of(clock);
            json.key("secs").signed(*seconds);
            json.key("nanosecs").number((*nanoseconds).into());
            json.end();
        }
    }
    json.end();
}

/// Writes the host's network devices that move to the container, if there are any.
pub(super) fn net_devices(devices: &[NetDevice<'_>], json: &mut Writer<'_>) {
    if devices.is_empty() {
        return;
    }
    json.object_of("netDevices");
    for device in devices {
        json.bytes_key(device.host.to_bytes()).object();
        json.string_of("name", device.name.to_bytes());
        json.end();
    }
    json.end();
}
