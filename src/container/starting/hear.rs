//! Carries out what the messages of a new process ask for (`table.rs`).

use super::super::mounts::lent::{self, Borrower};
use super::super::report::Report;
use super::super::seccomp::Sending;
use super::super::userns::Mapping;
use super::super::{attributes, child, hooks};
use super::errand::{Errand, Then};
use super::table::{Action, Phase, action};
use super::{Awaited, LOOK_MS, Starting, Step, died};
use crate::spec::TAKES_CONFIGS;
use crate::sys::tty;
use crate::watch::{Happened, Interest, Loop};
use crate::{Context, Error, Result};

impl<'a> Starting<'a> {
    /// Hears one message, and does what it asks for.
    pub(super) fn hear(&mut self, events: &mut Loop) -> Result<Step> {
        if self.errand.is_some() || !self.phase.hears() {
            // Its other end is gone, which is told later.
            return Ok(Step::Wait);
        }
        let launch = self.launch;
        let is_due = matches!(self.listener, Awaited::Due);
        match action(self.phase, self.channel.receive()?, is_due)? {
            Action::Fail(error) => return Err(error),
            Action::Listener(listener) => {
                self.listener = Awaited::Here(listener);
                return self.hand_on(Then::Hear, events);
            }
            Action::Executed => {
                return self.failure().map_or(Ok(Step::Started), Err);
            }
            Action::Died => {
                if let Some(error) = self.failure() {
                    return Err(error);
                }
                self.phase = Phase::Dying;
                events.remove(self.heard);
                match self.ended {
                    Some(ended) => return Err(died(ended)),
                    None => self.watch_end(events)?,
                }
            }
            Action::Adopt => {
                if launch.enters.is_some() {
                    child::adjust_oom_score(self.first, &launch.spec.process)?;
                }
                self.channel.go()?;
                return self.await_intermediate(Phase::Adopting, events);
            }
            Action::Execute => {
                crate::debug!("process {}: set up, about to exec or to wait", self.pid);
                if self.phase == Phase::Entered && launch.filter.is_none() {
                    attributes::schedule(self.pid, &launch.spec.process)?;
                }
                self.channel.go()?;
                self.phase = Phase::Ready;
                if launch.gate.is_some() {
                    return Ok(Step::Started);
                }
            }
            Action::Terminal(master) => {
                // Before the program can write, because Go comes later.
                if launch.shows_terminal {
                    tty::keep_line_feeds(master.by_ref()).doing("set up the terminal")?;
                }
                self.terminal = Some(master);
            }
            Action::Place => {
                self.process_created()?;
                self.channel.go()?;
            }
            Action::Map => {
                crate::debug!("process {}: maps its users and groups", self.first);
                let mappings = [launch.spec.uid_mappings, launch.spec.gid_mappings];
                let mapping = Mapping::begin(self.first, mappings, events)?;
                return self.run(mapping.map(Errand::Map), Then::Go, events);
            }
            Action::HandOver(pid, pidfd) => {
                self.next = Some((pid, pidfd));
                return self.await_intermediate(Phase::HandingOver, events);
            }
            Action::Hooks => {
                crate::debug!("process {}: its mounts are made; hooks of the host", self.pid);
                return self.run_hooks(0, events);
            }
            Action::Lend(index) => {
                let bundle = launch.about.map_or(c".", |(_, state)| state.bundle);
                let (spec, process) = (launch.spec, self.pidfd.by_ref());
                let borrower = Borrower { spec, process, bundle, channel: &self.channel };
                let helper = lent::lend(&borrower, index, events)?;
                return self.run(Some(Errand::Lend(helper)), Then::Hear, events);
            }
        }
        Ok(Step::Wait)
    }

    fn failure(&self) -> Option<Error> {
        self.report.as_ref().and_then(Report::failure)
    }

