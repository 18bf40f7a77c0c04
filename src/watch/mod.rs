//! One way to wait: for fds, children, signals and timers, by one epoll set.
//!
//! [`Loop::add`], [`Loop::process`] and [`Loop::after`] take a row each, and name it by a
//! [`Token`]. [`Loop::wait`] sleeps until something happens. [`Loop::take`] then returns the turn's
//! [`Happened`] one by one. A turn has at most one event of each fd, and bounded numbers of signals
//! and children. So none of the four can starve another.
//!
//! While the loop exists, no other code collects children (waitid(2)). If SIGCHLD is among its
//! signals it collects all of them: a child with a row becomes [`Happened::Ended`], an orphan is
//! dropped.

pub mod children;
pub mod end;
pub mod pump;

use crate::limits::WATCHED_MAX;
use crate::sys::event::{self, EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, Event};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::process::Ended;
use crate::sys::signal::{self, SIGCHLD, SignalSet};
use crate::sys::{Errno, time};
use crate::{Context, Error, Result};

/// Names a row of a [`Loop`]. It is invalid after the row is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    row: u16,
    generation: u32,
}

/// The events that a fd's row waits for, or that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interest(u32);

impl Interest {
    /// Only errors and hang-ups, which are always reported.
    pub const NONE: Interest = Interest(0);
    /// Nothing; its end is reported once, and not in each turn.
    pub const PAUSED: Interest = Interest(EPOLLET as u32);
    /// It is readable.
    pub const READ: Interest = Interest(EPOLLIN as u32);
    /// It is writable.
    pub const WRITE: Interest = Interest(EPOLLOUT as u32);
    /// A file of a cgroup has changed.
    pub const CHANGE: Interest = Interest(EPOLLPRI as u32);
    /// Both directions, edge-triggered: the caller then reads and writes all it can.
    pub const EDGES: Interest = Interest((EPOLLIN | EPOLLOUT | EPOLLET) as u32);

    /// Returns whether it waits for more than the end.
    fn is_of_more(self) -> bool {
        self.0 & (EPOLLIN | EPOLLOUT | EPOLLPRI) as u32 != 0
    }

    /// Returns whether it includes one of `others`.
    pub fn has(self, others: Interest) -> bool {
        self.0 & others.0 != 0
    }

    /// Returns whether it is readable, or its other end is closed: a read tells which.
    pub fn is_readable(self) -> bool {
        self.0 & (EPOLLIN | EPOLLHUP | EPOLLERR) as u32 != 0
    }
}

/// An event that a [`Loop`] reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happened {
    /// An fd is ready.
    Ready(Token, Interest),
    /// A child ended and was collected. Its row is gone.
    Ended(Token, Ended),
    /// A signal, and the pid of its sender; the kernel is 0.
    Signal(i32, i32),
    /// A timer expired. Its row is gone.
    Due(Token),
}

#[derive(Clone, Copy)]
enum Row {
    Free,
    /// A fd. `always` means a file that epoll refuses because it is always ready. It has one edge.
    File {
        number: i32,
        interest: Interest,
        always: bool,
    },
    /// A child, by its pid and pidfd.
    Process {
        pid: i32,
        number: i32,
    },
    /// A timer, in microseconds of the monotonic clock.
    Time(u64),
}

/// The epoll set, the signals, and all rows.
pub struct Loop {
    set: Fd,
    signals: Option<Fd>,
    /// SIGCHLD is among the signals, so all children are collected here.
    collects: bool,
    rows: [Row; WATCHED_MAX],
    generations: [u32; WATCHED_MAX],
    /// The turn: events up to `end`. Those before `next` are reported.
    events: [Event; TURN_MAX],
    next: usize,
    end: usize,
    /// Signals that may still be reported in this turn.
    signals_left: u32,
    /// Children may have ended.
    collecting: bool,
    /// The first row that was not checked in this turn.
    row: usize,
    now_us: u64,
}

/// Events of one turn: one of each row, and one of the signalfd.
const TURN_MAX: usize = WATCHED_MAX + 1;
/// The signalfd's number in the epoll set. No row has it.
const SIGNALS: u64 = u64::MAX;
/// Most signals reported in one turn.
const SIGNALS_AT_ONCE: u32 = 64;

