//! The hooks of a config.

use super::members::{list, string};
use crate::codec::json::Value;
use crate::error::Result;
use crate::limits::HOOKS_MAX;
use crate::spec::memory::{SpecMemory, push};
use crate::spec::{Hook, HookKind, Hooks};

pub(super) fn hooks<'m>(top: &Value<'_>, memory: &mut SpecMemory<'m>) -> Result<Hooks<'m>> {
    let Some(given) = top.member("hooks") else { return Ok(Hooks::NONE) };
    let count: usize =
        HookKind::ALL.iter().map(|kind| given.list_or_none(kind.name()).count()).sum();
    let mut all = memory.list(count.min(HOOKS_MAX))?;
    let mut ends = [0; HookKind::ALL.len()];
    for (kind, end) in HookKind::ALL.iter().zip(&mut ends) {
        for value in given.list_or_none(kind.name()) {
            push(&mut all, hook(&value, memory)?, value, HOOKS_MAX)?;
        }
        *end = all.as_slice().len() as u16;
    }
    Ok(Hooks::new(all.finish(), ends))
}

fn hook<'m>(value: &Value<'_>, memory: &mut SpecMemory<'m>) -> Result<Hook<'m>> {
    let timeout = value.get("timeout")?.map(|timeout| timeout.as_i64()).transpose()?;
    if timeout.is_some_and(|seconds| seconds <= 0) {
        return Err(value.error_in("timeout", "must be greater than zero"));
    }
    let strings = &mut memory.strings;
    let path = string(value, "path", strings)?.ok_or_else(|| value.error_in("path", "missing"))?;
    let env = match value.member("env") {
        Some(_) => Some(list(value, "env", strings)?),
        None => None,
    };
    Ok(Hook {
        path,
        args: list(value, "args", strings)?,
        env,
        timeout_s: timeout.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
    })
}