    /// Runs the hooks of the host from the kind of this number on.
    fn run_hooks(&mut self, from: usize, events: &mut Loop) -> Result<Step> {
        let due = &self.launch.due;
        if let (Some(kind), Some(container)) = (due.hooks.get(from), due.container()) {
            let series = hooks::Series::begin(container, *kind, events)?;
            return self.run(series.map(Errand::Hooks), Then::Hooks(from + 1), events);
        }
        self.channel.go()?;
        Ok(Step::Wait)
    }

    /// Sends the listener to its receiver, with the known pid.
    pub(super) fn hand_on(&mut self, then: Then, events: &mut Loop) -> Result<Step> {
        if !TAKES_CONFIGS {
            return self.go_on(then, events);
        }
        let listener = match core::mem::replace(&mut self.listener, Awaited::Done) {
            Awaited::Here(listener) => listener,
            other => {
                self.listener = other;
                return self.go_on(then, events);
            }
        };
        let Some(container) = self.launch.due.container() else {
            return Err(Error::new(format_args!(
                "a seccomp filter that notifies needs a listener"
            )));
        };
        let sending = match &container.spec.seccomp {
            Some(profile) => Sending::begin(profile, listener, self.pid, &container, events)?,
            None => None,
        };
        self.run(sending.map(Errand::Listener), then, events)
    }

    /// Looks again later whether the process offers its listener, if that is due.
    pub(super) fn look_later(&mut self, events: &mut Loop) -> Result<()> {
        if let (Awaited::Due, Some(_), None, None) =
            (&self.listener, &self.report, self.look, &self.errand)
        {
            self.look = Some(events.after(LOOK_MS)?);
        }
        Ok(())
    }

    /// Takes the listener from the process, which may spin for that.
    pub(super) fn look(&mut self, events: &mut Loop) -> Result<Step> {
        self.look = None;
        if TAKES_CONFIGS
            && let (Awaited::Due, Some(report)) = (&self.listener, &self.report)
            && let Some(listener) = report.take(self.pidfd.by_ref())
        {
            self.listener = Awaited::Here(listener);
            // An intermediate process first makes the process whose pid the listener needs.
            return match self.phase {
                Phase::Adopting => self.go_on(Then::GoOn, events),
                _ => self.hand_on(Then::GoOn, events),
            };
        }
        self.look_later(events)?;
        Ok(Step::Wait)
    }

    /// Does an errand, if it is not done yet, and then what follows.
    fn run(&mut self, errand: Option<Errand<'a>>, then: Then, events: &mut Loop) -> Result<Step> {
        let Some(errand) = errand else { return self.go_on(then, events) };
        self.errand = Some((errand, then));
        // The process waits: it does not offer a listener, and its death is told later.
        self.look.take().into_iter().for_each(|token| events.remove(token));
        events.change(self.heard, Interest::PAUSED)?;
        Ok(Step::Wait)
    }

    /// Does what an event means for the errand.
    pub(super) fn errand_step(&mut self, happened: &Happened, events: &mut Loop) -> Result<Step> {
        let Some((errand, then)) = &mut self.errand else { return Ok(Step::Wait) };
        let Some(done) = errand.step(happened, events) else { return Ok(Step::Wait) };
        let then = *then;
        self.errand = None;
        done?;
        events.change(self.heard, Interest::READ)?;
        self.look_later(events)?;
        self.go_on(then, events)
    }

    fn go_on(&mut self, then: Then, events: &mut Loop) -> Result<Step> {
        match then {
            Then::Hear => {}
            Then::Go => self.channel.go()?,
            Then::Hooks(from) if TAKES_CONFIGS => return self.run_hooks(from, events),
            Then::Hooks(_) => {}
            Then::GoOn => self.report.iter().for_each(Report::go_on),
            Then::Adopted => {
                self.channel.go()?;
                if self.is_released {
                    self.phase = Phase::Ready;
                }
            }
        }
        Ok(Step::Wait)
    }

    /// Ends the errand, which is not needed any more.
    pub(super) fn end_errand(&mut self, events: &mut Loop) {
        if let Some((errand, _)) = self.errand.take() {
            errand.abandon(events);
        }
    }
}
