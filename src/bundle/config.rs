//! The runtime config of a bundle, for any runtime on any host.

use super::additions::{self, Limits};
use super::caller;
use super::security::Given;
use super::volumes::{Mounts, mount_volumes};
use super::{DEFAULT_HOSTNAME, annotations, replace_etc};
use crate::error::{Error, Result};
use crate::image::Config;
use crate::io::in_root;
use crate::io::lossy::On;
use crate::io::strings::{PackedStrings, StringBlock};
use crate::limits::{ADDITIONS_MAX, DEVICES_MAX, MOUNTS_MAX};
use crate::spec::settings::Draft;
use crate::spec::{Device, IdMapping, Mount, Rlimit, Spec, User, defaults};
use crate::sys::clone::{CLONE_NEWNET, CLONE_NEWUSER};
use crate::sys::fd::FdRef;
use crate::sys::vm::MappedVec;
use core::fmt::{self, Display};

/// The mappings of a user namespace's users and groups to the host's.
#[derive(Clone, Copy)]
pub struct Rootless<'m> {
    /// Users; one maps 0.
    pub uids: &'m [IdMapping],
    /// Groups; one maps 0.
    pub gids: &'m [IdMapping],
    /// This process is in that namespace already. The container gets its own network namespace in
    /// it.
    pub joins: bool,
}

/// The memory for a config's lists.
pub struct Stock<'m> {
    mounts: Mounts<'m>,
    rlimits: heapless::Vec<Rlimit, { Rlimit::KINDS }>,
    devices: MappedVec<Device<'m>>,
    limits: Limits<'m>,
}

impl Stock<'_> {
    /// Empty lists.
    pub const EMPTY: Stock<'static> = Stock {
        mounts: MappedVec::new(MOUNTS_MAX),
        rlimits: heapless::Vec::new(),
        devices: MappedVec::new(DEVICES_MAX),
        limits: Limits::new(),
    };
}

/// The limits of `runc spec`.
pub(super) const RLIMITS: &[Rlimit] =
    &[Rlimit { resource: libc::RLIMIT_NOFILE as u32, soft: 1024, hard: 1024 }];

/// Turns the config of [`super::spec_from_image`] into one for a bundle. Also makes the image's
/// WorkingDir in `root`, and a runtime's files of /etc. `stock` holds its lists.
///
/// With `rootless` it is for a non-root user: in a user namespace, with the host's network. Without
/// a root it is for a plan.
pub fn for_bundle<'s, 'm: 's>(
    spec: &mut Spec<'s>,
    config: &Config<'_>,
    root: Option<FdRef<'_>>,
    rootless: Option<Rootless<'s>>,
    given: Given<'s>,
    strings: &mut StringBlock<'m>,
    stock: &'s mut Stock<'m>,
) -> Result<()> {
    let Stock { mounts, rlimits, devices, limits } = stock;
    const NOTHING: &Draft<'static> = &Draft::EMPTY;
    let draft = given.draft.unwrap_or(NOTHING);
    let mut own = MappedVec::new(ADDITIONS_MAX);
    additions::mount(draft, strings, &mut own)?;
    for mount in
        if spec.allows_all_devices() { defaults::PRIVILEGED_MOUNTS } else { defaults::MOUNTS }
    {
        let mut mount = for_any_host(mount, rootless.is_some());
        if own.iter().any(|one: &Mount<'_>| one.destination == mount.destination) {
            continue;
        }
        if let Some(bytes) = draft.shm.filter(|_| mount.destination == c"/dev/shm") {
            mount.options = additions::shm(mount.options, bytes, strings)?;
        }
        if mount.destination == c"/sys"
            && mount.kind == c"none"
            && mount.options.iter().any(|option| option == c"ro")
        {
            // `rbind` includes submounts, which could be writable: `rro` makes them read-only.
            mount.options = PackedStrings::new(b"rbind\0nosuid\0noexec\0nodev\0rro\0");
        }
        push(mounts, mount)?;
    }
    own.iter().try_for_each(|mount| push(mounts, *mount))?;
    mount_volumes(config, root, rootless, strings, mounts)?;
    spec.mounts = mounts;
    spec.annotations = annotations::collect(config, strings)?;
    spec.annotations = additions::annotations(spec.annotations, draft, strings)?;
    additions::limits(draft, strings, limits)?;
    spec.limits = limits;
    spec.root.readonly = draft.read_only;
    caller::rlimits(given.rlimits, rlimits);
    spec.process.rlimits = rlimits;
    spec.process.oom_score_adj = None;
    spec.seccomp = given.profile;
    if spec.allows_all_devices() {
        caller::host_devices(strings, devices)?;
        spec.devices = devices;
    }
    if let Some(Rootless { uids, gids, .. }) = rootless {
        (spec.uid_mappings, spec.gid_mappings) = (uids, gids);
        fit_user(spec);
        if !spec.allows_all_devices() {
            spec.device_rules = &[];
        }
    }
    match rootless {
        // Without its own network namespace the container cannot mount sysfs.
        Some(Rootless { joins: false, .. }) => {
            spec.namespaces = spec.namespaces & !CLONE_NEWNET | CLONE_NEWUSER;
        }
        _ if draft.host_network => spec.namespaces &= !CLONE_NEWNET,
        _ => {
            spec.namespaces |= CLONE_NEWNET;
            spec.sysctls = caller::sysctls(strings)?;
        }
    }
    spec.sysctls = additions::sysctls(spec.sysctls, draft, strings)?;
    if rootless.is_some_and(|rootless| rootless.joins) {
        (spec.uid_mappings, spec.gid_mappings) = (&[], &[]);
    }
    let Some(root) = root else { return Ok(()) };
    let has_network = spec.namespaces & CLONE_NEWNET == 0;
    replace_etc(root, spec.hostname.unwrap_or(DEFAULT_HOSTNAME), has_network)?;
    let cwd = spec.process.cwd;
    in_root::make_directories(root, cwd, 0).on("make the image's WorkingDir", cwd).map(drop)
}