impl Loop {
    /// Returns a loop that also reports `signals`, which must be blocked.
    pub fn new(signals: SignalSet) -> Result<Loop> {
        let set = event::new_set().doing("make epoll set")?;
        let fd = match signals {
            SignalSet::NONE => None,
            signals => Some(signal::open(signals).doing("open signalfd")?),
        };
        if let Some(fd) = &fd {
            event::add(&set, fd.by_ref(), EPOLLIN, SIGNALS).doing("wait for signals")?;
        }
        Ok(Loop {
            set,
            signals: fd,
            collects: signals.0 & SignalSet::NONE.with(SIGCHLD).0 != 0,
            rows: [Row::Free; WATCHED_MAX],
            generations: [0; WATCHED_MAX],
            events: [Event::default(); TURN_MAX],
            next: 0,
            end: 0,
            signals_left: 0,
            collecting: false,
            row: WATCHED_MAX,
            now_us: 0,
        })
    }

    /// Returns whether the loop collects all children, even those without a row.
    pub fn collects(&self) -> bool {
        self.collects
    }

    /// Waits for `interest` in `fd`. The caller keeps it open until it removes the row.
    pub fn add(&mut self, fd: FdRef<'_>, interest: Interest) -> Result<Token> {
        let token = self.free()?;
        let always = match event::add(&self.set, fd, interest.0 as i32, key(token)) {
            Ok(()) => false,
            // A regular file or /dev/null, which poll(2) always reports as ready.
            Err(Errno::EPERM) => true,
            Err(errno) => return Err(errno).doing("watch a file"),
        };
        Ok(self.set_row(token, Row::File { number: fd.raw(), interest, always }))
    }

    /// Waits for the end of a child. Returns its row.
    pub fn process(&mut self, pid: i32, pidfd: FdRef<'_>) -> Result<Token> {
        let token = self.free()?;
        event::add(&self.set, pidfd, EPOLLIN, key(token)).doing("watch a process")?;
        Ok(self.set_row(token, Row::Process { pid, number: pidfd.raw() }))
    }

    /// Starts a timer. Returns its row.
    pub fn after(&mut self, milliseconds: u64) -> Result<Token> {
        let due_us = time::monotonic_us().saturating_add(milliseconds.saturating_mul(1000));
        let token = self.free()?;
        Ok(self.set_row(token, Row::Time(due_us)))
    }

    /// Changes the events that a fd's row waits for.
    pub fn change(&mut self, token: Token, interest: Interest) -> Result<()> {
        let Some(Row::File { number, interest: before, always }) = self.row_of(token).copied()
        else {
            return Ok(());
        };
        if before == interest {
            return Ok(());
        }
        if !always {
            event::change(&self.set, number, interest.0 as i32, key(token))
                .doing("watch a file")?;
        }
        self.rows[usize::from(token.row)] = Row::File { number, interest, always };
        Ok(())
    }

    /// Returns whether this token's row exists.
    pub fn has(&self, token: Token) -> bool {
        self.row_of(token).is_some()
    }

    /// Removes a row, with its unreported events.
    pub fn remove(&mut self, token: Token) {
        match self.row_of(token) {
            // EBADF: the file was closed already.
            Some(Row::File { number, always: false, .. } | Row::Process { number, .. }) => {
                let _ = event::remove(&self.set, *number);
            }
            Some(_) => {}
            None => return,
        }
        self.rows[usize::from(token.row)] = Row::Free;
    }

    /// Returns the next event.
    pub fn next_event(&mut self) -> Result<Happened> {
        loop {
            if let Some(happened) = self.take()? {
                return Ok(happened);
            }
            self.wait(None)?;
        }
    }

    /// Begins a turn: waits for an event, for at most `at_most_ms` milliseconds. Returns at once if
    /// the last turn still has events.
    pub fn wait(&mut self, at_most_ms: Option<u64>) -> Result<()> {
        if self.next < self.end || self.row < WATCHED_MAX {
            return Ok(());
        }
        let mut wait_us = at_most_ms.map(|milliseconds| milliseconds.saturating_mul(1000));
        let mut sooner = |us: u64| wait_us = Some(wait_us.map_or(us, |before| before.min(us)));
        let mut has_own = false;
        for row in &self.rows {
            match row {
                Row::Time(due_us) => {
                    sooner(due_us.saturating_sub(time::monotonic_us()));
                    has_own = true;
                }
                Row::File { always: true, interest, .. } if interest.is_of_more() => {
                    sooner(0);
                    has_own = true;
                }
                _ => {}
            }
        }
        let timeout_ms = wait_us.map_or(-1, |us| us.div_ceil(1000).min(i32::MAX as u64) as i32);
        self.end = event::wait(&self.set, &mut self.events, timeout_ms).doing("wait")?.len();
        (self.next, self.signals_left) = (0, SIGNALS_AT_ONCE);
        if has_own {
            (self.row, self.now_us) = (0, time::monotonic_us());
        }
        Ok(())
    }

