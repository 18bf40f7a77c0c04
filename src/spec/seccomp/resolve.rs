//! A profile of docker's form becomes one of the runtime-spec's: what it says of other machines and of capabilities is decided.

use super::OLDEST_KERNEL;
use crate::codec::json::{Value, Writer};
use crate::error::{Error, Result};
use crate::io::text::decimal;
use crate::spec::capability;

/// This machine's architecture, as docker calls it.
const ARCHITECTURE: &[u8] = b"amd64";
/// The same as libseccomp calls it.
const OWN: &[u8] = b"SCMP_ARCH_X86_64";

/// Writes a profile for a process with this bounding set. One of the runtime-spec's form remains as it is. The values of
/// members are only looked at where they decide something.
pub fn resolve(profile: Value<'_>, bounding: u64, json: &mut Writer<'_>) -> Result<()> {
    let is_given =
        |key| profile.member(key).is_some_and(|list| list.items().is_ok_and(|mut items| items.next().is_some()));
    if is_given("architectures") && is_given("archMap") {
        return Err(profile.fault_of("archMap", "there is architectures as well"));
    }
    json.object();
    for (key, value) in profile.entries()? {
        match key.as_escaped().as_bytes() {
            b"archMap" if is_given("archMap") => architectures(value, json)?,
            b"archMap" | b"comment" => {}
            b"architectures" if is_given("archMap") => {}
            b"syscalls" if !value.is_null() => {
                json.array_of("syscalls");
                for rule in value.items()? {
                    if holds(rule, bounding)? {
                        self::rule(rule, json)?;
                    }
                }
                json.end();
            }
            _ => json.text_key(&key).value(&value),
        }
    }
    json.end();
    Ok(())
}

/// What `archMap` says for this machine.
fn architectures(map: Value<'_>, json: &mut Writer<'_>) -> Result<()> {
    for one in map.items()? {
        let own = one.require("architecture")?;
        if own.as_text()?.as_escaped().as_bytes() == OWN {
            json.array_of("architectures");
            json.value(&own);
            for other in list(one, "subArchitectures")? {
                json.value(&other);
            }
            json.end();
        }
    }
    Ok(())
}

/// A rule without its conditions.
fn rule(rule: Value<'_>, json: &mut Writer<'_>) -> Result<()> {
    json.object();
    for (key, value) in rule.entries()? {
        match key.as_escaped().as_bytes() {
            b"includes" | b"excludes" | b"comment" | b"priority" => {}
            b"name" if value.as_text()?.as_escaped().is_empty() => {}
            b"name" => {
                json.array_of("names");
                json.value(&value);
                json.end();
            }
            _ => json.text_key(&key).value(&value),
        }
    }
    json.end();
    Ok(())
}

/// Whether a rule is for such a process.
fn holds(rule: Value<'_>, bounding: u64) -> Result<bool> {
    if let Some(excludes) = rule.member("excludes").filter(|value| !value.is_null())
        && [of_architecture(excludes)?, any_capability(excludes, bounding)?, of_kernel(excludes)?].contains(&Some(true))
    {
        return Ok(false);
    }
    let Some(includes) = rule.member("includes").filter(|value| !value.is_null()) else { return Ok(true) };
    let all = [of_architecture(includes)?, all_capabilities(includes, bounding)?, of_kernel(includes)?];
    Ok(!all.contains(&Some(false)))
}

fn list<'m>(of: Value<'m>, key: &str) -> Result<impl Iterator<Item = Value<'m>> + use<'m>> {
    let list = of.member(key).filter(|value| !value.is_null());
    Ok(list.map(|list| list.items()).transpose()?.into_iter().flatten())
}

/// Whether this machine is among `arches`; `None` where there are none.
fn of_architecture(condition: Value<'_>) -> Result<Option<bool>> {
    let mut found = None;
    for one in list(condition, "arches")? {
        found = Some(found == Some(true) || one.as_text()?.as_escaped().as_bytes() == ARCHITECTURE);
    }
    Ok(found)
}

fn any_capability(condition: Value<'_>, bounding: u64) -> Result<Option<bool>> {
    let mut found = None;
    for one in list(condition, "caps")? {
        let bit = capability::by_name(one.as_text()?.as_escaped().as_bytes()).unwrap_or(0);
        found = Some(found == Some(true) || bounding & bit != 0);
    }
    Ok(found)
}

fn all_capabilities(condition: Value<'_>, bounding: u64) -> Result<Option<bool>> {
    let mut found = None;
    for one in list(condition, "caps")? {
        let bit = capability::by_name(one.as_text()?.as_escaped().as_bytes()).unwrap_or(0);
        found = Some(found != Some(false) && bounding & bit != 0);
    }
    Ok(found)
}

/// Whether every kernel that a config is for is as new as `minKernel`.
fn of_kernel(condition: Value<'_>) -> Result<Option<bool>> {
    let Some(version) = condition.member("minKernel").filter(|value| !value.is_null()) else { return Ok(None) };
    let text = version.as_text()?.as_escaped().as_bytes();
    let mut numbers = text.splitn(2, |byte| *byte == b'.').map(decimal);
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => Ok(Some((major, minor) <= (OLDEST_KERNEL.0.into(), OLDEST_KERNEL.1.into()))),
        _ => Err(fault(&version)),
    }
}

#[cold]
fn fault(version: &Value<'_>) -> Error {
    version.fault("not MAJOR.MINOR")
}
