//! One line, one write(2). PID 1 logs to /dev/kmsg, commands to standard error.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicI32, AtomicU8, Ordering};

use crate::limits::LOG_LINE_BYTES;
use crate::sys::fd::FdRef;

/// How much a line matters; the number is the kernel's log level (printk).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// The run fails because of this.
    Error = 3,
    /// Something was skipped or is odd, and the run goes on.
    Warning = 4,
    /// A phase ended.
    Info = 6,
    /// For whoever looks for a fault in ocinit.
    Debug = 7,
}

static MOST: AtomicU8 = AtomicU8::new(Level::Info as u8);
static TARGET: AtomicI32 = AtomicI32::new(2);
static KMSG: AtomicU8 = AtomicU8::new(0);

/// Lines of a level above this are dropped.
pub fn set_level(level: Level) {
    MOST.store(level as u8, Ordering::Relaxed);
}

/// From now on lines go to this descriptor, which stays open for the life of the process;
/// `kmsg` puts the level before each, as /dev/kmsg reads it.
pub fn set_target(fd: FdRef<'static>, kmsg: bool) {
    TARGET.store(fd.raw(), Ordering::Relaxed);
    KMSG.store(u8::from(kmsg), Ordering::Relaxed);
}

/// Writes `ocinit: text` as one line. Failing to is nobody's error.
pub fn line(level: Level, text: fmt::Arguments<'_>) {
    if level as u8 > MOST.load(Ordering::Relaxed) {
        return;
    }
    let mut line = Line { bytes: [0; LOG_LINE_BYTES + 1], len: 0 };
    if KMSG.load(Ordering::Relaxed) != 0 {
        let _ = write!(line, "<{}>", level as u32);
    }
    let _ = write!(line, "ocinit: {text}");
    line.bytes[line.len] = b'\n';
    let target = FdRef::from_raw(TARGET.load(Ordering::Relaxed));
    let _ = crate::sys::fs::write(target, &line.bytes[..=line.len]);
}

struct Line {
    bytes: [u8; LOG_LINE_BYTES + 1],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LOG_LINE_BYTES - self.len;
        let mut take = text.len().min(room);
        while !text.is_char_boundary(take) {
            take -= 1;
        }
        self.bytes[self.len..self.len + take].copy_from_slice(&text.as_bytes()[..take]);
        self.len += take;
        if take == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// `info!("unpacked {n} entries")`
#[macro_export]
macro_rules! info {
    ($($text:tt)*) => { $crate::log::line($crate::log::Level::Info, format_args!($($text)*)) };
}

/// `warning!("skipped {n} user.* xattrs")`
#[macro_export]
macro_rules! warning {
    ($($text:tt)*) => { $crate::log::line($crate::log::Level::Warning, format_args!($($text)*)) };
}

/// `debug!("…")`
#[macro_export]
macro_rules! debug {
    ($($text:tt)*) => { $crate::log::line($crate::log::Level::Debug, format_args!($($text)*)) };
}

/// `error!("{error}")`: only front doors print errors.
#[macro_export]
macro_rules! error {
    ($($text:tt)*) => { $crate::log::line($crate::log::Level::Error, format_args!($($text)*)) };
}
