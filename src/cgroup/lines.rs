//! Limits as files of cgroup2 and what is written to them: worked out from the limits and a few
//! facts of the machine, without a look at it.

use super::weight;
use crate::io::lossy::LossyC;
use crate::io::path::PathBuf;
use crate::spec::TAKES_CONFIGS;
use crate::spec::limit::{Amount, Limit, LimitKey, LimitKind, LimitName, number_of};
use crate::{Error, Result};
use core::ffi::CStr;
use core::fmt::{self, Display};

/// Facts that the values depend on. A number is -1 for `max`, or if there is no cgroup yet.
#[derive(Clone, Copy)]
pub struct Facts {
    /// Weights are those of the scheduler BFQ.
    pub has_bfq: bool,
    /// Huge pages that are reserved count, too (Linux 5.7).
    pub has_rsvd: bool,
    /// The kernel has swap.
    pub has_swap: bool,
    /// `memory.current`.
    pub used: i64,
    /// `memory.max` of a cgroup that is updated.
    pub memory: i64,
    /// `memory.swap.max` of a cgroup that is updated.
    pub swap: i64,
    /// The quota of `cpu.max`.
    pub quota: i64,
}

impl Facts {
    /// A cgroup that does not exist yet, on a kernel that has everything.
    pub const NEW: Facts = Facts {
        has_bfq: true,
        has_rsvd: true,
        has_swap: true,
        used: -1,
        memory: -1,
        swap: -1,
        quota: -1,
    };
}

/// A file of the cgroup, and what is written to it.
pub struct Line<'l> {
    /// The file.
    pub file: &'l CStr,
    /// The text to write. Each line of it takes one write(2).
    pub value: fmt::Arguments<'l>,
    /// The limit that asks for it, as the config calls it.
    pub from: LimitName<'l>,
}

