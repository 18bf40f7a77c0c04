//! PID 1 while the container runs: one loop over descriptors.
//!
//! What is waited for is a row of [`SOURCES`]; a further source is one more row. All are watched
//! edge-triggered, for a port without a host is always "ready": whoever is woken does all there is
//! to do, and every pump has its turn.

use super::control::{Control, RETRY_MS};
use super::pump::{Kind, Pump, Step};
use super::{early, reaper};
use crate::container::Running;
use crate::sys::event::{self, EPOLLET, EPOLLIN, EPOLLOUT, Event};
use crate::sys::fd::{self, Fd, FdRef};
use crate::sys::process;
use crate::sys::signal::{self, SignalSet};
use crate::sys::{time, tty};
use crate::{Context, Result};

/// After the signal that asks it to stop, a container has this long until it is killed, as with
/// docker.
const STOP_MS: u64 = 10_000;
/// Once the host is gone, its streams are waited for this many turns of [`RETRY_MS`].
const GONE_TURNS: u32 = 20;

/// What a signal to PID 1 means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SignalAction {
    /// A child ended.
    Child,
    /// The machine is to stop.
    Stop,
    /// The container gets it.
    Forward,
    Ignore,
}

/// Ctrl-Alt-Del is a SIGINT of the kernel's own, whose sender has no pid.
fn meaning(signal: i32, sender: i32) -> SignalAction {
    match signal {
        libc::SIGCHLD => SignalAction::Child,
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

/// The container's three streams; a terminal has no third.
#[derive(Default)]
pub struct Streams<'m> {
    /// From the port to the container.
    pub stdin: Option<Pump<'m>>,
    /// From the container to the port.
    pub stdout: Option<Pump<'m>>,
    /// From the container to the port.
    pub stderr: Option<Pump<'m>>,
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The container's exit status, as a shell says it.
    pub status: u8,
    /// Bytes of its standard output, or its terminal's.
    pub stdout: u64,
    /// Bytes of its standard error.
    pub stderr: u64,
    /// Its standard output did not end with a line.
    pub within_line: bool,
}

/// Everything that the loop looks after.
pub struct Supervisor<'a, 'm> {
    container: &'a Running,
    stop_signal: i32,
    streams: Streams<'m>,
    control: Option<&'a mut Control>,
    signals: Fd,
    stop_timer: Fd,
    status: Option<u8>,
}

/// Something that wakes the loop.
struct Source {
    fd: for<'s> fn(&'s Supervisor<'_, '_>) -> Option<FdRef<'s>>,
    woken: fn(&mut Supervisor<'_, '_>),
}

// Pumps have their turn whatever woke the loop, so their rows have nothing to do.
static SOURCES: [Source; 10] = [
    Source { fd: |s| Some(s.signals.by_ref()), woken: |s| s.take_signals() },
    Source { fd: |s| Some(s.container.pidfd.by_ref()), woken: |s| s.collect() },
    Source { fd: |s| Some(s.stop_timer.by_ref()), woken: |s| s.on_stop_timeout() },
    Source {
        fd: |s| s.control.as_ref().map(|control| control.port()),
        woken: |s| s.handle_host_commands(),
    },
    Source { fd: |s| s.streams.stdin.as_ref()?.source(), woken: |_| {} },
    Source { fd: |s| s.streams.stdin.as_ref()?.sink(), woken: |_| {} },
    Source { fd: |s| s.streams.stdout.as_ref()?.source(), woken: |_| {} },
    Source { fd: |s| s.streams.stdout.as_ref()?.sink(), woken: |_| {} },
    Source { fd: |s| s.streams.stderr.as_ref()?.source(), woken: |_| {} },
    Source { fd: |s| s.streams.stderr.as_ref()?.sink(), woken: |_| {} },
];

impl<'a, 'm> Supervisor<'a, 'm> {
    /// A loop for a container that has been started.
    pub fn new(
        container: &'a Running,
        stop_signal: i32,
        streams: Streams<'m>,
        control: Option<&'a mut Control>,
    ) -> Result<Supervisor<'a, 'm>> {
        let signals = signal::open(early::signals()).doing("open signalfd")?;
        let stop_timer = event::new_timer().doing("make timer")?;
        Ok(Supervisor {
            container,
            stop_signal,
            streams,
            control,
            signals,
            stop_timer,
            status: None,
        })
    }

