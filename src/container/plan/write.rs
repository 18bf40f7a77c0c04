//! A plan as JSON, for programs. It is no config, and may change with `planVersion`.

use super::{Shown, Unpacked, cgroup};
use crate::codec::json::Writer;
use crate::io::lossy::Lossy;
use crate::io::strings::PackedStrings;
use crate::spec::options::{self, Options};
use crate::spec::syscalls::{ACTIONS, action_of};
use crate::spec::{self, Hook, HookKind, IdMapping, Mount, NAMESPACES, Process, User, capability};
use crate::{Result, io::text::words};
use core::fmt::{self, Write};

/// A name, as short as it is.
type Short = heapless::String<256>;

impl Shown<'_> {
    /// Writes all of it.
    pub fn write(&self, json: &mut Writer<'_>) -> Result<()> {
        let spec = self.spec;
        json.object();
        json.key("planVersion").number(1);
        for (key, text) in [("id", self.id), ("bundle", self.bundle)] {
            if let Some(text) = text {
                json.string_of(key, text.to_bytes());
            }
        }
        if let Some(Unpacked { manifest, layers, bytes, user }) = self.unpacked {
            json.object_of("image");
            let mut text = Short::new();
            let _ = write!(text, "{manifest}");
            json.string_of("manifest", text.as_bytes());
            json.key("layers").number(layers as u64);
            json.key("bytes").number(bytes);
            json.string_of("user", user.to_bytes());
            json.end();
        }
        json.object_of("root");
        json.string_of("path", self.root.to_bytes());
        json.key("readonly").boolean(spec.root.readonly);
        let propagation = options::propagation_name(spec.root.propagation());
        json.string_of("propagation", propagation.as_bytes());
        json.key("pivot").boolean(!self.no_pivot);
        json.end();
        json.array_of("namespaces");
        for (name, kind) in NAMESPACES {
            let joined = spec.joined().iter().find(|one| one.kind == kind);
            if joined.is_some() || spec.namespaces & kind != 0 {
                json.object();
                json.string_of("type", name.as_bytes());
                if let Some(joined) = joined {
                    json.string_of("joined", joined.path.to_bytes());
                }
                json.end();
            }
        }
        json.end();
        json.key("intermediateProcess").boolean(self.has_intermediate());
        mappings("uidMappings", spec.uid_mappings, json);
        mappings("gidMappings", spec.gid_mappings, json);
        json.array_of("mounts");
        spec.mounts.iter().for_each(|one| mount(one, json));
        json.end();
        json.array_of("devices");
        for device in spec.devices {
            json.object();
            json.string_of("path", device.path.to_bytes());
            json.key("major").number(device.major.into());
            json.key("minor").number(device.minor.into());
            json.key("mode").number((device.mode & 0o7777).into());
            json.end();
        }
        json.end();
        list("maskedPaths", spec.masked_paths, json);
        list("readonlyPaths", spec.readonly_paths, json);
        json.object_of("sysctl");
        let _ = spec.sysctls.each_pair::<()>(&mut |name, value| {
            json.bytes_key(name.to_bytes()).string(value.to_bytes());
            Ok(())
        });
        json.end();
        match self.cgroup {
            Some(path) => cgroup::json(path, spec, json)?,
            None => json.key("cgroup").null(),
        }
        if let Some(filter) = &self.filter {
            json.object_of("seccomp");
            json.key("instructions").number(filter.program().len() as u64);
            json.key("notifies").boolean(filter.notifies());
            json.string_of("default", self.default_action().as_bytes());
            json.end();
        }
        json.object_of("hooks");
        for kind in HookKind::ALL {
            if !spec.hooks.of(kind).is_empty() {
                json.array_of(kind.name());
                spec.hooks.of(kind).iter().for_each(|one| hook(one, json));
                json.end();
            }
        }
        json.end();
        process(&spec.process, json);
        spec::write_rest(spec, json);
        json.end();
        Ok(())
    }

    /// Returns what the filter does with a system call that no rule is about.
    pub fn default_action(&self) -> Short {
        let mut text = Short::new();
        let verdict = match &self.spec.seccomp {
            Some(profile) => profile.default,
            // docker's.
            None => crate::sys::seccomp::RETURN_ERRNO | libc::EPERM as u32,
        };
        let (action, errno) = action_of(verdict);
        let _ = write!(text, "{}", Lossy(words(ACTIONS).nth(action).unwrap_or_default()));
        if let Some(errno) = errno {
            let _ = write!(text, " {errno}");
        }
        text
    }
}

