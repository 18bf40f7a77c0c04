//! The process of a config.json, or the one that exec is given.

use super::members::{
    add, as_u32, flags, list, number, number_set, place, refused, signed, string, truth,
};
use crate::codec::json::Value;
use crate::error::{Error, Result};
use crate::io::text::words;
use crate::limits::GROUPS_MAX;
use crate::spec::attributes::{IO_CLASS_SHIFT, IO_CLASSES, POLICIES, POLICY_FLAGS, Scheduler};
use crate::spec::memory::{Note, SpecMemory};
use crate::spec::rlimit::RLIMITS;
use crate::spec::{Capabilities, Process, Rlimit, User, capability};

/// One that was checked. `note` hears of capabilities that there are not: the specification wants a
/// warning, and no more.
pub(super) fn process<'m>(
    value: Value<'_>,
    memory: &mut SpecMemory<'m>,
    note: Note<'_>,
) -> Result<Process<'m>> {
    let strings = &mut memory.strings;
    let args = list(&value, "args", strings)?;
    if args.first().is_none() {
        return Err(value.error_in("args", "must not be empty"));
    }
    let mut env = strings.begin();
    for one in value.list_or_none("env") {
        let start = env.len();
        add(one, &mut env)?;
        if matches!(env.as_bytes().get(start..).unwrap_or(&[]), [b'=', ..])
            || !env.as_bytes()[start..].contains(&b'=')
        {
            return Err(one.error("not NAME=VALUE"));
        }
        env.end_word()?;
    }
    let env = env.finish_words();
    let rlimits = memory.read_list(
        value.list_or_none("rlimits"),
        Rlimit::KINDS,
        &mut |one, _, before: &[Rlimit]| {
            let limit = limit(&one)?;
            match before.iter().any(|other| other.resource == limit.resource) {
                true => Err(one.error_in("type", "given twice")),
                false => Ok(limit),
            }
        },
    )?;
    let oom_score_adj = match value.get("oomScoreAdj")? {
        Some(score) => Some(match score.as_i64()? {
            number @ -1000..=1000 => number as i16,
            _ => return Err(score.error("not within -1000 and 1000")),
        }),
        None => None,
    };
    let strings = &mut memory.strings;
    let affinity = value.member("execCPUAffinity").unwrap_or_default();
    let cpus = |key| affinity.member(key).map(|list| number_set(&list)).transpose();
    Ok(Process {
        terminal: truth(&value, "terminal"),
        args,
        env,
        cwd: string(&value, "cwd", strings)?.unwrap_or(c"/"),
        user: user(&value)?,
        capabilities: capabilities(&value, note),
        no_new_privileges: truth(&value, "noNewPrivileges"),
        rlimits,
        oom_score_adj,
        apparmor: string(&value, "apparmorProfile", strings)?,
        selinux: string(&value, "selinuxLabel", strings)?,
        console_size: console_size(&value),
        scheduler: scheduler(&value)?,
        io_priority: io_priority(&value)?,
        cpus_initial: cpus("initial")?,
        cpus_final: cpus("final")?,
    })
}

fn user(process: &Value<'_>) -> Result<User> {
    let mut user = User::default();
    let Some(value) = process.get("user")? else { return Ok(user) };
    user.uid = number(&value, "uid");
    user.gid = number(&value, "gid");
    if let Some(umask) = value.get("umask")? {
        user.umask = match umask.as_u64()? {
            bits @ ..=0o777 => Some(bits as u32),
            _ => return Err(umask.error("not within 0 and 511")),
        };
    }
    for gid in value.list_or_none("additionalGids") {
        let full = |_| gid.at(Error::new(format_args!("more than {GROUPS_MAX} groups")));
        user.additional_gids.push(as_u32(gid)).map_err(full)?;
    }
    Ok(user)
}

fn capabilities(process: &Value<'_>, note: Note<'_>) -> Capabilities {
    let Some(value) = process.member("capabilities") else { return Capabilities::default() };
    let mut sets = [0; 5];
    for (name, set) in words(capability::SETS).zip(&mut sets) {
        for one in value.list_or_none(core::str::from_utf8(name).unwrap_or("")) {
            match capability_of(&one) {
                Some(bit) => *set |= bit,
                None => note(one.error("there is no such capability: it is left out")),
            }
        }
    }
    let [bounding, effective, inheritable, permitted, ambient] = sets;
    Capabilities { bounding, effective, permitted, inheritable, ambient }
}

fn capability_of(value: &Value<'_>) -> Option<u64> {
    capability::by_name(value.as_text().ok()?.as_plain()?.as_bytes())
}

fn console_size(process: &Value<'_>) -> Option<(u16, u16)> {
    let size = process.member("consoleSize")?;
    let side = |key| size.member(key)?.as_u64().ok().map(|side| side as u16);
    Some((side("height")?, side("width")?))
}

fn scheduler(process: &Value<'_>) -> Result<Option<Scheduler>> {
    let Some(wanted) = process.member("scheduler") else { return Ok(None) };
    Ok(Some(Scheduler {
        size: 0,
        policy: place(&wanted.require("policy")?, "SCHED_", POLICIES)? as u32,
        flags: flags(&wanted, "SCHED_FLAG_", POLICY_FLAGS)?,
        nice: signed(&wanted, "nice")? as i32,
        priority: signed(&wanted, "priority")? as u32,
        runtime: signed(&wanted, "runtime")? as u64,
        deadline: signed(&wanted, "deadline")? as u64,
        period: signed(&wanted, "period")? as u64,
    }))
}

fn io_priority(process: &Value<'_>) -> Result<Option<u32>> {
    let Some(wanted) = process.member("ioPriority") else { return Ok(None) };
    let class = wanted.require("class")?;
    match (place(&class, "IOPRIO_CLASS_", IO_CLASSES)?, signed(&wanted, "priority")?) {
        (0, _) => Err(class.error("unknown")),
        (class, priority @ 0..=7) => Ok(Some((class as u32) << IO_CLASS_SHIFT | priority as u32)),
        _ => Err(wanted.error_in("priority", "not within 0 and 7")),
    }
}

fn limit(value: &Value<'_>) -> Result<Rlimit> {
    let kind = value.require_text("type")?;
    let name = kind.as_escaped().as_bytes().strip_prefix(b"RLIMIT_");
    let Some(resource) = words(RLIMITS).position(|known| Some(known) == name) else {
        return Err(refused(&value.require("type")?, "unknown"));
    };
    let (soft, hard) = (value.require_u64("soft")?, value.require_u64("hard")?);
    match soft > hard {
        true => Err(value.error_in("soft", "exceeds hard")),
        false => Ok(Rlimit { resource: resource as u32, soft, hard }),
    }
}
