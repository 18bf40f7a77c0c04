//! The rest of the conversation with a created container: from its release to its exec.

use super::super::handshake::Channel;
use super::super::report::Report;
use super::died_before_exec;
use super::table::{Action, Phase, action};
use crate::Result;
use crate::sys::signal::SignalSet;
use crate::watch::{Happened, Interest, Loop, Token};

/// A created container that was released, and is heard out.
pub struct Released<'a> {
    channel: &'a Channel,
    report: Option<&'a Report>,
    phase: Phase,
    /// The row of the channel.
    heard: Token,
}

/// Hears out a container that was released, up to its exec. For a caller that waits for nothing
/// else.
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
    /// Begins to hear it.
    pub fn begin(
        channel: &'a Channel,
        report: Option<&'a Report>,
        events: &mut Loop,
    ) -> Result<Released<'a>> {
        let heard = events.add(channel.descriptor(), Interest::READ)?;
        Ok(Released { channel, report, phase: Phase::Released, heard })
    }

    /// Does what an event asks for. Returns how it went, once that is known.
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
