//! Reads a `config.json`, or the process of exec, into a [`Spec`]. No other room reads them.

mod hooks;
mod limits;
mod linux;
mod lists;
mod members;
mod process;
mod seccomp;

use super::memory::{Note, SpecMemory};
use super::schema::{self, Member, members};
use super::syscalls::Seccomp;
use super::{DeviceRule, Limit, Mount, NAMESPACES, Process, Root, Spec, options};
use crate::codec::json::{self, Text, Value};
use crate::error::Result;
use crate::io::strings::{PackedStrings, StringBlock};
use crate::sys::clone::{CLONE_NEWNET, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NEWUTS};
use crate::sys::signal;
use core::ffi::CStr;
use members::{needed, pairs, paths, refused, string, truth};
use process::process;

/// The longest host or domain name, in bytes (`__NEW_UTS_LEN`).
const NAME_BYTES: usize = 64;

/// Reads a `config.json`, and checks all that does not depend on the machine. Without a process it
/// has one without arguments, which cannot be started.
///
/// An error names the member, as in `linux.namespaces[2].type: unknown`. The caller adds the file's
/// name.
pub fn read<'m>(document: &'m mut [u8], memory: &mut SpecMemory<'m>) -> Result<Spec<'m>> {
    read_new(document, memory, None, &mut |_| ())
}

/// Does the same for a new container, with a mount of the runtime after all of the config's.
pub fn read_new<'m>(
    document: &'m mut [u8],
    memory: &mut SpecMemory<'m>,
    last_mount: Option<Mount<'m>>,
    note: Note<'_>,
) -> Result<Spec<'m>> {
    let top = json::check_with(document, memory.ends()?)?;
    members!(CONFIG of Some(&top) =>
        version, process, root, hostname, domainname, mounts, hooks, annotations, linux
    );
    let (version, root) = (needed(version), needed(root));
    if !is_version(version.as_text()?.as_escaped().as_bytes()) {
        return Err(refused(version, "not a version 1.x.y"));
    }
    let mut has_unknown = false;
    let read_process = match process {
        Some(value) => self::process(value, memory, &mut |_| has_unknown = true)?,
        None => Process::NONE,
    };
    let hostname = name(hostname, &mut memory.strings)?;
    let domainname = name(domainname, &mut memory.strings)?;
    let mounts = lists::mounts(&top, mounts, last_mount, memory)?;
    members!(LINUX of linux.as_ref() =>
        uids, gids, sysctls, resources, cgroup_path, namespaces, devices, net_devices, seccomp,
        propagation, masked_paths, readonly_paths, mount_label, intel_rdt, memory_policy,
        personality, clocks
    );
    if let Some(resources) = resources {
        schema::check(resources, schema::RESOURCES)?;
    }
    let linux = needed(linux);
    let (namespaces, joined) = lists::namespaces(namespaces, memory)?;
    let has = |kind: i32| namespaces & kind != 0 || joined.iter().any(|one| one.kind == kind);
    let needs = [
        (&top, "hostname", hostname.is_some() && !has(CLONE_NEWUTS), "needs a uts namespace"),
        (&top, "domainname", domainname.is_some() && !has(CLONE_NEWUTS), "needs a uts namespace"),
        // A joined time namespace has processes, so its clocks cannot change any more.
        (
            linux,
            "timeOffsets",
            namespaces & CLONE_NEWTIME == 0 && clocks.is_some(),
            "needs a time namespace",
        ),
    ];
    if let Some((value, key, _, why)) = needs.iter().find(|(_, _, is_missing, _)| *is_missing) {
        return Err(value.error_in(key, why));
    }
    let uids = lists::map_ids(uids, memory)?;
    let gids = lists::map_ids(gids, memory)?;
    for (key, list) in [("uidMappings", uids), ("gidMappings", gids)] {
        match (list.is_empty(), has(CLONE_NEWUSER)) {
            (false, false) => return Err(linux.error_in(key, "needs a user namespace")),
            (true, true) if namespaces & CLONE_NEWUSER != 0 => {
                return Err(linux.error_in(key, "missing"));
            }
            _ => {}
        }
    }
    let devices = lists::devices(linux, devices, memory)?;
    let resources = self::resources(resources, memory)?;
    members!(ROOT of Some(root) => path, readonly);
    let root = Root {
        path: string(path, &mut memory.strings)?.ok_or_else(|| root.error_in("path", "empty"))?,
        readonly: truth(readonly),
        propagation: self::propagation(propagation)?,
    };
    let spec = Spec {
        process: read_process,
        root,
        hostname,
        domainname,
        mounts,
        devices,
        namespaces,
        joined,
        masked_paths: paths(masked_paths, &mut memory.strings)?,
        readonly_paths: paths(readonly_paths, &mut memory.strings)?,
        uid_mappings: uids,
        gid_mappings: gids,
        annotations: pairs(annotations, &mut memory.strings)?,
        stop_signal: stop_signal(annotations)?,
        sysctls: pairs(sysctls, &mut memory.strings)?,
        mount_label: string(mount_label, &mut memory.strings)?,
        cgroup_path: string(cgroup_path, &mut memory.strings)?,
        hooks: hooks::hooks(hooks, memory)?,
        seccomp: match seccomp {
            Some(profile) => Some(seccomp::profile(profile, None, memory)?),
            None => None,
        },
        clocks: linux::clocks(clocks)?,
        personality: linux::personality(personality)?,
        memory_policy: linux::memory_policy(memory_policy)?,
        intel_rdt: linux::intel_rdt(intel_rdt, &mut memory.strings)?,
        net_devices: linux::net_devices(net_devices, has(CLONE_NEWNET), memory)?,
        source: top.as_json().as_bytes(),
        limits: resources.limits,
        device_rules: resources.device_rules,
        ..Spec::NONE
    };
    // An error stands alone: these lines come when there is none.
    if has_unknown {
        let sets = needed(process).member("capabilities");
        process::capabilities(&sets, &mut |one| note(one.error("unknown capability: left out")))?;
    }
    Ok(spec)
}

