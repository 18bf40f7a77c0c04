//! A [`Spec`] as the runtime-spec's `config.json`, its keys in the order of the specification's own
//! Go structs.

mod limits;
mod linux;

pub use limits::device_rules as write_device_rules;

use super::rlimit::RLIMITS;
use super::{Device, IdMapping, Mount, NAMESPACES, Process, Spec, capability, seccomp};
use crate::codec::json::Writer;
use crate::io::strings::PackedStrings;
use crate::io::text::words;
use crate::spec::options::propagation_name;
use crate::sys::fs::{S_IFBLK, S_IFIFO, S_IFMT};
use core::ffi::CStr;

/// The specification's version that it keeps to: what runc 1.1 and crun 1.8 know, and all newer
/// ones.
const VERSION: &[u8] = b"1.0.2";

/// Writes a config: [`read`](super::read()) returns the same spec.
pub fn write(spec: &Spec<'_>, json: &mut Writer<'_>) {
    write_config(spec, spec.root.path, json);
}

/// Writes the config of a container whose root directory is `root`, relative to its bundle.
///
/// A runtime makes the default devices itself, so the others alone are written, unless all may be
/// used.
pub fn write_config(spec: &Spec<'_>, root: &CStr, json: &mut Writer<'_>) {
    json.object();
    json.string_of("ociVersion", VERSION);
    // Without a word it is none, and cannot be started.
    if spec.process.args.first().is_some() {
        json.object_of("process");
        process(&spec.process, json);
        json.end();
    }
    json.object_of("root");
    json.string_of("path", root.to_bytes());
    if spec.root.readonly {
        json.key("readonly").boolean(true);
    }
    json.end();
    names(spec, json);
    json.array_of("mounts");
    spec.mounts.iter().for_each(|one| mount(one, json));
    json.end();
    linux::hooks(&spec.hooks, json);
    annotations(spec, json);
    json.object_of("linux");
    mappings("uidMappings", spec.uid_mappings, json);
    mappings("gidMappings", spec.gid_mappings, json);
    if spec.sysctls.first().is_some() {
        json.object_of("sysctl");
        let mut words = spec.sysctls.iter();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            json.bytes_key(name.to_bytes()).string(value.to_bytes());
        }
        json.end();
    }
    limits::resources(spec, json);
    if let Some(path) = spec.cgroup_path {
        json.string_of("cgroupsPath", path.to_bytes());
    }
    let devices = if spec.allows_all_devices() { spec.devices } else { spec.own_devices() };
    if !devices.is_empty() {
        json.array_of("devices");
        devices.iter().for_each(|one| device(one, json));
        json.end();
    }
    linux::net_devices(spec.net_devices, json);
    match &spec.seccomp {
        Some(profile) => linux::seccomp(profile, json),
        None if spec.default_seccomp => {
            json.key("seccomp");
            seccomp::write_default(spec.process.capabilities.bounding, json);
        }
        None => {}
    }
    if let Some(propagation) = spec.root.propagation {
        json.string_of("rootfsPropagation", propagation_name(propagation).as_bytes());
    }
    json.array_of("namespaces");
    for (name, flag) in NAMESPACES {
        let joined = spec.joined.iter().find(|one| one.kind == flag);
        if spec.namespaces & flag != 0 || joined.is_some() {
            json.object();
            json.string_of("type", name.as_bytes());
            if let Some(joined) = joined {
                json.string_of("path", joined.path.to_bytes());
            }
            json.end();
        }
    }
    json.end();
    list("maskedPaths", spec.masked_paths, json);
    list("readonlyPaths", spec.readonly_paths, json);
    rare(spec, json);
    json.end();
    json.end();
}

/// Writes members that a plan shows as a config has them.
pub fn write_rest(spec: &Spec<'_>, json: &mut Writer<'_>) {
    names(spec, json);
    annotations(spec, json);
    json.key("stopSignal").number(spec.stop_signal as u64);
    json.key("init").boolean(spec.init);
    terminal(&spec.process, json);
    if let Some(umask) = spec.process.user.umask {
        json.key("umask").number(umask.into());
    }
    restrictions(&spec.process, json);
    linux::net_devices(spec.net_devices, json);
    rare(spec, json);
}

fn names(spec: &Spec<'_>, json: &mut Writer<'_>) {
    for (key, name) in [("hostname", spec.hostname), ("domainname", spec.domainname)] {
        if let Some(name) = name {
            json.string_of(key, name.to_bytes());
        }
    }
}

fn annotations(spec: &Spec<'_>, json: &mut Writer<'_>) {
    json.object_of("annotations");
    let mut words = spec.annotations.iter();
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        json.bytes_key(key.to_bytes()).string(value.to_bytes());
    }
    json.end();
}

