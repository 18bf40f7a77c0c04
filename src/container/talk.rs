//! The parent's side of the conversation with a new process (`handshake.rs`).

use super::handshake::{Channel, Message};
use super::mounts::lent::Borrower;
use super::report::Report;
use super::request::Launch;
use super::{Running, attributes, child, mounts, userns};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::process::{self, Whom};
use crate::sys::vm::Shared;
use crate::sys::{event, signal, tty};
use crate::{Context, Error, Result};
use core::sync::atomic::Ordering;

/// The listener of a filter that notifies. It comes once.
enum Awaited {
    /// The process has not offered it yet.
    Due,
    /// We have it, and whoever listens has not.
    Here(Fd),
    /// It was handed on, or the filter has none. A message that offers one is an error.
    Done,
}

impl Awaited {
    fn of(launch: &Launch<'_>) -> Awaited {
        if launch.filter.is_some_and(|filter| filter.notifies()) {
            Awaited::Due
        } else {
            Awaited::Done
        }
    }
}

/// The conversation with a new process.
struct Talk<'a> {
    launch: &'a Launch<'a>,
    channel: &'a Channel,
    /// Memory for the pid that the intermediate process makes; None once that was read.
    born: Option<Shared>,
    /// Memory for the report of a process under its filter.
    report: Option<Report>,
    /// See [`Plan::is_released`].
    is_released: bool,
    listener: Awaited,
    /// The process that we made: the container's, or the intermediate process.
    first: i32,
    pid: i32,
    pidfd: Fd,
    intermediate: Option<Fd>,
    terminal: Option<Fd>,
}

/// Hears out a process that was cloned: `staged` if it is an intermediate one. Returns the
/// container's process when that has executed or waits at its gate. On failure all of them are
/// killed.
pub fn hear_out(
    launch: &Launch<'_>,
    (channel, staged): (&Channel, bool),
    (pid, pidfd): (i32, Fd),
    (born, report, is_released): (Option<Shared>, Option<Report>, bool),
) -> Result<Running> {
    let mut talk = Talk {
        launch,
        channel,
        born,
        report,
        is_released,
        listener: Awaited::of(launch),
        first: pid,
        pid,
        pidfd,
        intermediate: None,
        terminal: None,
    };
    if let (Awaited::Due, Some(report)) = (&talk.listener, &talk.report) {
        report.tell_of_death();
    }
    match talk.hear_out(staged) {
        Ok(()) => Ok(Running { pid: talk.pid, pidfd: talk.pidfd, terminal: talk.terminal }),
        Err(error) => {
            for process in talk.intermediate.iter().chain([&talk.pidfd]) {
                let _ = process::kill_pidfd(process.by_ref(), signal::SIGKILL);
                let _ = process::wait(Whom::Pidfd(process.by_ref()), true);
            }
            Err(error)
        }
    }
}

