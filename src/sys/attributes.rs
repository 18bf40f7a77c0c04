//! The kernel's treatment of this process: scheduler, I/O priority, CPUs, personality, memory
//! nodes.

use super::Result;
use super::syscall::command;

/// `struct sched_attr` of its first version.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Scheduler {
    /// Its own size, which [`set_scheduler`] fills in.
    pub size: u32,
    /// `SCHED_*`.
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// From -20 to 19, for `SCHED_OTHER` and `SCHED_BATCH`.
    pub nice: i32,
    /// For `SCHED_FIFO` and `SCHED_RR`.
    pub priority: u32,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub runtime: u64,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub deadline: u64,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub period: u64,
}

/// sched_setattr(2) of the process `pid`; 0 is this one.
pub fn set_scheduler(pid: i32, wanted: &Scheduler) -> Result<()> {
    let wanted = Scheduler { size: size_of::<Scheduler>() as u32, ..*wanted };
    // SAFETY: the kernel reads as many bytes as the structure's size field says.
    unsafe { command!(libc::SYS_sched_setattr, pid, &raw const wanted, 0) }
}

/// ioprio_set(2) of this process. The class is in the bits from 13 up.
pub fn set_io_priority(priority: u32) -> Result<()> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority) }
}

/// sched_setaffinity(2) of this thread, a bit for each CPU.
pub fn set_affinity(set: &[u64]) -> Result<()> {
    // SAFETY: the kernel reads the whole set.
    unsafe { command!(libc::SYS_sched_setaffinity, 0, size_of_val(set), set.as_ptr()) }
}

/// personality(2).
pub fn set_personality(domain: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_personality, domain) }
}

/// set_mempolicy(2): `MPOL_*` with its flags, and a bit for each node. No bits mean an empty set.
pub fn set_memory_policy(mode: u32, nodes: &[u64]) -> Result<()> {
    let (pointer, bits) = match nodes.iter().all(|word| *word == 0) {
        true => (core::ptr::null(), 0),
        // The kernel ignores the last bit.
        false => (nodes.as_ptr(), size_of_val(nodes) * 8 + 1),
    };
    // SAFETY: the kernel reads that many bits, less one, or nothing.
    unsafe { command!(libc::SYS_set_mempolicy, mode, pointer, bits) }
}
