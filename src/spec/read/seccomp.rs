//! `linux.seccomp`: each part is read once.

use super::members::{add, items, needed, put};
use crate::codec::json::Value;
use crate::error::Result;
use crate::io::text::words;
use crate::limits::{SECCOMP_CONDITIONS_MAX, SECCOMP_RULES_MAX};
use crate::spec::memory::{SpecMemory, push};
use crate::spec::schema::{self, Member, members};
use crate::spec::seccomp::resolve;
use crate::spec::syscalls::{
    ACTIONS, ARCHITECTURES, Condition, FLAGS, OPERATORS, RETURNS, Seccomp, SyscallRule,
};
use crate::sys::arena::List;
use crate::sys::seccomp::{RETURN_ERRNO, RETURN_NOTIFY, RETURN_TRACE};
use core::ffi::CStr;

const EPERM: u32 = libc::EPERM as u32;

/// Reads a profile. An error names the place in it.
///
/// Evaluates a profile of docker's form for a process with the bounding set `docker`.
pub(super) fn profile<'m>(
    profile: &Value<'_>,
    docker: Option<u64>,
    memory: &mut SpecMemory<'m>,
) -> Result<Seccomp<'m>> {
    members!(SECCOMP of Some(profile) =>
        action, errno, architecture_names, flag_names, listener_path, metadata, rules
    );
    let default = verdict(needed(action), errno)?;
    if default == RETURN_NOTIFY {
        return Err(needed(action).error("this cannot be the default"));
    }
    if let (None, Some(metadata)) = (listener_path, metadata) {
        return Err(metadata.error("there is no listenerPath"));
    }
    let mut architectures = 0;
    let mut add = |name: Value<'_>| {
        architectures |= 1 << word(&name, "SCMP_ARCH_", ARCHITECTURES)?;
        Ok(())
    };
    items(architecture_names).try_for_each(&mut add)?;
    if docker.is_some() {
        resolve::each_architecture(profile, &mut add)?;
    }
    let mut flags = flag_names.as_ref().map(|_| 0);
    for flag in items(flag_names) {
        let bit = 1 << word(&flag, "SECCOMP_FILTER_FLAG_", FLAGS)?;
        flags = flags.map(|bits| bits | bit);
    }
    let listener_path = text(listener_path, memory)?;
    let listener_metadata = text(metadata, memory)?;
    let rules = items(rules);
    let conditions = rules.clone().map(conditions_of).sum::<usize>();
    let mut conditions = memory.list(conditions.min(SECCOMP_CONDITIONS_MAX))?;
    let mut list = memory.list(rules.clone().count().min(SECCOMP_RULES_MAX))?;
    for one in rules {
        let name = match docker {
            Some(bounding) if !resolve::holds(one, bounding)? => continue,
            Some(_) => resolve::single_name(one)?,
            None => None,
        };
        let rule = rule(&one, &name, memory, &mut conditions)?;
        push(&mut list, rule, one, SECCOMP_RULES_MAX)?;
    }
    let read = Seccomp {
        default,
        architectures,
        flags,
        listener_path,
        listener_metadata,
        rules: list.finish(),
        conditions: conditions.finish(),
    };
    match read.notifies() && listener_path.is_none() {
        true => Err(profile.error_in("listenerPath", "missing, and there is SCMP_ACT_NOTIFY")),
        false => Ok(read),
    }
}

/// Returns the number of a rule's conditions, or 0 if it is malformed.
fn conditions_of(rule: Value<'_>) -> usize {
    rule.list_or_none("args").count()
}

/// Reads a rule. docker's form may have one `name` in place of names.
fn rule<'m>(
    rule: &Value<'_>,
    name: &Member<'_>,
    memory: &mut SpecMemory<'m>,
    conditions: &mut List<'m, Condition>,
) -> Result<SyscallRule<'m>> {
    members!(SECCOMP_RULE of Some(rule) => names, action, errno, args);
    let verdict = verdict(needed(action), errno)?;
    let first = conditions.as_slice().len() as u16;
    for arg in items(args) {
        push(conditions, condition(arg)?, arg, SECCOMP_CONDITIONS_MAX)?;
    }
    if names.is_some() == name.is_some() {
        return Err(rule.error_in("names", if name.is_some() { "given twice" } else { "missing" }));
    }
    let mut packed = memory.strings.begin();
    for name in items(names).chain(*name) {
        let text = name.as_text()?;
        if text.is_empty() {
            return Err(name.error("must not be empty"));
        }
        // sendmsg is used to pass the listener fd; notifying on it would deadlock. runc also
        // rejects write.
        if verdict == RETURN_NOTIFY && (text == "write" || text == "sendmsg") {
            return Err(name.error("not with SCMP_ACT_NOTIFY"));
        }
        put(&text, name, &mut packed)?;
        packed.end_word()?;
    }
    if packed.is_empty() {
        return Err(needed(names).error("empty"));
    }
    let last = conditions.as_slice().len() as u16;
    Ok(SyscallRule { names: packed.finish_words(), verdict, conditions: (first, last) })
}

fn condition(arg: Value<'_>) -> Result<Condition> {
    members!(SECCOMP_CONDITION of Some(&arg) => index, value, masked, operator);
    let index = needed(index);
    let argument = match index.as_u64()? {
        argument @ 0..=5 => argument as u8,
        _ => return Err(index.error("above 5")),
    };
    let operator = word(needed(operator), "SCMP_CMP_", OPERATORS)? as u8;
    let masked = masked.as_ref().map_or(Ok(0), |masked| masked.as_u64())?;
    Ok(Condition { argument, operator, value: needed(value).as_u64()?, masked })
}

/// Returns a text, which may be empty.
fn text<'m>(value: &Member<'_>, memory: &mut SpecMemory<'m>) -> Result<Option<&'m CStr>> {
    let Some(value) = value else { return Ok(None) };
    let mut builder = memory.strings.begin();
    add(*value, &mut builder)?;
    builder.finish().map(Some)
}

/// Returns a filter's value for an action, with an errno.
fn verdict(action: &Value<'_>, errno: &Member<'_>) -> Result<u32> {
    let verdict = RETURNS[word(action, "SCMP_ACT_", ACTIONS)? % RETURNS.len()];
    let takes_errno = matches!(verdict, RETURN_ERRNO | RETURN_TRACE);
    let Some(errno) = errno else {
        return Ok(if takes_errno { verdict | EPERM } else { verdict });
    };
    if !takes_errno {
        return Err(errno.error("the action takes none"));
    }
    match errno.as_u64()? {
        number @ 0..=0xffff => Ok(verdict | number as u32),
        _ => Err(errno.error("above 65535")),
    }
}

/// Returns the index of this text in a list, after its prefix.
fn word(value: &Value<'_>, prefix: &str, list: &'static str) -> Result<usize> {
    let text = value.as_text()?.as_escaped().as_bytes().strip_prefix(prefix.as_bytes());
    let at = text.and_then(|text| words(list).position(|word| word == text));
    at.ok_or_else(|| value.error("unknown"))
}
