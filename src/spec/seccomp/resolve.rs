//! Converts a profile from docker's form to the runtime-spec's: evaluates its conditions on
//! architectures, kernels and capabilities.

use super::OLDEST_KERNEL;
use crate::codec::json::{Value, Writer};
use crate::error::{Error, Result};
use crate::io::text::decimal;
use crate::spec::capability;
use crate::sys::arch;

/// This machine's architecture, in docker's name.
const ARCHITECTURE: &[u8] = arch::GO_NAME.as_bytes();
/// This machine's architecture, in libseccomp's name.
const OWN: &[u8] = arch::SECCOMP_NAME.as_bytes();

/// Writes a profile for a process with this bounding set. One in the runtime-spec's form stays
/// unchanged. Only members that decide a condition are checked.
pub fn resolve(profile: Value<'_>, bounding: u64, json: &mut Writer<'_>) -> Result<()> {
    let is_given = |key| {
        profile
            .member(key)
            .is_some_and(|list| list.items().is_ok_and(|mut items| items.next().is_some()))
    };
    if is_given("architectures") && is_given("archMap") {
        return Err(profile.error_in("archMap", "use either architectures or archMap"));
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

/// Writes the entry of `archMap` for this machine.
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

/// Writes a rule without its conditions.
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

/// Returns whether a rule applies to a process with this bounding set.
fn holds(rule: Value<'_>, bounding: u64) -> Result<bool> {
    if let Some(excludes) = rule.member("excludes").filter(|value| !value.is_null())
        && [of_architecture(excludes)?, any_capability(excludes, bounding)?, of_kernel(excludes)?]
            .contains(&Some(true))
    {
        return Ok(false);
    }
    let Some(includes) = rule.member("includes").filter(|value| !value.is_null()) else {
        return Ok(true);
    };
    let all =
        [of_architecture(includes)?, all_capabilities(includes, bounding)?, of_kernel(includes)?];
    Ok(!all.contains(&Some(false)))
}

fn list<'m>(of: Value<'m>, key: &str) -> Result<impl Iterator<Item = Value<'m>> + use<'m>> {
    let list = of.member(key).filter(|value| !value.is_null());
    Ok(list.map(|list| list.items()).transpose()?.into_iter().flatten())
}

/// Returns whether this machine is among `arches`, or None without that member.
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

/// Returns whether every supported kernel is at least `minKernel`.
fn of_kernel(condition: Value<'_>) -> Result<Option<bool>> {
    let Some(version) = condition.member("minKernel").filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let text = version.as_text()?.as_escaped().as_bytes();
    let mut numbers = text.splitn(2, |byte| *byte == b'.').map(decimal);
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => {
            Ok(Some((major, minor) <= (OLDEST_KERNEL.0.into(), OLDEST_KERNEL.1.into())))
        }
        _ => Err(error(&version)),
    }
}

#[cold]
fn error(version: &Value<'_>) -> Error {
    version.error("not MAJOR.MINOR")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json;

    fn resolved(profile: &str, bounding: u64) -> std::result::Result<String, String> {
        let mut document = profile.as_bytes().to_vec();
        let value = json::check(&mut document).expect("JSON");
        let mut text: Vec<u8> = Vec::new();
        resolve(value, bounding, &mut Writer::with_indent(&mut text, ""))
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8(text).expect("UTF-8").trim_end().to_string();
        json::check(&mut text.clone().into_bytes()).expect("JSON again");
        Ok(text)
    }

    /// Returns whether a rule with this member is kept.
    fn is_left(condition: &str, bounding: u64) -> bool {
        let rule = format!(r#"{{"syscalls":[{{"names":["read"],"action":"A",{condition}}}]}}"#);
        match resolved(&rule, bounding).expect(condition).as_str() {
            r#"{"syscalls":[{"names":["read"],"action":"A"}]}"# => true,
            r#"{"syscalls":[]}"# => false,
            other => panic!("{condition}: {other}"),
        }
    }

    #[test]
    fn conditions_are_dockers() {
        let [chown, admin] = [capability::set("CHOWN"), capability::set("SYS_ADMIN")];
        for (condition, bounding, left) in [
            (r#""includes":{}"#, 0, true),
            (r#""includes":null,"excludes":null"#, 0, true),
            (r#""includes":{"caps":["CAP_CHOWN"]}"#, chown, true),
            (r#""includes":{"caps":["CAP_CHOWN","CAP_SYS_ADMIN"]}"#, chown, false),
            (r#""includes":{"caps":["CAP_CHOWN","CAP_SYS_ADMIN"]}"#, chown | admin, true),
            (r#""includes":{"caps":["CAP_NEWER"]}"#, capability::ALL, false),
            (r#""includes":{"caps":[]}"#, 0, true),
            (r#""includes":{"arches":["arm","amd64"]}"#, 0, true),
            (r#""includes":{"arches":["arm","x86"]}"#, 0, false),
            (r#""includes":{"minKernel":"5.12"}"#, 0, true),
            (r#""includes":{"minKernel":"5.13"}"#, 0, false),
            (r#""includes":{"minKernel":"4.20","caps":["CAP_CHOWN"]}"#, 0, false),
            (r#""excludes":{"caps":["CAP_CHOWN","CAP_SYS_ADMIN"]}"#, admin, false),
            (r#""excludes":{"caps":["CAP_CHOWN"]}"#, admin, true),
            (r#""excludes":{"arches":["s390"]}"#, 0, true),
            (r#""excludes":{"arches":["amd64"],"caps":["CAP_CHOWN"]}"#, 0, false),
            (r#""excludes":{"minKernel":"4.8"}"#, 0, false),
            (
                r#""includes":{"caps":["CAP_CHOWN"]},"excludes":{"caps":["CAP_SYS_ADMIN"]},"comment":"c""#,
                chown,
                true,
            ),
        ] {
            assert_eq!(is_left(condition, bounding), left, "{condition} {bounding:#x}");
        }
    }

    #[test]
    fn a_profile_of_the_runtime_specs_form_stays_as_it_is() {
        for profile in [
            concat!(
                r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"architectures":["SCMP_ARCH_X86"],"flags":[],"#,
                r#""syscalls":[{"names":["a","b"],"action":"SCMP_ACT_ALLOW","#,
                r#""args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#
            ),
            r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/l","listenerMetadata":"\"m"}"#,
            "{}",
            r#"{"syscalls":null}"#,
        ] {
            assert_eq!(resolved(profile, 0).expect("a profile"), profile);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (profile, why) in [
            ("[]", "not an object"),
            (r#"{"syscalls":{}}"#, "syscalls: not an array"),
            (r#"{"syscalls":[1]}"#, "syscalls[0]: not an object"),
            (
                r#"{"syscalls":[{"includes":{"caps":[1]}}]}"#,
                "syscalls[0].includes.caps[0]: not a string",
            ),
            (
                r#"{"syscalls":[{"includes":{"minKernel":"5"}}]}"#,
                "syscalls[0].includes.minKernel: not MAJOR.MINOR",
            ),
            (r#"{"syscalls":[{"name":1}]}"#, "syscalls[0].name: not a string"),
            (r#"{"archMap":[{}]}"#, "archMap[0].architecture: missing"),
            (
                r#"{"archMap":[1],"architectures":["a"]}"#,
                "archMap: use either architectures or archMap",
            ),
        ] {
            assert_eq!(resolved(profile, 0).expect_err(profile), why, "{profile}");
        }
    }
}
