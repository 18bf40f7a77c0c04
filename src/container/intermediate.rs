//! The intermediate process, for joining existing namespaces.
//!
//! A process joins a pid or time namespace for its children only, and the right to join depends on
//! its user namespace. So a child of ours joins, and makes the container's process as its own
//! sibling, which is our child. It is in the container's cgroup already, and the sibling inherits
//! that.

use super::handshake::Channel;
use super::prepared::Plan;
use super::request::{Launch, creates_userns};
use super::{child, last_steps, privileges, procfs_maker, time_offsets};
use crate::error::{Context, Error, Result};
use crate::io::lossy::{LossyC, On};
use crate::io::path::PathBuf;
use crate::spec::{self, Joined, NAMESPACES};
use crate::sys::clone::{
    self, CLONE_NEWCGROUP, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, Side,
};
use crate::sys::fd::{CWD, Fd};
use crate::sys::last_work::LastWork;
use crate::sys::vm::Shared;
use crate::sys::{Errno, fs, process};
use core::fmt::Display;
use core::sync::atomic::Ordering;

/// Returns whether the container's process cannot be cloned directly into its namespaces, or must
/// wait there for the host's network devices.
pub fn is_needed(launch: &Launch<'_>) -> bool {
    let spec = launch.spec;
    spec::TAKES_CONFIGS
        && (launch.enters.is_some()
            || !spec.joined().is_empty()
            || spec.namespaces & CLONE_NEWTIME != 0
            || !spec.net_devices.is_empty())
}

/// Runs the whole life of the intermediate process, or of the container's.
pub fn child_main(plan: &Plan<'_>, last: LastWork) -> ! {
    let error = match run(plan, last) {
        Ok(Side::Child) => child::child_main(plan, last),
        Ok(Side::Parent(..)) => process::exit(0),
        Err(error) => error,
    };
    if let Some(channel) = &plan.channel {
        channel.failed(&error);
    }
    process::exit(error.status().into())
}

fn run(plan: &Plan<'_>, last: LastWork) -> Result<Side> {
    let (launch, spec) = (plan.launch, plan.launch.spec);
    let Some(channel) = &plan.channel else {
        return Err(Error::new(format_args!("no parent to tell")));
    };
    child::watch_parent(plan)?;
    // From here on other processes in the joined namespaces may see us.
    process::set_dumpable(false).doing("forbid tracing")?;
    let needs_procfs =
        launch.is_made_apart() && spec.mounts.iter().any(|mount| mount.kind == c"proc");
    let processes = spec.joined().iter().find(|one| one.kind == CLONE_NEWPID && needs_procfs);
    let processes = processes
        .map(|one| fs::open(CWD, one.path, fs::O_RDONLY, 0).on("open namespace", one.path))
        .transpose()?;
    // With the caller's rights; if those do not suffice, later as root of the user namespace.
    let mut is_made =
        processes.as_ref().map_or(Ok(true), |one| procfs_maker::try_begin(one, spec))?;
    match launch.enters {
        Some((init, kinds)) => {
            clone::join_namespace(init, kinds).doing("join the container's namespaces")?
        }
        None => join(spec.joined())?,
    }
    if let (false, Some(processes)) = (is_made, &processes) {
        is_made = procfs_maker::try_begin(processes, spec)?;
    }
    if !is_made {
        return Err(Error::with_errno(
            format_args!("make a procfs for the pid namespace"),
            Errno::EPERM,
        ));
    }
    drop(processes);
    let mut left = spec.namespaces & !(CLONE_NEWCGROUP | CLONE_NEWNS);
    if creates_userns(launch) {
        // The parent writes files of our /proc, which it only owns while we are dumpable.
        process::set_dumpable(true).doing("allow tracing")?;
        clone::unshare(CLONE_NEWUSER).doing("make a user namespace")?;
        channel.ask_for_ids()?;
        process::set_dumpable(false).doing("forbid tracing")?;
        left &= !CLONE_NEWUSER;
    }
    if has_users(launch) {
        privileges::become_root()?;
    }
    if left & CLONE_NEWTIME != 0 {
        clone::unshare(CLONE_NEWTIME).doing("make a time namespace")?;
        // If not dumpable, the file belongs to the host's root. Only the host sees this process.
        process::set_dumpable(true).doing("allow tracing")?;
        time_offsets::set(spec)?;
        process::set_dumpable(false).doing("forbid tracing")?;
        left &= !CLONE_NEWTIME;
    }
    child::watch_parent(plan)?;
    if let Some(born) = &plan.born {
        if launch.enters.is_none() {
            clone::unshare(left).doing("make namespaces")?;
            channel.placed()?;
        }
        return make_apart(plan, (channel, born), last);
    }
    let side = clone::fork_sibling(left).doing(CLONE)?;
    if let Side::Parent(pid, pidfd) = &side {
        channel.process_created(*pid, pidfd.by_ref())?;
    }
    Ok(side)
}

