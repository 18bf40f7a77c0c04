//! The container's restrictions and limits: docker's defaults, changed by the options.

use super::rootfs_place::{self, Budget};
use super::sysfs;
use crate::bundle;
use crate::container::MachineGroup;
use crate::io::strings::StringBlock;
use crate::spec::settings::{Draft, Filter, Limits};
use crate::spec::{Capabilities, Device, Mount, Resources, Spec, capability, defaults};
use crate::sys::fd::FdRef;
use crate::sys::vm::MappedVec;
use crate::{Context, Error, Result};

/// Applies what the user said of the process. It also counts if PID 1 itself becomes the process.
pub fn apply<'l>(draft: &Draft<'_>, spec: &mut Spec<'l>, limits: &'l mut Limits) {
    spec.process.no_new_privileges = draft.no_new_privileges;
    spec.default_seccomp |= draft.filter == Some(Filter::Default);
    bundle::limits(&draft.limits, limits);
    spec.process.limits = limits;
}

/// Makes the container's cgroup. A kernel without cgroup2 is an error only if limits are asked for.
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

/// Sets docker's sysctls in the machine's network: every user may take every port and send ping.
pub fn allow_ports_and_ping() {
    let _ = sysfs::write(c"/proc/sys/net/ipv4/ip_unprivileged_port_start", b"0\n");
    let _ = sysfs::write(c"/proc/sys/net/ipv4/ping_group_range", b"0 2147483647\n");
}

/// Twice the number of default mounts.
pub const MOUNTS_MAX: usize = 16;

/// Fills `mounts` with the container's, with /dev/shm as large as this machine allows. Returns
/// false if the defaults have that size already.
#[inline(never)]
pub fn limit_shared_memory<'m>(
    defaults: &[Mount<'m>],
    bytes: u64,
    strings: &mut StringBlock<'m>,
    mounts: &mut heapless::Vec<Mount<'m>, MOUNTS_MAX>,
) -> Result<bool> {
    if bytes >= Budget::SHM_BYTES || mounts.extend_from_slice(defaults).is_err() {
        return Ok(false);
    }
    if let Some(mount) = mounts.iter_mut().find(|mount| mount.destination == c"/dev/shm") {
        let mut options = strings.begin();
        for option in mount.options.iter().filter(|option| !option.to_bytes().starts_with(b"size="))
        {
            options.push(option.to_bytes())?;
            options.end_word()?;
        }
        options.push_format(format_args!("size={bytes}"))?;
        options.end_word()?;
        mount.options = options.finish_words();
    }
    Ok(true)
}

#[inline(never)]
pub fn add_devices<'m>(
    strings: &mut StringBlock<'m>,
    devices: &mut MappedVec<Device<'m>>,
) -> Result<()> {
    devices.extend(defaults::DEVICES).doing("list the devices")?;
    bundle::host_devices(strings, devices)
}

/// Restricts the container to the default devices: a layer may hold a node of every disk, or the
/// container's root may make one. If the kernel has no device programs, no device on the root file
/// system can be opened, and the container cannot make any.
pub fn restrict_devices(
    group: Option<&MachineGroup>,
    capabilities: &mut Capabilities,
    root: FdRef<'_>,
) {
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
