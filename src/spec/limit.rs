//! Limits of a container's cgroup, `linux.resources` of the runtime-spec: one row for each.
//!
//! A row says how a config.json and the options of `update` call a limit, and which file of cgroup2
//! it is. [`read`](super::read()) makes limits of a config, `update` of its options, and
//! [`settings`](super::settings) of PID 1's keys. `cgroup::lines` makes values of files of them.

use super::TAKES_CONFIGS;
use crate::error::{Error, Result};
use crate::io::lossy::LossyC;
use core::ffi::CStr;
use core::fmt::{self, Display};

/// The form of a limit's value in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Bytes of memory, or of memory and swap together: two files, each worked out from both.
    Memory,
    /// No limit may be below what is used.
    Check,
    /// CPU time and its period in microseconds: one file.
    Quota,
    /// CPU time that may be saved, written before the quota and after it.
    Burst,
    /// A number; -1 is no limit, 0 no request.
    Bound,
    /// A number of processes; 0 becomes 1, because a container needs one.
    Processes,
    /// A number that is written as it is.
    Number,
    /// Shares of version 1; 0 is no request.
    Shares,
    /// A text; an empty one is no request.
    Text,
    /// A weight of 10 to 1000; 0 is no request.
    Weight,
    /// The same for one device.
    DeviceWeight,
    /// Bytes or operations a second of one device; `file` is the word for it in `io.max`.
    Rate,
    /// Bytes in pages of one size.
    HugePages,
    /// Handles and objects of one device.
    Rdma,
    /// A file and its content.
    Unified,
    /// A limit of version 1 that version 2 does not have: a request is refused.
    Absent,
}

/// One limit, in each way to say it.
#[derive(Clone, Copy)]
pub struct LimitRow {
    /// Object and member of `linux.resources`; an object alone for a list.
    pub name: &'static str,
    /// The end of the object in it.
    dot: u8,
    /// The type of its value, as in [`super::schema`].
    pub json: u8,
    /// The option of `update`; empty if it is none.
    pub option: &'static str,
    /// The form of its value.
    pub kind: LimitKind,
    /// The file of cgroup2.
    pub file: &'static CStr,
}

const fn row(
    name: &'static str,
    json: u8,
    option: &'static str,
    kind: LimitKind,
    file: &'static CStr,
) -> LimitRow {
    let (bytes, mut dot) = (name.as_bytes(), 0);
    while dot < bytes.len() && bytes[dot] != b'.' {
        dot += 1;
    }
    LimitRow { name, dot: dot as u8, json, option, kind, file }
}

impl LimitRow {
    /// Returns the object of `linux.resources`.
    pub fn object(&self) -> &'static str {
        self.name.get(..self.dot.into()).unwrap_or(self.name)
    }

    /// Returns whether its number is a size in bytes.
    pub fn is_size(&self) -> bool {
        self.object() == "memory" && self.json == b'9'
    }

    /// Returns an error if a number is not of the type that the specification has for it.
    pub fn check(&self, amount: Amount<'_>) -> Result<()> {
        let name = self.name;
        match (self.json, amount) {
            (b'2' | b'4' | b'8', Amount::Number(..0)) => {
                Err(Error::new(format_args!("{name}: negative")))
            }
            (b'2', Amount::Number(0x1_0000..)) => {
                Err(Error::new(format_args!("{name}: exceeds {}", u16::MAX)))
            }
            _ => Ok(()),
        }
    }

    /// Returns the member of the object; empty if the row is the object itself.
    pub fn member(&self) -> &'static str {
        self.name.get(usize::from(self.dot) + 1..).unwrap_or("")
    }
}

use LimitKind::*;

