//! Gives up what the process shall not have: limits, identity, capabilities, in the one order that works.

use crate::error::{Context, Result};
use crate::limits::GROUPS_MAX;
use crate::spec::{Limit, Process};
use crate::sys::{Errno, process};

/// More than the kernel has; it says EINVAL at the first that it does not know.
const CAPABILITIES_MAX: u32 = 64;

const NPROC: u32 = libc::RLIMIT_NPROC as u32;

const _: () = assert!(GROUPS_MAX <= 65_536);

/// Sets resource limits; needs privileges if a hard limit rises. With `forks` this process still makes another as its user:
/// it gets no limit of processes, if it may, and the other takes it by [`limit_processes`].
pub fn set_limits(limits: &[Limit], forks: bool) -> Result<()> {
    limits.iter().try_for_each(|limit| {
        let is_lifted =
            forks && limit.resource == NPROC && process::set_limit(limit.resource, u64::MAX, u64::MAX).is_ok();
        if is_lifted { Ok(()) } else { set_limit(limit) }
    })
}

/// Sets the limit of processes again.
pub fn limit_processes(limits: &[Limit]) -> Result<()> {
    limits.iter().filter(|limit| limit.resource == NPROC).try_for_each(set_limit)
}

fn set_limit(limit: &Limit) -> Result<()> {
    process::set_limit(limit.resource, limit.soft, limit.hard).context("set rlimit", &limit.name())
}

/// Sets the supplementary groups. In a user namespace whose maker was given no groups nobody may, which is an error only
/// where some are wanted; his own, which the process keeps, give it nothing that he has not (user_namespaces(7)).
fn set_groups(groups: &[u32]) -> Result<()> {
    match process::set_groups(groups) {
        Err(Errno::EPERM) if groups.is_empty() => Ok(()),
        set => set.doing("set the supplementary groups"),
    }
}

/// Becomes root of the user namespace that this process is in, with all powers there.
pub fn become_root() -> Result<()> {
    set_groups(&[])?;
    process::set_gid(0).doing("become root of the user namespace")?;
    process::set_uid(0).doing("become root of the user namespace")
}

/// Becomes the user, with the capabilities of the process and no others.
/// A capability that this process does not have itself cannot be given, which is no error (runtime-spec 1.1).
pub fn drop_to(wanted: &Process<'_>) -> Result<()> {
    let sets = &wanted.capabilities;
    // The bounding set first: it takes CAP_SETPCAP.
    for number in (0..CAPABILITIES_MAX).filter(|number| sets.bounding >> number & 1 == 0) {
        match process::drop_bounding(number) {
            Err(Errno::EINVAL) => break,
            dropped => dropped.context("drop capability", &number)?,
        }
    }
    process::keep_capabilities(true).doing("keep capabilities")?;
    let user = &wanted.user;
    set_groups(&user.additional_gids)?;
    process::set_gid(user.gid).context("set gid", &user.gid)?;
    process::set_uid(user.uid).context("set uid", &user.uid)?;
    process::keep_capabilities(false).doing("keep capabilities")?;

    let ours = process::capabilities().doing("read the capabilities")?.permitted;
    let permitted = sets.permitted & ours;
    let inheritable = sets.inheritable & permitted;
    let effective = sets.effective & permitted;
    process::clear_ambient().doing("clear the ambient capabilities")?;
    process::set_capabilities(process::Capabilities { effective, permitted, inheritable })
        .doing("set the capabilities")?;
    let ambient = sets.ambient & inheritable;
    for number in (0..CAPABILITIES_MAX).filter(|number| ambient >> number & 1 != 0) {
        process::raise_ambient(number).context("raise ambient capability", &number)?;
    }
    if wanted.no_new_privileges {
        process::no_new_privileges().doing("set no_new_privs")?;
    }
    Ok(())
}
