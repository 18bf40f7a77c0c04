//! The process of a config.json, or the one that exec is given.

use super::{LIMIT_KINDS, add, as_u32, list, number, push, refused, string, truth};
use crate::codec::json::Value;
use crate::error::{Error, Result};
use crate::io::strings::StringBlock;
use crate::io::text::words;
use crate::limits::GROUPS_MAX;
use crate::spec::{Capabilities, LIMITS, Limit, Process, User, capability};
use heapless::Vec;

/// Shows each capability of a process that there is none of that name. The specification wants a
/// warning, and no more.
pub fn each_unknown_capability(process: &Process<'_>, see: &mut dyn FnMut(Value<'_>)) {
    let Some(sets) = process.document.and_then(|document| document.member("capabilities")) else {
        return;
    };
    for set in words(capability::SETS) {
        for value in sets.list_or_none(core::str::from_utf8(set).unwrap_or("")) {
            if capability_of(&value).is_none() {
                see(value);
            }
        }
    }
}

/// One that was checked.
pub(super) fn process<'s, 'm: 's>(
    value: Value<'m>,
    strings: &mut StringBlock<'m>,
    limits: &'s mut Vec<Limit, LIMIT_KINDS>,
) -> Result<Process<'s>> {
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
    for one in value.list_or_none("rlimits") {
        let limit = limit(&one)?;
        if limits.iter().any(|other| other.resource == limit.resource) {
            return Err(one.error_in("type", "given twice"));
        }
        push(limits, limit, one)?;
    }
    let oom_score_adj = match value.get("oomScoreAdj")? {
        Some(score) => Some(match score.as_i64()? {
            number @ -1000..=1000 => number as i16,
            _ => return Err(score.error("not within -1000 and 1000")),
        }),
        None => None,
    };
    Ok(Process {
        terminal: truth(&value, "terminal"),
        args,
        env,
        cwd: string(&value, "cwd", strings)?.unwrap_or(c"/"),
        user: user(&value)?,
        capabilities: capabilities(&value),
        no_new_privileges: truth(&value, "noNewPrivileges"),
        limits,
        oom_score_adj,
        apparmor: string(&value, "apparmorProfile", strings)?,
        selinux: string(&value, "selinuxLabel", strings)?,
        document: Some(value),
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

fn capabilities(process: &Value<'_>) -> Capabilities {
    let Some(value) = process.member("capabilities") else { return Capabilities::default() };
    let set = |key: &str| {
        value.list_or_none(key).fold(0, |bits, one| bits | capability_of(&one).unwrap_or(0))
    };
    Capabilities {
        bounding: set("bounding"),
        effective: set("effective"),
        permitted: set("permitted"),
        inheritable: set("inheritable"),
        ambient: set("ambient"),
    }
}

fn capability_of(value: &Value<'_>) -> Option<u64> {
    capability::by_name(value.as_text().ok()?.as_plain()?.as_bytes())
}

fn limit(value: &Value<'_>) -> Result<Limit> {
    let kind = value.require_text("type")?;
    let name = kind.as_escaped().as_bytes().strip_prefix(b"RLIMIT_");
    let Some(resource) = words(LIMITS).position(|known| Some(known) == name) else {
        return Err(refused(&value.require("type")?, "unknown"));
    };
    let (soft, hard) = (value.require_u64("soft")?, value.require_u64("hard")?);
    match soft > hard {
        true => Err(value.error_in("soft", "exceeds hard")),
        false => Ok(Limit { resource: resource as u32, soft, hard }),
    }
}
