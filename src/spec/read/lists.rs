//! Mounts, devices, namespaces and mappings of ids.

use super::members::{
    as_u32, from_root, is_absolute, items, list, needed, number, refused, string,
};
use crate::codec::json::Value;
use crate::error::{Error, Result};
use crate::io::lossy::LossyC;
use crate::io::strings::StringBlock;
use crate::limits::{DEVICES_MAX, ID_MAPPINGS_MAX, MOUNTS_MAX};
use crate::spec::memory::{SpecMemory, push};
use crate::spec::schema::{self, Member, members};
use crate::spec::{Device, IdMapping, Joined, Mount, NAMESPACES, defaults};
use crate::sys::fs;

/// Major numbers have 12 bits, minor numbers 20 (the kernel's `MKDEV`).
const MAJOR_MAX: u64 = 0xfff;
const MINOR_MAX: u64 = 0xf_ffff;

pub(super) fn mounts<'m>(
    top: &Value<'_>,
    mounts: &Member<'_>,
    last: Option<Mount<'m>>,
    memory: &mut SpecMemory<'m>,
) -> Result<&'m [Mount<'m>]> {
    let given = items(mounts);
    let count = given.clone().count() + usize::from(last.is_some());
    let mut list = memory.list(count.min(MOUNTS_MAX))?;
    for value in given {
        push(&mut list, mount(value, memory)?, value, MOUNTS_MAX)?;
    }
    if let Some(last) = last {
        push(&mut list, last, *top, MOUNTS_MAX)?;
    }
    Ok(list.finish())
}

fn mount<'m>(value: Value<'_>, memory: &mut SpecMemory<'m>) -> Result<Mount<'m>> {
    members!(MOUNT of Some(&value) => destination, kind, source, options, uids, gids);
    let mut mappings =
        |list| memory.read_list(items(list), ID_MAPPINGS_MAX, &mut |one, _, _| mapping(one));
    let (uid_mappings, gid_mappings) = (mappings(uids)?, mappings(gids)?);
    let strings = &mut memory.strings;
    Ok(Mount {
        destination: from_root(needed(destination), strings)?,
        kind: string(kind, strings)?.unwrap_or(c"none"),
        source: string(source, strings)?.unwrap_or(c"none"),
        options: list(options, strings)?,
        optional: false,
        uid_mappings,
        gid_mappings,
    })
}

pub(super) fn devices<'m>(
    linux: &Value<'_>,
    devices: &Member<'_>,
    memory: &mut SpecMemory<'m>,
) -> Result<&'m [Device<'m>]> {
    let given = items(devices);
    let count = given.clone().count() + defaults::DEVICES.len();
    let mut list = memory.list(count.min(DEVICES_MAX))?;
    for value in given {
        let device = device(value, &mut memory.strings)?;
        // A default device at its own path needs no second entry.
        let number = |device: &Device<'_>| (device.mode & fs::S_IFMT, device.major, device.minor);
        let default = defaults::DEVICES.iter().find(|default| default.path == device.path);
        if default.is_some_and(|default| number(default) != number(&device)) {
            let path = LossyC(device.path);
            return Err(value.at(Error::new(format_args!("path: {path}: another device is there"))));
        }
        push(&mut list, device, value, DEVICES_MAX)?;
    }
    for default in defaults::DEVICES {
        if !list.as_slice().iter().any(|device| device.path == default.path) {
            push(&mut list, *default, *linux, DEVICES_MAX)?;
        }
    }
    Ok(list.finish())
}

fn device<'m>(value: Value<'_>, strings: &mut StringBlock<'m>) -> Result<Device<'m>> {
    members!(DEVICE of Some(&value) => word, path, major, minor, mode, uid, gid);
    let word = needed(word);
    let kind = match word.as_text()?.as_escaped().as_bytes() {
        b"c" | b"u" => fs::S_IFCHR,
        b"b" => fs::S_IFBLK,
        b"p" => fs::S_IFIFO,
        _ => return Err(refused(word, "none of c, u, b and p")),
    };
    let part = |part: &Member<'_>, key: &str, most: u64| match part {
        None if kind == fs::S_IFIFO => Ok(0),
        None => Err(value.error_in(key, "missing")),
        Some(number) => match number.as_u64()? {
            small if small <= most => Ok(small as u32),
            _ => Err(number.error("too large")),
        },
    };
    Ok(Device {
        path: from_root(needed(path), strings)?,
        mode: kind | mode.as_ref().map_or(0o666, as_u32) & 0o7777,
        major: part(major, "major", MAJOR_MAX)?,
        minor: part(minor, "minor", MINOR_MAX)?,
        uid: number(uid),
        gid: number(gid),
    })
}

/// Returns the namespaces to make, and those to join.
pub(super) fn namespaces<'m>(
    namespaces: &Member<'_>,
    memory: &mut SpecMemory<'m>,
) -> Result<(i32, &'m [Joined<'m>])> {
    let (mut new, mut seen) = (0, 0);
    let mut joined = memory.list(NAMESPACES.len())?;
    for value in items(namespaces) {
        members!(NAMESPACE of Some(&value) => name, path);
        let name = needed(name);
        let text = name.as_text()?;
        let Some((_, kind)) = NAMESPACES.iter().find(|(known, _)| text == *known) else {
            return Err(refused(name, "unknown"));
        };
        if seen & kind != 0 {
            return Err(name.error("given twice"));
        }
        seen |= kind;
        match string(path, &mut memory.strings)? {
            Some(path) if is_absolute(path) => {
                push(&mut joined, Joined { kind: *kind, path }, value, NAMESPACES.len())?
            }
            Some(_) => return Err(value.error_in("path", "must be an absolute path")),
            None => new |= kind,
        }
    }
    Ok((new, joined.finish()))
}

fn mapping(value: Value<'_>) -> Result<IdMapping> {
    members!(MAPPING of Some(&value) => container, host, size);
    Ok(IdMapping { container: number(container), host: number(host), size: number(size) })
}

pub(super) fn map_ids<'m>(
    mappings: &Member<'_>,
    memory: &mut SpecMemory<'m>,
) -> Result<&'m [IdMapping]> {
    memory.read_list(items(mappings), ID_MAPPINGS_MAX, &mut |value, _, before| {
        let one @ IdMapping { container, host, size } = mapping(value)?;
        let overlaps =
            |a: u32, b: u32, other: u32| a < b.saturating_add(other) && b < a.saturating_add(size);
        let overlap = |one: &IdMapping| {
            overlaps(container, one.container, one.size) || overlaps(host, one.host, one.size)
        };
        match size == 0 || before.iter().any(overlap) {
            true => Err(value.error(if size == 0 { "no size" } else { "overlaps another" })),
            false => Ok(one),
        }
    })
}
