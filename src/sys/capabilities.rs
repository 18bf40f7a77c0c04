//! The capabilities of this process: capset(2), capget(2) and prctl(2).

use super::Result;
use super::process::prctl;
use super::syscall::{command, syscall};

/// The three sets of capset(2), a bit per capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capabilities {
    /// The set that system calls check.
    pub effective: u64,
    /// The set that may become effective.
    pub permitted: u64,
    /// The set that execve(2) may keep.
    pub inheritable: u64,
}

/// Returns header and data blocks of capset(2) version 3.
pub(super) fn capability_sets(sets: Capabilities) -> ([u32; 2], [[u32; 3]; 2]) {
    let Capabilities { effective, permitted, inheritable } = sets;
    let half = |shift: u32| [effective, permitted, inheritable].map(|set| (set >> shift) as u32);
    ([0x2008_0522, 0], [half(0), half(32)])
}

/// capset(2) version 3, of this process.
pub fn set_capabilities(sets: Capabilities) -> Result<()> {
    let (header, data) = capability_sets(sets);
    // SAFETY: a header of version 3 and its two data blocks, both outliving the call.
    unsafe { command!(libc::SYS_capset, header.as_ptr(), data.as_ptr()) }
}

/// capget(2) version 3, of this process.
pub fn capabilities() -> Result<Capabilities> {
    let header: [u32; 2] = [0x2008_0522, 0];
    let mut data = [[0u32; 3]; 2];
    // SAFETY: the kernel fills the two data blocks of version 3.
    unsafe { syscall!(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()) }?;
    let join = |set: usize| u64::from(data[0][set]) | u64::from(data[1][set]) << 32;
    Ok(Capabilities { effective: join(0), permitted: join(1), inheritable: join(2) })
}

/// prctl(2) `PR_CAPBSET_DROP`. EINVAL if the kernel does not know the capability.
pub fn drop_bounding(capability: u32) -> Result<()> {
    // SAFETY: numbers.
    unsafe { prctl(libc::PR_CAPBSET_DROP, capability.into(), 0) }
}

/// prctl(2) `PR_CAPBSET_READ`: returns whether it is in the bounding set. EINVAL if the kernel does
/// not know it.
pub fn in_bounding(capability: u32) -> Result<bool> {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_prctl, libc::PR_CAPBSET_READ, capability, 0, 0, 0) }
        .map(|answer| answer == 1)
}

/// prctl(2) `PR_CAP_AMBIENT_CLEAR_ALL`.
pub fn clear_ambient() -> Result<()> {
    // SAFETY: numbers.
    unsafe { prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0) }
}

/// prctl(2) `PR_CAP_AMBIENT_RAISE`.
pub fn raise_ambient(capability: u32) -> Result<()> {
    // SAFETY: numbers.
    unsafe { prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, capability.into()) }
}

/// prctl(2) `PR_SET_KEEPCAPS`: permitted capabilities survive the next change of UID.
pub fn keep_capabilities(on: bool) -> Result<()> {
    // SAFETY: numbers.
    unsafe { prctl(libc::PR_SET_KEEPCAPS, on.into(), 0) }
}
