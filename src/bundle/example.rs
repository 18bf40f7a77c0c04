//! The example config, for the user to edit.

use super::config::{RLIMITS, Rootless, for_any_host, push};
use super::volumes::Mounts;
use crate::error::Result;
use crate::io::strings::PackedStrings;
use crate::spec::{Capabilities, DeviceRule, Process, Root, Spec, capability, defaults};
use crate::sys::clone::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER,
    CLONE_NEWUTS,
};
use crate::sys::signal::SIGTERM;

/// Returns the config of `runc spec`, with this project's mounts and hidden paths. A non-root
/// user's has a user namespace and the host's network.
pub fn example<'s>(
    rootless: Option<Rootless<'s>>,
    mounts: &'s mut Mounts<'static>,
) -> Result<Spec<'s>> {
    for mount in defaults::MOUNTS {
        push(mounts, for_any_host(mount, rootless.is_some()))?;
    }
    let own = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    let (uid_mappings, gid_mappings) =
        rootless.map_or((&[][..], &[][..]), |ids| (ids.uids, ids.gids));
    Ok(Spec {
        process: Process {
            terminal: true,
            args: PackedStrings::new(b"sh\0"),
            env: PackedStrings::new(
                b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\0TERM=xterm\0",
            ),
            capabilities: Capabilities::all(capability::LEAST),
            no_new_privileges: true,
            rlimits: RLIMITS,
            ..Process::NONE
        },
        root: Root { path: c"rootfs", readonly: true, propagation: None },
        hostname: Some(super::DEFAULT_HOSTNAME),
        domainname: None,
        mounts,
        devices: &[],
        namespaces: own | if rootless.is_some() { CLONE_NEWUSER } else { CLONE_NEWNET },
        joined: &[],
        masked_paths: defaults::MASKED_PATHS,
        readonly_paths: defaults::READONLY_PATHS,
        device_rules: if rootless.is_none() { &[DeviceRule::DENY_ALL] } else { &[] },
        uid_mappings,
        gid_mappings,
        annotations: PackedStrings::new(b""),
        default_seccomp: false,
        sysctls: PackedStrings::default(),
        stop_signal: SIGTERM,
        init: false,
        ..Spec::NONE
    })
}
