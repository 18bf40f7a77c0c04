//! The cgroups that PID 1 makes for its main container.
//!
//! ```text
//! /sys/fs/cgroup/container        limits, device rules: no process
//! /sys/fs/cgroup/container/init   the same limits: the container's process starts here
//! ```
//!
//! The container's cgroup namespace begins at the lower one. Programs read their limits there, but
//! cannot reach the upper one. `nsdelegate` alone does not protect `memory.max` from root of a
//! further user namespace that has a second cgroup namespace further down.

use super::{Cgroup, MOUNT, apply, devices, hierarchy};
use crate::error::Result;
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::spec::Limit;
use crate::sys::fd::FdRef;
use core::ffi::CStr;

const UPPER: &CStr = c"container";
const LOWER: &CStr = c"container/init";

/// Both cgroups.
pub struct MachineGroup {
    upper: Cgroup,
    lower: Cgroup,
}

impl MachineGroup {
    /// Makes both with these limits.
    pub fn create(limits: &[Limit<'_>]) -> Result<MachineGroup> {
        let upper = Cgroup::create_for_machine(UPPER, limits)?;
        Ok(MachineGroup { upper, lower: Cgroup::create_for_machine(LOWER, limits)? })
    }

    /// Returns where the lower one is made.
    pub fn path() -> &'static CStr {
        c"/sys/fs/cgroup/container/init"
    }

    /// Makes the kernel refuse all devices but the default ones. Making nodes stays allowed.
    pub fn restrict_devices(&self) -> Result<()> {
        devices::restrict(&[], self.upper.directory())
    }

    /// Returns the cgroup in which the container starts.
    pub fn directory(&self) -> FdRef<'_> {
        self.lower.directory()
    }

    /// Returns both, the upper one first.
    pub fn both(&self) -> [&Cgroup; 2] {
        [&self.upper, &self.lower]
    }
}

impl Cgroup {
    /// Makes a cgroup with the limits of a machine's container.
    pub fn create_for_machine(name: &CStr, limits: &[Limit<'_>]) -> Result<Cgroup> {
        hierarchy()?;
        let mut path = PathBuf::from_bytes(MOUNT.to_bytes()).on("cgroup", name)?;
        path.push(name.to_bytes()).on("cgroup", name)?;
        let group = Cgroup::make(&path)?;
        let done = apply::set(limits, group.directory());
        group.or_undo(done)
    }
}
