//! One container of the machine, from its start to its end: the main one, or one beside it.

use crate::container::Running;
use crate::container::starting::{Starting, Step};
use crate::sys::process::{self, Ended};
use crate::sys::signal::{self, SignalSet};
use crate::watch::{Happened, Loop, Token};
use crate::{Error, Result};

/// After the signal that asks it to stop, a container has this long until it is killed, as with
/// docker.
const STOP_MS: u64 = 10_000;

/// The state of a job.
enum State<'m> {
    Starting(Starting<'m>),
    /// It runs. The token is the row that reports its end.
    Running(Running, Token),
    /// It has ended with this status.
    Ended(u8),
    /// It could not start. The error is here until the caller takes it.
    Failed(Option<Error>),
}

/// A change of a job's state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It has executed its program, and may have ended since.
    Started,
    /// It could not start.
    Failed,
    /// It has ended.
    Ended,
}

/// A container.
pub struct Job<'m> {
    state: State<'m>,
    /// Signals that came before its program could hear them.
    held: SignalSet,
    /// The signal that asks it to stop came so.
    stop_held: Option<i32>,
    /// When it is killed, if it does not stop.
    stop: Option<Token>,
}

impl<'m> Job<'m> {
    /// A container that starts. Its loop collects all children.
    pub fn new(starting: Starting<'m>) -> Job<'m> {
        let (state, held) = (State::Starting(starting), SignalSet::NONE);
        Job { state, held, stop_held: None, stop: None }
    }

    /// Returns whether its start goes on.
    pub fn is_starting(&self) -> bool {
        matches!(self.state, State::Starting(_))
    }

    /// Returns its process, while that runs.
    pub fn running(&self) -> Option<&Running> {
        match &self.state {
            State::Running(running, _) => Some(running),
            _ => None,
        }
    }

    /// Returns its exit status, once it has ended.
    pub fn status(&self) -> Option<u8> {
        match self.state {
            State::Ended(status) => Some(status),
            _ => None,
        }
    }

    /// Returns why it could not start, once.
    pub fn take_failure(&mut self) -> Option<Error> {
        match &mut self.state {
            State::Failed(error) => error.take(),
            _ => None,
        }
    }

    /// Does what an event means for it. `then` is called with its process when its program was
    /// executed.
    pub fn handle(
        &mut self,
        happened: &Happened,
        events: &mut Loop,
        then: &mut dyn FnMut(&Running, &mut Loop) -> Result<()>,
    ) -> Option<Change> {
        match (&mut self.state, *happened) {
            (_, Happened::Due(token)) if self.stop == Some(token) => {
                self.stop = None;
                self.kill();
                None
            }
            (State::Starting(starting), _) => match starting.step(happened, events) {
                Step::Wait => None,
                Step::Failed(error) => Some(self.fail(error)),
                Step::Started => Some(self.started(events, then)),
            },
            (State::Running(_, row), Happened::Ended(token, ended)) if *row == token => {
                self.end(ended, events);
                Some(Change::Ended)
            }
            _ => None,
        }
    }

    fn fail(&mut self, error: Error) -> Change {
        self.state = State::Failed(Some(error));
        Change::Failed
    }

    fn started(
        &mut self,
        events: &mut Loop,
        then: &mut dyn FnMut(&Running, &mut Loop) -> Result<()>,
    ) -> Change {
        let State::Starting(starting) = core::mem::replace(&mut self.state, State::Failed(None))
        else {
            return Change::Failed;
        };
        let (running, row, ended) = starting.into_running();
        if let Err(error) = then(&running, events) {
            running.kill();
            return self.fail(error);
        }
        match (row, ended) {
            (Some(row), None) => self.state = State::Running(running, row),
            (_, Some(ended)) => self.end(ended, events),
            // Never: a loop that collects all children has a row of each.
            (None, None) => return self.fail(Error::new(format_args!("its end is not told"))),
        }
        let held = self.held;
        for number in (1..=signal::SIGNAL_MAX).filter(|number| held.has(*number)) {
            self.signal(number);
        }
        if let Some(number) = self.stop_held.take() {
            self.stop(number, events);
        }
        Change::Started
    }

    fn end(&mut self, ended: Ended, events: &mut Loop) {
        self.state = State::Ended(ended.status());
        self.stop.take().into_iter().for_each(|token| events.remove(token));
    }

    /// Sends it a signal, at the latest when its program was executed.
    pub fn signal(&mut self, number: i32) {
        match &self.state {
            // One that is ending at this moment needs no signal.
            State::Running(running, _) => {
                let _ = process::kill_pidfd(running.pidfd.by_ref(), number);
            }
            State::Starting(_) => self.held = self.held.with(number),
            State::Ended(_) | State::Failed(_) => {}
        }
    }

    /// Kills it, even while it starts.
    pub fn kill(&mut self) {
        match &self.state {
            State::Starting(starting) => starting.kill(),
            _ => self.signal(signal::SIGKILL),
        }
    }

    /// Sends its stop signal, and after a while SIGKILL, as `docker stop` does.
    pub fn stop(&mut self, number: i32, events: &mut Loop) {
        match self.state {
            State::Running(..) => {
                self.signal(number);
                self.stop.take().into_iter().for_each(|before| events.remove(before));
                // Rows never run out here: WATCHED_MAX has those of all jobs.
                self.stop = events.after(STOP_MS).ok();
            }
            State::Starting(_) => self.stop_held = Some(number),
            State::Ended(_) | State::Failed(_) => {}
        }
    }
}
