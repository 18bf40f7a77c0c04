//! Drops privileges to the process's limits, identity and capabilities, in the only order that
//! works.

use super::seccomp::Filter;
use crate::error::{Context, Result};
use crate::limits::GROUPS_MAX;
use crate::spec::{Process, Rlimit};
use crate::sys::fd::Fd;
use crate::sys::marked::Mark;
use crate::sys::{Errno, process};

/// More than the kernel has; it gives EINVAL at the first unknown one.
const CAPABILITIES_MAX: u32 = 64;

const NPROC: u32 = libc::RLIMIT_NPROC as u32;

const _: () = assert!(GROUPS_MAX <= 65_536);

/// Sets resource limits. A higher hard limit needs privileges. `forks` means that this process
/// still makes another as its user. So it lifts its limit of processes, if it may, and the other
/// calls [`limit_processes`].
pub fn set_limits(rlimits: &[Rlimit], forks: bool) -> Result<()> {
    rlimits.iter().try_for_each(|limit| {
        let is_lifted = forks
            && limit.resource == NPROC
            && process::set_limit(limit.resource, u64::MAX, u64::MAX).is_ok();
        if is_lifted { Ok(()) } else { set_limit(limit) }
    })
}

/// Returns whether [`limit_processes`] makes a system call.
pub fn are_processes_limited(rlimits: &[Rlimit]) -> bool {
    rlimits.iter().any(|limit| limit.resource == NPROC)
}

/// Sets the limit of processes again, under a filter by a mark.
pub fn limit_processes(rlimits: &[Rlimit], mark: Option<Mark>) -> Result<()> {
    rlimits.iter().filter(|limit| limit.resource == NPROC).try_for_each(|limit| match mark {
        Some(mark) => mark
            .set_limit(limit.resource, limit.soft, limit.hard)
            .context("set rlimit", &limit.name()),
        None => set_limit(limit),
    })
}

fn set_limit(limit: &Rlimit) -> Result<()> {
    process::set_limit(limit.resource, limit.soft, limit.hard).context("set rlimit", &limit.name())
}

/// Sets the supplementary groups. A user namespace without a map of groups forbids that, which is
/// an error only if some are wanted. The process then keeps the caller's groups, which give it
/// nothing new (user_namespaces(7)).
fn set_groups(groups: &[u32]) -> Result<()> {
    match process::set_groups(groups) {
        Err(Errno::EPERM) if groups.is_empty() => Ok(()),
        set => set.doing("set the supplementary groups"),
    }
}

/// Becomes root of this process's user namespace, with all capabilities there.
pub fn become_root() -> Result<()> {
    set_groups(&[])?;
    process::set_gid(0).doing("become root of the user namespace")?;
    process::set_uid(0).doing("become root of the user namespace")
}

/// CAP_SYS_ADMIN, which seccomp(2) needs without no_new_privs.
const ADMIN: u64 = 1 << 21;

/// Becomes the user, with exactly the process's capabilities. If [`load`] loads a filter later
/// (`loaded_later`), CAP_SYS_ADMIN stays permitted until execve(2). A capability that this process
/// lacks is left out, which is not an error (runtime-spec 1.1).
pub fn drop_to(wanted: &Process<'_>, loaded_later: bool) -> Result<()> {
    let sets = &wanted.capabilities;
    // The bounding set first, because it needs CAP_SETPCAP.
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

    let ours = process::capabilities().doing("read the capabilities")?;
    let permitted = sets.permitted & ours.permitted;
    let kept = if loaded_later && !wanted.no_new_privileges { ADMIN & ours.permitted } else { 0 };
    // An inheritable capability must be in the bounding set, but need not be permitted (capset(2)).
    let inheritable = members(sets.inheritable & (ours.inheritable | ours.permitted))
        .filter(|number| {
            ours.inheritable >> number & 1 != 0 || process::in_bounding(*number) == Ok(true)
        })
        .fold(0, |set, number| set | 1 << number);
    let effective = sets.effective & permitted;
    process::clear_ambient().doing("clear the ambient capabilities")?;
    process::set_capabilities(process::Capabilities {
        effective,
        permitted: permitted | kept,
        inheritable,
    })
    .doing("set the capabilities")?;
    for number in members(sets.ambient & inheritable & permitted) {
        process::raise_ambient(number).context("raise ambient capability", &number)?;
    }
    if wanted.no_new_privileges {
        process::no_new_privileges().doing("set no_new_privs")?;
    }
    Ok(())
}

fn members(set: u64) -> impl Iterator<Item = u32> {
    (0..CAPABILITIES_MAX).filter(move |number| set >> number & 1 != 0)
}

/// CAP_SYS_ADMIN after [`load`] has raised it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RaisedAdmin {
    /// It is dropped, by a system call under the filter.
    Drop,
    /// It stays until execve(2), and the filter may forbid that system call.
    Keep,
}

/// Puts this process under a filter, after [`drop_to`]. Returns its listener, if it notifies.
pub fn load(
    filter: &Filter<'_>,
    wanted: &Process<'_>,
    raised_admin: RaisedAdmin,
) -> Result<Option<Fd>> {
    if wanted.no_new_privileges {
        return filter.load();
    }
    let before = process::capabilities().doing("read the capabilities")?;
    let raised =
        process::Capabilities { effective: before.effective | before.permitted & ADMIN, ..before };
    if raised != before {
        process::set_capabilities(raised).doing("raise CAP_SYS_ADMIN")?;
    }
    let listener = filter.load()?;
    if raised_admin == RaisedAdmin::Drop && raised != before {
        give_up(wanted, before)?;
    }
    Ok(listener)
}

/// Loads a filter in an intermediate process, which clones the process by the `mark`. Afterwards it
/// has only the config's capabilities.
pub fn load_marked(
    filter: &Filter<'_>,
    wanted: &Process<'_>,
    mark: Mark,
    others: &[u32],
) -> Result<Option<Fd>> {
    if wanted.no_new_privileges {
        return filter.load_marked(mark, others);
    }
    let before = process::capabilities().doing("read the capabilities")?;
    process::set_capabilities(process::Capabilities {
        effective: before.effective | before.permitted & ADMIN,
        ..before
    })
    .doing("raise CAP_SYS_ADMIN")?;
    let listener = filter.load_marked(mark, others)?;
    mark.set_capabilities(settled(wanted, before)).doing("give up CAP_SYS_ADMIN")?;
    Ok(listener)
}

/// Drops CAP_SYS_ADMIN, which was kept to load a filter.
pub fn apply(wanted: &Process<'_>) -> Result<()> {
    give_up(wanted, process::capabilities().doing("read the capabilities")?)
}

fn give_up(wanted: &Process<'_>, before: process::Capabilities) -> Result<()> {
    process::set_capabilities(settled(wanted, before)).doing("give up CAP_SYS_ADMIN")
}

fn settled(wanted: &Process<'_>, before: process::Capabilities) -> process::Capabilities {
    let permitted = before.permitted & wanted.capabilities.permitted;
    process::Capabilities { permitted, effective: before.effective & permitted, ..before }
}
