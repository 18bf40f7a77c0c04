//! The parent's side of a start: it makes the process, hears it out, and does for it what only the
//! host's side can.

use super::handshake::{self, Channel};
use super::hooks;
use super::procfs::Procfs;
use super::report::Report;
use super::seccomp::Filter;
use super::start_socket::StartSocket;
use super::state::{Id, State};
use super::{Pointers, Running, Stdio, attributes, child, intermediate, mounts, sysctl, talk};
use crate::spec::Spec;
use crate::sys::clone::{self, CLONE_NEWCGROUP, CLONE_NEWNS, CLONE_NEWUSER};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::marked::Mark;
use crate::sys::vm::Shared;
use crate::sys::{Errno, mount};
use crate::{Context, Error, Result};
use core::cell::Cell;

/// What is started, and how.
pub struct Launch<'a> {
    /// What is wanted.
    pub spec: &'a Spec<'a>,
    /// The root directory, opened in our mount namespace; None for exec in a container.
    pub root: Option<FdRef<'a>>,
    /// We are not the machine's root: the child makes mounts that we may not make.
    pub rootless: bool,
    /// What becomes 0, 1 and 2.
    pub stdio: Stdio<'a>,
    /// The control group that it is born in.
    pub cgroup: Option<FdRef<'a>>,
    /// Where it waits before it executes; it does not wait where there is none.
    pub gate: Option<StartSocket>,
    /// The process joins the namespaces (`CLONE_NEW*`) of this one, and nothing is set up: exec.
    pub enters: Option<(FdRef<'a>, i32)>,
    /// The old root stays below the new one (an initramfs cannot be taken away).
    pub no_pivot: bool,
    /// Descriptors from 3 up that it keeps.
    pub preserved: u32,
    /// It keeps our session keyring.
    pub keeps_keyring: bool,
    /// We copy its terminal's output to our terminal, which turns LF into CR LF itself.
    pub shows_terminal: bool,
    /// The container, for its hooks: its name, and what is known of it.
    pub about: Option<(Id<'a>, State<'a>)>,
    /// What system calls it may make.
    pub filter: Option<Filter<'a>>,
    /// What the host's side has to do meanwhile.
    pub host: &'a dyn Host,
}

impl Launch<'_> {
    /// Returns whether the filter is loaded before the gate and the hooks. It is if loading it
    /// needs a capability that is gone later, or if a listener is told during `create`, or if
    /// other processes see this one. If not, only execve(2) follows it.
    fn filters_early(&self) -> bool {
        self.filter.is_some_and(|filter| {
            let waits = self.gate.is_some();
            let has_power = waits && !self.spec.process.no_new_privileges;
            has_power
                || filter.notifies() && (waits || self.has_hooks_inside())
                || intermediate::is_apart(self)
        })
    }

    fn has_hooks_inside(&self) -> bool {
        self.about.is_some() && hooks::has(self.spec.document, "startContainer")
    }
}