/// Writes members of `linux` that few configs have.
fn rare(spec: &Spec<'_>, json: &mut Writer<'_>) {
    if let Some(label) = spec.mount_label {
        json.string_of("mountLabel", label.to_bytes());
    }
    if let Some(wanted) = &spec.intel_rdt {
        linux::intel_rdt(wanted, json);
    }
    if let Some(policy) = &spec.memory_policy {
        linux::memory_policy(policy, json);
    }
    if let Some(domain) = spec.personality {
        linux::personality(domain, json);
    }
    linux::clocks(&spec.clocks, json);
}

fn terminal(process: &Process<'_>, json: &mut Writer<'_>) {
    json.key("terminal").boolean(process.terminal);
    if let Some((height, width)) = process.console_size {
        json.object_of("consoleSize");
        json.key("height").number(height.into());
        json.key("width").number(width.into());
        json.end();
    }
}

fn process(process: &Process<'_>, json: &mut Writer<'_>) {
    terminal(process, json);
    json.object_of("user");
    let user = &process.user;
    json.key("uid").number(user.uid.into());
    json.key("gid").number(user.gid.into());
    if let Some(umask) = user.umask {
        json.key("umask").number(umask.into());
    }
    if !user.additional_gids.is_empty() {
        json.array_of("additionalGids");
        user.additional_gids.iter().for_each(|gid| json.number((*gid).into()));
        json.end();
    }
    json.end();
    list("args", process.args, json);
    list("env", process.env, json);
    json.string_of("cwd", process.cwd.to_bytes());
    json.object_of("capabilities");
    let sets = &process.capabilities;
    let names = words(capability::SETS);
    let sets = [sets.bounding, sets.effective, sets.inheritable, sets.permitted, sets.ambient];
    for (name, &set) in names.zip(&sets) {
        if set != 0 {
            json.bytes_key(name).array();
            let mut bit = 1;
            for name in words(capability::NAMES) {
                if set & bit != 0 {
                    json.concat("CAP_", name);
                }
                bit <<= 1;
            }
            json.end();
        }
    }
    json.end();
    restrictions(process, json);
}

/// Writes a process's limits and the members after them, in the specification's order.
fn restrictions(process: &Process<'_>, json: &mut Writer<'_>) {
    if !process.rlimits.is_empty() {
        json.array_of("rlimits");
        for limit in process.rlimits {
            json.object();
            for (number, name) in words(RLIMITS).enumerate() {
                if number == limit.resource as usize {
                    json.key("type").concat("RLIMIT_", name);
                }
            }
            json.key("hard").number(limit.hard);
            json.key("soft").number(limit.soft);
            json.end();
        }
        json.end();
    }
    json.key("noNewPrivileges").boolean(process.no_new_privileges);
    if let Some(profile) = process.apparmor {
        json.string_of("apparmorProfile", profile.to_bytes());
    }
    if let Some(adjustment) = process.oom_score_adj {
        json.key("oomScoreAdj").signed(adjustment.into());
    }
    linux::scheduling(process, json);
}

fn mount(mount: &Mount<'_>, json: &mut Writer<'_>) {
    json.object();
    json.string_of("destination", mount.destination.to_bytes());
    json.string_of("type", mount.kind.to_bytes());
    json.string_of("source", mount.source.to_bytes());
    list("options", mount.options, json);
    mappings("uidMappings", mount.uid_mappings, json);
    mappings("gidMappings", mount.gid_mappings, json);
    json.end();
}

fn device(device: &Device<'_>, json: &mut Writer<'_>) {
    json.object();
    json.string_of("path", device.path.to_bytes());
    json.string_of(
        "type",
        match device.mode & S_IFMT {
            S_IFBLK => b"b",
            S_IFIFO => b"p",
            _ => b"c",
        },
    );
    json.key("major").number(device.major.into());
    json.key("minor").number(device.minor.into());
    json.key("fileMode").number((device.mode & 0o7777).into());
    json.key("uid").number(device.uid.into());
    json.key("gid").number(device.gid.into());
    json.end();
}

fn mappings(key: &str, mappings: &[IdMapping], json: &mut Writer<'_>) {
    if mappings.is_empty() {
        return;
    }
    json.array_of(key);
    for mapping in mappings {
        json.object();
        json.key("containerID").number(mapping.container.into());
        json.key("hostID").number(mapping.host.into());
        json.key("size").number(mapping.size.into());
        json.end();
    }
    json.end();
}

fn list(key: &str, words: PackedStrings<'_>, json: &mut Writer<'_>) {
    json.array_of(key);
    words.iter().for_each(|word| json.string(word.to_bytes()));
    json.end();
}

#[cfg(test)]
mod tests;
