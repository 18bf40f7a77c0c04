//! One line, one write(2). PID 1 logs to /dev/kmsg, commands to standard error.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU8, Ordering};

use crate::error::{ESCAPE_BYTES, visible};
use crate::limits::LOG_LINE_BYTES;
use crate::sys::fd::{FdRef, STDERR, StaticFd};

/// The severity of a line. The number is the kernel's log level (printk).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// The run fails because of this.
    Error = 3,
    /// Something was skipped or is odd, but the run goes on.
    Warning = 4,
    /// A phase ended.
    Info = 6,
    /// For debugging ocinit itself.
    Debug = 7,
}

/// The form of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Format {
    /// `ocinit: text`.
    Text = 0,
    /// The same after the level, as /dev/kmsg reads it.
    Kmsg = 1,
    /// `{"level":"error","msg":"text","time":"2026-11-24T12:00:00Z"}`, the form of runc that its
    /// clients read.
    Json = 2,
    /// `text`: the caller adds a name.
    Bare = 3,
}

static MOST: AtomicU8 = AtomicU8::new(Level::Info as u8);
static TARGET: StaticFd = StaticFd::new(STDERR);
static FORMAT: AtomicU8 = AtomicU8::new(Format::Text as u8);

/// Lines of a level above this are dropped.
pub fn set_level(level: Level) {
    MOST.store(level as u8, Ordering::Relaxed);
}

/// Sends further lines to this fd, which stays open for the life of the process. Returns the former
/// fd.
pub fn set_target(fd: FdRef<'static>) -> FdRef<'static> {
    TARGET.replace(fd).unwrap_or(STDERR)
}

/// Sets the form of further lines.
pub fn set_format(format: Format) {
    FORMAT.store(format as u8, Ordering::Relaxed);
}

/// Returns true if progress output is appropriate: text format, level info or lower.
pub fn is_plain() -> bool {
    FORMAT.load(Ordering::Relaxed) == Format::Text as u8
        && MOST.load(Ordering::Relaxed) >= Level::Info as u8
}

/// Writes `ocinit: text` as one line. Ignores a failure.
pub fn line(level: Level, text: fmt::Arguments<'_>) {
    if level as u8 > MOST.load(Ordering::Relaxed) {
        return;
    }
    let mut line = Line { bytes: [0; LOG_LINE_BYTES + LINE_END_BYTES], len: 0 };
    let format = FORMAT.load(Ordering::Relaxed);
    if format == Format::Json as u8 {
        fields(level, text, Fields::Json, &mut line);
    } else if level == Level::Debug && format != Format::Kmsg as u8 {
        // Like runc: the level marks it as not meant for the user.
        fields(level, text, Fields::Assignments, &mut line);
    } else if format == Format::Bare as u8 {
        let _ = write!(line, "{text}");
    } else {
        if format == Format::Kmsg as u8 {
            let _ = write!(line, "<{}>", level as u32);
        }
        let _ = write!(line, "ocinit: ");
        let _ = write!(Visible(&mut line), "{text}");
    }
    line.bytes[line.len] = b'\n';
    let target = TARGET.get().unwrap_or(STDERR);
    let _ = crate::sys::fs::write_all(target, &line.bytes[..=line.len]);
}

/// Bytes after a text that fills its line: the end of a JSON object, the end of the line.
const LINE_END_BYTES: usize = 48;

/// The form of a line with level, text and time.
#[derive(Clone, Copy)]
enum Fields {
    Json,
    /// `key=value`.
    Assignments,
}

/// Writes level, text and time in this form.
fn fields(level: Level, text: fmt::Arguments<'_>, form: Fields, line: &mut Line) {
    let level = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
    };
    let seconds = crate::sys::time::real_seconds();
    let (year, month, day) = date(seconds / 86400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let mut time: heapless::String<24> = heapless::String::new();
    let _ = write!(time, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    let mut end: heapless::String<LINE_END_BYTES> = heapless::String::new();
    let _ = match form {
        Fields::Json => write!(line, "{{\"level\":\"{level}\",\"msg\":\"")
            .and(write!(end, "\",\"time\":\"{time}\"}}")),
        Fields::Assignments => {
            write!(line, "time=\"{time}\" level={level} msg=\"").and(write!(end, "\""))
        }
    };
    let _ = write!(Escaped(line), "{text}");
    line.bytes[line.len..line.len + end.len()].copy_from_slice(end.as_bytes());
    line.len += end.len();
}

/// Returns the Gregorian date `days` after 1970-01-01, as (year, month, day). A year that starts on
/// 1 March has its leap day last, so a formula gives the month (Hinnant, "chrono-compatible date
/// algorithms").
pub fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let (day, month) =
        (of_year - (153 * march + 2) / 5 + 1, if march < 10 { march + 3 } else { march - 9 });
    (year + era * 400 + u64::from(month <= 2), month, day)
}

/// Writes untrusted text, each character as [`visible`] returns it.
struct Visible<'a>(&'a mut Line);

