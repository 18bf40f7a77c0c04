//! The parent's side of the conversation with a new process (`handshake.rs`), a step for each
//! event.

mod errand;
mod hear;
mod released;
mod table;

pub use released::{Released, release};

use super::handshake::{Channel, Message};
use super::report::Report;
use super::request::Launch;
use super::{Running, attributes, child};
use errand::{Errand, Then};
use table::Phase;

use crate::spec::TAKES_CONFIGS;
use crate::sys::Errno;
use crate::sys::fd::Fd;
use crate::sys::process::{self, Ended};
use crate::sys::signal;
use crate::sys::vm::Shared;
use crate::watch::{Happened, Interest, Loop, Token, children};
use crate::{Context, Error, Result};
use core::sync::atomic::Ordering;

/// The listener of a filter that notifies. It comes once.
enum Awaited {
    /// The process has not offered it yet.
    Due,
    /// We have it, but have not sent it to its receiver.
    Here(Fd),
    /// It was sent, or the filter has none. A message that offers one is an error.
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

/// The state of a start after a step.
pub enum Step {
    /// It waits for another event.
    Wait,
    /// The process has executed, or waits at its start socket ([`Starting::into_running`]).
    Started,
    /// Nothing of it is left.
    Failed(Error),
}

/// A start that gives control back: it handles one message of the new process at each event.
pub struct Starting<'a> {
    launch: &'a Launch<'a>,
    channel: Channel,
    phase: Phase,
    /// The row of the channel.
    heard: Token,
    /// The row of the process while its end is awaited, or always if the loop collects all.
    row: Option<Token>,
    /// The current errand, and the action after it.
    errand: Option<(Errand<'a>, Then)>,
    /// The timer for the next look at whether the process offers its listener.
    look: Option<Token>,
    /// Memory for the pid that the intermediate process makes; None once that was read.
    born: Option<Shared>,
    /// Memory for the report of a process under its filter.
    report: Option<Report>,
    /// See [`super::prepared::Plan::is_released`].
    is_released: bool,
    /// See [`Starting::is_in_cgroup_of_caller`].
    of_caller: Option<Errno>,
    listener: Awaited,
    /// The process that we made: the container's, or the intermediate process.
    first: i32,
    pid: i32,
    pidfd: Fd,
    /// That process's exit status.
    ended: Option<Ended>,
    /// The container's process, made by an intermediate one that is ending.
    next: Option<(i32, Fd)>,
    terminal: Option<Fd>,
    /// The reason why it is undone.
    error: Option<Error>,
}

/// A new process, and the memory that it shares with us.
pub struct Made {
    /// It is an intermediate process.
    pub staged: bool,
    /// Its pid.
    pub pid: i32,
    /// Its pidfd.
    pub pidfd: Fd,
    /// See [`Starting::born`].
    pub born: Option<Shared>,
    /// See [`Starting::report`].
    pub report: Option<Report>,
    /// See [`Starting::is_released`].
    pub is_released: bool,
    /// See there.
    pub of_caller: Option<Errno>,
}

/// Milliseconds between looks at whether a process offers its listener and spins.
const LOOK_MS: u64 = 1;

impl<'a> Starting<'a> {
    /// Begins the conversation with a cloned process. A failure kills it.
    pub(super) fn new(
        launch: &'a Launch<'a>,
        channel: Channel,
        made: Made,
        events: &mut Loop,
    ) -> Result<Starting<'a>> {
        let Made { staged, pid, pidfd, born, report, is_released, of_caller } = made;
        let heard = match events.add(channel.descriptor(), Interest::READ) {
            Ok(heard) => heard,
            Err(error) => {
                end(pid, &pidfd);
                return Err(error);
            }
        };
        let mut starting = Starting {
            launch,
            channel,
            phase: Phase::SettingUp,
            heard,
            row: None,
            errand: None,
            look: None,
            born,
            report,
            is_released,
            of_caller,
            listener: Awaited::of(launch),
            first: pid,
            pid,
            pidfd,
            ended: None,
            next: None,
            terminal: None,
            error: None,
        };
        let begun = starting.begin(staged, events);
        match begun {
            Ok(()) => Ok(starting),
            Err(error) => {
                starting.abandon(events);
                Err(error)
            }
        }
    }

