//! A plan as lines of text: a word, and what it is about. Names are shown so that none forges a
//! line.

use super::lines::Lines;
use super::write::{capability_sets, env_names, options_of};
use super::{Shown, Unpacked, cgroup};
use crate::Result;
use crate::codec::json::Writer;
use crate::io::lossy::OneLine;
use crate::io::strings::PackedStrings;
use crate::spec::{self, HookKind, IdMapping, NAMESPACES, User, capability, options};
use core::fmt::{Result as Written, Write};

impl Shown<'_> {
    /// Writes all of it. What could not be written is an error of `out`.
    pub fn write_text(&self, out: &mut dyn Write) -> Result<()> {
        let _ = self.start(out);
        match self.cgroup {
            Some(path) => cgroup::text(path, self.spec, out)?,
            None => _ = writeln!(out, "cgroup the caller's, without limits and device rules"),
        }
        let _ = self.end(out);
        Ok(())
    }

    fn start(&self, out: &mut dyn Write) -> Written {
        let spec = self.spec;
        match (self.id, self.bundle) {
            (Some(id), Some(bundle)) => {
                writeln!(
                    out,
                    "container {} of {}",
                    OneLine(id.to_bytes()),
                    OneLine(bundle.to_bytes())
                )?;
            }
            _ => writeln!(out, "container of the machine")?,
        }
        if let Some(Unpacked { manifest, layers, bytes, .. }) = self.unpacked {
            writeln!(
                out,
                "image {manifest}, {layers} layers, {bytes} bytes: unpacked to the root"
            )?;
        }
        let propagation = options::propagation_name(spec.root.propagation());
        let how = if self.no_pivot { "chroot" } else { "pivot" };
        let readonly = if spec.root.readonly { ", read-only" } else { "" };
        let root = OneLine(self.root.to_bytes());
        writeln!(out, "root {root} ({how}, {propagation}{readonly})")?;
        for (name, kind) in NAMESPACES {
            match spec.joined().iter().find(|one| one.kind == kind) {
                Some(joined) => {
                    writeln!(out, "namespace {name} joined: {}", OneLine(joined.path.to_bytes()))?
                }
                None if spec.namespaces & kind != 0 => writeln!(out, "namespace {name} new")?,
                None => writeln!(out, "namespace {name} the caller's")?,
            }
        }
        if self.has_intermediate() {
            writeln!(out, "intermediate process")?;
        }
        mappings("users", spec.uid_mappings, out)?;
        mappings("groups", spec.gid_mappings, out)?;
        for one in spec.mounts {
            let (kind, source) = (OneLine(one.kind.to_bytes()), OneLine(one.source.to_bytes()));
            write!(
                out,
                "mount {} type {kind} source {source}",
                OneLine(one.destination.to_bytes())
            )?;
            for (name, own) in [("flags", true), ("data", false)] {
                let mut between = " ";
                for option in options_of(one, own) {
                    if between == " " {
                        write!(out, " {name}")?;
                    }
                    write!(out, "{between}{}", OneLine(option))?;
                    between = ",";
                }
            }
            writeln!(out)?;
            mappings("  users", one.uid_mappings, out)?;
            mappings("  groups", one.gid_mappings, out)?;
        }
        for device in spec.devices {
            let (path, mode) = (OneLine(device.path.to_bytes()), device.mode & 0o7777);
            writeln!(out, "device {path} {}:{} mode {mode:o}", device.major, device.minor)?;
        }
        each("masked", spec.masked_paths, out)?;
        each("read-only", spec.readonly_paths, out)?;
        spec.sysctls.each_pair(&mut |name, value| {
            writeln!(out, "sysctl {} = {}", OneLine(name.to_bytes()), OneLine(value.to_bytes()))
        })
    }

    fn end(&self, out: &mut dyn Write) -> Written {
        let (spec, process) = (self.spec, &self.spec.process);
        match &self.filter {
            Some(filter) => {
                let length = filter.program().len();
                writeln!(out, "seccomp {length} instructions, else {}", self.default_action())?;
            }
            None => writeln!(out, "seccomp none")?,
        }
        for kind in HookKind::ALL {
            for hook in spec.hooks.of(kind) {
                write!(out, "hook {} {}", kind.name(), OneLine(hook.path.to_bytes()))?;
                hook.args
                    .iter()
                    .try_for_each(|word| write!(out, " {}", OneLine(word.to_bytes())))?;
                match hook.timeout_s {
                    Some(seconds) => writeln!(out, " (at most {seconds} s)")?,
                    None => writeln!(out)?,
                }
            }
        }
        for (name, set) in capability_sets(process) {
            write!(out, "capabilities {name}")?;
            capability::names(set).try_for_each(|name| write!(out, " {}", OneLine(name)))?;
            writeln!(out)?;
        }
        write!(out, "user ")?;
        for (id, between) in [(process.user.uid, ":"), (process.user.gid, "")] {
            match id {
                User::UNKNOWN => write!(out, "?{between}")?,
                id => write!(out, "{id}{between}")?,
            }
        }
        process.user.additional_gids.iter().try_for_each(|gid| write!(out, " {gid}"))?;
        match self.unpacked {
            Some(Unpacked { user, .. }) if user.is_empty() => {
                writeln!(out, ", groups by the image's /etc/passwd and /etc/group")?
            }
            Some(Unpacked { user, .. }) => writeln!(
                out,
                ", from '{}' by the image's /etc/passwd and /etc/group",
                OneLine(user.to_bytes())
            )?,
            None => writeln!(out)?,
        }
        {
            let mut lines = Lines::new(out);
            let json = &mut Writer::with_indent(&mut lines, "");
            json.object();
            spec::write_rest(spec, json);
            json.end();
        }
        writeln!(out, "directory {}", OneLine(process.cwd.to_bytes()))?;
        write!(out, "environment")?;
        env_names(process).try_for_each(|name| write!(out, " {}", OneLine(name)))?;
        writeln!(out)?;
        write!(out, "program")?;
        process.args.iter().try_for_each(|word| write!(out, " {}", OneLine(word.to_bytes())))?;
        writeln!(out)
    }
}

fn mappings(what: &str, mappings: &[IdMapping], out: &mut dyn Write) -> Written {
    mappings.iter().try_for_each(|one| {
        writeln!(out, "{what} {} are {} size {}", one.container, one.host, one.size)
    })
}

fn each(what: &str, words: PackedStrings<'_>, out: &mut dyn Write) -> Written {
    words.iter().try_for_each(|word| writeln!(out, "{what} {}", OneLine(word.to_bytes())))
}
