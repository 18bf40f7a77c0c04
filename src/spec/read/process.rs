//! The process of a config.json, or the process of exec.

use super::members::{
    add, as_u32, flags, items, list, needed, number, number_set, place, refused, signed, string,
    truth,
};
use crate::codec::json::{Text, Value};
use crate::error::{Error, Result};
use crate::io::text::words;
use crate::limits::GROUPS_MAX;
use crate::spec::attributes::{IO_CLASS_SHIFT, IO_CLASSES, POLICIES, POLICY_FLAGS, Scheduler};
use crate::spec::memory::SpecMemory;
use crate::spec::rlimit::RLIMITS;
use crate::spec::schema::{self, Member, members};
use crate::spec::{Capabilities, Process, Rlimit, User, capability};

/// Gets the name of an unknown capability.
type SeeUnknown<'s> = &'s mut dyn FnMut(&Value<'_>);

/// Reads a process.
pub(super) fn process<'m>(
    value: &Value<'_>,
    memory: &mut SpecMemory<'m>,
    see_unknown: SeeUnknown<'_>,
) -> Result<Process<'m>> {
    members!(PROCESS of Some(value) =>
        terminal, console_size, user, args, env_words, cwd, sets, rlimits, no_new_privileges,
        apparmor, oom_score_adj, scheduler, selinux, io_priority, affinity
    );
    let strings = &mut memory.strings;
    let args = list(args, strings)?;
    if args.first().is_none() {
        return Err(value.error_in("args", "must not be empty"));
    }
    let mut env = strings.begin();
    for one in items(env_words) {
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
    let rlimits =
        memory.read_list(items(rlimits), Rlimit::KINDS, &mut |one, _, before: &[Rlimit]| {
            let limit = limit(&one)?;
            match before.iter().any(|other| other.resource == limit.resource) {
                true => Err(one.error_in("type", "given twice")),
                false => Ok(limit),
            }
        })?;
    let oom_score_adj = match oom_score_adj {
        Some(score) => Some(match score.as_i64()? {
            number @ -1000..=1000 => number as i16,
            _ => return Err(score.error("not within -1000 and 1000")),
        }),
        None => None,
    };
    let strings = &mut memory.strings;
    members!(AFFINITY of affinity.as_ref() => initial, last);
    let cpus = |list: &Member<'_>| list.as_ref().map(number_set).transpose();
    Ok(Process {
        terminal: truth(terminal),
        args,
        env,
        cwd: string(cwd, strings)?.unwrap_or(c"/"),
        user: self::user(user)?,
        capabilities: capabilities(sets, see_unknown)?,
        no_new_privileges: truth(no_new_privileges),
        rlimits,
        oom_score_adj,
        apparmor: string(apparmor, strings)?,
        selinux: string(selinux, strings)?,
        console_size: self::console_size(console_size)?,
        scheduler: self::scheduler(scheduler)?,
        io_priority: self::io_priority(io_priority)?,
        cpus_initial: cpus(initial)?,
        cpus_final: cpus(last)?,
    })
}

fn user(value: &Member<'_>) -> Result<User> {
    members!(USER of value.as_ref() => uid, gid, umask, groups);
    let mut user = User { uid: number(uid), gid: number(gid), ..User::default() };
    if let Some(umask) = umask {
        user.umask = match umask.as_u64()? {
            bits @ ..=0o777 => Some(bits as u32),
            _ => return Err(umask.error("not within 0 and 511")),
        };
    }
    for gid in items(groups) {
        schema::one(&gid, b"#")?;
        let full = |_| gid.at(Error::new(format_args!("more than {GROUPS_MAX} groups")));
        user.additional_gids.push(as_u32(&gid)).map_err(full)?;
    }
    Ok(user)
}

pub(super) fn capabilities(
    value: &Member<'_>,
    see_unknown: SeeUnknown<'_>,
) -> Result<Capabilities> {
    let mut lists = [None; 5];
    schema::fill(value.as_ref(), schema::CAPABILITIES, &mut lists)?;
    let mut sets = [0; 5];
    for (list, set) in lists.iter().zip(&mut sets) {
        for one in items(list) {
            match capability_of(one.as_text()?) {
                Some(bit) => *set |= bit,
                // The specification wants only a warning.
                None => see_unknown(&one),
            }
        }
    }
    let [bounding, effective, inheritable, permitted, ambient] = sets;
    Ok(Capabilities { bounding, effective, permitted, inheritable, ambient })
}

fn capability_of(name: Text<'_>) -> Option<u64> {
    capability::by_name(name.as_plain()?.as_bytes())
}

fn console_size(size: &Member<'_>) -> Result<Option<(u16, u16)>> {
    members!(CONSOLE_SIZE of size.as_ref() => height, width);
    Ok(size.map(|_| (number(height) as u16, number(width) as u16)))
}

fn scheduler(wanted: &Member<'_>) -> Result<Option<Scheduler>> {
    members!(SCHEDULER of wanted.as_ref() =>
        policy, nice, priority, flag_words, runtime, deadline, period
    );
    let Some(policy) = policy else { return Ok(None) };
    Ok(Some(Scheduler {
        size: 0,
        policy: place(policy, "SCHED_", POLICIES)? as u32,
        flags: flags(flag_words, "SCHED_FLAG_", POLICY_FLAGS)?,
        nice: signed(nice)? as i32,
        priority: signed(priority)? as u32,
        runtime: signed(runtime)? as u64,
        deadline: signed(deadline)? as u64,
        period: signed(period)? as u64,
    }))
}

fn io_priority(wanted: &Member<'_>) -> Result<Option<u32>> {
    members!(IO_PRIORITY of wanted.as_ref() => class, priority);
    let (Some(wanted), Some(class)) = (wanted, class) else { return Ok(None) };
    match (place(class, "IOPRIO_CLASS_", IO_CLASSES)?, signed(priority)?) {
        (0, _) => Err(class.error("unknown")),
        (class, priority @ 0..=7) => Ok(Some((class as u32) << IO_CLASS_SHIFT | priority as u32)),
        _ => Err(wanted.error_in("priority", "not within 0 and 7")),
    }
}

fn limit(value: &Value<'_>) -> Result<Rlimit> {
    members!(RLIMIT of Some(value) => kind, soft, hard);
    let (kind, soft, hard) = (needed(kind), needed(soft), needed(hard));
    let name = kind.as_text()?.as_escaped().as_bytes().strip_prefix(b"RLIMIT_");
    let Some(resource) = words(RLIMITS).position(|known| Some(known) == name) else {
        return Err(refused(kind, "unknown"));
    };
    let (soft, hard) = (soft.as_u64()?, hard.as_u64()?);
    match soft > hard {
        true => Err(value.error_in("soft", "exceeds hard")),
        false => Ok(Rlimit { resource: resource as u32, soft, hard }),
    }
}
