//! The hooks of a config.

use super::members::{items, list, string};
use crate::codec::json::Value;
use crate::error::Result;
use crate::limits::HOOKS_MAX;
use crate::spec::memory::{SpecMemory, push};
use crate::spec::schema::{self, Member, members};
use crate::spec::{Hook, HookKind, Hooks};

/// Reads the kinds of hooks, which the table has in the order of [`HookKind::ALL`].
pub(super) fn hooks<'m>(hooks: &Member<'_>, memory: &mut SpecMemory<'m>) -> Result<Hooks<'m>> {
    let mut given = [None; HookKind::ALL.len()];
    schema::fill(hooks.as_ref(), schema::HOOKS, &mut given)?;
    let count: usize = given.iter().map(|list| items(list).count()).sum();
    let mut all = memory.list(count.min(HOOKS_MAX))?;
    let mut ends = [0; HookKind::ALL.len()];
    for (list, end) in given.iter().zip(&mut ends) {
        for value in items(list) {
            push(&mut all, hook(&value, memory)?, value, HOOKS_MAX)?;
        }
        *end = all.as_slice().len() as u16;
    }
    Ok(Hooks::new(all.finish(), ends))
}

fn hook<'m>(value: &Value<'_>, memory: &mut SpecMemory<'m>) -> Result<Hook<'m>> {
    members!(HOOK of Some(value) => path, args, env, timeout);
    let timeout = timeout.as_ref().map(|timeout| timeout.as_i64()).transpose()?;
    if timeout.is_some_and(|seconds| seconds <= 0) {
        return Err(value.error_in("timeout", "must be greater than zero"));
    }
    let strings = &mut memory.strings;
    let path = string(path, strings)?.ok_or_else(|| value.error_in("path", "missing"))?;
    let env = match env {
        Some(_) => Some(list(env, strings)?),
        None => None,
    };
    Ok(Hook {
        path,
        args: list(args, strings)?,
        env,
        timeout_s: timeout.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
    })
}
