//! The parent's side of a start: it makes the process, drives the handshake, and does the host's
//! part.

use super::handshake::{self, Channel};
use super::procfs::Procfs;
use super::report::Report;
pub use super::request::Launch;
use super::starting::{Made, Starting};
use super::{Pointers, Running, attributes, child, intermediate, mounts, sysctl};
use crate::cgroup::Instead;
use crate::spec::TAKES_CONFIGS;
use crate::sys::Errno;
use crate::sys::clone::{self, CLONE_NEWCGROUP, CLONE_NEWNS};
use crate::sys::last_work;
use crate::sys::marked::Mark;
use crate::sys::mount;
use crate::sys::signal::SignalSet;
use crate::sys::vm::Shared;
use crate::watch::Loop;
use crate::{Context, Result};
use core::cell::Cell;

/// Starts a process. Returns when it has executed, or waits at its start socket. A failure leaves
/// nothing behind.
///
/// The calling process must have one thread, and no other code may collect its children meanwhile.
pub fn launch(launch: &Launch<'_>, pointers: &mut Pointers) -> Result<Running> {
    let mut events = Loop::new(SignalSet::NONE)?;
    begin(launch, launch, &mut events, pointers)?.finish(&mut events)
}

/// Makes the process, and returns a start that goes on at each event. The start keeps only `like`,
/// which must be the same but for the program and its streams.
pub fn begin<'a>(
    launch: &Launch<'_>,
    like: &'a Launch<'a>,
    events: &mut Loop,
    pointers: &mut Pointers,
) -> Result<Starting<'a>> {
    let spec = launch.spec;
    let (ours, theirs) = handshake::pair()?;
    let staged = intermediate::is_needed(launch);
    let mut plan = plan(launch, Some(theirs), staged, pointers)?;
    // The child makes some of them ([`child::namespaces_owned_by_root`]).
    let by_child = CLONE_NEWNS | CLONE_NEWCGROUP | child::namespaces_owned_by_root(launch);
    let namespaces = if staged { 0 } else { spec.namespaces & !by_child };
    let (side, of_caller) = clone(launch, namespaces)?;
    match side {
        clone::Side::Child => {
            drop(ours);
            plan.depart();
            last_work::run(if staged { intermediate::child_main } else { child::child_main }, &plan)
        }
        clone::Side::Parent(pid, pidfd) => {
            let (born, report) = (plan.born.take(), plan.report.take());
            let is_released = plan.is_released();
            // Its channel, too: only the child's copy keeps the conversation open.
            drop(plan);
            Starting::new(
                like,
                ours,
                Made { staged, pid, pidfd, born, report, is_released, of_caller },
                events,
            )
        }
    }
}

/// Attempts to find another cgroup: the container may move its processes before the clone.
const CGROUP_TRIES: usize = 4;

/// Makes the process, in its cgroup or in another one. Also returns the errno if it is in the
/// caller's.
fn clone(launch: &Launch<'_>, namespaces: i32) -> Result<(clone::Side, Option<Errno>)> {
    let mut side = clone::fork(namespaces, launch.cgroup);
    let mut of_caller = None;
    for _ in 0..CGROUP_TRIES {
        let (Err(errno), Some(joined)) = (&side, launch.due.cgroup.filter(|_| TAKES_CONFIGS))
        else {
            break;
        };
        let errno = *errno;
        side = match joined.instead(errno)? {
            Instead::Nowhere => break,
            Instead::Of(group) => clone::fork(namespaces, Some(group.by_ref())),
            Instead::OfCaller => {
                of_caller = Some(errno);
                clone::fork(namespaces, None)
            }
        };
    }
    side.doing("clone the container's process").map(|side| (side, of_caller))
}

/// Prepares all that is possible before the child exists.
pub(super) fn plan<'a>(
    launch: &'a Launch<'a>,
    channel: Option<Channel>,
    staged: bool,
    pointers: &'a mut Pointers,
) -> Result<child::Plan<'a>> {
    // Without a channel we are PID 1, alone on the machine.
    let owns_mounts =
        !TAKES_CONFIGS || channel.is_none() || launch.spec.joins_or_makes(CLONE_NEWNS);
    let tree = match launch.root {
        // Here and not in the child: its mount namespace does not have the mount of this fd.
        Some(root) if owns_mounts && !launch.rootless => Some(
            mount::clone_tree(root, c"", mount::Reach::Tree)
                .doing("copy the mount of the root directory")?,
        ),
        _ => None,
    };
    let prepared = match launch.enters {
        Some(_) => mounts::Prepared::NONE,
        None => {
            sysctl::check(launch.spec).doing("config.json")?;
            if !owns_mounts {
                mounts::check_without_namespace(launch.spec, launch.no_pivot)
                    .doing("config.json")?;
            }
            mounts::prepare(launch.spec, launch.cgroup, channel.is_none())?
        }
    };
    let born = launch.is_made_apart().then(Shared::new).transpose().doing("map a page")?;
    let report = launch.filter.filter(|_| channel.is_some()).map(|_| Report::new()).transpose()?;
    let mark = launch.filter.filter(|_| launch.is_made_apart()).map(|_| Mark::new()).transpose();
    Ok(child::Plan {
        launch,
        tree,
        prepared,
        channel,
        staged,
        born,
        report,
        proc: attributes::is_labelled(&launch.spec.process).then(Procfs::open).transpose()?,
        mark: mark.doing("read random numbers")?,
        filters_early: launch.filters_early(),
        has_hooks_inside: launch.has_hooks_inside(),
        departure: None,
        owns_mounts,
        pointers: Cell::new(Some(pointers)),
    })
}
