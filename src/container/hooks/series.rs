//! The hooks of one kind in order, a step for each event.

use super::process::{Spawned, spawn};
use super::{HookContext, of_hook};
use crate::error::{Error, Result};
use crate::spec::HookKind;
use crate::sys::fd::Fd;
use crate::sys::process::Ended;
use crate::watch::children::Helper;
use crate::watch::{Happened, Loop, Token};

/// A series of running hooks.
pub struct Series<'a> {
    context: HookContext<'a>,
    kind: HookKind,

    /// The state, which each hook gets.
    file: Fd,
    /// The number of the running hook.
    n: usize,
    current: Option<Current>,
    failed: Option<Error>,
}

/// The running hook.
struct Current {
    spawned: Spawned,
    helper: Helper,
    /// The row of its time-out. None once that was used, or if there is none.
    due: Option<Token>,
    in_time: bool,
}

impl<'a> Series<'a> {
    /// Begins the hooks of one kind. Returns None if there is no hook.
    pub fn begin(
        context: HookContext<'a>,
        kind: HookKind,
        events: &mut Loop,
    ) -> Result<Option<Series<'a>>> {
        if context.spec.hooks.of(kind).is_empty() {
            return Ok(None);
        }
        let file = context.file()?;
        let mut series = Series { context, kind, file, n: 0, current: None, failed: None };
        match series.next(events) {
            None => Ok(Some(series)),
            Some(done) => done.map(|()| None),
        }
    }

    /// Handles an event. Returns the result once all hooks have ended.
    pub fn step(&mut self, happened: &Happened, events: &mut Loop) -> Option<Result<()>> {
        let current = self.current.as_mut()?;
        if matches!(*happened, Happened::Due(token) if current.due == Some(token)) {
            (current.due, current.in_time) = (None, false);
            current.helper.kill();
            return None;
        }
        let ended = current.helper.ended(happened)?;
        self.ended(ended, events);
        self.next(events)
    }

    /// Runs the loop until all have ended.
    pub fn finish(mut self, events: &mut Loop) -> Result<()> {
        loop {
            let happened = match events.next_event() {
                Ok(happened) => happened,
                Err(error) => {
                    self.abandon(events);
                    return Err(error);
                }
            };
            if let Some(done) = self.step(&happened, events) {
                return done;
            }
        }
    }

    /// Kills the running hook; the next step reports the failure.
    pub fn kill(&self) {
        self.current.iter().for_each(|current| current.helper.kill());
    }

    /// Kills the running hook, and collects it here, if the loop cannot.
    pub fn abandon(self, events: &mut Loop) {
        if let Some(Current { helper, due, .. }) = self.current {
            due.into_iter().for_each(|token| events.remove(token));
            helper.abandon(events);
        }
    }

    fn ended(&mut self, ended: Ended, events: &mut Loop) {
        if let Some(Current { spawned, due, in_time, .. }) = self.current.take() {
            due.into_iter().for_each(|token| events.remove(token));
            if let Err(error) = spawned.verdict(ended, in_time) {
                self.fail(error);
            }
        }
        self.n += 1;
    }

    /// Returns whether a failure leaves the remaining hooks to run: so the runtime-spec has it for
    /// poststop.
    fn runs_all(&self) -> bool {
        self.kind == HookKind::Poststop
    }

    fn fail(&mut self, error: Error) {
        let error = of_hook(self.kind, self.n, error);
        self.failed = Some(match self.failed.take() {
            None => error,
            Some(first) => first.and(error),
        });
    }

    /// Makes the next hook's process. Returns the result if no hook is left.
    fn next(&mut self, events: &mut Loop) -> Option<Result<()>> {
        while let Some(hook) = self.context.spec.hooks.of(self.kind).get(self.n)
            && (self.runs_all() || self.failed.is_none())
        {
            let made =
                spawn(hook, self.file.by_ref(), None, &mut []).and_then(|(spawned, pidfd)| {
                    let helper = Helper::watch(spawned.pid, pidfd, events)?;
                    let due =
                        spawned.patience_ms().map(|patience| events.after(patience)).transpose();
                    match due {
                        Ok(due) => Ok(Current { spawned, helper, due, in_time: true }),
                        Err(error) => {
                            helper.abandon(events);
                            Err(error)
                        }
                    }
                });
            match made {
                Ok(current) => {
                    self.current = Some(current);
                    return None;
                }
                Err(error) => self.fail(error),
            }
            self.n += 1;
        }
        Some(self.failed.take().map_or(Ok(()), Err))
    }
}
