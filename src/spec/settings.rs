//! The user's settings of an image's container: a row for each, as an option of `run --image`, a
//! key of PID 1, or both.
//!
//! A row writes to the [`Draft`]. The front doors parse by these rows, and print help, README's
//! tables and the manual's pages from them.

pub mod options;

use super::{CPU_PERIOD_US, Limit, LimitKey, Rlimit};
use crate::io::text;
use crate::io::units;
use crate::limits::ADDITIONS_MAX;

/// True if there are options: PID 1 has keys alone.
pub const TAKES_OPTIONS: bool = cfg!(any(feature = "runtime", feature = "tools", test));

/// Limits of a process, one of each kind.
pub type Rlimits = heapless::Vec<Rlimit, { Rlimit::KINDS }>;

/// Limits of the cgroup that settings may set: memory, swap, quota, period, processors, processes.
pub const LIMITS_MAX: usize = 6;

/// The allowed system calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filter<'m> {
    /// docker's default profile.
    Default,
    /// No filter.
    Unconfined,
    /// The profile in this file.
    File(&'m [u8]),
}

/// A setting that may be said several times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Addition<'m> {
    /// `NAME=VALUE`, or a `NAME` of which the caller's value is taken.
    Env(&'m [u8]),
    /// A file with such lines.
    EnvFile(&'m [u8]),
    /// `NAME=VALUE` of a sysctl.
    Sysctl(&'m [u8]),
    /// `HOST:CONTAINER[:OPTIONS]`, or `CONTAINER` alone.
    Volume(&'m [u8]),
    /// `CONTAINER[:OPTIONS]`.
    Tmpfs(&'m [u8]),
    /// `KEY[=VALUE]`.
    Annotation(&'m [u8]),
}

/// The user's settings, which override the image's and the defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft<'m> {
    /// Settings that may be said several times, in the order of their rows.
    pub additions: heapless::Vec<Addition<'m>, ADDITIONS_MAX>,
    /// Capabilities in addition to the default ones. [`u64::MAX`]: all.
    pub cap_add: u64,
    /// Capabilities that it does not get. [`u64::MAX`]: none but those added.
    pub cap_drop: u64,
    /// Replaces the image's Entrypoint, and leaves its Cmd out. Empty: no Entrypoint.
    pub entrypoint: Option<&'m [u8]>,
    /// The root is read-only.
    pub read_only: bool,
    /// The most that /dev/shm may take, in bytes.
    pub shm: Option<u64>,
    /// The host's network.
    pub host_network: bool,
    /// Its own network namespace, with loopback only.
    pub own_network: bool,
    /// Limits of the cgroup, in the order of [`limit::LIMITS`](super::limit::LIMITS).
    pub limits: heapless::Vec<Limit<'static>, LIMITS_MAX>,
    /// The processors it may use: `0-2,7`.
    pub processors: Option<&'m [u8]>,
    /// Our small init is the parent of the process.
    pub init: bool,
    /// The host name.
    pub hostname: Option<&'m str>,
    /// The process gets a terminal.
    pub terminal: bool,
    /// Replaces the image's User.
    pub user: Option<&'m str>,
    /// Replaces the image's WorkingDir.
    pub workdir: Option<&'m str>,
    /// The allowed system calls. If None, a container's default.
    pub filter: Option<Filter<'m>>,
    /// execve(2) grants no privileges.
    pub no_new_privileges: bool,
    /// All capabilities and devices; nothing is filtered, hidden or read-only.
    pub privileged: bool,
    /// No path of /proc and /sys is hidden or read-only.
    pub shows_all: bool,
    /// Limits in addition to the default ones.
    pub rlimits: Rlimits,
}

impl<'m> Draft<'m> {
    /// No settings.
    pub const EMPTY: Draft<'static> = Draft {
        additions: heapless::Vec::new(),
        cap_add: 0,
        cap_drop: 0,
        entrypoint: None,
        read_only: false,
        shm: None,
        host_network: false,
        own_network: false,
        limits: heapless::Vec::new(),
        processors: None,
        init: false,
        hostname: None,
        terminal: false,
        user: None,
        workdir: None,
        filter: None,
        no_new_privileges: false,
        privileged: false,
        shows_all: false,
        rlimits: Rlimits::new(),
    };

    /// Sets a limit of the cgroup, in place of an earlier one.
    fn limit(&mut self, key: LimitKey, number: u64) {
        self.put(Limit::number(key, i64::try_from(number).unwrap_or(i64::MAX)));
    }

    fn put(&mut self, limit: Limit<'static>) {
        let key = limit.key;
        let place = self.limits.partition_point(|other| other.key < key);
        match self.limits.get_mut(place).filter(|other| other.key == key) {
            Some(other) => *other = limit,
            // There is room for every row that has a key.
            None => drop(self.limits.insert(place, limit)),
        }
    }

    /// Adds a limit of the process; of one kind the last counts.
    fn rlimit(&mut self, limit: Rlimit) {
        match self.rlimits.iter_mut().find(|other| other.resource == limit.resource) {
            Some(other) => *other = limit,
            // Every kind fits.
            None => drop(self.rlimits.push(limit)),
        }
    }
}

/// The reason for refusing a value; empty if the expected form says enough.
pub type Refusal = &'static str;

/// Writes a value to the draft.
pub type Set = for<'m> fn(&mut Draft<'m>, &'m [u8]) -> core::result::Result<(), Refusal>;

/// One setting.
pub struct Setting {
    /// The option of `run --image`, without dashes; empty if there is none.
    pub option: &'static str,
    /// The option's letter, or 0.
    pub short: u8,
    /// The name of the option's value; empty if it takes none.
    pub value: &'static str,
    /// The option's help text.
    pub about: &'static str,
    /// The key of PID 1, without `ocinit.`; empty if there is none.
    pub key: &'static str,
    /// The form of the key's value, for its error.
    pub expected: &'static str,
    /// Writes a value. An option without a value gives `on`.
    pub set: Set,
    /// Meaning of the key's value, and the default, for README and the manual.
    #[cfg(test)]
    pub texts: (&'static str, &'static str),
}

const NO_OPTION: Setting = Setting {
    option: "",
    short: 0,
    value: "",
    about: "",
    key: "",
    expected: "",
    set: |_, _| Ok(()),
    #[cfg(test)]
    texts: ("", ""),
};

/// Returns the row of an option.
const fn option(
    option: &'static str,
    short: u8,
    value: &'static str,
    about: &'static str,
    set: Set,
) -> Setting {
    // PID 1 alone prints no help.
    let is_shown = cfg!(any(feature = "runtime", feature = "tools", test));
    Setting { option, short, value, about: if is_shown { about } else { "" }, set, ..NO_OPTION }
}

/// Returns the row of a key. `texts` are left out of the program.
const fn key(
    key: &'static str,
    expected: &'static str,
    texts: (&'static str, &'static str),
    set: Set,
) -> Setting {
    NO_OPTION.keyed(key, expected, texts, set)
}

impl Setting {
    /// Returns the same row with a key.
    const fn keyed(
        self,
        key: &'static str,
        expected: &'static str,
        texts: (&'static str, &'static str),
        set: Set,
    ) -> Setting {
        let _ = texts;
        Setting {
            key,
            expected,
            set,
            #[cfg(test)]
            texts,
            ..self
        }
    }
}

/// `|draft, value| draft.FIELD = VALUE`, where `?` in VALUE refuses a bad value.
macro_rules! put {
    ($field:ident, $value:ident => $result:expr) => {
        |draft, $value| {
            let mut put = || {
                draft.$field = $result;
                Some(())
            };
            put().ok_or("")
        }
    };
}

const SWITCH: &str = "on or off";

/// All rows.
pub const SETTINGS: [Setting; 14] = [
    key(
        "net",
        "host or none",
        ("`host` (the machine's), `none` (a new, empty one)", "`host`"),
        put!(own_network, value => choice(value, &[("host", false), ("none", true)])?),
    ),
    key(
        "memory",
        "a size such as 512M",
        ("limit of the container's memory: bytes, `512M`, `1.5g`", ""),
        |draft, value| {
            let bytes = units::size(value).filter(|bytes| *bytes > 0).ok_or("")?;
            draft.limit(LimitKey::MEMORY, bytes);
            // The same amount of swap, as with `docker run --memory`.
            draft.limit(LimitKey::SWAP, bytes.saturating_mul(2));
            Ok(())
        },
    ),
    key(
        "cpus",
        "a decimal number from 0.01 to 1000",
        ("limit of the container's CPU time, in processors: `1.5`", ""),
        // The kernel takes no quota below 0.01.
        |draft, value| {
            let cpus = units::thousandths(value).filter(|cpus| (10..=1_000_000).contains(cpus));
            draft.limit(LimitKey::QUOTA, cpus.ok_or("")? * CPU_PERIOD_US / units::ONE);
            draft.limit(LimitKey::PERIOD, CPU_PERIOD_US);
            Ok(())
        },
    ),
    key(
        "pids",
        "a number from 1 to 4194304",
        ("limit of the container's processes and threads", ""),
        // Up to PID_MAX_LIMIT, the kernel's maximum.
        |draft, value| {
            let pids = text::decimal(value).filter(|n| (1..=4 << 20).contains(n)).ok_or("")?;
            draft.limit(LimitKey::PROCESSES, pids);
            Ok(())
        },
    ),
    key(
        "init",
        SWITCH,
        ("`on`: a small init of ours is the container's PID 1, as docker's `--init`", "`off`"),
        put!(init, value => switch(value)?),
    ),
    key(
        "seccomp",
        "default or off",
        (
            "`default`: docker's profile; `off`: every system call",
            "`default`; `off` in `mode=exec`",
        ),
        put!(filter, value => Some(choice(
            value,
            &[("default", Filter::Default), ("off", Filter::Unconfined)],
        )?)),
    ),
    key(
        "no-new-privileges",
        SWITCH,
        ("`on`: set-user-id programs and file capabilities give nothing more", "`off`"),
        put!(no_new_privileges, value => switch(value)?),
    ),
    option(
        "privileged",
        0,
        "",
        "all capabilities and devices; nothing is filtered, hidden or read-only",
        |_, _| Ok(()),
    )
    .keyed(
        "privileged",
        SWITCH,
        ("`on`: all capabilities and devices; nothing is filtered, hidden or read-only", "`off`"),
        put!(privileged, value => switch(value)?),
    ),
    option(
        "security-opt",
        0,
        "OPTION",
        "seccomp=unconfined or seccomp=FILE, no-new-privileges, systempaths=unconfined",
        security_option,
    ),
    option(
        "ulimit",
        0,
        "NAME=SOFT[:HARD]",
        "a limit, as in nofile=1024:4096; -1 is none",
        |_, _| Ok(()),
    )
    .keyed(
        "ulimit",
        "NAME=SOFT[:HARD], more of them after commas,",
        (
            "limits as docker writes them, commas between: `nofile=1024:4096,core=0`",
            "`nofile=1024:524288,nproc=-1`",
        ),
        |draft, value| {
            for one in value.split(|byte| *byte == b',') {
                draft.rlimit(Rlimit::parse(one)?);
            }
            Ok(())
        },
    ),
    key(
        "hostname",
        "1 to 64 letters, digits, '.', '-' or '_'",
        ("the container's host name", "`ocinit`"),
        put!(hostname, value => Some(hostname(value)?)),
    ),
    key(
        "user",
        "USER or UID, with :GROUP or :GID behind it if wanted",
        (
            "as whom the process runs: `USER`, `UID`, with `:GROUP` or `:GID` behind it",
            "the image's",
        ),
        put!(user, value => Some(utf8(value).filter(|text| !text.is_empty())?)),
    ),
    key(
        "workdir",
        "an absolute path",
        ("where the process starts", "the image's"),
        put!(workdir, value => Some(utf8(value).filter(|text| text.starts_with('/'))?)),
    ),
    option("tty", b't', "", "the process gets a terminal", |_, _| Ok(())).keyed(
        "tty",
        SWITCH,
        ("`on`: a pseudo-terminal", "`off`"),
        put!(terminal, value => switch(value)?),
    ),
];

static ROWS: [Setting; SETTINGS.len()] = SETTINGS;

/// Returns all rows.
pub fn rows() -> &'static [Setting] {
    &ROWS
}

/// Sets an option of docker's `--security-opt`. Old versions used a colon.
fn security_option<'m>(
    draft: &mut Draft<'m>,
    value: &'m [u8],
) -> core::result::Result<(), Refusal> {
    let end = value.iter().position(|byte| matches!(byte, b'=' | b':')).unwrap_or(value.len());
    match (&value[..end], value.get(end + 1..)) {
        (b"no-new-privileges", None | Some(b"true")) => draft.no_new_privileges = true,
        (b"no-new-privileges", Some(b"false")) => draft.no_new_privileges = false,
        (b"systempaths", Some(b"unconfined")) => draft.shows_all = true,
        // Already true, because there is no such confinement.
        (b"apparmor", Some(b"unconfined")) | (b"label", Some(b"disable")) => {}
        (b"seccomp", Some(b"unconfined")) => draft.filter = Some(Filter::Unconfined),
        (b"seccomp", Some(b"builtin")) => draft.filter = Some(Filter::Default),
        (b"seccomp", Some(path @ [_, ..])) => draft.filter = Some(Filter::File(path)),
        _ => {
            return Err(
                "not one of seccomp=unconfined, seccomp=FILE, no-new-privileges[=true|false], \
                 systempaths=unconfined",
            );
        }
    }
    Ok(())
}

/// Returns the name before the first `=`, and the value. None without a name or a `=`.
pub fn named(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = value.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
    Some((&value[..at], &value[at + 1..]))
}

fn utf8(value: &[u8]) -> Option<&str> {
    core::str::from_utf8(value).ok()
}

/// Returns the value of `on` or `off`.
fn switch(value: &[u8]) -> Option<bool> {
    choice(value, &[("on", true), ("off", false)])
}

/// Returns the choice of this word.
pub fn choice<T: Copy>(value: &[u8], choices: &[(&str, T)]) -> Option<T> {
    choices.iter().find(|(word, _)| word.as_bytes() == value).map(|(_, value)| *value)
}

/// Returns a valid name for a UTS namespace: 1 to 64 letters, digits, dots, dashes, underscores.
fn hostname(value: &[u8]) -> Option<&str> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let fits = (1..=64).contains(&value.len()) && value.iter().all(is_plain);
    utf8(value).filter(|_| fits)
}

#[cfg(test)]
mod tests;
