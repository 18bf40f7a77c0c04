//! Combines image and root file system into a runtime config (conversion.md of the image-spec).

mod additions;
mod annotations;
mod caller;
mod config;
mod environment;
mod etc;
mod example;
mod layers;
mod security;
mod user;
pub mod verify;
mod volumes;

pub use additions::env;
pub use caller::{host_devices, rlimits};
pub use config::{Rootless, Stock, for_bundle};
pub use etc::{complete_etc, replace_etc};
pub use example::example;
pub use layers::{Plan, unpack_layers};
pub use security::{Given, Security};
pub use volumes::{Mounts, make_volumes};

use core::ffi::CStr;
use core::fmt::Display;

use crate::error::{Context, Error, Result};
use crate::image::{Config, Texts};
use crate::io::strings::{Builder, PackedStrings, StringBlock};
use crate::spec::settings::{Draft, TAKES_OPTIONS};
use crate::spec::{Capabilities, DeviceRule, Process, Root, Spec, capability, defaults};
use crate::sys::clone::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS,
};
use crate::sys::fd::FdRef;
use crate::sys::signal;

/// The user's settings that override the image's.
#[derive(Default)]
pub struct Overrides<'a, 'v> {
    /// Replaces the image's `Cmd`. `Entrypoint` stays, as with `docker run IMAGE ARG…`.
    pub args: Option<&'a mut dyn Iterator<Item = &'a [u8]>>,
    /// `NAME=VALUE` each. They replace the image's by name, and a later one replaces an earlier
    /// one.
    pub env: Option<&'a mut dyn Iterator<Item = &'a [u8]>>,
    /// The same, before those.
    pub variables: PackedStrings<'v>,
    /// Replaces the image's `Entrypoint`, and leaves its `Cmd` out. Empty: no `Entrypoint`.
    pub entrypoint: Option<&'a [u8]>,
    /// Replaces the image's `User`.
    pub user: Option<&'a str>,
    /// Replaces the image's `WorkingDir`.
    pub workdir: Option<&'a str>,
    /// At most 64 bytes; [`DEFAULT_HOSTNAME`] if None.
    pub hostname: Option<&'a str>,
    /// The process gets a pseudo-terminal, and `TERM` if the image does not set it.
    pub terminal: bool,
    /// The container gets its own network namespace, with loopback only.
    pub no_network: bool,
    /// The process is the child of our reaping and forwarding init.
    pub init: bool,
    /// The process is PID 1 of the machine: no namespaces, all privileges, no hidden paths (for
    /// [`crate::container::become_process`]).
    pub machine: bool,
    /// The config becomes a config.json for the user to edit, so no value stands in two places
    /// ([`for_bundle`]).
    pub bundle: bool,
    /// The user's capabilities, seccomp profile and limits.
    pub security: Security,
}

impl<'a> Overrides<'a, 'static> {
    /// Returns the draft's settings. Arguments and environment are not in a draft.
    pub fn of(draft: &Draft<'a>) -> Overrides<'a, 'static> {
        Overrides {
            entrypoint: draft.entrypoint,
            user: draft.user,
            workdir: draft.workdir,
            hostname: draft.hostname,
            terminal: draft.terminal,
            no_network: draft.own_network,
            init: draft.init,
            security: Security::of(draft),
            ..Overrides::default()
        }
    }
}

/// The host name if none is given.
pub const DEFAULT_HOSTNAME: &CStr = c"ocinit";
/// The longest host name, in bytes (`__NEW_UTS_LEN`).
const HOSTNAME_BYTES: usize = 64;