/// Sets up everything first, and makes the container's process last. So that process never has more
/// privilege than the container, whose processes see it and may have CAP_SYS_PTRACE. The
/// intermediate process is in no pid namespace of the container.
fn make_apart(
    plan: &Plan<'_>,
    (channel, born): (&Channel, &Shared),
    last: LastWork,
) -> Result<Side> {
    let mut program = child::Program::default();
    child::set_up(plan, &mut program, Some(last))?;
    if !plan.has_hooks_inside {
        plan.launch.spec.each_secret(&mut |secret| last.erase(secret));
    }
    // The pid goes through memory that the container cannot reach, because a message could be
    // forged.
    born.keep_from_children().doing("keep a page from the container")?;
    let has_terminal = last_steps::prepare(plan, &program)?;
    channel.clones()?;
    let side = match plan.mark {
        Some(mark) => last_steps::load_apart(plan, mark, has_terminal)
            .and_then(|()| mark.fork_sibling().doing(CLONE)),
        None => clone::fork_sibling(0).doing(CLONE),
    };
    match (&side, plan.mark) {
        (Ok(Side::Child), _) => process::exit(
            last_steps::finish(plan, &program, has_terminal, Some(last)).status().into(),
        ),
        (Ok(Side::Parent(pid, _)), _) => born.words()[0].store(*pid as u32, Ordering::Release),
        (Err(error), Some(_)) => last_steps::report(plan, error),
        (Err(_), None) => {}
    }
    match plan.mark {
        // The filter may forbid exit_group(2).
        Some(mark) => mark.exit(0),
        None => side,
    }
}

const CLONE: &str = "clone the container's process";

/// Returns the kinds (`CLONE_NEW*`) of namespaces in which the process `pid` differs from us.
pub fn kinds_of(pid: i32) -> Result<i32> {
    let mut kinds = 0;
    for (name, kind) in NAMESPACES {
        let name = match kind {
            clone::CLONE_NEWNET => "net",
            clone::CLONE_NEWNS => "mnt",
            _ => name,
        };
        let mut path = PathBuf::new();
        let mut inode = |whose: &dyn Display| {
            path.set(format_args!("/proc/{whose}/ns/{name}"))?;
            // A kernel without this kind has no such file.
            match fs::stat_target(CWD, path.as_c_str()) {
                Err(Errno::ENOENT) => Ok(None),
                stat => stat.map(|stat| Some(stat.inode)),
            }
        };
        let ours = inode(&"self").doing("look at our namespaces")?;
        if inode(&pid).doing("look at the container's namespaces")? != ours {
            kinds |= kind;
        }
    }
    Ok(kinds)
}

/// Returns whether the process is in another user namespace than ours.
fn has_users(launch: &Launch<'_>) -> bool {
    match launch.enters {
        Some((_, kinds)) => kinds & CLONE_NEWUSER != 0,
        None => {
            creates_userns(launch)
                || launch.spec.joined().iter().any(|joined| joined.kind == CLONE_NEWUSER)
        }
    }
}

/// Joins what it may as it is, then the user namespace, then the rest as root of that one.
fn join(joined: &[Joined<'_>]) -> Result<()> {
    // Open all before joining one, because a mount namespace has other paths.
    let mut files = [const { None }; NAMESPACES.len()];
    for (file, one) in files.iter_mut().zip(joined) {
        let open = fs::open(CWD, one.path, fs::O_RDONLY, 0).on("open namespace", one.path)?;
        // Our own user namespace cannot be joined again.
        let joins =
            one.kind != CLONE_NEWUSER || !is_our_user_namespace(&open).on("look at", one.path)?;
        *file = joins.then_some(open);
    }
    let enter = |one: &Joined<'_>, file: &mut Option<Fd>, last: bool| match file {
        Some(open) => match clone::join_namespace(open.by_ref(), one.kind) {
            Err(Errno::EPERM) if !last => Ok(()),
            Err(Errno::EINVAL) => {
                let path = LossyC(one.path);
                Err(Error::with_errno(
                    format_args!("join namespace {path}: not of the type it is given for"),
                    Errno::EINVAL,
                ))
            }
            answer => {
                *file = None;
                answer.on("join namespace", one.path)
            }
        },
        None => Ok(()),
    };
    for (users, last) in [(false, false), (true, true), (false, true)] {
        for (one, file) in joined.iter().zip(&mut files) {
            if (one.kind == CLONE_NEWUSER) == users {
                enter(one, file, last)?;
            }
        }
    }
    Ok(())
}

fn is_our_user_namespace(file: &Fd) -> crate::sys::Result<bool> {
    let ours = fs::open(CWD, c"/proc/self/ns/user", fs::O_PATH, 0)?;
    let (ours, theirs) = (fs::stat(ours.by_ref(), c"")?, fs::stat(file.by_ref(), c"")?);
    Ok((ours.device, ours.inode) == (theirs.device, theirs.inode))
}
