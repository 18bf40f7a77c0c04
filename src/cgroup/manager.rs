//! Managers of cgroups: each finds, makes and limits a container's cgroup in its own way.
//!
//! A second one (systemd, which is asked for a scope) is a variant here and an arm of each function
//! below. [`Cgroup`] handles the processes of an existing cgroup, whichever manager made it.

use super::{Cgroup, CgroupPath, MachineGroup, lifting};
use crate::error::Result;
use crate::spec::{Limit, Spec};

/// A manager of cgroups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manager {
    /// We make the cgroup, as a directory of cgroup2.
    Cgroupfs,
    /// The container has no cgroup of its own.
    None,
}

impl Manager {
    /// Returns where the config of the container `id` wants its cgroup; None without one. Checks
    /// limits and device rules, and makes nothing.
    pub fn find(self, spec: &Spec<'_>, id: &[u8]) -> Result<Option<CgroupPath>> {
        match self {
            Manager::Cgroupfs => CgroupPath::find(spec, id),
            Manager::None => Ok(None),
        }
    }

    /// Makes the cgroup at a path that [`Manager::find`] returned, with its limits, device rules
    /// and owner. Returns None if there is none: see [`CgroupPath::create`].
    pub fn create(
        self,
        path: Option<&CgroupPath>,
        spec: &Spec<'_>,
        rootless: bool,
    ) -> Result<Option<Cgroup>> {
        match (self, path) {
            (Manager::Cgroupfs, Some(path)) => path.create(spec, rootless),
            (Manager::Cgroupfs, None) | (Manager::None, _) => Ok(None),
        }
    }

    /// Makes the cgroups of PID 1's container.
    pub fn create_for_machine(self, limits: &[Limit<'_>]) -> Result<Option<MachineGroup>> {
        match self {
            Manager::Cgroupfs => MachineGroup::create(limits).map(Some),
            Manager::None => Ok(None),
        }
    }

    /// Returns true if a container of this config has limits and can lift them.
    pub fn can_lift_limits(self, spec: &Spec<'_>) -> bool {
        self != Manager::None && lifting::can_lift_limits(spec)
    }
}
