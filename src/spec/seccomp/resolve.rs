//! docker's form of a profile: its conditions on architectures, kernels and capabilities.

use super::OLDEST_KERNEL;
use crate::codec::json::Value;
use crate::error::{Error, Result};
use crate::io::text::decimal;
use crate::spec::capability;
use crate::sys::arch;

/// This machine's architecture, as docker calls it.
const ARCHITECTURE: &[u8] = arch::GO_NAME.as_bytes();
/// The same as libseccomp calls it.
const OWN: &[u8] = arch::SECCOMP_NAME.as_bytes();

/// Calls `see` with each architecture of `archMap` that this machine has.
pub fn each_architecture<'v>(
    profile: &Value<'v>,
    see: &mut dyn FnMut(Value<'v>) -> Result<()>,
) -> Result<()> {
    for one in list(*profile, "archMap")? {
        if list(*profile, "architectures")?.next().is_some() {
            return Err(profile.error_in("archMap", "use either architectures or archMap"));
        }
        let own = one.require("architecture")?;
        if own.as_text()?.as_escaped().as_bytes() == OWN {
            see(own)?;
            list(one, "subArchitectures")?.try_for_each(&mut *see)?;
        }
    }
    Ok(())
}

/// Returns the single name that a rule has in place of a list.
pub fn single_name(rule: Value<'_>) -> Result<Option<Value<'_>>> {
    let Some(name) = rule.get("name")? else { return Ok(None) };
    Ok((!name.as_text()?.is_empty()).then_some(name))
}

/// Returns whether a rule applies to a process with this bounding set.
pub fn holds(rule: Value<'_>, bounding: u64) -> Result<bool> {
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
    use crate::spec::syscalls::Seccomp;
    use crate::spec::{SpecMemory, read_docker_seccomp, read_seccomp};
    use crate::sys::arena::Word;

    fn resolved(
        profile: &str,
        bounding: Option<u64>,
    ) -> std::result::Result<Seccomp<'static>, String> {
        let value = json::check(profile.as_bytes().to_vec().leak()).expect("JSON");
        let (text, lists) = (vec![0; 4096].leak(), vec![Word::uninit(); 4096].leak());
        let memory = &mut SpecMemory::new(text, lists);
        let read = match bounding {
            Some(bounding) => read_docker_seccomp(value, bounding, memory),
            None => read_seccomp(value, memory),
        };
        read.map_err(|error| error.to_string())
    }

    /// A profile with these further members.
    fn profile(members: &str) -> String {
        format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO",{members}}}"#)
    }

    /// Returns whether a rule with this member is kept.
    fn is_left(condition: &str, bounding: u64) -> bool {
        let rules =
            format!(r#""syscalls":[{{"names":["read"],"action":"SCMP_ACT_ALLOW",{condition}}}]"#);
        let left = resolved(&profile(&rules), Some(bounding)).expect(condition).rules;
        assert!(left.iter().all(|rule| rule.names.iter().eq([c"read"])));
        !left.is_empty()
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
        for members in [
            concat!(
                r#""defaultErrnoRet":1,"architectures":["SCMP_ARCH_X86"],"flags":[],"#,
                r#""syscalls":[{"names":["a","b"],"action":"SCMP_ACT_ALLOW","#,
                r#""args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]"#
            ),
            r#""listenerPath":"/l","listenerMetadata":"\"m""#,
            r#""syscalls":null"#,
        ] {
            let profile = profile(members);
            assert_eq!(
                resolved(&profile, Some(0)).expect("a profile"),
                resolved(&profile, None).expect("a profile")
            );
        }
    }

    #[test]
    fn architectures_and_single_names_are_dockers() {
        let ours = format!(
            "{{\"architecture\":\"{}\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]}}",
            arch::SECCOMP_NAME
        );
        let map = format!(r#""archMap":[{{"architecture":"SCMP_ARCH_S390"}},{ours}]"#);
        let names = format!(r#""architectures":["{}","SCMP_ARCH_X86"]"#, arch::SECCOMP_NAME);
        let (by_map, by_names) =
            (resolved(&profile(&map), Some(0)), resolved(&profile(&names), None));
        assert_eq!(by_map.expect("a map"), by_names.expect("names"));
        let one = resolved(
            &profile(r#""syscalls":[{"name":"read","action":"SCMP_ACT_ALLOW"}]"#),
            Some(0),
        );
        assert!(one.expect("a name").rules[0].names.iter().eq([c"read"]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (profile, why) in [
            (r#""syscalls":{}"#, "syscalls: not an array"),
            (r#""syscalls":[1]"#, "syscalls[0]: not an object"),
            (
                r#""syscalls":[{"includes":{"caps":[1]}}]"#,
                "syscalls[0].includes.caps[0]: not a string",
            ),
            (
                r#""syscalls":[{"includes":{"minKernel":"5"}}]"#,
                "syscalls[0].includes.minKernel: not MAJOR.MINOR",
            ),
            (r#""syscalls":[{"name":1}]"#, "syscalls[0].name: not a string"),
            (
                r#""syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_ALLOW"}]"#,
                "syscalls[0].names: given twice",
            ),
            (r#""archMap":[{}]"#, "archMap[0].architecture: missing"),
            (
                r#""archMap":[1],"architectures":["SCMP_ARCH_X86"]"#,
                "archMap: use either architectures or archMap",
            ),
        ] {
            let said = resolved(&self::profile(profile), Some(0)).expect_err(profile);
            assert_eq!(said, why, "{profile}");
        }
    }
}