    /// Returns the turn's next event, or None at its end.
    pub fn take(&mut self) -> Result<Option<Happened>> {
        while self.next < self.end {
            let event = self.events[self.next];
            if event.key() == SIGNALS {
                match self.take_signal() {
                    Some((SIGCHLD, _)) if self.collects => self.collecting = true,
                    Some((number, sender)) => return Ok(Some(Happened::Signal(number, sender))),
                    None => self.next += 1,
                }
                continue;
            }
            self.next += 1;
            if let Some(happened) = self.happened(event)? {
                return Ok(Some(happened));
            }
        }
        while self.collecting {
            match children::ended() {
                Some((pid, ended)) => {
                    if let Some(token) = self.row_of_child(pid) {
                        self.remove(token);
                        return Ok(Some(Happened::Ended(token, ended)));
                    }
                }
                None => self.collecting = false,
            }
        }
        while self.row < WATCHED_MAX {
            let row = self.row;
            self.row += 1;
            let token = self.token(row);
            match self.rows[row] {
                Row::Time(due_us) if due_us <= self.now_us => {
                    self.remove(token);
                    return Ok(Some(Happened::Due(token)));
                }
                Row::File { number, always: true, interest } if interest.is_of_more() => {
                    if interest == Interest::EDGES {
                        let interest = Interest::NONE;
                        self.rows[row] = Row::File { number, always: true, interest };
                    }
                    return Ok(Some(Happened::Ready(token, interest)));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn take_signal(&mut self) -> Option<(i32, i32)> {
        self.signals_left = self.signals_left.checked_sub(1)?;
        signal::next(self.signals.as_ref()?)
    }

    /// Returns the meaning of epoll's event, or None if its row is gone.
    fn happened(&mut self, event: Event) -> Result<Option<Happened>> {
        let token = Token { row: event.key() as u16, generation: (event.key() >> 32) as u32 };
        Ok(match self.row_of(token) {
            Some(Row::File { .. }) => Some(Happened::Ready(token, Interest(event.flags()))),
            Some(Row::Process { pid, .. }) => {
                let ended = children::ended_of(*pid).doing("collect a process")?;
                ended.map(|ended| {
                    self.remove(token);
                    Happened::Ended(token, ended)
                })
            }
            _ => None,
        })
    }

    /// Returns a token for a free row.
    fn free(&mut self) -> Result<Token> {
        let Some(row) = self.rows.iter().position(|row| matches!(row, Row::Free)) else {
            return Err(Error::new(format_args!(
                "more than {WATCHED_MAX} files, processes and times to wait for (WATCHED_MAX)"
            )));
        };
        self.generations[row] = self.generations[row].wrapping_add(1);
        Ok(self.token(row))
    }

    fn token(&self, row: usize) -> Token {
        Token { row: row as u16, generation: self.generations[row] }
    }

    fn set_row(&mut self, token: Token, row: Row) -> Token {
        if let Row::File { number, .. } | Row::Process { number, .. } = row {
            // The kernel assigned this number again, so the row with it belongs to a closed file.
            let is_stale = |row: &Row| match row {
                Row::File { number: other, .. } | Row::Process { number: other, .. } => {
                    *other == number
                }
                _ => false,
            };
            self.rows.iter_mut().filter(|row| is_stale(row)).for_each(|row| *row = Row::Free);
        }
        self.rows[usize::from(token.row)] = row;
        token
    }

    fn row_of(&self, token: Token) -> Option<&Row> {
        let row = usize::from(token.row);
        let is_current = self.generations.get(row) == Some(&token.generation);
        self.rows.get(row).filter(|row| is_current && !matches!(row, Row::Free))
    }

    fn row_of_child(&self, wanted: i32) -> Option<Token> {
        let is_wanted = |row: &Row| matches!(row, Row::Process { pid, .. } if *pid == wanted);
        self.rows.iter().position(is_wanted).map(|row| self.token(row))
    }
}

/// Returns a token's number for epoll.
fn key(token: Token) -> u64 {
    u64::from(token.generation) << 32 | u64::from(token.row)
}

#[cfg(test)]
mod tests;