/// Reads a process: the file of `exec --process`.
pub fn read_process<'m>(
    document: &'m mut [u8],
    memory: &mut SpecMemory<'m>,
) -> Result<Process<'m>> {
    let value = json::check_with(document, memory.ends()?)?;
    process(&value, memory, &mut |_| ())
}

/// The resource limits of a container.
#[derive(Clone, Copy)]
pub struct Resources<'m> {
    /// See [`Spec::limits`].
    pub limits: &'m [Limit<'m>],
    /// See [`Spec::device_rules`].
    pub device_rules: &'m [DeviceRule],
}

/// Reads a document like `linux.resources`: the file that `update --resources` is given.
pub fn read_limits<'m>(document: &mut [u8], memory: &mut SpecMemory<'m>) -> Result<Resources<'m>> {
    let value = json::check_with(document, memory.ends()?)?;
    schema::check(&value, schema::RESOURCES)?;
    resources(&Some(value), memory)
}

/// Reads what was checked.
fn resources<'m>(given: &Member<'_>, memory: &mut SpecMemory<'m>) -> Result<Resources<'m>> {
    let Some(given) = given else { return Ok(Resources { limits: &[], device_rules: &[] }) };
    let limits = limits::limits(given, memory)?;
    Ok(Resources { limits, device_rules: limits::device_rules(given, memory)? })
}

/// Reads a seccomp profile in the runtime-spec's form.
pub fn read_seccomp<'m>(profile: Value<'_>, memory: &mut SpecMemory<'m>) -> Result<Seccomp<'m>> {
    seccomp::profile(&profile, None, memory)
}