/// Gets each line in order.
pub type Out<'o> = &'o mut dyn FnMut(&Line<'_>) -> Result<()>;

/// Works out the lines of all limits. An error is the first of a limit or of `out`, and begins with
/// the limit's name.
pub fn lines(limits: &[Limit<'_>], facts: &Facts, out: Out<'_>) -> Result<()> {
    memory(limits, facts, out)?;
    quota(limits, facts, out)?;
    (0..limits.len()).try_for_each(|place| one(LimitName { limits, place }, facts, out))
}

/// Returns whether some limit is asked for.
pub fn are_asked_for(limits: &[Limit<'_>]) -> Result<bool> {
    let mut count = 0;
    lines(limits, &Facts::NEW, &mut |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count > 0)
}

/// An error about a limit.
#[cold]
fn refused(from: LimitName<'_>, why: &str) -> Error {
    Error::new(format_args!("{from}: {why}"))
}

#[cold]
fn unknown(from: LimitName<'_>) -> Error {
    refused(from, "cgroup2 has no such limit")
}

/// Returns the name of the limit of this row, if there is one.
fn name_of<'l>(limits: &'l [Limit<'l>], key: LimitKey) -> Option<LimitName<'l>> {
    let place = limits.iter().position(|limit| limit.key == key)?;
    Some(LimitName { limits, place })
}

/// A limit in cgroup2's form; -1 is none.
struct Max(i64);

impl Display for Max {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ..0 => f.write_str("max"),
            number => number.fmt(f),
        }
    }
}

/// Returns an error unless a limit is -1 (none) or more.
fn at_least_none(from: LimitName<'_>, number: i64) -> Result<()> {
    if number < -1 { Err(refused(from, "below -1")) } else { Ok(()) }
}

/// Sets `memory.limit` and `memory.swap`. The latter is the sum of both, but swap alone in cgroup2.
fn memory(limits: &[Limit<'_>], facts: &Facts, out: Out<'_>) -> Result<()> {
    let names = [LimitKey::MEMORY, LimitKey::SWAP].map(|key| name_of(limits, key));
    let [wanted, total] =
        [LimitKey::MEMORY, LimitKey::SWAP].map(|key| number_of(limits, key).unwrap_or(0));
    for (name, number) in names.iter().zip([wanted, total]) {
        if let Some(name) = name {
            at_least_none(*name, number)?;
        }
    }
    let [limit_name, swap_name] = names;
    let Some(either) = swap_name.or(limit_name) else { return Ok(()) };
    if TAKES_CONFIGS && number_of(limits, LimitKey::CHECK).is_some() {
        let used = facts.used;
        for (what, limit) in [("memory+swap", total), ("memory", wanted)] {
            if (1..=used).contains(&limit) {
                return Err(Error::new(format_args!(
                    "memory: rejecting {what} limit {limit} <= usage {used}"
                )));
            }
        }
    }
    let (now, swap_now) = (facts.memory, facts.swap);
    // What memory and swap together are limited to; 0 for what they were.
    let both = match (total, wanted) {
        (0, -1) => -1,
        // A container without swap stays without swap.
        (0, 1..) if now >= 0 && swap_now == 0 => wanted,
        // The limit of the sum stays.
        (0, 1..) if now >= 0 && swap_now >= 0 => now.saturating_add(swap_now),
        (total, _) => total,
    };
    let limit = match wanted {
        // Without a limit of memory only swap is limited.
        -1 => 0,
        0 if now < 0 && both > 0 => {
            return Err(Error::new(format_args!(
                "memory.swap: needs a limit on memory alone, too"
            )));
        }
        0 => now,
        wanted => wanted,
    };
    if both > 0 && both < limit {
        return Err(Error::new(format_args!(
            "memory.swap: memory and swap together must be at least memory alone"
        )));
    }
    // A kernel without swap uses none.
    if both != 0 && facts.has_swap {
        let swap = Max(if both > 0 { both - limit } else { -1 });
        let file = LimitKey::SWAP.row().file;
        out(&Line { file, value: format_args!("{swap}"), from: either })?;
    }
    match limit_name {
        Some(from) if wanted != 0 => {
            let file = LimitKey::MEMORY.row().file;
            out(&Line { file, value: format_args!("{}", Max(wanted)), from })
        }
        _ => Ok(()),
    }
}

/// Sets `cpu.quota` and `cpu.period` in microseconds. Both are one file, so an absent one keeps its
/// value. Also sets `cpu.burst`.
fn quota(limits: &[Limit<'_>], facts: &Facts, out: Out<'_>) -> Result<()> {
    let number = |key| number_of(limits, key).unwrap_or(0);
    let (mut quota, period) = (number(LimitKey::QUOTA), number(LimitKey::PERIOD));
    let burst = name_of(limits, LimitKey::BURST).filter(|_| TAKES_CONFIGS);
    let put_burst = |out: Out<'_>| match burst {
        Some(from) => {
            let (burst, file) = (number(LimitKey::BURST) as u64, LimitKey::BURST.row().file);
            out(&Line { file, value: format_args!("{burst}"), from })
        }
        None => Ok(()),
    };
    let key = if quota != 0 { LimitKey::QUOTA } else { LimitKey::PERIOD };
    if let Some(from) = name_of(limits, key).filter(|_| quota != 0 || period != 0) {
        // The kernel may accept the new quota only with the new burst.
        let _ = put_burst(out);
        if quota == 0 {
            quota = facts.quota;
        }
        let (file, quota) = (key.row().file, Max(quota));
        match period {
            0 => out(&Line { file, value: format_args!("{quota}"), from })?,
            _ => out(&Line { file, value: format_args!("{quota} {period}"), from })?,
        }
    }
    put_burst(out)
}

/// The lines of one limit that needs no other.
fn one(from: LimitName<'_>, facts: &Facts, out: Out<'_>) -> Result<()> {
    let Some(limit) = from.limits.get(from.place) else { return Ok(()) };
    let row = limit.key.row();
    let put =
        |file: &CStr, value: fmt::Arguments<'_>, out: Out<'_>| out(&Line { file, value, from });
    match (row.kind, limit.amount) {
        (LimitKind::Memory | LimitKind::Check | LimitKind::Quota | LimitKind::Burst, _)
        | (LimitKind::Absent, Amount::Number(0 | -1)) => Ok(()),
        (kind, _) if !TAKES_CONFIGS && kind != LimitKind::Processes => Err(unknown(from)),
        (LimitKind::Absent, _) => Err(unknown(from)),
        (LimitKind::Number, Amount::Number(number)) => put(row.file, format_args!("{number}"), out),
        (LimitKind::Weight, Amount::Number(weight)) => {
            put_weight(from, format_args!(""), weight, facts, out)
        }
        (kind, Amount::Number(number)) => {
            if kind != LimitKind::Shares {
                at_least_none(from, number)?;
            }
            let number = match (kind, number) {
                (LimitKind::Shares, shares) => weight::of_shares(shares),
                (LimitKind::Processes, 0) => 1,
                (_, number) => number,
            };
            match number {
                0 => Ok(()),
                number => put(row.file, format_args!("{}", Max(number)), out),
            }
        }
        _ if !TAKES_CONFIGS => Err(unknown(from)),
        (_, Amount::Text(text)) => put(row.file, format_args!("{}", LossyC(text)), out),
        (_, Amount::Device { leaf: 1.., .. }) => {
            Err(Error::new(format_args!("{from}.leafWeight: cgroup2 has no such limit")))
        }
        (LimitKind::DeviceWeight, Amount::Device { major, minor, number, .. }) => {
            put_weight(from, format_args!("{major}:{minor} "), number, facts, out)
        }
        (_, Amount::Device { major, minor, number, .. }) => {
            // In cgroup v1, 0 removed a limit.
            let rate = Max(if matches!(number, 0 | i64::MAX) { -1 } else { number });
            let word = LossyC(row.file);
            put(c"io.max", format_args!("{major}:{minor} {word}={rate}"), out)
        }
        (_, Amount::Pages { size, bytes }) => {
            let size = LossyC(size);
            let file = file_name(from, format_args!("hugetlb.{size}.max"))?;
            put(file.as_c_str(), format_args!("{bytes}"), out)?;
            if !facts.has_rsvd {
                return Ok(());
            }
            let file = file_name(from, format_args!("hugetlb.{size}.rsvd.max"))?;
            put(file.as_c_str(), format_args!("{bytes}"), out)
        }
        (_, Amount::Rdma { device, handles, objects }) => {
            let device = LossyC(device);
            for (name, number) in [("hca_handle", handles), ("hca_object", objects)] {
                if let Some(number) = number {
                    put(row.file, format_args!("{device} {name}={number}"), out)?;
                }
            }
            Ok(())
        }
        (_, Amount::File(file, content)) => {
            let file = file_name(from, format_args!("{}", LossyC(file)))?;
            put(file.as_c_str(), format_args!("{}", LossyC(content)), out)
        }
    }
}

/// Sets a weight: from 10 to 1000 with the scheduler BFQ, else from 1 to 10000.
fn put_weight(
    from: LimitName<'_>,
    device: fmt::Arguments<'_>,
    weight: i64,
    facts: &Facts,
    out: Out<'_>,
) -> Result<()> {
    let (file, scaled) = match (weight, facts.has_bfq) {
        (0, _) => return Ok(()),
        (10..=1000, true) => (c"io.bfq.weight", weight),
        (10..=1000, false) => (LimitKey::WEIGHT.row().file, 1 + (weight - 10) * 9999 / 990),
        _ => return Err(refused(from, "not 10 to 1000")),
    };
    out(&Line { file, value: format_args!("{device}{scaled}"), from })
}

/// Returns the name of one file of a cgroup: one component, `CONTROLLER.PARAMETER`.
fn file_name(from: LimitName<'_>, name: fmt::Arguments<'_>) -> Result<PathBuf> {
    let mut path = PathBuf::new();
    let fits = path.set(name).is_ok();
    match fits && path.as_bytes().contains(&b'.') && !path.as_bytes().contains(&b'/') {
        true => Ok(path),
        false => Err(refused(from, "not CONTROLLER.PARAMETER, without slashes")),
    }
}

#[cfg(test)]
mod tests;
