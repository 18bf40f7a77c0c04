//! The container of a machine: made of an image, without a bundle and without a state. docker's
//! defaults, changed by the draft, and by what this machine has.

use super::{Notice, Notices};
use crate::bundle::{self, DEFAULT_HOSTNAME, Overrides};
use crate::cgroup::{MachineGroup, Manager};
use crate::image::Config;
use crate::io::strings::StringBlock;
use crate::limits::{DEVICES_MAX, MACHINE_MOUNTS_MAX};
use crate::spec::settings::{Draft, Filter, Rlimits};
use crate::spec::{Capabilities, Device, Limit, Mount, Spec, capability, defaults};
use crate::sys::fd::FdRef;
use crate::sys::vm::MappedVec;
use crate::{Context, Error, Result};

/// A container that is to be made ready.
pub struct Machine<'a> {
    /// The image's configuration.
    pub config: &'a Config<'a>,
    /// The user's settings.
    pub draft: &'a Draft<'a>,
    /// In place of the image's `Cmd`.
    pub args: Option<&'a mut dyn Iterator<Item = &'a [u8]>>,
    /// `NAME=VALUE` each, over the image's.
    pub env: &'a mut dyn Iterator<Item = &'a [u8]>,
    /// The process gets a terminal.
    pub terminal: bool,
    /// PID 1 becomes the process: there are no namespaces and no cgroup.
    pub becomes: bool,
    /// The root directory, where the layers are. Without one the container is only planned, and
    /// nothing is made.
    pub root: Option<FdRef<'a>>,
    /// The most that /dev/shm may take, in bytes.
    pub shm: u64,
    /// Ensures that no device on the root's file system can be opened.
    pub forbid_devices: &'a dyn Fn(),
}

/// Starts the container that is ready. The cgroup is None if the machine has none.
pub type Start<'s> = &'s mut dyn FnMut(&Spec<'_>, Option<&MachineGroup>) -> Result<()>;

/// Makes the container's configuration, its files and its cgroup, and has `start` start it.
#[inline(never)]
pub fn run(
    machine: Machine<'_>,
    strings: &mut StringBlock<'_>,
    notices: Notices<'_>,
    start: Start<'_>,
) -> Result<()> {
    let Machine { config, draft, args, env, terminal, becomes, root, shm, forbid_devices } =
        machine;
    let overrides = Overrides {
        args,
        env: Some(env),
        hostname: draft.hostname.or(DEFAULT_HOSTNAME.to_str().ok()),
        terminal,
        machine: becomes,
        ..Overrides::of(draft)
    };
    let (mut rlimits, mut mounts) = (Rlimits::new(), Default::default());
    let mut devices = MappedVec::new(DEVICES_MAX);
    let spec = bundle::spec_from_image(config, overrides, root, strings)?;
    let default_mounts = spec.mounts;
    let mut spec: Spec<'_> = spec;
    apply(draft, &mut spec, &mut rlimits);
    if let Some(root) = root {
        bundle::make_volumes(config, root, strings)?;
    }
    if becomes {
        return start(&spec, None);
    }
    if let Some(root) = root {
        bundle::complete_etc(root, spec.hostname.unwrap_or(DEFAULT_HOSTNAME))?;
    }
    if limit_shared_memory(default_mounts, shm, strings, &mut mounts)? {
        spec.mounts = &mounts;
    }
    let group = match root {
        Some(_) => cgroup(spec.limits, notices)?,
        None => None,
    };
    if draft.privileged {
        add_devices(strings, &mut devices)?;
        spec.devices = &devices;
    } else if root.is_some()
        && let Err(error) = restrict_devices(group.as_ref())
    {
        notices(&Notice::NoDeviceRules(&error));
        without_mknod(&mut spec.process.capabilities);
        forbid_devices();
    }
    start(&spec, group.as_ref())
}

/// Applies what the user said of the process. It also counts if PID 1 itself becomes the process.
fn apply<'l>(draft: &'l Draft<'_>, spec: &mut Spec<'l>, rlimits: &'l mut Rlimits) {
    spec.limits = &draft.limits;
    spec.process.no_new_privileges = draft.no_new_privileges;
    spec.default_seccomp |= draft.filter == Some(Filter::Default);
    bundle::rlimits(&draft.rlimits, rlimits);
    spec.process.rlimits = rlimits;
}

/// Makes the container's cgroup. A kernel without cgroup2 is an error only if limits are asked for.
fn cgroup(limits: &[Limit<'_>], notices: Notices<'_>) -> Result<Option<MachineGroup>> {
    match Manager::Cgroupfs.create_for_machine(limits) {
        Ok(group) => Ok(group),
        Err(error) if limits.is_empty() => {
            notices(&Notice::NoCgroup(&error));
            Ok(None)
        }
        Err(error) => Err(error.within(format_args!("control group"))),
    }
}

/// docker's size of /dev/shm, in bytes.
pub const SHM_BYTES: u64 = 64 << 20;

/// Fills `mounts` with the container's, with /dev/shm as large as this machine allows. Returns
/// false if the defaults have that size already.
#[inline(never)]
fn limit_shared_memory<'m>(
    defaults: &[Mount<'m>],
    bytes: u64,
    strings: &mut StringBlock<'m>,
    mounts: &mut heapless::Vec<Mount<'m>, MACHINE_MOUNTS_MAX>,
) -> Result<bool> {
    if bytes >= SHM_BYTES || mounts.extend_from_slice(defaults).is_err() {
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
fn add_devices<'m>(
    strings: &mut StringBlock<'m>,
    devices: &mut MappedVec<Device<'m>>,
) -> Result<()> {
    devices.extend(defaults::DEVICES).doing("list the devices")?;
    bundle::host_devices(strings, devices)
}

/// Restricts the container to the default devices: a layer may hold a node of every disk, or the
/// container's root may make one.
fn restrict_devices(group: Option<&MachineGroup>) -> Result<()> {
    match group {
        Some(group) => group.restrict_devices(),
        None => Err(Error::new(format_args!("the machine has no cgroup"))),
    }
}

/// Takes the capability to make devices.
fn without_mknod(capabilities: &mut Capabilities) {
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
}