/// Appends a mount, or returns an error that names the limit.
pub fn push<'m>(mounts: &mut Mounts<'m>, mount: Mount<'m>) -> Result<()> {
    mounts.push(mount).map_err(|_| Error::new(format_args!("more than {MOUNTS_MAX} mounts")))
}

/// Returns a default mount that works without knowledge of the host's cgroups.
pub(super) fn for_any_host(mount: &Mount<'static>, is_rootless: bool) -> Mount<'static> {
    let mut mount = *mount;
    match mount.kind.to_bytes() {
        // runc and crun mount the host's cgroup version, whatever the word is.
        b"cgroup2" => (mount.kind, mount.source) = (c"cgroup", c"cgroup"),
        b"sysfs" if is_rootless => {
            (mount.kind, mount.source) = (c"none", c"/sys");
            let readonly = mount.options.iter().any(|option| option == c"ro");
            mount.options = match readonly {
                true => PackedStrings::new(b"rbind\0nosuid\0noexec\0nodev\0ro\0"),
                false => PackedStrings::new(b"rbind\0nosuid\0noexec\0nodev\0"),
            };
        }
        // Group 5 need not exist in the namespace.
        b"devpts" if is_rootless => {
            mount.options =
                PackedStrings::new(b"nosuid\0noexec\0newinstance\0ptmxmode=0666\0mode=0620\0")
        }
        _ => {}
    }
    mount
}

/// A number in a message; `?` for one that a plan does not know.
struct Id(u32);

impl Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            User::UNKNOWN => f.write_str("?"),
            id => id.fmt(f),
        }
    }
}

/// Replaces an unmapped user or group by the user namespace's root, who owns all unpacked files.
fn fit_user(spec: &mut Spec<'_>) {
    let user = &mut spec.process.user;
    let fits = |map, id| id == User::UNKNOWN || holds(map, id);
    if !fits(spec.uid_mappings, user.uid) || !fits(spec.gid_mappings, user.gid) {
        let (uid, gid) = (Id(user.uid), Id(user.gid));
        crate::warning!(
            "the image's user {uid}:{gid} is not in the user namespace: its root runs the process"
        );
        (user.uid, user.gid) = (0, 0);
        spec.process.capabilities = super::privileges(0, spec.process.capabilities.bounding);
    }
    // setgroups(2) is denied without newgidmap, and a non-root runc always refuses supplementary
    // groups.
    user.additional_gids.truncate(0);
}

/// Returns whether these mappings include a user or group of the container.
pub fn holds(mappings: &[IdMapping], id: u32) -> bool {
    mappings.iter().any(|mapping| mapping.holds(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_a_plan_cannot_know_is_not_taken_for_root() {
        const MAP: &[IdMapping] = &[IdMapping { container: 0, host: 1000, size: 1 }];
        for (uid, gid, wanted) in [
            (User::UNKNOWN, User::UNKNOWN, (User::UNKNOWN, User::UNKNOWN)),
            (0, User::UNKNOWN, (0, User::UNKNOWN)),
            (7, User::UNKNOWN, (0, 0)),
            (7, 7, (0, 0)),
            (0, 0, (0, 0)),
        ] {
            let mut spec = Spec { uid_mappings: MAP, gid_mappings: MAP, ..Spec::NONE };
            (spec.process.user.uid, spec.process.user.gid) = (uid, gid);
            fit_user(&mut spec);
            assert_eq!((spec.process.user.uid, spec.process.user.gid), wanted, "{uid}:{gid}");
        }
    }
}
