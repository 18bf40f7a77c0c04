//! A `config.json`, or the `process` that exec is given, as a [`Spec`]. What only some containers
//! have stays in the document.

mod process;

use super::{
    Device, IdMapping, Joined, Limit, Mount, NAMESPACES, Process, Resources, Root, Spec, defaults,
    options, schema,
};
use crate::codec::json::{Text, Value};
use crate::error::{Error, Result};
use crate::io::lossy::LossyC;
use crate::io::strings::{Builder, PackedStrings, StringBlock};
use crate::limits::{DEVICES_MAX, ID_MAPPINGS_MAX, MOUNTS_MAX};
use crate::sys::clone::{CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NEWUTS};
use crate::sys::mount::MS_PRIVATE;
use crate::sys::vm::MappedVec;
use crate::sys::{Errno, fs, signal};
use core::ffi::CStr;
use heapless::Vec;
use process::process;

pub use process::each_unknown_capability;

/// The kinds of limits that there are.
const LIMIT_KINDS: usize = Limit::KINDS;
/// Major numbers have 12 bits, minor numbers 20 (`MKDEV` of the kernel).
const MAJOR_MAX: u64 = 0xfff;
/// The longest host or domain name, in bytes (`__NEW_UTS_LEN`).
const NAME_BYTES: usize = 64;
const MINOR_MAX: u64 = 0xf_ffff;

/// The lists that a [`Spec`] borrows.
pub struct Lists<'m> {
    mounts: MappedVec<Mount<'m>>,
    devices: MappedVec<Device<'m>>,
    limits: Vec<Limit, LIMIT_KINDS>,
    uids: MappedVec<IdMapping>,
    gids: MappedVec<IdMapping>,
    joined: Vec<Joined<'m>, { NAMESPACES.len() }>,
    /// A mount of the runtime's own, after all of the config's.
    pub last_mount: Option<Mount<'m>>,
}

impl<'m> Lists<'m> {
    /// Returns empty lists. They take no page before they have an item: on the stack they touched
    /// 33.
    pub const fn empty() -> Self {
        Lists {
            mounts: MappedVec::new(MOUNTS_MAX),
            devices: MappedVec::new(DEVICES_MAX),
            limits: Vec::new(),
            uids: MappedVec::new(ID_MAPPINGS_MAX),
            gids: MappedVec::new(ID_MAPPINGS_MAX),
            joined: Vec::new(),
            last_mount: None,
        }
    }
}

/// Reads a checked `config.json`. Where it has no process, there is one without a word, which
/// cannot be started.
///
/// An error names the member, as in `linux.namespaces[2].type: unknown`; the file's name is the
/// caller's to add.
pub fn read_config<'s, 'm: 's>(
    top: Value<'m>,
    strings: &mut StringBlock<'m>,
    lists: &'s mut Lists<'m>,
) -> Result<Spec<'s>> {
    schema::check(&top, schema::CONFIG)?;
    let version = top.require("ociVersion")?;
    if !is_version(version.as_text()?.as_escaped().as_bytes()) {
        return Err(refused(&version, "not a version 1.x.y"));
    }
    let Lists { mounts, devices, limits, uids, gids, joined, last_mount } = lists;
    let linux = top.member("linux").unwrap_or_default();
    let process = match top.member("process") {
        Some(value) => process(value, strings, limits)?,
        None => Process::NONE,
    };
    let root = top.require("root")?;
    let hostname = name(&top, "hostname", strings)?;
    let domainname = name(&top, "domainname", strings)?;
    for value in top.list_or_none("mounts") {
        add_to(mounts, mount(value, strings)?, value)?;
    }
    if let Some(last) = last_mount.take() {
        add_to(mounts, last, top)?;
    }
    let new = namespaces(&linux, strings, joined)?;
    let has = |kind: i32| new & kind != 0 || joined.iter().any(|one| one.kind == kind);
    let needs = [
        (&top, "hostname", hostname.is_some() && !has(CLONE_NEWUTS), "needs a uts namespace"),
        (&top, "domainname", domainname.is_some() && !has(CLONE_NEWUTS), "needs a uts namespace"),
        // One that is joined has processes in it, and its clocks no longer change.
        (
            &linux,
            "timeOffsets",
            new & CLONE_NEWTIME == 0 && linux.member("timeOffsets").is_some(),
            "needs a time namespace",
        ),
    ];
    if let Some((value, key, _, why)) = needs.iter().find(|(_, _, is_missing, _)| *is_missing) {
        return Err(value.error_in(key, why));
    }
    map_ids(&linux, "uidMappings", uids)?;
    map_ids(&linux, "gidMappings", gids)?;
    for (key, list) in [("uidMappings", &*uids), ("gidMappings", &*gids)] {
        match (list.is_empty(), has(CLONE_NEWUSER)) {
            (false, false) => return Err(linux.error_in(key, "needs a user namespace")),
            (true, true) if new & CLONE_NEWUSER != 0 => return Err(linux.error_in(key, "missing")),
            _ => {}
        }
    }
    for value in linux.list_or_none("devices") {
        let device = device(value, strings)?;
        // Each of these is at its path already.
        let number = |device: &Device<'_>| (device.mode & fs::S_IFMT, device.major, device.minor);
        let default = defaults::DEVICES.iter().find(|default| default.path == device.path);
        if default.is_some_and(|default| number(default) != number(&device)) {
            let path = LossyC(device.path);
            return Err(value.at(Error::new(format_args!("path: {path}: another device is there"))));
        }
        add_to(devices, device, value)?;
    }
    for default in defaults::DEVICES {
        if !devices.iter().any(|device| device.path == default.path) {
            add_to(devices, *default, linux)?;
        }
    }
    Ok(Spec {
        process,
        root: Root {
            path: string(&root, "path", strings)?.ok_or_else(|| root.error_in("path", "empty"))?,
            readonly: truth(&root, "readonly"),
            propagation: propagation(&linux)?,
        },
        hostname,
        domainname,
        mounts,
        devices,
        namespaces: new,
        joined,
        masked_paths: list(&linux, "maskedPaths", strings)?,
        readonly_paths: list(&linux, "readonlyPaths", strings)?,
        resources: Resources::default(),
        denies_devices: false,
        uid_mappings: uids,
        gid_mappings: gids,
        annotations: annotations(&top, strings)?,
        default_seccomp: false,
        seccomp_profile: None,
        sysctls: PackedStrings::default(),
        all_devices: false,
        stop_signal: stop_signal(&top)?,
        init: false,
        document: Some(top),
    })
}