impl Write for Visible<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars()
            .try_for_each(|character| self.0.push_whole(visible(character, &mut [0; ESCAPE_BYTES])))
    }
}

/// Writes the inside of a JSON string.
struct Escaped<'a>(&'a mut Line);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let mut buffer = [0; ESCAPE_BYTES];
            let shown = visible(character, &mut buffer);
            let mut piece: heapless::Vec<u8, { ESCAPE_BYTES + 1 }> = heapless::Vec::new();
            if matches!(shown[0], b'"' | b'\\') {
                let _ = piece.push(b'\\');
            }
            let _ = piece.extend_from_slice(shown);
            // Half an escape would swallow the quote after it.
            self.0.push_whole(&piece)?;
        }
        Ok(())
    }
}

struct Line {
    bytes: [u8; LOG_LINE_BYTES + LINE_END_BYTES],
    len: usize,
}

impl Line {
    /// Appends the whole piece, or nothing.
    fn push_whole(&mut self, piece: &[u8]) -> fmt::Result {
        if self.len + piece.len() > LOG_LINE_BYTES {
            return Err(fmt::Error);
        }
        self.bytes[self.len..self.len + piece.len()].copy_from_slice(piece);
        self.len += piece.len();
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (days, value) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (20_781, (2026, 11, 24)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), value, "{days}");
        }
    }

    #[test]
    fn a_line_of_the_log_is_one_line_and_shows_what_it_holds() {
        let mut line = Line { bytes: [0; LOG_LINE_BYTES + LINE_END_BYTES], len: 0 };
        write!(Visible(&mut line), "a\n\x1b[2J\u{202e}b \"é\"").unwrap();
        assert_eq!(&line.bytes[..line.len], "a\\x0a\\x1b[2J\\u202eb \"é\"".as_bytes());
        assert!(write!(Visible(&mut line), "{}", "\n".repeat(LOG_LINE_BYTES)).is_err());
        assert!(line.len <= LOG_LINE_BYTES && line.bytes[..line.len].ends_with(b"\\x0a"));
    }

    #[test]
    fn a_json_line_is_whole_however_long_its_text() {
        for text in [String::from("a \"quoted\" \\ text\n"), "\"".repeat(3 * LOG_LINE_BYTES)] {
            let mut line = Line { bytes: [0; LOG_LINE_BYTES + LINE_END_BYTES], len: 0 };
            fields(Level::Warning, format_args!("{text}"), Fields::Json, &mut line);
            let mut bytes = line.bytes[..line.len].to_vec();
            let value = crate::codec::json::check(&mut bytes).unwrap();
            assert!(
                value.require_text("level").unwrap() == "warning"
                    && value.require_text("time").is_ok()
            );
            let message: String = value.require_text("msg").unwrap().chars().collect();
            assert!(text.replace('\n', "\\x0a").starts_with(&message) && !message.is_empty());
        }
    }
}