    fn begin(&mut self, staged: bool, events: &mut Loop) -> Result<()> {
        if events.collects() {
            self.watch_end(events)?;
        }
        if let (Awaited::Due, Some(report)) = (&self.listener, &self.report) {
            report.tell_of_death();
        }
        self.look_later(events)?;
        if staged { Ok(()) } else { self.process_created() }
    }

    /// Runs the loop until the start has ended.
    pub fn finish(mut self, events: &mut Loop) -> Result<Running> {
        loop {
            let happened = match events.next_event() {
                Ok(happened) => happened,
                Err(error) => {
                    self.abandon(events);
                    return Err(error);
                }
            };
            match self.step(&happened, events) {
                Step::Wait => {}
                Step::Started => return Ok(self.into_running().0),
                Step::Failed(error) => return Err(error),
            }
        }
    }

    /// Returns why the process is in the caller's cgroup, if it is.
    pub fn is_in_cgroup_of_caller(&self) -> Option<Errno> {
        self.of_caller
    }

    /// Returns the process of a successful start. If the loop collects all children, also the
    /// process's row, or its exit status if it has ended already.
    pub fn into_running(self) -> (Running, Option<Token>, Option<Ended>) {
        let Starting { pid, pidfd, terminal, row, ended, .. } = self;
        (Running { pid, pidfd, terminal }, row, ended)
    }

    /// Handles an event. An event of another row changes nothing.
    pub fn step(&mut self, happened: &Happened, events: &mut Loop) -> Step {
        let done = match *happened {
            Happened::Ready(token, _) if token == self.heard => self.hear(events),
            Happened::Due(token) if self.look == Some(token) => self.look(events),
            Happened::Ended(token, ended) if self.row == Some(token) => {
                (self.row, self.ended) = (None, Some(ended));
                self.process_ended(ended, events)
            }
            _ => self.errand_step(happened, events),
        };
        let done = done.unwrap_or_else(|error| self.undo(error, events));
        if !matches!(done, Step::Wait) {
            self.forget(events);
        }
        done
    }

    /// Removes our rows from the loop, except for a running process's.
    fn forget(&mut self, events: &mut Loop) {
        events.remove(self.heard);
        self.look.take().into_iter().for_each(|token| events.remove(token));
    }

    /// Kills the start's processes, and goes on after their end.
    fn undo(&mut self, error: Error, events: &mut Loop) -> Step {
        self.phase = Phase::Undoing;
        self.forget(events);
        self.end_errand(events);
        self.error = Some(error);
        self.kill();
        self.undo_next(events)
    }

    fn undo_next(&mut self, events: &mut Loop) -> Step {
        loop {
            if self.ended.is_none() {
                match self.watch_end(events) {
                    Ok(()) => return Step::Wait,
                    Err(_) => end(self.pid, &self.pidfd),
                }
            }
            let Some((pid, pidfd)) = self.next.take() else { break };
            (self.pid, self.pidfd, self.ended) = (pid, pidfd, None);
        }
        Step::Failed(self.error.take().unwrap_or_else(forged))
    }

    /// Kills the start's processes; the next step reports the failure.
    pub fn kill(&self) {
        for pidfd in self.next.iter().map(|(_, pidfd)| pidfd).chain([&self.pidfd]) {
            let _ = process::kill_pidfd(pidfd.by_ref(), signal::SIGKILL);
        }
        self.errand.iter().for_each(|(errand, _)| errand.kill());
    }

    /// Kills the start's processes, and waits for their end here, if the loop cannot.
    pub fn abandon(&mut self, events: &mut Loop) {
        self.forget(events);
        self.end_errand(events);
        self.row.take().into_iter().for_each(|token| events.remove(token));
        for (pid, pidfd) in self.next.iter().map(|(pid, pidfd)| (*pid, pidfd)) {
            end(pid, pidfd);
        }
        if self.ended.is_none() {
            end(self.pid, &self.pidfd);
        }
    }

