//! `linux.resources`: rules for devices, and limits.

use crate::codec::json::Writer;
use crate::spec::limit::{Amount, Limit, LimitKind, LimitRow};
use crate::spec::{DeviceKind, DeviceRule, Spec};

/// Writes them, if there are some. Limits stand in the order of their rows.
pub(super) fn resources(spec: &Spec<'_>, json: &mut Writer<'_>) {
    if spec.limits.is_empty() && spec.device_rules.is_empty() {
        return;
    }
    json.object_of("resources");
    device_rules("devices", spec.device_rules, json);
    let (mut object, mut is_open) = ("", false);
    for these in spec.limits.chunk_by(|one, next| one.key == next.key) {
        let Some(row) = these.first().map(|limit| limit.key.row()) else { continue };
        if row.object() != object {
            if is_open {
                json.end();
            }
            object = row.object();
            is_open = !row.member().is_empty();
            if is_open {
                json.object_of(object);
            }
        }
        member(row, these, json);
    }
    if is_open {
        json.end();
    }
    json.end();
}

/// Writes a member with the rules, if there are some.
pub fn device_rules(key: &str, rules: &[DeviceRule], json: &mut Writer<'_>) {
    if !rules.is_empty() {
        json.array_of(key);
        rules.iter().for_each(|rule| device_rule(rule, json));
        json.end();
    }
}

fn device_rule(rule: &DeviceRule, json: &mut Writer<'_>) {
    json.object();
    json.key("allow").boolean(rule.allow);
    match rule.kind {
        DeviceKind::Any => {}
        DeviceKind::Block => json.string_of("type", b"b"),
        DeviceKind::Character => json.string_of("type", b"c"),
    }
    for (key, number) in [("major", rule.major), ("minor", rule.minor)] {
        if number != DeviceRule::ANY {
            json.key(key).signed(number.into());
        }
    }
    json.key("access").shown(format_args!("{}", rule.letters()));
    json.end();
}

/// Writes all limits of one row.
fn member(row: &LimitRow, limits: &[Limit<'_>], json: &mut Writer<'_>) {
    let key = if row.member().is_empty() { row.object() } else { row.member() };
    match row.json {
        b'*' => json.array_of(key),
        b'%' => json.object_of(key),
        _ => drop(json.key(key)),
    }
    limits.iter().for_each(|limit| value(row, limit.amount, json));
    if matches!(row.json, b'*' | b'%') {
        json.end();
    }
}

fn value(row: &LimitRow, amount: Amount<'_>, json: &mut Writer<'_>) {
    match amount {
        // Any priority of any device is refused.
        Amount::Number(_) if row.json == b'*' => {
            json.object();
            json.string_of("name", b"");
            json.key("priority").number(0);
            json.end();
        }
        Amount::Number(number) if row.json == b'?' => json.boolean(number != 0),
        Amount::Number(number) if row.kind == LimitKind::Burst => json.number(number as u64),
        Amount::Number(number) => json.signed(number),
        Amount::Text(text) => json.string(text.to_bytes()),
        Amount::Device { major, minor, number, leaf } => {
            json.object();
            json.key("major").signed(major);
            json.key("minor").signed(minor);
            let is_weight = row.kind == LimitKind::DeviceWeight;
            json.key(if is_weight { "weight" } else { "rate" }).signed(number);
            if leaf != 0 {
                json.key("leafWeight").number(leaf.into());
            }
            json.end();
        }
        Amount::Pages { size, bytes } => {
            json.object();
            json.string_of("pageSize", size.to_bytes());
            json.key("limit").signed(bytes);
            json.end();
        }
        Amount::Rdma { device, handles, objects } => {
            json.bytes_key(device.to_bytes()).object();
            for (key, number) in [("hcaHandles", handles), ("hcaObjects", objects)] {
                if let Some(number) = number {
                    json.key(key).number(number.into());
                }
            }
            json.end();
        }
        Amount::File(file, content) => json.bytes_key(file.to_bytes()).string(content.to_bytes()),
    }
}
