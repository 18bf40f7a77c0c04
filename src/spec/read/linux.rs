//! Members of `linux` that few configs have.

use super::members::{flags, list, number_set, place, put, string, truth};
use crate::codec::json::{Text, Value};
use crate::error::{Error, Result};
use crate::io::strings::StringBlock;
use crate::limits::NET_DEVICES_MAX;
use crate::spec::attributes::{
    CLOCKS, ClockOffset, IntelRdt, LINUX32, MEMORY_FLAG_SHIFT, MEMORY_FLAGS, MEMORY_MODES,
    MemoryPolicy, NetDevice, NumberSet,
};
use crate::spec::memory::{SpecMemory, push};
use core::ffi::CStr;

/// The longest name of a network device, in bytes (IFNAMSIZ less a NUL).
const DEVICE_NAME_BYTES: usize = 15;

pub(super) fn clocks(linux: &Value<'_>) -> Result<[Option<ClockOffset>; 2]> {
    let mut clocks = [None; 2];
    for (name, offset) in linux.entries_or_none("timeOffsets") {
        let known = CLOCKS.iter().zip(&mut clocks).find(|(known, _)| name == **known);
        let Some((_, clock)) = known else {
            return Err(offset.error("neither monotonic nor boottime"));
        };
        let part = |key| offset.get(key)?.map_or(Ok(0), |value| value.as_i64());
        let (seconds, nanoseconds) = (part("secs")?, part("nanosecs")?);
        if !(0..1_000_000_000).contains(&nanoseconds) {
            return Err(offset.error_in("nanosecs", "not below a second"));
        }
        *clock = Some(ClockOffset { seconds, nanoseconds: nanoseconds as u32 });
    }
    Ok(clocks)
}

pub(super) fn personality(linux: &Value<'_>) -> Result<Option<u32>> {
    let Some(wanted) = linux.member("personality") else { return Ok(None) };
    if wanted.list("flags")?.next().is_some() {
        return Err(wanted.error_in("flags", "none is supported"));
    }
    let domain = wanted.require("domain")?;
    match domain.as_text()?.as_escaped() {
        "LINUX" => Ok(Some(0)),
        "LINUX32" => Ok(Some(LINUX32)),
        other => Err(domain.at(Error::new(format_args!("{other}: neither LINUX nor LINUX32")))),
    }
}

pub(super) fn memory_policy(linux: &Value<'_>) -> Result<Option<MemoryPolicy>> {
    let Some(wanted) = linux.member("memoryPolicy") else { return Ok(None) };
    let mode = place(&wanted.require("mode")?, "MPOL_", MEMORY_MODES)? as u32;
    let flags = flags(&wanted, "MPOL_F_", MEMORY_FLAGS)? as u32;
    let nodes = match wanted.get("nodes")? {
        Some(nodes) if !nodes.as_text()?.is_empty() => number_set(&nodes)?,
        _ => NumberSet::default(),
    };
    Ok(Some(MemoryPolicy { mode: mode | flags << MEMORY_FLAG_SHIFT, nodes }))
}

pub(super) fn intel_rdt<'m>(
    linux: &Value<'_>,
    strings: &mut StringBlock<'m>,
) -> Result<Option<IntelRdt<'m>>> {
    let Some(wanted) = linux.member("intelRdt") else { return Ok(None) };
    // One that is empty is no name, and is refused where the group is looked for.
    let text = |key, strings: &mut StringBlock<'m>| match wanted.member(key) {
        Some(value) if value.as_text()?.is_empty() => Ok(Some(c"")),
        _ => string(&wanted, key, strings),
    };
    Ok(Some(IntelRdt {
        clos_id: text("closID", strings)?,
        schemata: list(&wanted, "schemata", strings)?,
        l3_cache: text("l3CacheSchema", strings)?,
        memory_bandwidth: text("memBwSchema", strings)?,
        is_monitored: ["enableMonitoring", "enableCMT", "enableMBM"]
            .iter()
            .any(|key| truth(&wanted, key)),
    }))
}

/// Checks the names as well, and that there is a network namespace to move to.
pub(super) fn net_devices<'m>(
    linux: &Value<'_>,
    has_network: bool,
    memory: &mut SpecMemory<'m>,
) -> Result<&'m [NetDevice<'m>]> {
    let given = linux.entries_or_none("netDevices");
    let mut list = memory.list(given.clone().count().min(NET_DEVICES_MAX))?;
    for (host, value) in given {
        if !has_network {
            return Err(value.error("needs a network namespace"));
        }
        let given = value.member("name").and_then(|name| name.as_string());
        let host = copy(&host, value, &mut memory.strings)?;
        let name = match given.filter(|name| !name.is_empty()) {
            Some(name) => copy(&name, value, &mut memory.strings)?,
            None => host,
        };
        if !is_name(host, false) || !is_name(name, true) {
            return Err(value.error("not the name of a network device"));
        }
        let device = NetDevice { host, name };
        let before: &[NetDevice<'_>] = list.as_slice();
        if !device.is_pattern() && before.iter().any(|other| other.name == name) {
            return Err(value.error("two devices of one name"));
        }
        push(&mut list, device, value, NET_DEVICES_MAX)?;
    }
    Ok(list.finish())
}

fn copy<'m>(text: &Text<'_>, of: Value<'_>, strings: &mut StringBlock<'m>) -> Result<&'m CStr> {
    let mut builder = strings.begin();
    put(text, of, &mut builder)?;
    builder.finish()
}

/// Whether the kernel takes this for a name; `%d` in it stands for a number that is free.
fn is_name(name: &CStr, may_be_pattern: bool) -> bool {
    let bytes = name.to_bytes();
    let bad = |byte: &u8| matches!(byte, 0..=b' ' | 0x7f.. | b'/' | b':' | b'\\' | b'"');
    let percents = bytes.iter().filter(|byte| **byte == b'%').count();
    let is_pattern = bytes.windows(2).any(|pair| pair == b"%d");
    (1..=DEVICE_NAME_BYTES).contains(&bytes.len())
        && !matches!(bytes, b"." | b"..")
        && !bytes.iter().any(bad)
        && (percents == 0 || may_be_pattern && percents == 1 && is_pattern)
}
