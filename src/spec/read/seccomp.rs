//! `linux.seccomp`: each part is read once.

use super::members::{add, put};
use crate::codec::json::{Items, Value};
use crate::error::{Error, Result};
use crate::io::text::words;
use crate::limits::{SECCOMP_CONDITIONS_MAX, SECCOMP_RULES_MAX};
use crate::spec::memory::{SpecMemory, push};
use crate::spec::syscalls::{
    ACTIONS, ARCHITECTURES, Condition, FLAGS, OPERATORS, RETURNS, Seccomp, SyscallRule,
};
use crate::sys::arena::List;
use crate::sys::seccomp::{RETURN_ERRNO, RETURN_NOTIFY, RETURN_TRACE};
use core::ffi::CStr;

const EPERM: u32 = libc::EPERM as u32;

/// Reads a profile. Whatever is wrong with it is an error that names the place.
pub(super) fn profile<'m>(profile: Value<'_>, memory: &mut SpecMemory<'m>) -> Result<Seccomp<'m>> {
    let keys =
        "defaultAction defaultErrnoRet architectures flags listenerPath listenerMetadata syscalls";
    let mut members = Members::of(profile, keys);
    members.read()?;
    let default = members.verdict()?;
    if default == RETURN_NOTIFY {
        return Err(members.error(0, "this cannot be the default"));
    }
    if members.found[4].is_none() && members.found[5].is_some() {
        return Err(members.error(5, "there is no listenerPath"));
    }
    let mut architectures = 0;
    for architecture in members.items(2)? {
        architectures |= 1 << word(&architecture, "SCMP_ARCH_", ARCHITECTURES)?;
    }
    let mut flags = members.found[3].map(|_| 0);
    for flag in members.items(3)? {
        let bit = 1 << word(&flag, "SECCOMP_FILTER_FLAG_", FLAGS)?;
        flags = flags.map(|bits| bits | bit);
    }
    let listener_path = members.text(4, memory)?;
    let listener_metadata = members.text(5, memory)?;
    let rules = members.items(6)?;
    let conditions = rules.clone().map(conditions_of).sum::<usize>();
    let mut conditions = memory.list(conditions.min(SECCOMP_CONDITIONS_MAX))?;
    let rules = memory.read_list(rules, SECCOMP_RULES_MAX, &mut |one, memory, _| {
        rule(one, memory, &mut conditions)
    })?;
    let profile = Seccomp {
        default,
        architectures,
        flags,
        listener_path,
        listener_metadata,
        rules,
        conditions: conditions.finish(),
    };
    match profile.notifies() && listener_path.is_none() {
        true => Err(members.error(4, "missing, and there is SCMP_ACT_NOTIFY")),
        false => Ok(profile),
    }
}

/// Returns how many conditions a rule has, as far as that can be told.
fn conditions_of(rule: Value<'_>) -> usize {
    rule.list_or_none("args").count()
}

fn rule<'m>(
    rule: Value<'_>,
    memory: &mut SpecMemory<'m>,
    conditions: &mut List<'m, Condition>,
) -> Result<SyscallRule<'m>> {
    let mut members = Members::of(rule, "action errnoRet args names");
    members.read()?;
    let verdict = members.verdict()?;
    let first = conditions.as_slice().len() as u16;
    for arg in members.items(2)? {
        push(conditions, condition(arg)?, arg, SECCOMP_CONDITIONS_MAX)?;
    }
    let mut names = memory.strings.begin();
    for name in members.items(3)? {
        let text = name.as_text()?;
        if text.is_empty() {
            return Err(name.error("empty"));
        }
        // sendmsg is used to pass the listener fd; notifying on it would deadlock. runc also
        // rejects write.
        if verdict == RETURN_NOTIFY && (text == "write" || text == "sendmsg") {
            return Err(name.error("not with SCMP_ACT_NOTIFY"));
        }
        put(&text, name, &mut names)?;
        names.end_word()?;
    }
    if names.is_empty() {
        return Err(members.error(3, "empty"));
    }
    let last = conditions.as_slice().len() as u16;
    Ok(SyscallRule { names: names.finish_words(), verdict, conditions: (first, last) })
}

fn condition(arg: Value<'_>) -> Result<Condition> {
    let mut members = Members::of(arg, "index op value valueTwo");
    members.read()?;
    let argument = match members.number(0)? {
        argument @ 0..=5 => argument as u8,
        _ => return Err(members.error(0, "above 5")),
    };
    let operator = word(&members.need(1)?, "SCMP_CMP_", OPERATORS)? as u8;
    let masked = if members.found[3].is_some() { members.number(3)? } else { 0 };
    Ok(Condition { argument, operator, value: members.number(2)?, masked })
}

/// An object's members by their keys' places in a list; what is null is not there.
struct Members<'v> {
    object: Value<'v>,
    keys: &'static str,
    found: [Option<Value<'v>>; 7],
}

impl<'v> Members<'v> {
    #[inline(never)]
    fn of(object: Value<'v>, keys: &'static str) -> Members<'v> {
        Members { object, keys, found: [None; 7] }
    }

    #[inline(never)]
    fn read(&mut self) -> Result<()> {
        for (key, value) in self.object.entries()? {
            if let Some(at) = place(self.keys, key.as_escaped().as_bytes())
                && let Some(place) = self.found.get_mut(at)
                && !value.is_null()
                && place.replace(value).is_some()
            {
                return Err(value.error("given twice"));
            }
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn error(&self, at: usize, why: &str) -> Error {
        let key = words(self.keys).nth(at).and_then(|key| core::str::from_utf8(key).ok());
        self.object.error_in(key.unwrap_or(""), why)
    }

    #[inline(never)]
    fn need(&self, at: usize) -> Result<Value<'v>> {
        self.found[at].ok_or_else(|| self.error(at, "missing"))
    }

    #[inline(never)]
    fn number(&self, at: usize) -> Result<u64> {
        self.need(at)?.as_u64()
    }

    #[inline(never)]
    fn items(&self, at: usize) -> Result<Items<'v>> {
        self.found[at].map_or(Ok(Items::default()), |list| list.items())
    }

    /// A text, which may be empty.
    fn text<'m>(&self, at: usize, memory: &mut SpecMemory<'m>) -> Result<Option<&'m CStr>> {
        let Some(value) = self.found[at] else { return Ok(None) };
        let mut builder = memory.strings.begin();
        add(value, &mut builder)?;
        builder.finish().map(Some)
    }

    /// What a filter returns for the action that is the first member, with the errno that is the
    /// second.
    #[inline(never)]
    fn verdict(&self) -> Result<u32> {
        let verdict = RETURNS[word(&self.need(0)?, "SCMP_ACT_", ACTIONS)? % RETURNS.len()];
        let takes_errno = matches!(verdict, RETURN_ERRNO | RETURN_TRACE);
        if self.found[1].is_none() {
            return Ok(if takes_errno { verdict | EPERM } else { verdict });
        }
        if !takes_errno {
            return Err(self.error(1, "the action takes none"));
        }
        match self.number(1)? {
            number @ 0..=0xffff => Ok(verdict | number as u32),
            _ => Err(self.error(1, "above 65535")),
        }
    }
}

/// Which word of a list this text is, behind its prefix.
fn word(value: &Value<'_>, prefix: &str, list: &'static str) -> Result<usize> {
    let text = value.as_text()?.as_escaped().as_bytes().strip_prefix(prefix.as_bytes());
    let at = text.and_then(|text| place(list, text));
    at.ok_or_else(|| value.error("unknown"))
}

fn place(list: &'static str, text: &[u8]) -> Option<usize> {
    words(list).position(|word| word == text)
}
