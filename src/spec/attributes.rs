//! What few processes want: a scheduler, CPUs, memory nodes, clocks, a device of the host's network.

use crate::io::strings::PackedStrings;
use core::ffi::CStr;

pub use crate::sys::attributes::Scheduler;

/// Scheduling policies without `SCHED_`; the place is the number (4 is not used).
pub const POLICIES: &str = "OTHER FIFO RR BATCH ISO IDLE DEADLINE";
/// Their flags without `SCHED_FLAG_`; the place is the bit.
pub const POLICY_FLAGS: &str =
    "RESET_ON_FORK RECLAIM DL_OVERRUN KEEP_POLICY KEEP_PARAMS UTIL_CLAMP_MIN UTIL_CLAMP_MAX";
/// Classes of input and output without `IOPRIO_CLASS_`; the place is the number.
pub const IO_CLASSES: &str = "NONE RT BE IDLE";
/// The bit of `io_priority` at which its class begins.
pub const IO_CLASS_SHIFT: u32 = 13;
/// Memory policies without `MPOL_`; the place is the number.
pub const MEMORY_MODES: &str =
    "DEFAULT PREFERRED BIND INTERLEAVE LOCAL PREFERRED_MANY WEIGHTED_INTERLEAVE";
/// Their flags without `MPOL_F_`; the first is bit [`MEMORY_FLAG_SHIFT`].
pub const MEMORY_FLAGS: &str = "NUMA_BALANCING RELATIVE_NODES STATIC_NODES";
/// See [`MEMORY_FLAGS`].
pub const MEMORY_FLAG_SHIFT: u32 = 13;
/// The personality of a 32-bit Linux (`PER_LINUX32`).
pub const LINUX32: u32 = 8;

/// CPUs or memory nodes, a bit each.
pub type NumberSet = [u64; 16];

/// On which memory nodes pages are taken, as set_mempolicy(2) has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryPolicy {
    /// `MPOL_*` and `MPOL_F_*`.
    pub mode: u32,
    /// Which nodes.
    pub nodes: NumberSet,
}

/// The clocks of a time namespace, in the order of [`super::Spec::clocks`].
pub const CLOCKS: [&str; 2] = ["monotonic", "boottime"];

/// How far a clock of a new time namespace is from the host's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockOffset {
    /// Seconds, before the host's if negative.
    pub seconds: i64,
    /// And nanoseconds, below a second.
    pub nanoseconds: u32,
}

/// A group of resctrl.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct IntelRdt<'m> {
    /// The group's name; the container's own group if there is none.
    pub clos_id: Option<&'m CStr>,
    /// Lines of its file `schemata`.
    pub schemata: PackedStrings<'m>,
    /// Lines for caches, that a group of others must have already.
    pub l3_cache: Option<&'m CStr>,
    /// The same for memory bandwidth.
    pub memory_bandwidth: Option<&'m CStr>,
    /// The container gets a monitoring group.
    pub is_monitored: bool,
}

/// A network device of the host that becomes the container's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NetDevice<'m> {
    /// Its name on the host.
    pub host: &'m CStr,
    /// Its name in the container; `%d` in it stands for a number that is free.
    pub name: &'m CStr,
}

impl NetDevice<'_> {
    /// Returns whether the kernel chooses a number for its name.
    pub fn is_pattern(&self) -> bool {
        self.name.to_bytes().windows(2).any(|pair| pair == b"%d")
    }
}
