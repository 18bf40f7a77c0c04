//! PID 1 while the container runs: one loop over fds.
//!
//! Each source is a row of the [`Loop`]; a further source is one more row. Fds are watched
//! edge-triggered, because a port without a host is always "ready": every pump then moves all it
//! can.

use super::control::RETRY_MS;
use super::early;
use super::job::{Change, Job};
use super::jobs::Jobs;
use super::report::Report;
use super::streams::{Begun, Prepared, Streams};
use crate::Result;
use crate::container::{Launch, Starter};
use crate::sys::{signal, time, tty};
use crate::watch::pump::{Pump, Step};
use crate::watch::{Happened, Interest, Loop, Token};

/// Turns of [`RETRY_MS`] to wait for the streams after the host has disconnected.
const GONE_TURNS: u32 = 20;

/// The meaning of a signal to PID 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SignalAction {
    /// Stops the machine.
    Stop,
    /// Goes to the container.
    Forward,
    Ignore,
}

/// Returns the meaning of a signal. Ctrl-Alt-Del is a SIGINT from the kernel, with sender 0.
fn meaning(signal: i32, sender: i32) -> SignalAction {
    match signal {
        libc::SIGPWR => SignalAction::Stop,
        libc::SIGINT if sender == 0 => SignalAction::Stop,
        libc::SIGHUP
        | libc::SIGINT
        | libc::SIGQUIT
        | libc::SIGUSR1
        | libc::SIGUSR2
        | libc::SIGTERM => SignalAction::Forward,
        libc::SIGCONT | libc::SIGWINCH | 34.. => SignalAction::Forward,
        _ => SignalAction::Ignore,
    }
}

/// The container's end.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The container's exit status, in a shell's numbers.
    pub status: u8,
    /// Bytes of its standard output, or its terminal's.
    pub stdout: u64,
    /// Bytes of its standard error.
    pub stderr: u64,
    /// The last byte of its standard output does not end a line.
    pub within_line: bool,
}

/// The state of PID 1's loop.
pub struct Supervisor<'a, 'm> {
    /// The main container.
    main: Job<'a>,
    /// Its streams, until it has started.
    prepared: Option<Prepared<'m>>,
    streams: Streams<'m>,
    starter: Starter<'a>,
    like: &'a Launch<'a>,
    jobs: Jobs<'a>,
    report: &'a mut Report,
    events: Loop,
    /// The control port.
    host: Option<Token>,
}

impl<'a, 'm> Supervisor<'a, 'm> {
    /// Returns a loop for a container that starts.
    pub fn new(
        (starting, prepared): Begun<'a, 'm>,
        starter: Starter<'a>,
        like: &'a Launch<'a>,
        report: &'a mut Report,
        mut events: Loop,
    ) -> Result<Supervisor<'a, 'm>> {
        // Edges: a port without a host is always "ready". The pumps run at each turn.
        let host = match &report.control {
            Some(control) => Some(events.add(control.port(), Interest::EDGES)?),
            None => None,
        };
        Ok(Supervisor {
            main: Job::new(starting),
            prepared: Some(prepared),
            streams: Streams::default(),
            starter,
            like,
            jobs: Jobs::default(),
            report,
            events,
            host,
        })
    }

    /// Waits until the container has ended and all its output is passed on. Returns an error if it
    /// could not start.
    pub fn run(mut self) -> Result<Outcome> {
        let mut turns_without_host = 0;
        // The time of the console's last progress, and how much it had taken by then.
        let mut progress: Option<(u64, u64)> = None;
        loop {
            let (finished, at_most_ms) = self.pump();
            if let Some(status) = self.main.status() {
                let host_is_there =
                    self.report.control.as_ref().is_none_or(|control| control.is_connected());
                turns_without_host = if host_is_there { 0 } else { turns_without_host + 1 };
                if finished && self.jobs.is_empty()
                    || turns_without_host > GONE_TURNS
                    || self.is_console_stuck(&mut progress)
                {
                    return Ok(self.outcome(status));
                }
            }
            self.events.wait(at_most_ms)?;
            while let Some(happened) = self.events.take()? {
                self.handle(&happened);
                if let Some(error) = self.main.take_failure() {
                    return Err(error);
                }
            }
        }
    }

    fn handle(&mut self, happened: &Happened) {
        match *happened {
            Happened::Signal(signal, sender) => match meaning(signal, sender) {
                SignalAction::Stop => self.main.stop(self.like.spec.stop_signal, &mut self.events),
                SignalAction::Forward => self.main.signal(signal),
                SignalAction::Ignore => {}
            },
            Happened::Ready(token, _) if self.host == Some(token) => self.handle_host_commands(),
            // A pump's end: the pumps run at each turn.
            _ => {
                self.jobs.handle(happened, &mut self.events);
                self.handle_main(happened);
            }
        }
    }