    fn watch_end(&mut self, events: &mut Loop) -> Result<()> {
        if self.row.is_none() {
            self.row = Some(events.process(self.pid, self.pidfd.by_ref())?);
        }
        Ok(())
    }

    /// Continues with another process, which the former one made.
    fn take_over(&mut self, pid: i32, pidfd: Fd, events: &mut Loop) -> Result<()> {
        (self.pid, self.pidfd, self.ended) = (pid, pidfd, None);
        if events.collects() { self.watch_end(events) } else { Ok(()) }
    }

    fn process_created(&self) -> Result<()> {
        crate::debug!("process {}: cloned", self.pid);
        child::adjust_oom_score(self.pid, &self.launch.spec.process)?;
        self.launch.due.record().map_or(Ok(()), |record| record.process_created(self.pid))
    }

    /// Handles the end of a process.
    fn process_ended(&mut self, ended: Ended, events: &mut Loop) -> Result<Step> {
        match self.phase {
            Phase::HandingOver if TAKES_CONFIGS => {
                let Some((pid, pidfd)) = self.next.take() else { return Err(forged()) };
                self.take_over(pid, pidfd, events)?;
                events.change(self.heard, Interest::READ)?;
                self.phase = Phase::SettingUp;
                self.process_created()?;
                self.channel.go()?;
            }
            Phase::Adopting if TAKES_CONFIGS => return self.adopt(events),
            Phase::Dying => return Err(died(ended)),
            Phase::Undoing => return Ok(self.undo_next(events)),
            // Its listener may have no receiver.
            _ if matches!(self.errand, Some((Errand::Listener(_), _))) => return Err(died(ended)),
            // Its earlier messages come first.
            _ => {}
        }
        Ok(Step::Wait)
    }

    /// Waits for the end of an intermediate process. Messages of the container's process come
    /// later.
    fn await_intermediate(&mut self, phase: Phase, events: &mut Loop) -> Result<Step> {
        self.phase = phase;
        events.change(self.heard, Interest::PAUSED)?;
        match self.ended {
            Some(ended) => self.process_ended(ended, events),
            None => self.watch_end(events).map(|()| Step::Wait),
        }
    }

    /// Takes over the container's process, which is our child, because the intermediate process has
    /// ended.
    fn adopt(&mut self, events: &mut Loop) -> Result<Step> {
        let pid = self.born.take().map_or(0, |born| born.words()[0].load(Ordering::Acquire)) as i32;
        if pid <= 0 {
            if let Some(error) = self.report.as_ref().and_then(Report::failure) {
                return Err(error);
            }
            return Err(match self.channel.receive()? {
                Message::Failed(error) => error,
                _ => Error::new(format_args!("the intermediate process died")),
            });
        }
        let pidfd = process::open_pidfd(pid).doing("open the container's process")?;
        self.take_over(pid, pidfd, events)?;
        events.change(self.heard, Interest::READ)?;
        self.phase = Phase::Entered;
        self.launch.due.record().map_or(Ok(()), |record| record.moved(pid))?;
        if self.launch.filter.is_none() {
            return Ok(Step::Wait);
        }
        // It waits under its filter.
        attributes::schedule(pid, &self.launch.spec.process)?;
        self.hand_on(Then::Adopted, events)
    }
}

#[cold]
fn forged() -> Error {
    Error::new(format_args!("the container sent what it may not"))
}

/// Kills and collects a process that the loop cannot wait for.
fn end(pid: i32, pidfd: &Fd) {
    let _ = process::kill_pidfd(pidfd.by_ref(), signal::SIGKILL);
    children::await_end_of(pid);
}

#[cold]
fn died_before_exec() -> Error {
    Error::new(format_args!("the container's process died before its exec"))
}

fn died(ended: Ended) -> Error {
    let ended = u32::from(ended.status());
    let hint = if ended == 128 + signal::SIGKILL as u32 { " (too little memory?)" } else { "" };
    Error::new(format_args!("the container's process died before its exec, status {ended}{hint}"))
}

#[cfg(test)]
mod tests;