/// All rows, in the order in which limits are set. `cpu.idle` stands before `cpu.shares`, because
/// an idle cgroup takes no weight.
#[rustfmt::skip]
const ALL: [LimitRow; 30] = [
    //   config.json                          update's option                 cgroup2
    row("memory.limit",                 b'9', "memory",             Memory,   c"memory.max"),
    row("memory.swap",                  b'9', "memory-swap",        Memory,   c"memory.swap.max"),
    row("memory.checkBeforeUpdate",     b'?', "",                   Check,    c""),
    row("memory.reservation",           b'9', "memory-reservation", Bound,    c"memory.low"),
    row("memory.kernel",                b'9', "",                   Absent,   c""),
    row("memory.kernelTCP",             b'9', "",                   Absent,   c""),
    row("memory.swappiness",            b'8', "",                   Absent,   c""),
    row("memory.disableOOMKiller",      b'?', "",                   Absent,   c""),
    row("cpu.quota",                    b'9', "cpu-quota",          Quota,    c"cpu.max"),
    row("cpu.period",                   b'8', "cpu-period",         Quota,    c"cpu.max"),
    row("cpu.burst",                    b'8', "cpu-burst",          Burst,    c"cpu.max.burst"),
    row("cpu.idle",                     b'9', "cpu-idle",           Number,   c"cpu.idle"),
    row("cpu.shares",                   b'8', "cpu-share",          Shares,   c"cpu.weight"),
    row("cpu.realtimeRuntime",          b'9', "cpu-rt-runtime",     Absent,   c""),
    row("cpu.realtimePeriod",           b'8', "cpu-rt-period",      Absent,   c""),
    row("cpu.cpus",                     b'\'', "cpuset-cpus",       Text,     c"cpuset.cpus"),
    row("cpu.mems",                     b'\'', "cpuset-mems",       Text,     c"cpuset.mems"),
    row("pids.limit",                   b'9', "pids-limit",         Processes, c"pids.max"),
    row("blockIO.weight",               b'2', "blkio-weight",       Weight,   c"io.weight"),
    row("blockIO.leafWeight",           b'2', "",                   Absent,   c""),
    row("blockIO.weightDevice",         b'*', "",                   DeviceWeight, c"io.weight"),
    row("blockIO.throttleReadBpsDevice",   b'*', "",                Rate,     c"rbps"),
    row("blockIO.throttleWriteBpsDevice",  b'*', "",                Rate,     c"wbps"),
    row("blockIO.throttleReadIOPSDevice",  b'*', "",                Rate,     c"riops"),
    row("blockIO.throttleWriteIOPSDevice", b'*', "",                Rate,     c"wiops"),
    row("network.classID",              b'4', "",                   Absent,   c""),
    row("network.priorities",           b'*', "",                   Absent,   c""),
    row("hugepageLimits",               b'*', "",                   HugePages, c""),
    row("rdma",                         b'%', "",                   Rdma,     c"rdma.max"),
    row("unified",                      b'%', "",                   Unified,  c""),
];

/// The rows of this build. A machine's own container has only limits of these kinds.
pub static LIMITS: [LimitRow; count()] = kept();

const fn is_kept(row: &LimitRow) -> bool {
    TAKES_CONFIGS || matches!(row.kind, Memory | Quota | Processes)
}

const fn count() -> usize {
    let (mut count, mut key) = (0, 0);
    while key < ALL.len() {
        count += is_kept(&ALL[key]) as usize;
        key += 1;
    }
    count
}

const fn kept() -> [LimitRow; count()] {
    let (mut rows, mut used, mut key) = ([ALL[0]; count()], 0, 0);
    while key < ALL.len() {
        if is_kept(&ALL[key]) {
            rows[used] = ALL[key];
            used += 1;
        }
        key += 1;
    }
    rows
}

/// A row of [`LIMITS`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LimitKey(u8);

impl LimitKey {
    /// Bytes of memory.
    pub const MEMORY: LimitKey = LimitKey::of("memory.limit");
    /// Bytes of memory and swap together.
    pub const SWAP: LimitKey = LimitKey::of("memory.swap");
    /// Refuses a limit below the present usage.
    pub const CHECK: LimitKey = LimitKey::of("memory.checkBeforeUpdate");
    /// The processors it may use.
    pub const PROCESSORS: LimitKey = LimitKey::of("cpu.cpus");
    /// Microseconds of CPU time in each period.
    pub const QUOTA: LimitKey = LimitKey::of("cpu.quota");
    /// The period in microseconds.
    pub const PERIOD: LimitKey = LimitKey::of("cpu.period");
    /// Microseconds that may be saved.
    pub const BURST: LimitKey = LimitKey::of("cpu.burst");
    /// Its share of busy disks.
    pub const WEIGHT: LimitKey = LimitKey::of("blockIO.weight");
    /// Processes and threads.
    pub const PROCESSES: LimitKey = LimitKey::of("pids.limit");