    /// Does what an event means for the main container.
    fn handle_main(&mut self, happened: &Happened) {
        let (prepared, streams) = (&mut self.prepared, &mut self.streams);
        let change = self.main.handle(happened, &mut self.events, &mut |running, events| {
            if let Some(prepared) = prepared.take() {
                *streams = prepared.of(running)?;
            }
            streams.watch(events)
        });
        match change {
            Some(Change::Started) => {
                self.report.end_of("start");
                self.report.started();
                // The commands that came before.
                self.handle_host_commands();
                if self.main.status().is_some() {
                    self.stop_jobs();
                }
            }
            Some(Change::Ended) => self.stop_jobs(),
            Some(Change::Failed) | None => {}
        }
    }

    fn stop_jobs(&mut self) {
        self.jobs.stop(self.like.spec.stop_signal, &mut self.events);
    }

    /// Returns true if the container has ended and the console takes no more of its output.
    /// Releases a terminal that the container or flow control stopped. If the console's other end
    /// does not read, we do not wait.
    fn is_console_stuck(&self, progress: &mut Option<(u64, u64)>) -> bool {
        let Some(stdout) = self.streams.stdout.as_ref().filter(|_| self.report.control.is_none())
        else {
            return false;
        };
        let (now, sink) = (time::monotonic_us(), stdout.sink());
        // A slow line drains the kernel's buffer for seconds before it takes more.
        let unsent = sink.and_then(|console| tty::unsent(console).ok()).unwrap_or(0);
        let sent = stdout.passed.saturating_sub(u64::from(unsent));
        match *progress {
            Some((since, before)) if before == sent => now - since > early::CONSOLE_STUCK_MS * 1000,
            before => {
                if let (None, Some(console)) = (before, sink) {
                    tty::release(console);
                }
                *progress = Some((now, sent));
                false
            }
        }
    }

    fn outcome(&self, status: u8) -> Outcome {
        let passed = |pump: &Option<Pump<'_>>| pump.as_ref().map_or(0, |pump| pump.passed);
        let within_line = self.streams.stdout.as_ref().is_some_and(|pump| pump.within_line);
        Outcome {
            status,
            within_line,
            stdout: passed(&self.streams.stdout),
            stderr: passed(&self.streams.stderr),
        }
    }

    /// Runs every pump once. Returns whether all output has ended, and the longest time to sleep,
    /// in milliseconds.
    fn pump(&mut self) -> (bool, Option<u64>) {
        let ended = self.main.status().is_some();
        let Streams { stdin, stdout, stderr } = &mut self.streams;
        let mut finished = true;
        let mut at_most_ms = None;
        for pump in [stdout, stderr].into_iter().flatten() {
            let step = pump.step(ended);
            finished &= step == Step::Finished;
            match step {
                Step::More => at_most_ms = Some(0),
                Step::Stuck if at_most_ms.is_none() => at_most_ms = Some(RETRY_MS),
                _ => {}
            }
        }
        // Without the container nothing reads stdin any more.
        if let Some(pump) = stdin.as_mut().filter(|_| !ended)
            && pump.step(false) == Step::More
        {
            at_most_ms = Some(0);
        }
        let mut waits = false;
        // The host's commands wait until the main container has started.
        if let Some(control) = self.report.control.as_mut().filter(|_| !self.main.is_starting()) {
            self.jobs.start(&mut self.starter, self.like, control, &mut self.events);
            if self.jobs.pump(control) {
                at_most_ms = Some(0);
            }
            waits = !control.flush();
        }
        if at_most_ms.is_none() && (waits || ended) {
            at_most_ms = Some(RETRY_MS);
        }
        (finished, at_most_ms)
    }

    /// Carries out the host's commands. Until the container has started it only reads them.
    fn handle_host_commands(&mut self) {
        let Some(control) = &mut self.report.control else { return };
        control.hear();
        if self.main.is_starting() {
            return;
        }
        let signals = core::mem::take(&mut control.signals);
        let (size, eof) = (control.size.take(), control.eof.take());
        let stop = core::mem::take(&mut control.stop);
        for number in (1..=signal::SIGNAL_MAX).filter(|number| signals.has(*number)) {
            self.main.signal(number);
        }
        if stop {
            self.main.stop(self.like.spec.stop_signal, &mut self.events);
        }
        let terminal = self.main.running().and_then(|running| running.terminal.as_ref());
        if let (Some((rows, columns)), Some(master)) = (size, terminal) {
            let _ = tty::set_size(master.by_ref(), rows, columns);
        }
        if let (Some(bytes), Some(stdin)) = (eof, &mut self.streams.stdin) {
            stdin.set_end(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_to_pid_1_have_their_meanings() {
        for (signal, sender, expected) in [
            (libc::SIGINT, 0, SignalAction::Stop),
            (libc::SIGINT, 7, SignalAction::Forward),
            (libc::SIGPWR, 0, SignalAction::Stop),
            (libc::SIGTERM, 0, SignalAction::Forward),
            (libc::SIGPIPE, 0, SignalAction::Ignore),
            (37, 0, SignalAction::Forward),
        ] {
            assert_eq!(meaning(signal, sender), expected, "{signal}");
        }
    }
}
