//! What the parent does for a process that waits for it, and what takes time: a start gives control
//! back meanwhile.

use super::super::hooks::Series;
use super::super::mounts::lent;
use super::super::seccomp::Sending;
use super::super::userns::Mapping;
use crate::Result;
use crate::spec::TAKES_CONFIGS;
use crate::watch::children::Helper;
use crate::watch::{Happened, Loop};

/// It. PID 1's own container has none ([`TAKES_CONFIGS`]).
pub enum Errand<'a> {
    /// Hooks of one kind run.
    Hooks(Series<'a>),
    /// A program of the host maps ids.
    Map(Mapping<'a>),
    /// A helper opens a mount's source.
    Lend(Helper),
    /// The listener is on its way.
    Listener(Sending<'a>),
}

/// What follows.
#[derive(Clone, Copy)]
pub enum Then {
    /// The process goes on by itself.
    Hear,
    /// It is told to go on.
    Go,
    /// The hooks of the kind of this number are next.
    Hooks(usize),
    /// It spins until we have its listener, and may go on.
    GoOn,
    /// It was taken over, and waits under its filter.
    Adopted,
}

impl Errand<'_> {
    /// Does what an event asks for. Returns how it went, once that is known.
    pub fn step(&mut self, happened: &Happened, events: &mut Loop) -> Option<Result<()>> {
        match self {
            _ if !TAKES_CONFIGS => None,
            Errand::Hooks(series) => series.step(happened, events),
            Errand::Map(mapping) => mapping.step(happened, events),
            Errand::Lend(helper) => helper.ended(happened).map(lent::verdict),
            Errand::Listener(sending) => sending.step(happened, events),
        }
    }

    /// Kills what works at it; the next step tells the failure.
    pub fn kill(&self) {
        match self {
            _ if !TAKES_CONFIGS => {}
            Errand::Hooks(series) => series.kill(),
            Errand::Map(mapping) => mapping.kill(),
            Errand::Lend(helper) => helper.kill(),
            // The start fails when its process has died.
            Errand::Listener(_) => {}
        }
    }

    /// Kills what works at it, and waits for that here.
    pub fn abandon(self, events: &mut Loop) {
        match self {
            _ if !TAKES_CONFIGS => {}
            Errand::Hooks(series) => series.abandon(events),
            Errand::Map(mapping) => mapping.abandon(events),
            Errand::Lend(helper) => helper.abandon(events),
            Errand::Listener(sending) => sending.abandon(events),
        }
    }
}