/// Reads a seccomp profile of docker's form, for a process with this bounding set.
pub fn read_docker_seccomp<'m>(
    profile: Value<'_>,
    bounding: u64,
    memory: &mut SpecMemory<'m>,
) -> Result<Seccomp<'m>> {
    seccomp::profile(&profile, Some(bounding), memory)
}

/// Reads only the annotations of a saved config.
pub fn read_annotations<'m>(
    document: &mut [u8],
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    pairs(&json::check(document)?.member("annotations"), strings)
}

/// Reads only the namespaces that a saved config made: neither joined ones nor the caller's.
pub fn read_namespaces(document: &mut [u8]) -> Result<i32> {
    let top = json::check(document)?;
    let linux = top.member("linux").unwrap_or_default();
    let is_made = |one: &Value<'_>| {
        one.member("path").and_then(|path| path.as_string()).is_none_or(|path| path.is_empty())
    };
    let kind = |one: Value<'_>| {
        let name = one.member("type")?.as_string()?;
        NAMESPACES.iter().find(|(known, _)| name == *known).map(|(_, kind)| *kind)
    };
    Ok(linux
        .list_or_none("namespaces")
        .filter(is_made)
        .filter_map(kind)
        .fold(0, |all, one| all | one))
}

/// Returns whether the version is compatible (SemVer 2.0.0): additions of a minor version may be
/// ignored.
fn is_version(text: &[u8]) -> bool {
    let (mut numbers, mut digits) = (0, 0);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            // A number with several digits cannot begin with 0.
            b'0'..=b'9' if digits == 0 || text.get(at - digits) != Some(&b'0') => digits += 1,
            b'.' if digits > 0 && numbers < 2 => (numbers, digits) = (numbers + 1, 0),
            b'-' | b'+' if digits > 0 && numbers == 2 => {
                let is_label =
                    |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
                return text.starts_with(b"1.") && at + 1 < text.len() && text.iter().all(is_label);
            }
            _ => return false,
        }
    }
    text.starts_with(b"1.") && numbers == 2 && digits > 0
}

fn propagation(value: &Member<'_>) -> Result<Option<u64>> {
    let Some(value) = value else { return Ok(None) };
    match value.as_text()?.as_escaped().as_bytes() {
        b"" => Ok(None),
        word => options::propagation(word).ok_or_else(|| refused(value, "unknown")).map(Some),
    }
}

fn stop_signal(annotations: &Member<'_>) -> Result<i32> {
    let value =
        annotations.as_ref().and_then(|all| all.member("org.opencontainers.image.stopSignal"));
    // The image's author wrote the value, so a bad one does not stop the start.
    let text = value.and_then(|value| value.as_text().ok()).unwrap_or(Text::EMPTY);
    Ok(signal::parse(text.as_escaped()).unwrap_or(signal::SIGTERM))
}

/// Returns a host's or an NIS domain's name.
fn name<'m>(value: &Member<'_>, strings: &mut StringBlock<'m>) -> Result<Option<&'m CStr>> {
    let name = string(value, strings)?;
    match name.is_some_and(|name| name.count_bytes() > NAME_BYTES) {
        true => Err(needed(value).error("longer than 64 bytes")),
        false => Ok(name),
    }
}

/// Reads a config for a test; it lives as long as the tests.
#[cfg(test)]
pub fn leaked(text: &str) -> Result<Spec<'static>> {
    let memory = std::vec![0; 4 * text.len() + 4096].leak();
    let lists = std::vec![crate::sys::arena::Word::uninit(); SpecMemory::LISTS].leak();
    read(text.as_bytes().to_vec().leak(), &mut SpecMemory::new(memory, lists))
}

/// Does the same with this `linux`, and these further members.
#[cfg(test)]
pub fn leaked_linux(linux: &str, members: &str) -> Result<Spec<'static>> {
    leaked(&std::format!(
        r#"{{"ociVersion":"1.3.0","root":{{"path":"/"}},"linux":{linux}{members}}}"#
    ))
}

#[cfg(test)]
mod attribute_tests;
#[cfg(test)]
mod tests;