/// Reads a process: the file that `exec --process` is given, checked.
pub fn read_process<'s, 'm: 's>(
    value: Value<'m>,
    strings: &mut StringBlock<'m>,
    lists: &'s mut Lists<'m>,
) -> Result<Process<'s>> {
    schema::check(&value, schema::PROCESS)?;
    process(value, strings, &mut lists.limits)
}

/// A version of the specification that this one keeps to (SemVer 2.0.0): whatever is new in a minor
/// one may be ignored.
fn is_version(text: &[u8]) -> bool {
    let (mut numbers, mut digits) = (0, 0);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            // No number begins with a 0 but 0 itself.
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

/// A number that was checked; 0 where there is none.
fn number(value: &Value<'_>, key: &str) -> u32 {
    value.member(key).map_or(0, as_u32)
}

fn as_u32(value: Value<'_>) -> u32 {
    value.as_u64().unwrap_or(0) as u32
}

fn mount<'m>(value: Value<'m>, strings: &mut StringBlock<'m>) -> Result<Mount<'m>> {
    Ok(Mount {
        destination: from_root(value, "destination", strings)?,
        kind: string(&value, "type", strings)?.unwrap_or(c"none"),
        source: string(&value, "source", strings)?.unwrap_or(c"none"),
        options: list(&value, "options", strings)?,
        optional: false,
        document: Some(value),
    })
}

fn device<'m>(value: Value<'m>, strings: &mut StringBlock<'m>) -> Result<Device<'m>> {
    let kind = value.require("type")?;
    let kind = match kind.as_text()?.as_escaped().as_bytes() {
        b"c" | b"u" => fs::S_IFCHR,
        b"b" => fs::S_IFBLK,
        b"p" => fs::S_IFIFO,
        _ => return Err(refused(&value.require("type")?, "none of c, u, b and p")),
    };
    let part = |key: &str, most: u64| match value.member(key) {
        None if kind == fs::S_IFIFO => Ok(0),
        None => Err(value.error_in(key, "missing")),
        Some(number) => match number.as_u64()? {
            small if small <= most => Ok(small as u32),
            _ => Err(number.error("too large")),
        },
    };
    Ok(Device {
        path: from_root(value, "path", strings)?,
        mode: kind | value.member("fileMode").map_or(0o666, as_u32) & 0o7777,
        major: part("major", MAJOR_MAX)?,
        minor: part("minor", MINOR_MAX)?,
        uid: number(&value, "uid"),
        gid: number(&value, "gid"),
    })
}

/// The namespaces that are made.
fn namespaces<'m>(
    linux: &Value<'m>,
    strings: &mut StringBlock<'m>,
    joined: &mut Vec<Joined<'m>, { NAMESPACES.len() }>,
) -> Result<i32> {
    let (mut new, mut seen) = (0, 0);
    for value in linux.list_or_none("namespaces") {
        let name = value.require("type")?;
        let text = name.as_text()?;
        let Some((_, kind)) = NAMESPACES.iter().find(|(known, _)| text == *known) else {
            return Err(refused(&name, "unknown"));
        };
        if seen & kind != 0 {
            return Err(name.error("given twice"));
        }
        seen |= kind;
        match string(&value, "path", strings)? {
            Some(path) if is_absolute(path) => push(joined, Joined { kind: *kind, path }, value)?,
            Some(_) => return Err(value.error_in("path", "must be an absolute path")),
            None => new |= kind,
        }
    }
    Ok(new)
}

