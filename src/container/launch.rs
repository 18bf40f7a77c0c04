//! The parent's side of a start: it makes the process, hears it out, and does for it what only the host's side can.

use super::gate::Gate;
use super::handshake::{self, Channel, Message};
use super::hooks;
use super::mounts::lent::Borrower;
use super::report::Report;
use super::seccomp::Filter;
use super::state::{Id, State};
use super::{Pointers, Running, Stdio, attributes, child, mounts, stage, sysctl, userns};
use crate::spec::Spec;
use crate::sys::clone::{self, CLONE_NEWCGROUP, CLONE_NEWNS, CLONE_NEWUSER};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::process::{self, Whom};
use crate::sys::vm::Shared;
use crate::sys::{Errno, event, mount, signal, tty};
use crate::{Context, Error, Result};
use core::cell::Cell;
use core::sync::atomic::Ordering;

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
    pub gate: Option<Gate>,
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
    /// needs a capability that is gone later, or if a listener is told during `create`. If not,
    /// only execve(2) follows it.
    pub fn filters_early(&self) -> bool {
        self.filter.is_some_and(|filter| {
            let has_hooks = self.about.is_some() && hooks::has(self.spec.document, "startContainer");
            let waits = self.gate.is_some();
            waits && !self.spec.process.no_new_privileges || filter.notifies() && (waits || has_hooks)
        })
    }
}

/// What happens on the host's side while a container starts.
pub trait Host {
    /// The process is there, and has done nothing yet that others see.
    fn born(&self, pid: i32) -> Result<()>;
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
    fn born(&self, _: i32) -> Result<()> {
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

/// Starts a process. Returns when it has executed, or waits at its gate; on failure nothing of it is left.
///
/// The calling process must have one thread, and nobody else may collect its children meanwhile.
pub fn launch(launch: &Launch<'_>, pointers: &mut Pointers) -> Result<Running> {
    let spec = launch.spec;
    let (ours, theirs) = handshake::pair()?;
    let staged = stage::is_needed(launch);
    let mut plan = plan(launch, Some(theirs), staged, pointers)?;
    // Some are made by the child; see there.
    let by_child = CLONE_NEWNS | CLONE_NEWCGROUP | child::made_by_root(launch);
    let namespaces = if staged { 0 } else { spec.namespaces & !by_child };
    match clone(launch, namespaces)? {
        clone::Side::Child => {
            drop(ours);
            plan.depart();
            if staged { stage::live(&plan) } else { child::live(&plan) }
        }
        clone::Side::Parent(pid, pidfd) => {
            let (born, report) = (plan.born.take(), plan.report.take());
            // Its channel, too: only the child's copy keeps the conversation open.
            drop(plan);
            let mut talk =
                Talk { launch, channel: &ours, born, report, first: pid, pid, pidfd, stage: None, terminal: None };
            match talk.hear_out(staged) {
                Ok(()) => Ok(Running { pid: talk.pid, pidfd: talk.pidfd, terminal: talk.terminal }),
                Err(error) => {
                    for process in talk.stage.iter().chain([&talk.pidfd]) {
                        let _ = process::kill_pidfd(process.by_ref(), signal::SIGKILL);
                        let _ = process::wait(Whom::Pidfd(process.by_ref()), true);
                    }
                    Err(error)
                }
            }
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
    let owns_mounts = channel.is_none() || mounts::joins_or_makes(launch.spec, CLONE_NEWNS);
    let tree = match launch.root {
        // Here and not in the child: its mount namespace does not hold the mount that this descriptor knows.
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
                mounts::check_without_namespace(launch.spec, launch.no_pivot).doing("config.json")?;
            }
            mounts::prepare(launch.spec, launch.cgroup, channel.is_none())?
        }
    };
    let born = stage::is_apart(launch).then(Shared::new).transpose().doing("map a page")?;
    let report = launch.filter.filter(|_| channel.is_some()).map(|_| Report::new()).transpose()?;
    Ok(child::Plan {
        launch,
        tree,
        prepared,
        channel,
        staged,
        born,
        report,
        departure: None,
        owns_mounts,
        pointers: Cell::new(Some(pointers)),
    })
}

/// The conversation with a new process.
struct Talk<'a> {
    launch: &'a Launch<'a>,
    channel: &'a Channel,
    /// Memory for the pid that the intermediate process makes; None once that was read.
    born: Option<Shared>,
    /// Memory for the report of a process under its filter.
    report: Option<Report>,
    /// The process that we made: the container's, or the stage between.
    first: i32,
    pid: i32,
    pidfd: Fd,
    stage: Option<Fd>,
    terminal: Option<Fd>,
}

impl Talk<'_> {
    fn born(&self) -> Result<()> {
        crate::debug!("process {}: cloned", self.pid);
        child::adjust_oom_score(self.pid, &self.launch.spec.process)?;
        self.launch.host.born(self.pid)
    }

    /// Returns the next message. Meanwhile takes a listener from the process, which may spin for
    /// that.
    fn next(&mut self) -> Result<Message> {
        /// How often we look whether the process offers its listener and spins, in milliseconds.
        const OFTEN: i32 = 1;
        let notifies = self.launch.filter.is_some_and(|filter| filter.notifies());
        if let (true, Some(report)) = (notifies, &self.report) {
            while event::poll_one(self.channel.descriptor(), libc::POLLIN, OFTEN).doing("hear from the container")? == 0
            {
                if let Some(listener) = report.take(self.pidfd.by_ref()) {
                    self.launch.host.listener(self.pid, listener.by_ref())?;
                    report.go_on();
                }
            }
        }
        self.channel.receive()
    }

