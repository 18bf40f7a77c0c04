//! What the container may do and use: docker's defaults, as far as the options leave them.

use super::options::{self, Options};
use super::rootfs_place::{self, Budget};
use super::{sysfs, values};
use crate::bundle::{self, Security};
use crate::container::MachineGroup;
use crate::io::strings::Strings;
use crate::limits::DEVICES_MAX;
use crate::spec::{CPU_PERIOD_US, Capabilities, Device, Limit, Mount, Resources, Spec, capability, defaults};
use crate::sys::fd::FdRef;
use crate::{Error, Result};

/// Limits of a process, one of each kind.
pub type Limits = heapless::Vec<Limit, { Limit::KINDS }>;

/// What the options say of its privileges.
pub fn security(options: &Options<'_>) -> Security {
    Security {
        privileged: options.privileged,
        no_new_privileges: options.no_new_privileges,
        unconfined: options.seccomp == Some(false),
        ..Security::default()
    }
}

/// Sets what else the options say. It holds as well where PID 1 itself becomes the process.
pub fn apply<'l>(options: &Options<'_>, spec: &mut Spec<'l>, limits: &'l mut Limits) {
    spec.process.no_new_privileges = options.no_new_privileges;
    spec.default_seccomp |= options.seccomp == Some(true);
    // More than one of each kind are no more than the last ones.
    let mut given = Limits::new();
    for limit in options::limits(options.ulimits).flatten() {
        match given.iter_mut().find(|other| other.resource == limit.resource) {
            Some(other) => *other = limit,
            None => drop(given.push(limit)),
        }
    }
    bundle::limits(&given, limits);
    spec.process.limits = limits;
}

/// The limits of the container.
pub fn resources(options: &Options<'_>) -> Resources {
    let quota = |thousandths: u64| thousandths * CPU_PERIOD_US / values::ONE_CPU;
    Resources { memory: options.memory, cpu_quota_us: options.cpus.map(quota), pids: options.pids }
}

/// The container's control group. A kernel without cgroup2 is in the way only where limits are asked for.
pub fn control_group(resources: &Resources) -> Result<Option<MachineGroup>> {
    match MachineGroup::create(resources) {
        Ok(group) => Ok(Some(group)),
        Err(error) if *resources == Resources::default() => {
            crate::warning!("no control group: {error}");
            Ok(None)
        }
        Err(error) => Err(error.within(format_args!("control group"))),
    }
}

/// docker's sysctls of a network, for the machine's own: every port and ping are for every user.
pub fn allow_ports_and_ping() {
    let _ = sysfs::write(c"/proc/sys/net/ipv4/ip_unprivileged_port_start", b"0\n");
    let _ = sysfs::write(c"/proc/sys/net/ipv4/ping_group_range", b"0 2147483647\n");
}

/// The default mounts, and as many again.
pub const MOUNTS_MAX: usize = 16;

/// Fills `mounts` with those of the container, and makes /dev/shm as large as this machine can give. Returns false if it is
/// so already.
#[inline(never)]
pub fn limit_shared_memory<'m>(
    defaults: &[Mount<'m>],
    bytes: u64,
    strings: &mut Strings<'m>,
    mounts: &mut heapless::Vec<Mount<'m>, MOUNTS_MAX>,
) -> Result<bool> {
    if bytes >= Budget::SHM_BYTES || mounts.extend_from_slice(defaults).is_err() {
        return Ok(false);
    }
    if let Some(mount) = mounts.iter_mut().find(|mount| mount.destination == c"/dev/shm") {
        let mut options = strings.begin();
        for option in mount.options.iter().filter(|option| !option.to_bytes().starts_with(b"size=")) {
            options.push(option.to_bytes())?;
            options.end_word()?;
        }
        options.push_format(format_args!("size={bytes}"))?;
        options.end_word()?;
        mount.options = options.finish_words();
    }
    Ok(true)
}

/// Fills `devices` with every device of the machine.
#[inline(never)]
pub fn add_devices<'m>(strings: &mut Strings<'m>, devices: &mut heapless::Vec<Device<'m>, DEVICES_MAX>) -> Result<()> {
    let _ = devices.extend_from_slice(defaults::DEVICES);
    bundle::host_devices(strings, devices)
}

/// Leaves the container the devices that each has: a layer may hold a node of every disk, and its root may make one. Where
/// the kernel cannot refuse to open them, it refuses all of the root's, and none is made.
pub fn restrict_devices(group: Option<&MachineGroup>, capabilities: &mut Capabilities, root: FdRef<'_>) {
    let restricted = match group {
        Some(group) => group.restrict_devices(),
        None => Err(Error::new(format_args!("no control group"))),
    };
    if let Err(error) = restricted {
        crate::warning!("no device rules, so the root has no devices at all: {error}");
        let without = !capability::set("MKNOD");
        for set in [
            &mut capabilities.bounding,
            &mut capabilities.effective,
            &mut capabilities.permitted,
            &mut capabilities.inheritable,
            &mut capabilities.ambient,
        ] {
            *set &= without;
        }
        rootfs_place::forbid_devices(root);
    }
}