fn map_ids(linux: &Value<'_>, key: &str, mappings: &mut MappedVec<IdMapping>) -> Result<()> {
    for value in linux.list_or_none(key) {
        let container = number(&value, "containerID");
        let host = number(&value, "hostID");
        let size = number(&value, "size");
        let overlaps =
            |a: u32, b: u32, other: u32| a < b.saturating_add(other) && b < a.saturating_add(size);
        let overlap = |one: &IdMapping| {
            overlaps(container, one.container, one.size) || overlaps(host, one.host, one.size)
        };
        if size == 0 || mappings.iter().any(overlap) {
            return Err(value.error(if size == 0 { "no size" } else { "overlaps another" }));
        }
        add_to(mappings, IdMapping { container, host, size }, value)?;
    }
    Ok(())
}

/// How mounts travel; the kernel's default for what is mounted where nothing is said, which
/// `pivot_root` needs as well.
fn propagation(linux: &Value<'_>) -> Result<u64> {
    let Some(value) = linux.member("rootfsPropagation") else { return Ok(MS_PRIVATE) };
    match value.as_text()?.as_escaped().as_bytes() {
        b"" => Ok(MS_PRIVATE),
        word => options::propagation(word).ok_or_else(|| refused(&value, "unknown")),
    }
}

fn annotations<'m>(top: &Value<'m>, strings: &mut StringBlock<'m>) -> Result<PackedStrings<'m>> {
    let mut said = strings.begin();
    for (key, value) in top.entries_or_none("annotations") {
        put(&key, value, &mut said)?;
        said.end_word()?;
        add(value, &mut said)?;
        said.end_word()?;
    }
    Ok(said.finish_words())
}

fn stop_signal(top: &Value<'_>) -> Result<i32> {
    let value =
        top.member("annotations").and_then(|all| all.member("org.opencontainers.image.stopSignal"));
    // What it says is the image's maker's, and no reason not to start.
    let text = value.and_then(|value| value.as_text().ok()).unwrap_or(Text::EMPTY);
    Ok(signal::parse(text.as_escaped()).unwrap_or(signal::SIGTERM))
}

/// A path that is meant from the root, whatever it begins with.
fn from_root<'m>(value: Value<'m>, key: &str, strings: &mut StringBlock<'m>) -> Result<&'m CStr> {
    let path = value.require(key)?;
    let mut builder = strings.begin();
    if !path.as_text()?.as_escaped().starts_with('/') {
        builder.push(b"/")?;
    }
    add(path, &mut builder)?;
    builder.finish()
}

/// The strings of a list.
fn list<'m>(
    value: &Value<'m>,
    key: &str,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    let mut words = strings.begin();
    for one in value.list_or_none(key) {
        add(one, &mut words)?;
        words.end_word()?;
    }
    Ok(words.finish_words())
}

/// A string; none where it is empty, as in Go.
fn string<'m>(
    value: &Value<'m>,
    key: &str,
    strings: &mut StringBlock<'m>,
) -> Result<Option<&'m CStr>> {
    let Some(text) = value.member(key) else { return Ok(None) };
    let mut builder = strings.begin();
    add(text, &mut builder)?;
    if builder.is_empty() { Ok(None) } else { builder.finish().map(Some) }
}

fn add(value: Value<'_>, builder: &mut Builder<'_, '_>) -> Result<()> {
    put(&value.as_text()?, value, builder)
}

fn put(text: &Text<'_>, value: Value<'_>, builder: &mut Builder<'_, '_>) -> Result<()> {
    text.write_to(builder).map_err(|error| value.at(error))
}

/// A host's or a NIS domain's name.
fn name<'m>(top: &Value<'m>, key: &str, strings: &mut StringBlock<'m>) -> Result<Option<&'m CStr>> {
    let name = string(top, key, strings)?;
    match name.is_some_and(|name| name.count_bytes() > NAME_BYTES) {
        true => Err(top.error_in(key, "longer than 64 bytes")),
        false => Ok(name),
    }
}

fn truth(value: &Value<'_>, key: &str) -> bool {
    value.member(key).is_some_and(|value| value.as_json() == "true")
}

fn is_absolute(path: &CStr) -> bool {
    path.to_bytes().first() == Some(&b'/')
}

/// A word that is none of those there are.
#[cold]
fn refused(value: &Value<'_>, why: &str) -> Error {
    value.at(Error::new(format_args!("{}: {why}", value.as_text().unwrap_or_default())))
}

/// The same for a list that grows.
fn add_to<T>(list: &mut MappedVec<T>, item: T, value: Value<'_>) -> Result<()> {
    let most = list.limit();
    list.push(item).map_err(|errno| match errno {
        Errno::ENOSPC => value.at(Error::new(format_args!("more than {most}"))),
        errno => value.at(Error::with_errno(format_args!("{errno}"), errno)),
    })
}

/// One more, unless the list is full.
fn push<T, const N: usize>(list: &mut Vec<T, N>, item: T, value: Value<'_>) -> Result<()> {
    list.push(item).map_err(|_| value.at(Error::new(format_args!("more than {N}"))))
}

#[cfg(test)]
mod tests;
