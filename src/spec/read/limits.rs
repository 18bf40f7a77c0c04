//! `linux.resources`: limits, and rules for devices.

use super::members::{put, string};
use crate::codec::json::{Text, Value};
use crate::error::Result;
use crate::io::strings::StringBlock;
use crate::io::text::words;
use crate::limits::{DEVICE_RULES_MAX, LIMITS_MAX};
use crate::spec::limit::{Amount, Limit, LimitKind, rows};
use crate::spec::memory::{SpecMemory, push};
use crate::spec::{DeviceKind, DeviceRule};
use core::ffi::CStr;

/// The least text of a limit with the comma or bracket after it, in bytes: `"a":"",`.
const LEAST_BYTES: usize = 7;

/// A request of a limit that cgroup2 does not have asks for nothing if it is one of these. docker
/// writes `"kernel":0`.
const NOTHING: &str = "0 -1 false [] {}";

/// Reads the limits, in the order of their rows. Their meaning is not checked.
pub(super) fn limits<'m>(
    resources: &Value<'_>,
    memory: &mut SpecMemory<'m>,
) -> Result<&'m [Limit<'m>]> {
    let most = (resources.as_json().len() / LEAST_BYTES).min(LIMITS_MAX);
    let mut list = memory.list(most)?;
    let (mut name, mut object) = ("", None);
    for (key, row) in rows() {
        if row.object() != name {
            name = row.object();
            object = resources.member(name);
        }
        let value = match row.member() {
            "" => object,
            member => object.and_then(|object| object.member(member)),
        };
        let Some(value) = value else { continue };
        let strings = &mut memory.strings;
        let mut add = |amount, value| push(&mut list, Limit { key, amount }, value, LIMITS_MAX);
        match row.kind {
            LimitKind::Absent => {
                if !words(NOTHING).any(|word| word == value.as_json().as_bytes()) {
                    let number = if row.json == b'*' { 1 } else { flag_or_number(&value) };
                    add(Amount::Number(number), value)?;
                }
            }
            LimitKind::Check => {
                if value.as_json() == "true" {
                    add(Amount::Number(1), value)?;
                }
            }
            LimitKind::Burst => add(Amount::Number(value.as_u64()? as i64), value)?,
            LimitKind::Text => {
                let text = copy(value.as_text()?, value, strings)?;
                if !text.is_empty() {
                    add(Amount::Text(text), value)?;
                }
            }
            LimitKind::DeviceWeight | LimitKind::Rate => {
                let is_weight = row.kind == LimitKind::DeviceWeight;
                for one in value.items()? {
                    let [major, minor, weight, rate, leaf] =
                        ["major", "minor", "weight", "rate", "leafWeight"]
                            .map(|key| one.member(key).map_or(0, |value| number(&value)));
                    let (number, leaf) = if is_weight { (weight, leaf as u16) } else { (rate, 0) };
                    add(Amount::Device { major, minor, number, leaf }, one)?;
                }
            }
            LimitKind::HugePages => {
                for one in value.items()? {
                    let size = string(&one.member("pageSize"), strings)?.unwrap_or(c"");
                    let bytes = one.member("limit").map_or(0, |value| number(&value));
                    add(Amount::Pages { size, bytes }, one)?;
                }
            }
            LimitKind::Rdma => {
                for (device, one) in value.entries()? {
                    let number =
                        |key| one.member(key).and_then(|value| u32::try_from(number(&value)).ok());
                    let (handles, objects) = (number("hcaHandles"), number("hcaObjects"));
                    if handles.is_some() || objects.is_some() {
                        let device = copy(device, one, strings)?;
                        add(Amount::Rdma { device, handles, objects }, one)?;
                    }
                }
            }
            LimitKind::Unified => {
                for (file, one) in value.entries()? {
                    let file = copy(file, one, strings)?;
                    add(Amount::File(file, copy(one.as_text()?, one, strings)?), one)?;
                }
            }
            _ => add(Amount::Number(number(&value)), value)?,
        }
    }
    Ok(list.finish())
}

/// Returns a number that was checked; one beyond 2^63 limits nothing any more.
fn number(value: &Value<'_>) -> i64 {
    value.as_i64().unwrap_or(i64::MAX)
}

fn flag_or_number(value: &Value<'_>) -> i64 {
    if value.as_json() == "true" { 1 } else { number(value) }
}

fn copy<'m>(text: Text<'_>, of: Value<'_>, strings: &mut StringBlock<'m>) -> Result<&'m CStr> {
    let mut builder = strings.begin();
    put(&text, of, &mut builder)?;
    builder.finish()
}

/// Reads the rules for devices, in order.
pub(super) fn device_rules<'m>(
    resources: &Value<'_>,
    memory: &mut SpecMemory<'m>,
) -> Result<&'m [DeviceRule]> {
    // A rule for all devices takes those before it away; what is left is counted when it is
    // compiled.
    memory.read_list(resources.list("devices")?, 4 * DEVICE_RULES_MAX, &mut |rule, _, _| {
        let kind = match rule.text("type")?.map(|kind| kind.as_escaped()) {
            None | Some("" | "a") => DeviceKind::Any,
            Some("b") => DeviceKind::Block,
            Some("c") => DeviceKind::Character,
            Some(_) => return Err(rule.error_in("type", "not a, b or c")),
        };
        let allow = rule.get("allow")?.map_or(Ok(false), |allow| allow.as_bool())?;
        let mut access = 0;
        for &letter in rule.text("access")?.unwrap_or_default().as_escaped().as_bytes() {
            access |= match DeviceRule::LETTERS.iter().find(|(known, _)| *known == letter) {
                Some((_, bit)) => *bit,
                // As a type, `a` is all. runc ignores it as an access: it must not allow anything
                // here.
                None if letter == b'a' && !allow => DeviceRule::ALL,
                None => return Err(rule.error_in("access", "not of r, w and m")),
            };
        }
        if access == 0 {
            return Err(rule.error_in("access", "missing"));
        }
        let number = |key| match rule.get(key)?.map_or(Ok(-1), |value| value.as_i64())? {
            number @ -1..=0x7fff_ffff => Ok(number as i32),
            _ => Err(rule.error_in(key, "not a device number")),
        };
        Ok(DeviceRule { allow, kind, major: number("major")?, minor: number("minor")?, access })
    })
}
