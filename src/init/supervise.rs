//! PID 1 while the container runs: one loop over fds.
//!
//! Each source is a row of the [`Loop`]; a further source is one more row. Fds are watched
//! edge-triggered, because a port without a host is always "ready": every pump then moves all it
//! can.

use super::control::{Control, RETRY_MS};
use super::early;
use super::jobs::Jobs;
use crate::container::{Launch, Running, Starter};
use crate::sys::fd::{self, Fd};
use crate::sys::process;
use crate::sys::signal::{self, SignalSet};
use crate::sys::{time, tty};
use crate::watch::pump::{Buffer, Kind, Pump, Step};
use crate::watch::{Happened, Interest, Loop, Token};
use crate::{Context, Result};

/// Milliseconds from the stop signal to SIGKILL, as in docker.
const STOP_MS: u64 = 10_000;
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

/// The container's three streams. A terminal has no third.
#[derive(Default)]
pub struct Streams<'m> {
    /// From the port to the container.
    pub stdin: Option<Pump<'m>>,
    /// From the container to the port.
    pub stdout: Option<Pump<'m>>,
    /// From the container to the port.
    pub stderr: Option<Pump<'m>>,
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
    container: &'a Running,
    /// The row of the container's process.
    process: Token,
    starter: Starter<'a>,
    like: &'a Launch<'a>,
    jobs: Jobs<'a>,
    streams: Streams<'m>,
    control: Option<&'a mut Control>,
    events: Loop,
    /// The control port.
    host: Option<Token>,
    /// The row of the time at which the container is killed.
    stop: Option<Token>,
    status: Option<u8>,
}

impl<'a, 'm> Supervisor<'a, 'm> {
    /// Returns a loop for a started container.
    pub fn new(
        container: &'a Running,
        starter: Starter<'a>,
        like: &'a Launch<'a>,
        streams: Streams<'m>,
        control: Option<&'a mut Control>,
    ) -> Result<Supervisor<'a, 'm>> {
        let mut events = Loop::new(early::signals())?;
        let process = events.process(container.pid, container.pidfd.by_ref())?;
        // Edge-triggered, because a port without a host is always "ready". The pumps run after
        // every event.
        let host = match &control {
            Some(control) => Some(events.add(control.port(), Interest::EDGES)?),
            None => None,
        };
        for pump in [&streams.stdin, &streams.stdout, &streams.stderr].into_iter().flatten() {
            for end in [pump.source(), pump.sink()].into_iter().flatten() {
                events.add(end, Interest::EDGES)?;
            }
        }
        Ok(Supervisor {
            container,
            process,
            starter,
            like,
            jobs: Jobs::default(),
            streams,
            control,
            events,
            host,
            stop: None,
            status: None,
        })
    }

    /// Waits until the container has ended and all its output is passed on.
    pub fn run(mut self) -> Result<Outcome> {
        let mut turns_without_host = 0;
        // The time of the console's last progress, and the bytes it had taken by then.
        let mut progress: Option<(u64, u64)> = None;
        // Commands from before the container's start.
        self.handle_host_commands();
        loop {
            let (finished, at_most_ms) = self.pump();
            if let Some(status) = self.status {
                let host_is_there =
                    self.control.as_ref().is_none_or(|control| control.is_connected());
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
                self.handle(happened);
            }
        }
    }

    fn handle(&mut self, happened: Happened) {
        match happened {
            Happened::Signal(signal, sender) => match meaning(signal, sender) {
                SignalAction::Stop => self.stop(),
                SignalAction::Forward => self.signal(signal),
                SignalAction::Ignore => {}
            },
            Happened::Ended(token, ended) if token == self.process => {
                self.status = Some(ended.status());
                self.jobs.stop(self.like.spec.stop_signal, STOP_MS, &mut self.events);
            }
            Happened::Due(token) if self.stop == Some(token) => self.signal(signal::SIGKILL),
            Happened::Ready(token, _) if self.host == Some(token) => self.handle_host_commands(),
            // The pumps run anyway.
            _ => {
                if let Some(control) = &mut self.control {
                    self.jobs.handle(&happened, control, &mut self.events);
                }
            }
        }
    }

    /// Returns true if the container has ended and the console takes no more of its output.
    /// Releases a terminal that the container or flow control stopped. If the console's other end
    /// does not read, we do not wait.
    fn is_console_stuck(&self, progress: &mut Option<(u64, u64)>) -> bool {
        let Some(stdout) = self.streams.stdout.as_ref().filter(|_| self.control.is_none()) else {
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
        let ended = self.status.is_some();
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
        if let Some(control) = &mut self.control {
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

    /// Sends the image's StopSignal, and SIGKILL later, like `docker stop`.
    fn stop(&mut self) {
        self.signal(self.like.spec.stop_signal);
        if let Some(before) = self.stop.take() {
            self.events.remove(before);
        }
        // The loop has a free row: there are only a dozen.
        self.stop = self.events.after(STOP_MS).ok();
    }

    fn signal(&mut self, signal: i32) {
        if self.status.is_none() {
            // ESRCH: the process is ending, and needs no signal.
            let _ = process::kill_pidfd(self.container.pidfd.by_ref(), signal);
        }
    }

    /// Carries out the host's commands.
    fn handle_host_commands(&mut self) {
        let Some(control) = &mut self.control else { return };
        control.hear();
        let signals = core::mem::take(&mut control.signals);
        let (size, eof) = (control.size.take(), control.eof.take());
        let stop = core::mem::take(&mut control.stop);
        while let Some(start) = control.take_start() {
            self.jobs.start(start, &mut self.starter, self.like, control, &mut self.events);
        }
        for number in 1..=signal::SIGNAL_MAX {
            if signals.0 & SignalSet::NONE.with(number).0 != 0 {
                self.signal(number);
            }
        }
        if stop {
            self.stop();
        }
        if let (Some((rows, columns)), Some(master)) = (size, &self.container.terminal) {
            let _ = tty::set_size(master.by_ref(), rows, columns);
        }
        if let (Some(bytes), Some(stdin)) = (eof, &mut self.streams.stdin) {
            stdin.set_end(bytes);
        }
    }
}

/// Returns the pumps of a container with a terminal. They read and write its master through
/// separate fds.
pub fn terminal_streams<'m>(
    master: &Fd,
    stdin: Fd,
    stdout: Fd,
    buffers: &'m mut [Buffer; 3],
) -> Result<Streams<'m>> {
    fd::set_nonblocking(master.by_ref(), true).doing("terminal")?;
    let again = || fd::duplicate(master.by_ref(), 3).doing("terminal");
    let [first, second, _] = buffers;
    Ok(Streams {
        stdin: Some(Pump::new(Kind::Port, stdin, again()?, true, first)),
        stdout: Some(Pump::new(Kind::Terminal, again()?, stdout, false, second)),
        stderr: None,
    })
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