fn hook(hook: &Hook<'_>, json: &mut Writer<'_>) {
    json.object();
    json.string_of("path", hook.path.to_bytes());
    list("args", hook.args, json);
    if let Some(seconds) = hook.timeout_s {
        json.key("timeout").number(seconds.into());
    }
    json.end();
}

fn process(process: &Process<'_>, json: &mut Writer<'_>) {
    json.object_of("process");
    list("args", process.args, json);
    json.array_of("environment");
    env_names(process).for_each(|name| json.string(name));
    json.end();
    json.string_of("cwd", process.cwd.to_bytes());
    for (key, id) in [("uid", process.user.uid), ("gid", process.user.gid)] {
        if id != User::UNKNOWN {
            json.key(key).number(id.into());
        }
    }
    json.array_of("additionalGids");
    process.user.additional_gids.iter().for_each(|gid| json.number((*gid).into()));
    json.end();
    json.object_of("capabilities");
    for (name, set) in capability_sets(process) {
        json.array_of(name);
        capability::names(set).for_each(|name| json.string(name));
        json.end();
    }
    json.end();
    json.end();
}

/// Returns the five sets by their names.
pub(super) fn capability_sets(process: &Process<'_>) -> [(&'static str, u64); 5] {
    let sets = &process.capabilities;
    [
        ("bounding", sets.bounding),
        ("effective", sets.effective),
        ("inheritable", sets.inheritable),
        ("permitted", sets.permitted),
        ("ambient", sets.ambient),
    ]
}

/// Returns the names of its variables. Their values may be secret.
pub(super) fn env_names<'m>(process: &Process<'m>) -> impl Iterator<Item = &'m [u8]> {
    let name = |word: &'m core::ffi::CStr| word.to_bytes().split(|byte| *byte == b'=').next();
    process.env.iter().filter_map(name)
}

/// Returns the options of a mount that are the mount's own, or those that are the file system's.
pub(super) fn options_of<'m>(mount: &Mount<'m>, own: bool) -> impl Iterator<Item = &'m [u8]> {
    options::each(mount.options).filter(move |option| Options::default().add(option) == own)
}

fn mount(mount: &Mount<'_>, json: &mut Writer<'_>) {
    json.object();
    json.string_of("destination", mount.destination.to_bytes());
    json.string_of("type", mount.kind.to_bytes());
    json.string_of("source", mount.source.to_bytes());
    for (key, own) in [("flags", true), ("data", false)] {
        json.array_of(key);
        options_of(mount, own).for_each(|option| json.string(option));
        json.end();
    }
    mappings("uidMappings", mount.uid_mappings, json);
    mappings("gidMappings", mount.gid_mappings, json);
    json.end();
}

fn mappings(key: &str, mappings: &[IdMapping], json: &mut Writer<'_>) {
    if !mappings.is_empty() {
        json.array_of(key);
        for one in mappings {
            let mut text = Short::new();
            let _ =
                fmt::write(&mut text, format_args!("{} {} {}", one.container, one.host, one.size));
            json.string(text.as_bytes());
        }
        json.end();
    }
}

fn list(key: &str, words: PackedStrings<'_>, json: &mut Writer<'_>) {
    json.array_of(key);
    words.iter().for_each(|word| json.string(word.to_bytes()));
    json.end();
}
