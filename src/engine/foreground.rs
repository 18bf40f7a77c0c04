//! Attends a foreground process: forwards signals, relays its terminal, reaps, and returns its
//! status. A stalled reader of its output delays no signal.

use crate::container::Running;
use crate::container::notify::Relay;
use crate::sys::fd::{FdRef, STDIN, STDOUT};
use crate::sys::process;
use crate::sys::signal::{SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SignalSet};
use crate::sys::tty::{self, Settings};
use crate::watch::end::End;
use crate::watch::pump::{AtEnd, Kind, Pump, Step};
use crate::watch::{Happened, Interest, Loop, Token};
use crate::{Context, Result};

/// Bytes relayed at once.
const RELAY_BYTES: usize = 4096;
/// Most bytes to relay after the process has ended: a terminal holds 64 KiB, and other processes
/// may still write.
const SHOWN_AT_END: u64 = 4 << 20;
/// Milliseconds for a stalled reader of stdout, after a signal has asked for the end and the
/// process has ended.
const UNREAD_MS: u64 = 1000;

/// Our own terminal, in raw mode until drop.
struct Raw(Option<Settings>);

impl Raw {
    fn set() -> Raw {
        let settings = tty::settings(STDIN).ok();
        if settings.is_some() {
            let _ = tty::set_raw(STDIN, true);
        }
        Raw(settings)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(settings) = &self.0 {
            let _ = tty::restore(STDIN, settings);
        }
    }
}

/// The terminal of the process, relayed to our own streams.
struct Relayed<'m> {
    master: FdRef<'m>,
    typed: Pump<'m>,
    shown: Pump<'m>,
    /// Bytes read when the process ended.
    read_by_end: Option<u64>,
}

/// Waits for the end of the process. Returns its exit status. The caller held signals back before
/// the start. `relay` is notified when it is ready.
pub fn wait(running: &Running, relay: Option<&Relay>) -> Result<u8> {
    let mut events = Loop::new(SignalSet::ALL)?;
    events.process(running.pid, running.pidfd.by_ref())?;
    let socket = relay.and_then(Relay::socket);
    let mut heard = socket.map(|socket| events.add(socket, Interest::READ)).transpose()?;
    let raw = Raw(None);
    let _raw = if running.terminal.is_some() { Raw::set() } else { raw };
    let mut buffers = [[0; RELAY_BYTES]; 2];
    let mut relayed = match &running.terminal {
        Some(master) => Some(Relayed::begin(master.by_ref(), &mut events, &mut buffers)?),
        None => None,
    };
    let mut status = None;
    // The user asked for the end: a stalled reader delays it no longer than this.
    let mut is_told_to_end = false;
    let mut patience: Option<(Token, u64)> = None;
    loop {
        let step = relayed.as_mut().map_or(Step::Finished, |relayed| relayed.step(status));
        let at_most_ms = match (step, status) {
            (Step::Idle | Step::Finished, Some(status)) => return Ok(status),
            (Step::More, _) => Some(0),
            _ => None,
        };
        if let (Some(relayed), None, true, Some(_)) = (&relayed, patience, is_told_to_end, status) {
            patience = Some((events.after(UNREAD_MS)?, relayed.shown.passed));
        }
        events.wait(at_most_ms)?;
        while let Some(happened) = events.take()? {
            match happened {
                Happened::Ended(_, ended) => status = Some(ended.status()),
                Happened::Signal(libc::SIGWINCH, _) if let Some(relayed) = &relayed => {
                    copy_size(relayed.master);
                }
                // Ours, from a write to a closed stream.
                Happened::Signal(SIGPIPE, _) if relayed.is_some() => {}
                Happened::Signal(number, _) => {
                    is_told_to_end |= [SIGTERM, SIGINT, SIGHUP, SIGQUIT].contains(&number);
                    if status.is_none() {
                        // ESRCH: it has just ended; the next event says so.
                        let _ = process::kill_pidfd(running.pidfd.by_ref(), number);
                    }
                }
                Happened::Ready(token, _) => {
                    if heard == Some(token)
                        && let Some(relay) = relay.filter(|relay| relay.hears_ready())
                    {
                        // We stay the main process: the manager knows our pid, and we end with the
                        // container's status.
                        relay.tell(process::getpid(), false);
                        events.remove(token);
                        heard = None;
                    }
                }
                Happened::Due(_) => {
                    let passed = relayed.as_ref().map_or(0, |relayed| relayed.shown.passed);
                    match (patience.take(), status) {
                        (Some((_, before)), Some(status)) if before == passed => {
                            return Ok(status);
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

fn copy_size(master: FdRef<'_>) {
    if let Some((rows, columns)) = tty::size(STDIN) {
        let _ = tty::set_size(master, rows, columns);
    }
}

impl<'m> Relayed<'m> {
    fn begin(
        master: FdRef<'m>,
        events: &mut Loop,
        [first, second]: &'m mut [[u8; RELAY_BYTES]; 2],
    ) -> Result<Relayed<'m>> {
        // The end of our input is not sent as a byte, so the process may go on.
        let input = (Kind::Terminal, End::input(STDIN), AtEnd::Close);
        let pumps = Pump::of_terminal(master, input, End::output(STDOUT), [first, second]);
        let [typed, shown] = pumps.doing("relay the terminal")?;
        copy_size(master);
        for end in [typed.source(), typed.sink(), shown.source(), shown.sink()] {
            end.map(|end| events.add(end, Interest::EDGES)).transpose()?;
        }
        Ok(Relayed { master, typed, shown, read_by_end: None })
    }

    /// Moves the bytes that can be moved now. Returns the state of the output.
    fn step(&mut self, status: Option<u8>) -> Step {
        let step = self.shown.step(status.is_some());
        if status.is_none() {
            // After the end nothing reads it.
            let typed = self.typed.step(false);
            return if typed == Step::More { Step::More } else { step };
        }
        let read = self.shown.taken;
        let others_write = read - *self.read_by_end.get_or_insert(read) > SHOWN_AT_END;
        if step == Step::More && others_write { Step::Finished } else { step }
    }
}
