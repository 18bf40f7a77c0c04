//! The cgroup that PID 1 makes for its one container.
//!
//! ```text
//! /sys/fs/cgroup/container        limits, device rules: no process
//! /sys/fs/cgroup/container/init   the same limits: the container's process starts here
//! ```
//! The cgroup namespace of the container begins with the lower one. Programs read their limits
//! there, but the upper one is out of reach: `nsdelegate` alone does not keep root of a further
//! user namespace from writing `memory.max`, once it has a second cgroup namespace that begins
//! further down.

use super::target::Target;
use super::{Cgroup, FILE_BYTES, MOUNT, devices, hierarchy, resources};
use crate::codec::json;
use crate::error::Result;
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::spec::{CPU_PERIOD_US, Resources};
use crate::sys::fd::FdRef;
use crate::sys::{self, Errno};
use core::ffi::CStr;
use core::fmt::Write;

const UPPER: &CStr = c"container";
const LOWER: &CStr = c"container/init";

/// Both groups.
pub struct MachineGroup {
    upper: Cgroup,
    lower: Cgroup,
}

impl MachineGroup {
    /// Makes them with these limits.
    pub fn create(resources: &Resources) -> Result<MachineGroup> {
        let upper = Cgroup::create_for_machine(UPPER, resources)?;
        Ok(MachineGroup { upper, lower: Cgroup::create_for_machine(LOWER, resources)? })
    }

    /// Makes the kernel refuse all devices but the default ones. Any node may still be made.
    pub fn restrict_devices(&self) -> Result<()> {
        devices::restrict(None, self.upper.directory())
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
    /// Makes a group with the limits of a machine's container.
    pub fn create_for_machine(name: &CStr, resources: &Resources) -> Result<Cgroup> {
        hierarchy()?;
        let mut path = PathBuf::from_bytes(MOUNT.to_bytes()).on("cgroup", name)?;
        path.push(name.to_bytes()).on("cgroup", name)?;
        let mut text = PathBuf::new();
        let mut buffer = [0; FILE_BYTES];
        let length =
            document(resources, &mut text).map(|()| text.as_bytes().len()).on("cgroup", name)?;
        buffer[..length].copy_from_slice(text.as_bytes());
        let limits = json::check(&mut buffer[..length])?;
        let group = Cgroup::make(&path)?;
        let done = resources::apply(&limits, &mut Target::of(group.directory(), false));
        group.or_undo(done)
    }
}

/// Writes the limits as `linux.resources` of a config.
fn document(resources: &Resources, text: &mut PathBuf) -> sys::Result<()> {
    let Resources { memory, cpu_quota_us, pids } = *resources;
    let (memory, quota) = (memory.unwrap_or(0), cpu_quota_us.unwrap_or(0));
    // The same amount of swap, as with `docker run --memory`.
    let total = memory.saturating_mul(2);
    let period = if quota > 0 { CPU_PERIOD_US } else { 0 };
    text.set(format_args!(
        r#"{{"memory":{{"limit":{memory},"swap":{total}}},"cpu":{{"quota":{quota},"period":{period}}}}}"#
    ))?;
    // Without a limit `pids` is left out: 0 would be one.
    let Some(pids) = pids else { return Ok(()) };
    text.truncate(text.as_bytes().len() - 1);
    write!(text, r#","pids":{{"limit":{pids}}}}}"#).map_err(|_| Errno::ENAMETOOLONG)
}
