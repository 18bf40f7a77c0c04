//! A [`Spec`] as the runtime-spec's `config.json`, its keys in the order of the specification's own
//! Go structs.

use super::{Device, IdMapping, LIMITS, Mount, NAMESPACES, Process, Spec, capability, seccomp};
use crate::codec::json::Writer;
use crate::io::strings::PackedStrings;
use crate::io::text::words;
use crate::sys::fs::{S_IFBLK, S_IFMT};
use core::ffi::CStr;

/// The specification's version that it keeps to: what runc 1.1 and crun 1.8 know, and all newer
/// ones.
const VERSION: &[u8] = b"1.0.2";

/// Writes the config of a container whose root directory is `root`, relative to its bundle.
///
/// Writes no limits of resources: they depend on the machine. A runtime makes the default devices
/// itself, so devices are written only if all may be used.
pub fn write_config(spec: &Spec<'_>, root: &CStr, json: &mut Writer<'_>) {
    json.object();
    json.string_of("ociVersion", VERSION);
    json.object_of("process");
    process(&spec.process, json);
    json.end();
    json.object_of("root");
    json.string_of("path", root.to_bytes());
    if spec.root.readonly {
        json.key("readonly").boolean(true);
    }
    json.end();
    if let Some(name) = spec.hostname {
        json.string_of("hostname", name.to_bytes());
    }
    json.array_of("mounts");
    spec.mounts.iter().for_each(|one| mount(one, json));
    json.end();
    json.object_of("annotations");
    let mut words = spec.annotations.iter();
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        json.bytes_key(key.to_bytes()).string(value.to_bytes());
    }
    json.end();
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
    if spec.denies_devices || spec.all_devices {
        json.object_of("resources");
        json.array_of("devices");
        json.object();
        json.key("allow").boolean(spec.all_devices);
        json.string_of("access", b"rwm");
        json.end();
        json.end();
        json.end();
    }
    if spec.all_devices {
        json.array_of("devices");
        spec.devices.iter().for_each(|one| device(one, json));
        json.end();
    }
    match &spec.seccomp_profile {
        Some(profile) => json.key("seccomp").value(profile),
        None if spec.default_seccomp => {
            json.key("seccomp");
            seccomp::write_default(spec.process.capabilities.bounding, json);
        }
        None => {}
    }
    json.array_of("namespaces");
    for (name, flag) in NAMESPACES {
        if spec.namespaces & flag != 0 {
            json.object();
            json.string_of("type", name.as_bytes());
            json.end();
        }
    }
    json.end();
    list("maskedPaths", spec.masked_paths, json);
    list("readonlyPaths", spec.readonly_paths, json);
    json.end();
    json.end();
}

fn process(process: &Process<'_>, json: &mut Writer<'_>) {
    json.key("terminal").boolean(process.terminal);
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
    if !process.limits.is_empty() {
        json.array_of("rlimits");
        for limit in process.limits {
            json.object();
            for (number, name) in words(LIMITS).enumerate() {
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
    if let Some(adjustment) = process.oom_score_adj {
        json.key("oomScoreAdj").signed(adjustment.into());
    }
}

fn mount(mount: &Mount<'_>, json: &mut Writer<'_>) {
    json.object();
    json.string_of("destination", mount.destination.to_bytes());
    json.string_of("type", mount.kind.to_bytes());
    json.string_of("source", mount.source.to_bytes());
    list("options", mount.options, json);
    json.end();
}

fn device(device: &Device<'_>, json: &mut Writer<'_>) {
    json.object();
    json.string_of("path", device.path.to_bytes());
    let is_block = device.mode & S_IFMT == S_IFBLK;
    json.string_of("type", if is_block { b"b" } else { b"c" });
    json.key("major").number(device.major.into());
    json.key("minor").number(device.minor.into());
    json.key("fileMode").number((device.mode & 0o777).into());
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
