//! Stays with a process that runs in the foreground: passes signals on, relays its terminal, reaps,
//! and ends as it does.

use crate::container::Running;
use crate::container::notify::Relay;
use crate::sys::fd::{self, FdRef, STDIN, STDOUT};
use crate::sys::process::{self, Whom};
use crate::sys::signal::{self, SIGCHLD, SignalSet};
use crate::sys::tty::{self, Settings};
use crate::sys::{Errno, event, fs};
use crate::{Context, Result};

/// Bytes that are relayed at once.
const RELAY_BYTES: usize = 4096;
/// How often the terminal is read before anything else is looked at: a process that never stops
/// writing is still told of what is typed, and of signals.
const SHOWN_AT_ONCE: u32 = 16;
/// The same when the process has ended: a terminal holds 64 KiB, and others may still write.
const SHOWN_AT_END: u32 = 1024;

/// Our own terminal, raw as long as this is alive.
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

/// What was typed and not taken yet.
struct Typed {
    bytes: [u8; RELAY_BYTES],
    start: usize,
    end: usize,
    /// There may be more.
    open: bool,
}

/// Stays with it to its end; its exit status. Signals were held back before it was started. `relay`
/// hears that it is ready.
pub fn wait(running: &Running, relay: Option<&Relay>) -> Result<u8> {
    let signals = signal::open(SignalSet::ALL).doing("watch signals")?;
    let master = running.terminal.as_ref().map(fd::Fd::by_ref);
    let raw = Raw(None);
    let _raw = if master.is_some() { Raw::set() } else { raw };
    if let Some(master) = master {
        fd::set_nonblocking(master, true).doing("relay the terminal")?;
        copy_size(master);
    }
    let mut typed = Typed { bytes: [0; RELAY_BYTES], start: 0, end: 0, open: master.is_some() };
    let mut shown = master;
    let mut heard = relay.and_then(Relay::socket);
    loop {
        let waits = typed.start < typed.end;
        let keyboard = (typed.open && !waits).then_some((STDIN, libc::POLLIN));
        let wanted = if waits { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN };
        let mut answers = [0; 4];
        let sources = [
            Some((signals.by_ref(), libc::POLLIN)),
            keyboard,
            shown.map(|master| (master, wanted)),
            heard.map(|socket| (socket, libc::POLLIN)),
        ];
        event::poll_some(&sources, &mut answers).doing("wait for the process")?;
        if let Some(relay) = relay.filter(|relay| answers[3] != 0 && relay.hears_ready()) {
            // We stay the main process: the manager knows our pid, and we end as the container
            // does.
            relay.tell(process::getpid(), false);
            heard = None;
        }
        if let Some(master) = shown {
            if answers[1] != 0 {
                typed.take();
            }
            typed.pass_on(master);
            if answers[2] & !libc::POLLOUT != 0 && !show(master, SHOWN_AT_ONCE)? {
                shown = None;
            }
        }
        while let Some((number, _)) = signal::next(&signals) {
            match number {
                SIGCHLD => {
                    if let Some(status) = reap(running.pid) {
                        if let Some(master) = shown {
                            show(master, SHOWN_AT_END)?;
                        }
                        return Ok(status);
                    }
                }
                libc::SIGWINCH if master.is_some() => master.into_iter().for_each(copy_size),
                // Ours, from writing to nobody.
                libc::SIGPIPE if master.is_some() => {}
                // ESRCH: it has just ended, and a SIGCHLD comes.
                number => drop(process::kill_pidfd(running.pidfd.by_ref(), number)),
            }
        }
    }
}

/// One SIGCHLD may stand for many children. The exit status of `pid`, where it has ended.
fn reap(pid: i32) -> Option<u8> {
    let mut status = None;
    while let Ok(Some((child, ended))) = process::wait(Whom::Any, false) {
        if child == pid {
            status = Some(ended.status());
        }
    }
    status
}

fn copy_size(master: FdRef<'_>) {
    if let Some((rows, columns)) = tty::size(STDIN) {
        let _ = tty::set_size(master, rows, columns);
    }
}

/// Shows what the terminal has up to now, by so many reads at most; false when nobody has it open
/// any more.
fn show(master: FdRef<'_>, most: u32) -> Result<bool> {
    let mut bytes = [0; RELAY_BYTES];
    for _ in 0..most {
        match fs::read(master, &mut bytes) {
            Ok(0) | Err(Errno::EIO) => return Ok(false),
            // Where nobody reads it any more it goes nowhere: the process is neither stopped nor
            // left alone for that.
            Ok(length) => drop(fs::write_all(STDOUT, &bytes[..length])),
            Err(Errno::EAGAIN) => return Ok(true),
            Err(errno) => return Err(errno).doing("read the terminal"),
        }
    }
    Ok(true)
}

impl Typed {
    fn take(&mut self) {
        match fs::read(STDIN, &mut self.bytes) {
            Ok(length @ 1..) => (self.start, self.end) = (0, length),
            _ => self.open = false,
        }
    }

    fn pass_on(&mut self, master: FdRef<'_>) {
        if self.start < self.end {
            match fs::write(master, &self.bytes[self.start..self.end]) {
                Ok(length) => self.start += length,
                Err(Errno::EAGAIN) => {}
                Err(_) => (self.start, self.open) = (self.end, false),
            }
        }
    }
}
