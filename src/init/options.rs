//! The boot's options: the keys of the command line and of `/ocinit.conf`, read into data.
//!
//! The row in [`KEYS`] is all that there is of a key. Other words of the command line belong to the
//! kernel and its modules.

use crate::codec::digest::Digest;
use crate::io::lossy::Lossy;
use crate::io::units::{self, SECOND_US, Share};
use crate::log::Level;
use crate::spec::settings::{self, Draft, choice};
use crate::{Error, Result};

/// The selection of a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskSelector<'a> {
    /// The only suitable one.
    Auto,
    /// By the kernel's name, without `/dev/`.
    Device(&'a str),
    /// By its file system's label.
    Label(&'a str),
    /// By its file system's UUID, as blkid prints it.
    Uuid(&'a str),
    /// By its serial number.
    Serial(&'a str),
}

/// Everything that can be told to PID 1, but for the container's arguments and environment (see
/// [`OptionSources`](super::sources::OptionSources)).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options<'a> {
    /// The image's disk.
    pub disk: DiskSelector<'a>,
    /// Seconds to wait for disks.
    pub wait: u64,
    /// The layout's directory in a file system.
    pub path: &'a str,
    /// The image's name in the layout.
    pub reference: Option<&'a str>,
    /// The digest that the image must have.
    pub digest: Option<&'a str>,
    /// The disk of the root file system. If None, it is a tmpfs.
    pub rootfs: Option<DiskSelector<'a>>,
    /// The largest size of that tmpfs.
    pub rootfs_size: Share,
    /// PID 1 itself becomes the container's process.
    pub exec: bool,
    /// The container's plan is printed, and nothing is made.
    pub dry_run: Option<PlanFormat>,
    /// The lowest level that is logged.
    pub log: Level,
    /// The container's settings.
    pub draft: Draft<'a>,
}

impl Options<'_> {
    /// The default values.
    pub const DEFAULT: Options<'static> = Options {
        disk: DiskSelector::Auto,
        wait: 10,
        path: "/",
        reference: None,
        digest: None,
        rootfs: None,
        rootfs_size: Share::Percent(80),
        exec: false,
        dry_run: None,
        log: Level::Info,
        draft: Draft::EMPTY,
    };
}

/// One key: its name after `ocinit.`, its form, and the setter. `set` returns `None` for a bad
/// value.
struct Key {
    name: &'static str,
    expected: &'static str,
    set: for<'a> fn(&mut Options<'a>, &'a str) -> Option<()>,
    /// Meaning of the value, and the default, for README and the manual.
    #[cfg(test)]
    texts: (&'static str, &'static str),
}

/// Returns a row. `texts` are left out of the program.
const fn key(
    name: &'static str,
    expected: &'static str,
    texts: (&'static str, &'static str),
    set: for<'a> fn(&mut Options<'a>, &'a str) -> Option<()>,
) -> Key {
    let _ = texts;
    Key {
        name,
        expected,
        set,
        #[cfg(test)]
        texts,
    }
}

/// Returns each key with its texts: the boot's, then the container's.
#[cfg(test)]
pub fn documented() -> Vec<(&'static str, &'static str, &'static str)> {
    let boot = KEYS.iter().map(|key| (key.name, key.texts.0, key.texts.1));
    let rows = settings::rows().iter().filter(|row| !row.key.is_empty());
    boot.chain(rows.map(|row| (row.key, row.texts.0, row.texts.1))).collect()
}

/// `|options, text| options.FIELD = VALUE`, where `?` in VALUE refuses a bad value.
macro_rules! put {
    ($field:ident, $text:ident => $value:expr) => {
        |options, $text| {
            options.$field = $value;
            Some(())
        }
    };
}

/// Keys of the boot. The container's are rows of [`settings`].
static KEYS: [Key; 11] = [
    key(
        "disk",
        "auto, /dev/NAME, LABEL=, UUID= or SERIAL=",
        (
            "`auto`, `/dev/NAME`, `LABEL=`, `UUID=` or `SERIAL=`: the disk with the image",
            "`auto`: the one disk that holds one",
        ),
        put!(disk, text => which(text)?),
    ),
    key(
        "wait",
        "seconds, at most 86400",
        ("how long to wait for disks: seconds, or a duration such as `1m30s`", "10"),
        put!(wait, text => seconds(text)?),
    ),
    key(
        "path",
        "an absolute path",
        ("directory of the layout on its file system", "`/`"),
        put!(path, text => absolute(text)?),
    ),
    key(
        "ref",
        "the name of an image",
        ("tag of the image", "the only image"),
        put!(reference, text => Some(some(text)?)),
    ),
    key(
        "digest",
        "sha256: and 64 lower-case hex digits, or sha512: and 128",
        (
            "`sha256:…` of the manifest, or of an index that leads to it; anything else is refused",
            "",
        ),
        put!(digest, text => Some(digest(text)?)),
    ),
    key(
        "rootfs",
        "/dev/NAME, LABEL=, UUID= or SERIAL=",
        (
            "`/dev/NAME`, `LABEL=`, …: disk for the root file system, in a directory made anew at each boot",
            "a tmpfs",
        ),
        put!(rootfs, text => Some(named(text)?)),
    ),
    key(
        "rootfs-size",
        "a size such as 512M, or a share of memory such as 80%",
        (
            "size of the tmpfs: bytes, `512M`, `50%` (a share is no more than fits into memory beside the rest)",
            "`80%`",
        ),
        put!(rootfs_size, text => units::share(text.as_bytes())?),
    ),
    key(
        "mode",
        "container or exec",
        ("`container`; `exec`: the image's process becomes PID 1 itself", "`container`"),
        put!(exec, text => {
            choice(text.as_bytes(), &[("container", false), ("exec", true)])?
        }),
    ),
    key(
        "dry-run",
        "on, off or json",
        (
            "`on`: prints the container's plan as its standard output, makes nothing and goes off; `json`: as JSON",
            "`off`",
        ),
        put!(dry_run, text => choice(text.as_bytes(), PLANS)?),
    ),
    key(
        "log",
        "error, warning, info or debug",
        ("`error`, `warning`, `info`, `debug`", "`info`"),
        put!(log, text => choice(text.as_bytes(), LEVELS)?),
    ),
    // Its value stays in place, because it may be long (see `OptionSources::env`). No other key may
    // be given twice.
    key(
        "env",
        "NAME=VALUE",
        ("`NAME=VALUE`, a variable over the image's own; it may be given more than once", ""),
        |_, _| Some(()),
    ),
];