/// Returns the runtime config of an image whose layers are in `root`. `strings` holds its text.
///
/// It only reads in `root`: /etc/passwd and /etc/group, resolved beneath it. Without a root the
/// config is for a plan.
pub fn spec_from_image<'m>(
    config: &Config<'_>,
    overrides: Overrides<'_, '_>,
    root: Option<FdRef<'_>>,
    strings: &mut StringBlock<'m>,
) -> Result<Spec<'m>> {
    let machine = overrides.machine;
    let hostname = match overrides.hostname {
        Some(name) if name.is_empty() || name.len() > HOSTNAME_BYTES => {
            return Err(Error::new(format_args!("a hostname has 1 to {HOSTNAME_BYTES} bytes")));
        }
        Some(name) => Some(strings.add(name.as_bytes())?),
        None if machine => None,
        None => Some(DEFAULT_HOSTNAME),
    };
    let args = match args(config, overrides.entrypoint, overrides.args, strings)? {
        // Same default as `runc spec` and umoci: a config needs a program, and the user can edit
        // it.
        args if args.first().is_none() && overrides.bundle => PackedStrings::new(b"sh\0"),
        args if args.first().is_none() => {
            return Err(Error::new(format_args!(
                "nothing to execute: the image has neither Entrypoint nor Cmd, and no arguments were given"
            )));
        }
        args => args,
    };
    let wanted = wanted_user(config, overrides.user, strings)?;
    let mut home = crate::io::passwd::Field::new();
    let user = user::find(root, wanted.to_bytes(), &mut home)?;
    let Security { privileged, no_new_privileges, unconfined, shows_all, .. } = overrides.security;
    let all = overrides.security.bounding();
    let capabilities =
        if machine { Capabilities::all(capability::ALL) } else { privileges(user.uid, all) };
    let hostname_in_env = if overrides.bundle { None } else { hostname };
    let defaults = environment::Defaults {
        home: home.bytes(),
        hostname: hostname_in_env,
        terminal: overrides.terminal,
    };
    let env = match TAKES_OPTIONS {
        true => {
            let first = overrides.variables.iter().map(CStr::to_bytes);
            // The closure lets the items of both have one lifetime.
            #[allow(clippy::map_identity)]
            let given = &mut first.chain(overrides.env.into_iter().flatten().map(|entry| entry));
            environment::merge(config.env(), Some(given), &defaults, strings)?
        }
        false => environment::merge(config.env(), overrides.env, &defaults, strings)?,
    };
    let process = Process {
        terminal: overrides.terminal,
        args,
        env,
        cwd: directory(config, overrides.workdir, strings)?,
        user,
        capabilities,
        no_new_privileges: no_new_privileges && !machine,
        rlimits: if machine { &[] } else { &defaults::RLIMITS },
        oom_score_adj: Some(0),
        apparmor: None,
        ..Process::NONE
    };
    let own_network = if overrides.no_network { CLONE_NEWNET } else { 0 };
    let hides = !machine && !privileged && !shows_all;
    let namespaces =
        CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | own_network;
    Ok(Spec {
        process,
        root: Root { path: c"", readonly: false, propagation: None },
        hostname,
        domainname: None,
        mounts: match (machine, privileged) {
            (true, _) => defaults::MACHINE_MOUNTS,
            (false, true) => defaults::PRIVILEGED_MOUNTS,
            (false, false) => defaults::MOUNTS,
        },
        devices: if machine { &[] } else { defaults::DEVICES },
        namespaces: if machine { 0 } else { namespaces },
        joined: &[],
        masked_paths: if hides { caller::masked_paths(strings)? } else { PackedStrings::default() },
        readonly_paths: if hides { defaults::READONLY_PATHS } else { PackedStrings::default() },
        // A layer, or the container's root, may contain any device node.
        device_rules: match (machine, privileged) {
            (true, _) => &[],
            (false, true) => &[DeviceRule::ALLOW_ALL],
            (false, false) => &[DeviceRule::DENY_ALL],
        },
        uid_mappings: &[],
        gid_mappings: &[],
        annotations: PackedStrings::default(),
        stop_signal: stop_signal(config, strings)?,
        default_seccomp: !machine && !privileged && !unconfined,
        sysctls: if own_network != 0 {
            caller::sysctls(strings)?
        } else {
            PackedStrings::default()
        },
        init: overrides.init && !machine,
        ..Spec::NONE
    })
}

/// Returns the user as it is written: the user's word, or the image's.
pub fn wanted_user<'m>(
    config: &Config<'_>,
    given: Option<&str>,
    strings: &mut StringBlock<'m>,
) -> Result<&'m CStr> {
    let mut wanted = strings.begin();
    match (given, config.user()) {
        (Some(user), _) => wanted.push(user.as_bytes())?,
        (None, Some(user)) => user.write_to(&mut wanted)?,
        (None, None) => {}
    }
    wanted.finish()
}

/// Warns about an ignored property of the image. An error's text has no control characters, so an
/// image cannot forge lines.
fn warn(what: &str, name: &dyn Display, why: &dyn Display) {
    let line = Error::new(format_args!("the image's {what} {name}: {why}"));
    crate::warning!("{line}");
}

/// Returns docker's capabilities for a user.
fn privileges(uid: u32, all: u64) -> Capabilities {
    match uid {
        0 => Capabilities::all(all),
        // The sets that an execve(2) would leave; docker sets them as well.
        _ => Capabilities { bounding: all, ..Capabilities::default() },
    }
}

/// Returns Entrypoint and Cmd, or Entrypoint and the user's arguments.
fn args<'m>(
    config: &Config<'_>,
    entrypoint: Option<&[u8]>,
    given: Option<&mut dyn Iterator<Item = &[u8]>>,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    let mut words = strings.begin();
    match entrypoint.filter(|_| TAKES_OPTIONS) {
        None => add_all(config.entrypoint(), &mut words).doing("the image's Entrypoint")?,
        Some([]) => {}
        Some(program) => {
            words.push(program)?;
            words.end_word()?;
        }
    }
    match given {
        Some(given) => {
            for word in given {
                words.push(word)?;
                words.end_word()?;
            }
        }
        None if TAKES_OPTIONS && entrypoint.is_some() => {}
        None => add_all(config.cmd(), &mut words).doing("the image's Cmd")?,
    }
    Ok(words.finish_words())
}

fn add_all(list: Texts<'_>, words: &mut Builder<'_, '_>) -> Result<()> {
    for word in list {
        word.write_to(words)?;
        words.end_word()?;
    }
    Ok(())
}

/// Returns the working directory. A relative one starts at `/`.
fn directory<'m>(
    config: &Config<'_>,
    given: Option<&str>,
    strings: &mut StringBlock<'m>,
) -> Result<&'m CStr> {
    let mut path = strings.begin();
    path.push(b"/")?;
    match (given, config.working_dir()) {
        (Some(given), _) => path.push(given.as_bytes())?,
        (None, Some(directory)) => directory.write_to(&mut path).doing("the image's WorkingDir")?,
        (None, None) => {}
    }
    if path.as_bytes().starts_with(b"//") {
        path.remove(0..1);
    }
    path.finish()
}

#[inline(never)]
fn stop_signal(config: &Config<'_>, strings: &mut StringBlock<'_>) -> Result<i32> {
    let Some(name) = config.stop_signal() else { return Ok(signal::SIGTERM) };
    let mut text = strings.begin();
    name.write_to(&mut text)?;
    let number = core::str::from_utf8(text.as_bytes()).ok().and_then(signal::parse);
    number.ok_or_else(|| Error::new(format_args!("the image's StopSignal {name} is no signal")))
}

#[cfg(test)]
mod tests;