/// What happens on the host's side while a container starts.
pub trait Host {
    /// The process is there, and has done nothing yet that others see.
    fn process_created(&self, pid: i32) -> Result<()>;
    /// The container's process is this one from now on: the one that set it up has made it, and is
    /// gone.
    fn moved(&self, _pid: i32) -> Result<()> {
        Ok(())
    }
    /// The mounts are made: the hooks of the host are due.
    fn hooks(&self, pid: i32) -> Result<()>;
    /// Where the seccomp filter of the process notifies.
    fn listener(&self, pid: i32, listener: FdRef<'_>) -> Result<()>;
    /// Some hooks are due on the host before the pivot.
    fn has_hooks(&self) -> bool;
    /// Returns where to create the process after clone3(2) failed with `errno` for
    /// [`Launch::cgroup`].
    fn other_cgroup(&self, errno: Errno) -> Result<Instead> {
        let _ = errno;
        Ok(Instead::Nowhere)
    }
}

/// Where to create a process that cannot start in its cgroup.
pub enum Instead {
    /// Nowhere: it is an error.
    Nowhere,
    /// In this cgroup.
    Of(Fd),
    /// In the caller's cgroup.
    OfCaller,
}

/// A host that has nothing to do.
pub struct Idle;

impl Host for Idle {
    fn process_created(&self, _: i32) -> Result<()> {
        Ok(())
    }
    fn hooks(&self, _: i32) -> Result<()> {
        Ok(())
    }
    fn listener(&self, _: i32, _: FdRef<'_>) -> Result<()> {
        Err(Error::new(format_args!("a seccomp filter that notifies needs somebody who listens")))
    }
    fn has_hooks(&self) -> bool {
        false
    }
}

/// Starts a process. Returns when it has executed, or waits at its gate; on failure nothing of it
/// is left.
///
/// The calling process must have one thread, and nobody else may collect its children meanwhile.
pub fn launch(launch: &Launch<'_>, pointers: &mut Pointers) -> Result<Running> {
    let spec = launch.spec;
    let (ours, theirs) = handshake::pair()?;
    let staged = intermediate::is_needed(launch);
    let mut plan = plan(launch, Some(theirs), staged, pointers)?;
    // Some are made by the child; see there.
    let by_child = CLONE_NEWNS | CLONE_NEWCGROUP | child::namespaces_owned_by_root(launch);
    let namespaces = if staged { 0 } else { spec.namespaces & !by_child };
    match clone(launch, namespaces)? {
        clone::Side::Child => {
            drop(ours);
            plan.depart();
            if staged { intermediate::child_main(&plan) } else { child::child_main(&plan) }
        }
        clone::Side::Parent(pid, pidfd) => {
            let (born, report) = (plan.born.take(), plan.report.take());
            let is_released = plan.is_released();
            // Its channel, too: only the child's copy keeps the conversation open.
            drop(plan);
            talk::hear_out(launch, (&ours, staged), (pid, pidfd), (born, report, is_released))
        }
    }
}

/// Attempts to find another cgroup: the container may move its processes before the clone.
const CGROUP_TRIES: usize = 4;

/// Makes the process, in its cgroup or in the one that `other_cgroup` names.
fn clone(launch: &Launch<'_>, namespaces: i32) -> Result<clone::Side> {
    let mut side = clone::fork(namespaces, launch.cgroup);
    for _ in 0..CGROUP_TRIES {
        let Err(errno) = side else { break };
        side = match launch.host.other_cgroup(errno)? {
            Instead::Nowhere => break,
            Instead::Of(group) => clone::fork(namespaces, Some(group.by_ref())),
            Instead::OfCaller => clone::fork(namespaces, None),
        };
    }
    side.doing("clone the container's process")
}

/// All that can be done before there is a child.
pub(super) fn plan<'a>(
    launch: &'a Launch<'a>,
    channel: Option<Channel>,
    staged: bool,
    pointers: &'a mut Pointers,
) -> Result<child::Plan<'a>> {
    // Without a channel we are PID 1, alone on the machine.
    let owns_mounts = channel.is_none() || launch.spec.joins_or_makes(CLONE_NEWNS);
    let tree = match launch.root {
        // Here and not in the child: its mount namespace does not hold the mount that this
        // descriptor knows.
        Some(root) if owns_mounts && !launch.rootless => {
            Some(mount::clone_tree(root, c"", true).doing("copy the mount of the root directory")?)
        }
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
    let born = intermediate::is_apart(launch).then(Shared::new).transpose().doing("map a page")?;
    let report = launch.filter.filter(|_| channel.is_some()).map(|_| Report::new()).transpose()?;
    let mark =
        launch.filter.filter(|_| intermediate::is_apart(launch)).map(|_| Mark::new()).transpose();
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

/// Whether the process is root of a user namespace that is made for it.
pub(super) fn creates_userns(launch: &Launch<'_>) -> bool {
    launch.spec.namespaces & CLONE_NEWUSER != 0
}
