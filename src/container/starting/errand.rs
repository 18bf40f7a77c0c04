//! Slow steps that the parent takes for a process that waits for it. A start gives control back
//! meanwhile.

use super::super::hooks::Series;
use super::super::mounts::lent;
use super::super::seccomp::Sending;
use super::super::userns::Mapping;
use crate::Result;
use crate::spec::TAKES_CONFIGS;
use crate::watch::children::Helper;
use crate::watch::{Happened, Loop};

/// A slow step. PID 1's own container needs none ([`TAKES_CONFIGS`]).
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

/// The action after an errand.
#[derive(Clone, Copy)]
pub enum Then {
    /// Wait for the next message: the process continues by itself.
    Hear,
    /// Tell the process to continue.
    Go,
    /// Run the hooks of the kind with this index.
    Hooks(usize),
    /// Release the process from its busy loop: we have its listener.
    GoOn,
    /// Continue with a process that we adopted and that waits under its filter.
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
