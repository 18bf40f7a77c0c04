//! The rest of the conversation with a created container: from its release to execve(2).

use super::super::handshake::Channel;
use super::super::report::Report;
use super::died_before_exec;
use super::table::{Action, Phase, action};
use crate::Result;
use crate::sys::signal::SignalSet;
use crate::watch::{Happened, Interest, Loop, Token};

/// A created container that was released.
pub struct Released<'a> {
    channel: &'a Channel,
    report: Option<&'a Report>,
    phase: Phase,
    /// The row of the channel.
    heard: Token,
}

/// Continues the conversation with a released container, up to execve(2). For a caller that does
/// nothing else meanwhile.
pub fn release(channel: &Channel, report: Option<&Report>) -> Result<()> {
    let mut events = Loop::new(SignalSet::NONE)?;
    let mut released = Released::begin(channel, report, &mut events)?;
    loop {
        let happened = events.next_event()?;
        if let Some(done) = released.step(&happened, &mut events) {
            return done;
        }
    }
}

impl<'a> Released<'a> {
    /// Begins to receive its messages.
    pub fn begin(
        channel: &'a Channel,
        report: Option<&'a Report>,
        events: &mut Loop,
    ) -> Result<Released<'a>> {
        let heard = events.add(channel.descriptor(), Interest::READ)?;
        Ok(Released { channel, report, phase: Phase::Released, heard })
    }

    /// Handles an event. Returns the result once it is known.
    pub fn step(&mut self, happened: &Happened, events: &mut Loop) -> Option<Result<()>> {
        if !matches!(*happened, Happened::Ready(token, _) if token == self.heard) {
            return None;
        }
        let done = self.hear().transpose();
        if done.is_some() {
            events.remove(self.heard);
        }
        done
    }

    fn hear(&mut self) -> Result<Option<()>> {
        match action(self.phase, self.channel.receive()?, false)? {
            Action::Execute => {
                crate::debug!("released, about to exec");
                self.channel.go()?;
                self.phase = Phase::Executing;
                Ok(None)
            }
            Action::Executed => self.report.and_then(Report::failure).map_or(Ok(Some(())), Err),
            Action::Fail(error) => Err(error),
            _ => Err(died_before_exec()),
        }
    }
}