impl Talk<'_> {
    fn process_created(&self) -> Result<()> {
        crate::debug!("process {}: cloned", self.pid);
        child::adjust_oom_score(self.pid, &self.launch.spec.process)?;
        self.launch.host.process_created(self.pid)
    }

    /// Returns the next message. Meanwhile takes a listener from the process, which may spin for
    /// that.
    fn next(&mut self) -> Result<Message> {
        self.wait_for(None)?;
        self.channel.receive()
    }

    /// Takes the listener while one is due. Returns when the process says something, or when
    /// `other` is readable.
    fn wait_for(&mut self, other: Option<FdRef<'_>>) -> Result<()> {
        /// How often we look whether the process offers its listener and spins, in milliseconds.
        const OFTEN: i32 = 1;
        while let (Awaited::Due, Some(report)) = (&self.listener, &self.report) {
            let source = other.unwrap_or(self.channel.descriptor());
            if event::poll_one(source, libc::POLLIN, OFTEN).doing("hear from the container")? != 0 {
                break;
            }
            if let Some(listener) = report.take(self.pidfd.by_ref()) {
                self.listener = Awaited::Here(listener);
                // An intermediate process first makes the process whose pid the listener needs.
                if other.is_none() {
                    self.hand_on()?;
                }
                self.report.iter().for_each(Report::go_on);
            }
        }
        Ok(())
    }

    /// Sends the listener to whoever listens, with the pid that is known by now.
    fn hand_on(&mut self) -> Result<()> {
        match core::mem::replace(&mut self.listener, Awaited::Done) {
            Awaited::Here(listener) => self.launch.host.listener(self.pid, listener.by_ref()),
            other => {
                self.listener = other;
                Ok(())
            }
        }
    }

    /// Waits until the intermediate process has made the container's, which is our child, and takes
    /// it over.
    fn adopt(&mut self) -> Result<()> {
        if self.launch.enters.is_some() {
            child::adjust_oom_score(self.first, &self.launch.spec.process)?;
        }
        self.channel.go()?;
        if matches!(self.listener, Awaited::Due) {
            let intermediate =
                process::open_pidfd(self.pid).doing("wait for the intermediate process")?;
            self.wait_for(Some(intermediate.by_ref()))?;
        }
        process::wait(Whom::Pidfd(self.pidfd.by_ref()), true)
            .doing("wait for the intermediate process")?;
        let pid = self.born.take().map_or(0, |born| born.words()[0].load(Ordering::Acquire)) as i32;
        if pid > 0 {
            let pidfd = process::open_pidfd(pid).doing("open the container's process")?;
            (self.pid, self.pidfd) = (pid, pidfd);
            return Ok(());
        }
        if let Some(error) = self.report.as_ref().and_then(Report::failure) {
            return Err(error);
        }
        match self.channel.receive()? {
            Message::Failed(error) => Err(error),
            _ => Err(Error::new(format_args!("the intermediate process died"))),
        }
    }

    /// Lets an adopted process go on, which waits under its filter.
    fn release(&mut self) -> Result<()> {
        attributes::schedule(self.pid, &self.launch.spec.process)?;
        self.hand_on()?;
        self.channel.go()
    }

    /// Up to its exec, or to its gate.
    fn hear_out(&mut self, staged: bool) -> Result<()> {
        let (launch, host) = (self.launch, self.launch.host);
        if !staged {
            self.process_created()?;
        }
        let (mut ready, mut is_entered) = (false, false);
        loop {
            match self.next()? {
                Message::Clones if !is_entered => {
                    self.adopt()?;
                    is_entered = true;
                    host.moved(self.pid)?;
                    if launch.filter.is_some() {
                        self.release()?;
                        ready = self.is_released;
                    }
                }
                Message::Listener(listener) if matches!(self.listener, Awaited::Due) => {
                    self.listener = Awaited::Here(listener);
                    self.hand_on()?;
                }
                Message::Ready if !ready => {
                    crate::debug!("process {}: set up, about to exec or to wait", self.pid);
                    if is_entered && launch.filter.is_none() {
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
                _ if is_entered || ready => {
                    return Err(Error::new(format_args!("the container sent what it may not")));
                }
                Message::Terminal(master) => {
                    // Before the program can write: Go comes later.
                    if launch.shows_terminal {
                        tty::keep_line_feeds(master.by_ref()).doing("set up the terminal")?;
                    }
                    self.terminal = Some(master);
                }
                Message::Placed => {
                    self.process_created()?;
                    self.channel.go()?;
                }
                Message::Map => {
                    crate::debug!("process {}: maps its users and groups", self.first);
                    userns::map(self.first, launch.spec.uid_mappings, launch.spec.gid_mappings)?;
                    self.channel.go()?;
                }
                Message::Born(pid, pidfd) => {
                    self.intermediate = Some(core::mem::replace(&mut self.pidfd, pidfd));
                    self.pid = pid;
                    if let Some(intermediate) = &self.intermediate {
                        process::wait(Whom::Pidfd(intermediate.by_ref()), true)
                            .doing("wait for the intermediate process")?;
                    }
                    self.intermediate = None;
                    self.process_created()?;
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
                    mounts::lent::lend(
                        &Borrower { spec, process, bundle, channel: self.channel },
                        index,
                    )?;
                }
                Message::Clones | Message::Ready | Message::Listener(_) | Message::Lent(_) => {
                    return Err(Error::new(format_args!(
                        "the container said what is not its turn"
                    )));
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
            _ => {
                return Err(Error::new(format_args!(
                    "the container's process died before its exec"
                )));
            }
        }
    }
}

fn died(pidfd: &Fd) -> Error {
    let ended = process::wait(Whom::Pidfd(pidfd.by_ref()), true).ok().flatten();
    let ended = ended.map_or(0, |(_, ended)| u32::from(ended.status()));
    let hint = if ended == 128 + signal::SIGKILL as u32 { " (too little memory?)" } else { "" };
    Error::new(format_args!("the container's process died before its exec, status {ended}{hint}"))
}