/// Returns a number of seconds, at most a day.
fn seconds(text: &str) -> Option<u64> {
    let us = units::microseconds(text.as_bytes(), Some(SECOND_US))?;
    Some(us.div_ceil(SECOND_US)).filter(|seconds| *seconds <= 86_400)
}

/// The format of a printed plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlanFormat {
    /// Lines for people.
    Text,
    /// JSON.
    Json,
}

const PLANS: &[(&str, Option<PlanFormat>)] =
    &[("off", None), ("on", Some(PlanFormat::Text)), ("json", Some(PlanFormat::Json))];

const LEVELS: &[(&str, Level)] = &[
    ("error", Level::Error),
    ("warning", Level::Warning),
    ("info", Level::Info),
    ("debug", Level::Debug),
];

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn absolute(text: &str) -> Option<&str> {
    text.starts_with("/").then_some(text)
}

fn digest(text: &str) -> Option<&str> {
    Digest::parse(text).is_ok().then_some(text)
}

fn named(text: &str) -> Option<DiskSelector<'_>> {
    let (start, make): (&str, fn(&str) -> DiskSelector<'_>) = match text {
        _ if text.starts_with("/dev/") => ("/dev/", |name| DiskSelector::Device(name)),
        _ if text.starts_with("LABEL=") => ("LABEL=", |label| DiskSelector::Label(label)),
        _ if text.starts_with("UUID=") => ("UUID=", |uuid| DiskSelector::Uuid(uuid)),
        _ => ("SERIAL=", |serial| DiskSelector::Serial(serial)),
    };
    text.strip_prefix(start).and_then(some).map(make)
}

fn which(text: &str) -> Option<DiskSelector<'_>> {
    if text == "auto" { Some(DiskSelector::Auto) } else { named(text) }
}

/// Sets the option `name`, which stands at `place`. `seen` has a bit for each that was given.
pub(super) fn put<'a>(
    options: &mut Options<'a>,
    seen: &mut u32,
    place: &str,
    name: &'a [u8],
    value: Option<&'a [u8]>,
) -> Result<()> {
    let fault = |why: &dyn core::fmt::Display| {
        Error::new(format_args!("{place}: ocinit.{}: {why}", Lossy(&name[..name.len().min(64)])))
    };
    let boot = KEYS.iter().position(|key| key.name.as_bytes() == name);
    let row = settings::rows().iter().position(|row| row.key.as_bytes() == name);
    let (index, expected) = match (boot, row) {
        (Some(n), _) => (n, KEYS[n].expected),
        (None, Some(n)) if !name.is_empty() => (KEYS.len() + n, settings::rows()[n].expected),
        _ => return Err(fault(&"unknown key")),
    };
    let repeatable = name == b"env";
    if *seen & (1 << index) != 0 && !repeatable {
        return Err(fault(&"given twice"));
    }
    *seen |= 1 << index;
    let Some(value) = value else {
        return Err(fault(&format_args!("has no value, {expected} expected")));
    };
    // A variable's value may have any bytes, but is never shown. All other values are text.
    if repeatable {
        let named = value.iter().position(|&byte| byte == b'=').is_some_and(|at| at > 0);
        return if named { Ok(()) } else { Err(fault(&format_args!("{expected} expected"))) };
    }
    let set = core::str::from_utf8(value).ok().and_then(|text| match boot {
        Some(n) => (KEYS[n].set)(options, text),
        None => (settings::rows()[row?].set)(&mut options.draft, text.as_bytes()).ok(),
    });
    set.ok_or_else(|| fault(&format_args!("{}: {expected} expected", Short(value))))
}

/// The first 128 bytes of a value, for a message.
struct Short<'a>(&'a [u8]);

impl core::fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "'{}'", Lossy(&self.0[..self.0.len().min(128)]))
    }
}

/// Refuses what makes no sense together.
pub(super) fn refuse_contradictions(options: &Options<'_>) -> Result<()> {
    let refuse = |what: &str| Err(Error::new(format_args!("{what}")));
    if options.exec {
        let Draft { init, terminal, own_network, .. } = options.draft;
        let limited = !options.draft.limits.is_empty();
        for (given, key) in [
            (init, "ocinit.init=on"),
            (terminal, "ocinit.tty=on"),
            (own_network, "ocinit.net=none"),
            (limited, "ocinit.memory=, cpus= or pids="),
        ] {
            if given {
                return Err(Error::new(format_args!(
                    "ocinit.mode=exec has no container for {key}"
                )));
            }
        }
    }
    if options.rootfs.is_some() && options.rootfs_size != Options::DEFAULT.rootfs_size {
        return refuse("ocinit.rootfs-size= is for a tmpfs, and ocinit.rootfs= names a disk");
    }
    if options.rootfs == Some(options.disk) {
        return refuse("ocinit.rootfs= and ocinit.disk= name the same disk");
    }
    Ok(())
}