    /// Waits until the intermediate process has made the container's, which is our child, and takes
    /// it over.
    fn adopt(&mut self) -> Result<()> {
        if self.launch.enters.is_some() {
            child::adjust_oom_score(self.first, &self.launch.spec.process)?;
        }
        self.channel.go()?;
        process::wait(Whom::Pidfd(self.pidfd.by_ref()), true).doing("wait for the intermediate process")?;
        let pid = self.born.take().map_or(0, |born| born.words()[0].load(Ordering::Acquire)) as i32;
        if pid > 0 {
            let pidfd = process::open_pidfd(pid).doing("open the container's process")?;
            (self.pid, self.pidfd) = (pid, pidfd);
            return Ok(());
        }
        match self.channel.receive()? {
            Message::Failed(error) => Err(error),
            _ => Err(Error::new(format_args!("the intermediate process died"))),
        }
    }

    /// Up to its exec, or to its gate.
    fn hear_out(&mut self, staged: bool) -> Result<()> {
        let (launch, host) = (self.launch, self.launch.host);
        if !staged {
            self.born()?;
        }
        let (mut ready, mut is_entered) = (false, false);
        loop {
            match self.next()? {
                Message::Clones if !is_entered => {
                    self.adopt()?;
                    is_entered = true;
                    host.moved(self.pid)?;
                }
                Message::Listener(listener) => host.listener(self.pid, listener.by_ref())?,
                Message::Ready if !ready => {
                    crate::debug!("process {}: set up, about to exec or to wait", self.pid);
                    if is_entered {
                        attributes::schedule(self.pid, &launch.spec.process)?;
                    }
                    self.channel.go()?;
                    ready = true;
                    if launch.gate.is_some() {
                        return Ok(());
                    }
                }
                Message::Failed(error) => return Err(error),
                Message::End => match self.report.as_ref().and_then(Report::failure) {
                    Some(error) => return Err(error),
                    None if ready => return Ok(()),
                    None => return Err(died(&self.pidfd)),
                },
                _ if is_entered || ready => return Err(Error::new(format_args!("the container sent what it may not"))),
                Message::Terminal(master) => {
                    // Before the program can write: Go comes later.
                    if launch.shows_terminal {
                        tty::keep_line_feeds(master.by_ref()).doing("set up the terminal")?;
                    }
                    self.terminal = Some(master);
                }
                Message::Placed => {
                    self.born()?;
                    self.channel.go()?;
                }
                Message::Map => {
                    crate::debug!("process {}: maps its users and groups", self.first);
                    userns::map(self.first, launch.spec.uid_mappings, launch.spec.gid_mappings)?;
                    self.channel.go()?;
                }
                Message::Born(pid, pidfd) => {
                    self.stage = Some(core::mem::replace(&mut self.pidfd, pidfd));
                    self.pid = pid;
                    if let Some(stage) = &self.stage {
                        process::wait(Whom::Pidfd(stage.by_ref()), true).doing("wait for the stage between")?;
                    }
                    self.stage = None;
                    self.born()?;
                    self.channel.go()?;
                }
                Message::Hooks => {
                    crate::debug!("process {}: its mounts are made; hooks of the host", self.pid);
                    host.hooks(self.pid)?;
                    self.channel.go()?;
                }
                Message::Source(index) => {
                    let bundle = launch.about.map_or(c".", |(_, state)| state.bundle);
                    let (spec, process) = (launch.spec, self.pidfd.by_ref());
                    mounts::lent::lend(&Borrower { spec, process, bundle, channel: self.channel }, index)?;
                }
                Message::Clones | Message::Ready | Message::Lent(_) => {
                    return Err(Error::new(format_args!("the container said what is not its turn")));
                }
            }
        }
    }
}

/// Hears out a container whose gate was opened, up to its exec.
pub fn hear_start(channel: &Channel, report: Option<&Report>) -> Result<()> {
    let mut ready = false;
    loop {
        match channel.receive()? {
            Message::Ready if !ready => {
                crate::debug!("released, about to exec");
                channel.go()?;
                ready = true;
            }
            Message::Failed(error) => return Err(error),
            Message::End if ready => return report.and_then(Report::failure).map_or(Ok(()), Err),
            _ => return Err(Error::new(format_args!("the container's process died before its exec"))),
        }
    }
}

fn died(pidfd: &Fd) -> Error {
    let ended = process::wait(Whom::Pidfd(pidfd.by_ref()), true).ok().flatten();
    let ended = ended.map_or(0, |(_, ended)| u32::from(ended.status()));
    let hint = if ended == 128 + signal::SIGKILL as u32 { " (too little memory?)" } else { "" };
    Error::new(format_args!("the container's process died before its exec, status {ended}{hint}"))
}

/// Whether the process is root of a user namespace that is made for it.
pub(super) fn makes_users(launch: &Launch<'_>) -> bool {
    launch.spec.namespaces & CLONE_NEWUSER != 0
}
