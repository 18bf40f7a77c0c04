//! Rare members of `linux`.

use super::members::{flags, items, list, number_set, place, put, signed, string, truth};
use crate::codec::json::{Text, Value};
use crate::error::{Error, Result};
use crate::io::strings::StringBlock;
use crate::limits::NET_DEVICES_MAX;
use crate::spec::attributes::{
    CLOCKS, ClockOffset, IntelRdt, LINUX32, MEMORY_FLAG_SHIFT, MEMORY_FLAGS, MEMORY_MODES,
    MemoryPolicy, NetDevice, NumberSet,
};
use crate::spec::memory::{SpecMemory, push};
use crate::spec::schema::{self, Member, members};
use core::ffi::CStr;

/// The longest name of a network device, in bytes (IFNAMSIZ less a NUL).
const DEVICE_NAME_BYTES: usize = 15;

pub(super) fn clocks(offsets: &Member<'_>) -> Result<[Option<ClockOffset>; 2]> {
    let mut clocks = [None; 2];
    let given = offsets.map(schema::entries).transpose()?;
    for (name, offset) in given.unwrap_or_default() {
        let known = CLOCKS.iter().zip(&mut clocks).find(|(known, _)| name == **known);
        let Some((_, clock)) = known else {
            return Err(offset.error("neither monotonic nor boottime"));
        };
        members!(OFFSET of Some(&offset) => seconds, nanoseconds);
        let (seconds, nanoseconds) = (signed(seconds)?, signed(nanoseconds)?);
        if !(0..1_000_000_000).contains(&nanoseconds) {
            return Err(offset.error_in("nanosecs", "not below a second"));
        }
        *clock = Some(ClockOffset { seconds, nanoseconds: nanoseconds as u32 });
    }
    Ok(clocks)
}

pub(super) fn personality(wanted: &Member<'_>) -> Result<Option<u32>> {
    members!(PERSONALITY of wanted.as_ref() => domain, flags);
    let (Some(wanted), Some(domain)) = (wanted, domain) else { return Ok(None) };
    if let Some(flag) = items(flags).next() {
        flag.as_text()?;
        return Err(wanted.error_in("flags", "none is supported"));
    }
    match domain.as_text()?.as_escaped() {
        "LINUX" => Ok(Some(0)),
        "LINUX32" => Ok(Some(LINUX32)),
        other => Err(domain.at(Error::new(format_args!("{other}: neither LINUX nor LINUX32")))),
    }
}

pub(super) fn memory_policy(wanted: &Member<'_>) -> Result<Option<MemoryPolicy>> {
    members!(MEMORY_POLICY of wanted.as_ref() => mode, nodes, flag_words);
    let Some(mode) = mode else { return Ok(None) };
    let mode = place(mode, "MPOL_", MEMORY_MODES)? as u32;
    let flags = flags(flag_words, "MPOL_F_", MEMORY_FLAGS)? as u32;
    let nodes = match nodes {
        Some(nodes) if !nodes.as_text()?.is_empty() => number_set(nodes)?,
        _ => NumberSet::default(),
    };
    Ok(Some(MemoryPolicy { mode: mode | flags << MEMORY_FLAG_SHIFT, nodes }))
}

pub(super) fn intel_rdt<'m>(
    wanted: &Member<'_>,
    strings: &mut StringBlock<'m>,
) -> Result<Option<IntelRdt<'m>>> {
    members!(INTEL_RDT of wanted.as_ref() =>
        clos_id, schemata, l3_cache, memory_bandwidth, monitoring, cmt, mbm
    );
    if wanted.is_none() {
        return Ok(None);
    }
    // An empty text is an invalid name. The check of the group refuses it.
    let text = |text: &Member<'_>, strings: &mut StringBlock<'m>| match text {
        Some(value) if value.as_text()?.is_empty() => Ok(Some(c"")),
        _ => string(text, strings),
    };
    Ok(Some(IntelRdt {
        clos_id: text(clos_id, strings)?,
        schemata: list(schemata, strings)?,
        l3_cache: text(l3_cache, strings)?,
        memory_bandwidth: text(memory_bandwidth, strings)?,
        is_monitored: truth(monitoring) || truth(cmt) || truth(mbm),
    }))
}

/// Reads the devices. Checks their names, and that there is a network namespace to move to.
pub(super) fn net_devices<'m>(
    devices: &Member<'_>,
    has_network: bool,
    memory: &mut SpecMemory<'m>,
) -> Result<&'m [NetDevice<'m>]> {
    let given = devices.map(schema::entries).transpose()?.unwrap_or_default();
    let mut list = memory.list(given.clone().count().min(NET_DEVICES_MAX))?;
    for (host, value) in given {
        if !has_network {
            return Err(value.error("needs a network namespace"));
        }
        members!(NET_DEVICE of Some(&value) => given);
        let given = given.as_ref().and_then(|name| name.as_string());
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

/// Returns whether the kernel accepts this name. It replaces `%d` by a free number.
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