    /// Looks after the container until it has ended and all its output is passed on.
    pub fn run(mut self) -> Result<Outcome> {
        let set = event::new_set().doing("make epoll set")?;
        for (index, source) in SOURCES.iter().enumerate() {
            if let Some(fd) = (source.fd)(&self) {
                event::add(&set, fd, EPOLLIN | EPOLLOUT | EPOLLET, index as u64)
                    .doing("wait for streams")?;
            }
        }
        // What came before there was a container.
        self.handle_host_commands();
        let mut events = [Event::default(); SOURCES.len()];
        let mut turns_without_host = 0;
        // The time of the console's last progress, and how much it had taken by then.
        let mut progress: Option<(u64, u64)> = None;
        loop {
            let (finished, timeout_ms) = self.pump();
            if let Some(status) = self.status {
                let host_is_there =
                    self.control.as_ref().is_none_or(|control| control.is_connected());
                turns_without_host = if host_is_there { 0 } else { turns_without_host + 1 };
                if finished
                    || turns_without_host > GONE_TURNS
                    || self.is_console_stuck(&mut progress)
                {
                    return Ok(self.outcome(status));
                }
            }
            for woken in event::wait(&set, &mut events, timeout_ms).doing("wait")? {
                (SOURCES[woken.key() as usize].woken)(&mut self);
            }
        }
    }

    /// Returns true if the container has ended and the console takes no more of its output. A
    /// terminal that was stopped, by the container or by flow control, is released here. If the
    /// console's other end does not read, we do not wait.
    fn is_console_stuck(&self, progress: &mut Option<(u64, u64)>) -> bool {
        let Some(stdout) = self.streams.stdout.as_ref().filter(|_| self.control.is_none()) else {
            return false;
        };
        let (now, sink) = (time::monotonic_us(), stdout.sink());
        // A slow line takes seconds for the kernel's buffer before it takes more.
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

    /// Gives every stream a turn: whether all output has ended, and how long the loop may sleep.
    fn pump(&mut self) -> (bool, i32) {
        let ended = self.status.is_some();
        let Streams { stdin, stdout, stderr } = &mut self.streams;
        let mut finished = true;
        let mut timeout_ms = -1;
        for pump in [stdout, stderr].into_iter().flatten() {
            let step = pump.step(ended);
            finished &= step == Step::Finished;
            match step {
                Step::More => timeout_ms = 0,
                Step::Stuck if timeout_ms != 0 => timeout_ms = RETRY_MS,
                _ => {}
            }
        }
        // Nobody reads it any more once the container has ended.
        if let Some(pump) = stdin.as_mut().filter(|_| !ended)
            && pump.step(false) == Step::More
        {
            timeout_ms = 0;
        }
        let waits = self.control.as_mut().is_some_and(|control| !control.flush());
        if timeout_ms < 0 && (waits || ended) {
            timeout_ms = RETRY_MS;
        }
        (finished, timeout_ms)
    }

    fn take_signals(&mut self) {
        while let Some((signal, sender)) = signal::next(&self.signals) {
            match meaning(signal, sender) {
                SignalAction::Child => self.collect(),
                SignalAction::Stop => self.stop(),
                SignalAction::Forward => self.signal(signal),
                SignalAction::Ignore => {}
            }
        }
    }

    /// The one place where children are collected.
    fn collect(&mut self) {
        let ours = self.container.pid;
        let status = &mut self.status;
        reaper::collect(&mut |pid, ended| {
            if pid == ours {
                *status = Some(ended.status());
            }
        });
    }

    /// As `docker stop`: the image's own stop signal, and after a while SIGKILL.
    fn stop(&mut self) {
        self.signal(self.stop_signal);
        let _ = event::set_timer(&self.stop_timer, STOP_MS);
    }

    fn on_stop_timeout(&mut self) {
        self.signal(signal::SIGKILL);
    }

    fn signal(&mut self, signal: i32) {
        if self.status.is_none() {
            // One that is ending at this moment needs no signal.
            let _ = process::kill_pidfd(self.container.pidfd.by_ref(), signal);
        }
    }

    /// Does what the host asks for.
    fn handle_host_commands(&mut self) {
        let Some(control) = &mut self.control else { return };
        control.hear();
        let signals = core::mem::take(&mut control.signals);
        let (size, eof) = (control.size.take(), control.eof.take());
        let stop = core::mem::take(&mut control.stop);
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

/// The pumps of a container that has a terminal: its master is read and written through descriptors
/// of their own.
pub fn terminal_streams<'m>(
    master: &Fd,
    stdin: Fd,
    stdout: Fd,
    buffers: &'m mut [super::pump::Buffer; 3],
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
            (libc::SIGCHLD, 7, SignalAction::Child),
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