    /// Returns the row of this name. One that there is not does not compile.
    const fn of(name: &str) -> LimitKey {
        let mut key = 0;
        while key < LIMITS.len() {
            let (a, b) = (LIMITS[key].name.as_bytes(), name.as_bytes());
            let mut n = 0;
            while a.len() == b.len() && n < a.len() && a[n] == b[n] {
                n += 1;
            }
            if n == a.len() && n == b.len() {
                return LimitKey(key as u8);
            }
            key += 1;
        }
        if TAKES_CONFIGS {
            panic!("no limit has this name");
        }
        // The row is left out: no limit has this key.
        LimitKey(u8::MAX)
    }

    /// Returns its row.
    pub fn row(self) -> &'static LimitRow {
        LIMITS.get(usize::from(self.0)).unwrap_or(&LIMITS[0])
    }
}

/// Returns all rows with their keys.
pub fn rows() -> impl Iterator<Item = (LimitKey, &'static LimitRow)> {
    LIMITS.iter().enumerate().map(|(key, row)| (LimitKey(key as u8), row))
}

/// A limit as it was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit<'m> {
    /// Its row.
    pub key: LimitKey,
    /// The amount.
    pub amount: Amount<'m>,
}

/// An amount of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount<'m> {
    /// A number; 1 for a flag that is set. A burst is one without a sign.
    Number(i64),
    /// A list of CPUs or memory nodes.
    Text(&'m CStr),
    /// A weight or a rate of a device.
    Device {
        /// Its major number.
        major: i64,
        /// Its minor number.
        minor: i64,
        /// The amount.
        number: i64,
        /// The weight of its leaf, which cgroup2 does not have.
        leaf: u16,
    },
    /// Bytes in pages of a size.
    Pages {
        /// The size, as the kernel calls it: `2MB`.
        size: &'m CStr,
        /// The number of bytes.
        bytes: i64,
    },
    /// Handles and objects of an RDMA device.
    Rdma {
        /// The device.
        device: &'m CStr,
        /// Handles.
        handles: Option<u32>,
        /// Objects.
        objects: Option<u32>,
    },
    /// The content of a file.
    File(&'m CStr, &'m CStr),
}

impl<'m> Limit<'m> {
    /// Returns a limit that is a number.
    pub const fn number(key: LimitKey, number: i64) -> Limit<'m> {
        Limit { key, amount: Amount::Number(number) }
    }
}

/// Returns the number of a limit; None if it is not asked for.
pub fn number_of(limits: &[Limit<'_>], key: LimitKey) -> Option<i64> {
    limits.iter().find(|limit| limit.key == key).and_then(|limit| match limit.amount {
        Amount::Number(number) => Some(number),
        _ => None,
    })
}

/// Shows how `linux.resources` calls one limit of a list: `blockIO.weightDevice[1]`.
#[derive(Clone, Copy)]
pub struct LimitName<'a> {
    /// The list.
    pub limits: &'a [Limit<'a>],
    /// Its place in it.
    pub place: usize,
}

impl Display for LimitName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(limit) = self.limits.get(self.place) else { return Ok(()) };
        f.write_str(limit.key.row().name)?;
        match limit.amount {
            Amount::Number(_) | Amount::Text(_) => Ok(()),
            Amount::Device { .. } | Amount::Pages { .. } => {
                let before = self.limits.iter().take(self.place);
                write!(f, "[{}]", before.filter(|other| other.key == limit.key).count())
            }
            Amount::Rdma { device: name, .. } | Amount::File(name, _) => {
                write!(f, ".{}", LossyC(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_objects_of_their_members_and_no_two_say_the_same() {
        for (n, row) in LIMITS.iter().enumerate() {
            let whole = match row.member() {
                "" => row.object().to_string(),
                member => format!("{}.{member}", row.object()),
            };
            assert_eq!(whole, row.name);
            let before = LIMITS.iter().take(n);
            let is_twice = |other: &LimitRow| {
                other.name == row.name || !row.option.is_empty() && other.option == row.option
            };
            assert!(!before.clone().any(is_twice), "{}", row.name);
            // Objects stand together: each is looked up once, and written once.
            let last = before.clone().rposition(|other| other.object() == row.object());
            assert!(last.is_none_or(|last| last + 1 == n), "{}", row.name);
        }
        assert_eq!(LimitKey::PROCESSES.row().file, c"pids.max");
    }
}
