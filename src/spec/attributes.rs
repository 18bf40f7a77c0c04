//! Attributes for few processes: a scheduler, CPUs, memory nodes, clocks, a device of the host's
//! network.

use crate::io::strings::PackedStrings;
use core::ffi::CStr;

pub use crate::sys::attributes::Scheduler;

/// Scheduling policies without `SCHED_`; the index is the number (4 is unused).
pub const POLICIES: &str = "OTHER FIFO RR BATCH ISO IDLE DEADLINE";
/// Their flags without `SCHED_FLAG_`; the index is the bit.
pub const POLICY_FLAGS: &str =
    "RESET_ON_FORK RECLAIM DL_OVERRUN KEEP_POLICY KEEP_PARAMS UTIL_CLAMP_MIN UTIL_CLAMP_MAX";
/// I/O scheduling classes without `IOPRIO_CLASS_`; the index is the number.
pub const IO_CLASSES: &str = "NONE RT BE IDLE";
/// The lowest bit of the class in `io_priority`.
pub const IO_CLASS_SHIFT: u32 = 13;
/// Memory policies without `MPOL_`; the index is the number.
pub const MEMORY_MODES: &str =
    "DEFAULT PREFERRED BIND INTERLEAVE LOCAL PREFERRED_MANY WEIGHTED_INTERLEAVE";
/// Their flags without `MPOL_F_`; the first is bit [`MEMORY_FLAG_SHIFT`].
pub const MEMORY_FLAGS: &str = "NUMA_BALANCING RELATIVE_NODES STATIC_NODES";
/// Bit of the first flag in [`MEMORY_FLAGS`].
pub const MEMORY_FLAG_SHIFT: u32 = 13;
/// The personality of a 32-bit Linux (`PER_LINUX32`).
pub const LINUX32: u32 = 8;

/// A set of CPUs or memory nodes, a bit each.
pub type NumberSet = [u64; 16];

/// The memory nodes for new pages, as in set_mempolicy(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryPolicy {
    /// `MPOL_*` and `MPOL_F_*`.
    pub mode: u32,
    /// The nodes.
    pub nodes: NumberSet,
}

/// The clocks of a time namespace, in the order of [`super::Spec::clocks`].
pub const CLOCKS: [&str; 2] = ["monotonic", "boottime"];

/// The offset of a time namespace's clock from the host's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockOffset {
    /// Seconds; negative if it is behind the host's.
    pub seconds: i64,
    /// Nanoseconds in addition, below one second.
    pub nanoseconds: u32,
}

/// A group of resctrl.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct IntelRdt<'m> {
    /// The group's name; the container's own group if there is none.
    pub clos_id: Option<&'m CStr>,
    /// Lines of its file `schemata`.
    pub schemata: PackedStrings<'m>,
    /// Lines for caches that an existing group must already have.
    pub l3_cache: Option<&'m CStr>,
    /// Lines for memory bandwidth that an existing group must already have.
    pub memory_bandwidth: Option<&'m CStr>,
    /// The container gets a monitoring group.
    pub is_monitored: bool,
}

/// A network device of the host that becomes the container's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NetDevice<'m> {
    /// Its name on the host.
    pub host: &'m CStr,
    /// Its name in the container. The kernel replaces `%d` by a free number.
    pub name: &'m CStr,
}

impl NetDevice<'_> {
    /// Returns whether the kernel chooses a number for its name.
    pub fn is_pattern(&self) -> bool {
        self.name.to_bytes().windows(2).any(|pair| pair == b"%d")
    }
}
