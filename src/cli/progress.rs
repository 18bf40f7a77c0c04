//! The progress of long work, on a terminal only, and the handling of Ctrl-C.

use super::max_size::MaxSize;
use crate::Result;
use crate::io::interrupt;
use crate::io::observer::Observer;
use crate::log;
use crate::sys::event::wait_ms;
use crate::sys::fd::STDERR;
use crate::sys::signal::{self, SignalSet};
use crate::sys::{fs, process, time, tty};
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Microseconds between two drawings.
const DRAW_US: u64 = 100_000;
/// Columns of the bar.
const BAR_CELLS: u64 = 24;
/// On a narrower terminal only numbers are drawn.
const BAR_COLUMNS: u16 = 72;

/// Draws a line on a terminal's stderr, and ends the work when a signal asks for it. From the start
/// it holds those signals back, so that the command can clean up. Erases its line on drop.
pub struct Progress {
    draws: bool,
    /// Bytes of all work.
    total: AtomicU64,
    started_us: AtomicU64,
    drawn_us: AtomicU64,
    drawn: AtomicBool,
    /// Bytes of the layers before this one, and of this one.
    before: AtomicU64,
    size: AtomicU64,
    layer: AtomicU32,
    count: AtomicU32,
    max_size: MaxSize,
}

impl Progress {
    /// Returns an observer that shows nothing before [`Observer::begin`].
    pub fn new(max_size: MaxSize) -> Progress {
        Progress {
            draws: log::is_plain() && tty::is_terminal(STDERR) && may_use_escapes(),
            total: AtomicU64::new(0),
            started_us: AtomicU64::new(0),
            drawn_us: AtomicU64::new(0),
            drawn: AtomicBool::new(false),
            before: AtomicU64::new(0),
            size: AtomicU64::new(0),
            layer: AtomicU32::new(0),
            count: AtomicU32::new(0),
            max_size,
        }
    }

    /// Lets signals act at once again, because no cleanup is left.
    pub fn release(self) {
        let _ = signal::set_mask(SignalSet::NONE);
    }

    fn draw(&self, at: u64, now: u64) {
        let columns = tty::size(STDERR).map_or(80, |(_, columns)| columns);
        let done = self.before.load(Ordering::Relaxed) + at;
        let total = self.total.load(Ordering::Relaxed).max(done).max(1);
        let speed = done / (now - self.started_us.load(Ordering::Relaxed)).max(1);
        let mut line: heapless::String<160> = heapless::String::new();
        let (layer, count) =
            (self.layer.load(Ordering::Relaxed), self.count.load(Ordering::Relaxed));
        let _ = write!(line, "\rlayer {layer} of {count} ");
        if columns >= BAR_COLUMNS {
            let full = done * BAR_CELLS / total;
            let _ = line.push('[');
            (0..BAR_CELLS).for_each(|cell| drop(line.push(if cell < full { '#' } else { '.' })));
            let _ = line.push_str("] ");
        }
        let percent = done * 100 / total;
        let _ = write!(
            line,
            "{percent:3}%  {} of {} MB  {speed} MB/s\x1b[K",
            done / 1_000_000,
            total / 1_000_000
        );
        let _ = fs::write_all(STDERR, line.as_bytes());
        self.drawn.store(true, Ordering::Relaxed);
    }
}

impl Observer for Progress {
    fn begin(&self, total: u64) {
        let _ = signal::set_mask(interrupt::to_hold());
        let now = time::monotonic_us();
        self.total.store(total, Ordering::Relaxed);
        self.started_us.store(now, Ordering::Relaxed);
        // The first line is delayed, so that short work shows none.
        self.drawn_us.store(now, Ordering::Relaxed);
    }

    fn end(&self) {
        if self.drawn.swap(false, Ordering::Relaxed) {
            let _ = fs::write_all(STDERR, b"\r\x1b[K");
        }
    }

    fn layer(&self, n: usize, count: usize, size: u64) {
        // A layer that is read again counts once.
        if self.layer.swap(n as u32, Ordering::Relaxed) != n as u32 {
            let former = self.size.swap(size, Ordering::Relaxed);
            self.before.fetch_add(former, Ordering::Relaxed);
        }
        self.count.store(count as u32, Ordering::Relaxed);
        self.max_size.layer(n, count, size);
    }

    fn unpacked(&self, at: u64) -> Result<()> {
        self.max_size.unpacked(at)
    }

    fn progress(&self, at: u64) -> Result<()> {
        interrupt::check()?;
        let now = if self.draws { time::monotonic_us() } else { 0 };
        if self.draws && now - self.drawn_us.load(Ordering::Relaxed) >= DRAW_US {
            self.drawn_us.store(now, Ordering::Relaxed);
            self.draw(at, now);
        }
        Ok(())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// Returns whether escape sequences are wanted: neither <https://no-color.org> nor a dumb terminal.
fn may_use_escapes() -> bool {
    let is_dumb = process::variable(b"TERM").is_some_and(|term| term.to_bytes() == b"dumb");
    !is_dumb && process::variable(b"NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Delivers the held signals now, so that the caller's shell sees the one that ended the command.
pub fn let_signals_through() {
    if interrupt::pending().is_some() {
        let _ = signal::set_mask(SignalSet::NONE);
        // A signal that is blocked or ignored elsewhere has no effect: go on to exit.
        let _ = wait_ms(0);
    }
}
