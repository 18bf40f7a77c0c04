//! Errors: one line of text that names what was being done, to what, and why it failed.
//!
//! An [`Error`] is one number: the text stands in one of a few static slots, so `Result` stays in a register
//! and making an error cannot fail. Errors are rare and short-lived; the slots are used in turn, and an error
//! that outlives [`ERROR_SLOTS`] newer ones reads as overwritten instead of as somebody else's text.
//!
//! ```text
//! layer 2 of 3 sha256:ab12…: digest mismatch: the bytes hash to sha256:cd34…
//! `- context -------------'  `- the error itself ---------------------------
//! ```

use core::fmt::{self, Display, Write};
use core::num::NonZeroU64;

use crate::limits::{ERROR_SLOTS, ERROR_TEXT_BYTES};
use crate::sync::{TryGuard, TryLock};
use crate::sys::Errno;

/// The result of everything above `sys`.
pub type Result<T> = core::result::Result<T, Error>;

/// What failed, as one line of text, and the errno behind it if there is one.
///
/// One number, never 0, so that a `Result<(), Error>` is one register: from the lowest bit up, 8 bits of slot, 8 of
/// generation, 12 of errno, 2 of exit status (less 125), and a bit that is always set. As wide as a pointer or a length:
/// a `Result` of one of these is two registers then, and does not go through memory.
#[derive(Clone, Copy)]
pub struct Error(NonZeroU64);

const ALWAYS: NonZeroU64 = NonZeroU64::new(1 << 31).unwrap();

/// ocinit's own failure, as docker and podman say it.
pub const STATUS_FAILED: u8 = 125;
/// A standard stream is closed and nothing can take its place.
pub const STATUS_NO_STREAMS: u8 = 255;
/// The container's command was found and cannot be executed.
pub const STATUS_NOT_EXECUTABLE: u8 = 126;
/// The container's command was not found.
pub const STATUS_NOT_FOUND: u8 = 127;

static SLOTS: [TryLock<Text>; ERROR_SLOTS] = [const { TryLock::new(Text::EMPTY) }; ERROR_SLOTS];
#[cfg(not(test))]
static NEXT: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);

struct Text {
    bytes: [u8; ERROR_TEXT_BYTES],
    len: usize,
    generation: u8,
}

impl Text {
    const EMPTY: Text = Text { bytes: [0; ERROR_TEXT_BYTES], len: 0, generation: 0 };

    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or("(unreadable error text)")
    }
}

impl Write for Text {
    /// Text that a reader could be deceived by is escaped ([`visible`]); what does not fit ends in `…`.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const ELLIPSIS: &str = "…";
        for character in text.chars() {
            let mut buffer = [0; ESCAPE_BYTES];
            let piece = visible(character, &mut buffer);
            if self.len + piece.len() + ELLIPSIS.len() > ERROR_TEXT_BYTES {
                self.bytes[self.len..self.len + ELLIPSIS.len()].copy_from_slice(ELLIPSIS.as_bytes());
                self.len += ELLIPSIS.len();
                return Err(fmt::Error);
            }
            self.bytes[self.len..self.len + piece.len()].copy_from_slice(piece);
            self.len += piece.len();
        }
        Ok(())
    }
}

/// Bytes of one escaped character: `\\u202e`.
pub const ESCAPE_BYTES: usize = 6;

/// Returns a character as a message shows it, so that a hostile name cannot forge a line: a control character as `\\xNN`;
/// a character that reorders or hides text, or ends a line, as `\\uNNNN`; each other one as UTF-8.
pub fn visible(character: char, buffer: &mut [u8; ESCAPE_BYTES]) -> &[u8] {
    let code = character as u32;
    let digits: &[u32] = match character {
        '\0'..' ' | '\x7f'..'\u{a0}' => &[4, 0],
        // The controls of bidirectional text, zero-width characters, line and paragraph separator, byte order mark.
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            &[12, 8, 4, 0]
        }
        _ => return character.encode_utf8(buffer).as_bytes(),
    };
    (buffer[0], buffer[1]) = (b'\\', if digits.len() == 2 { b'x' } else { b'u' });
    for (place, shift) in buffer[2..].iter_mut().zip(digits) {
        *place = b"0123456789abcdef"[(code >> shift & 15) as usize];
    }
    &buffer[..2 + digits.len()]
}

#[cfg(not(test))]
fn turn() -> usize {
    NEXT.fetch_add(1, core::sync::atomic::Ordering::Relaxed)
}

/// Each test's thread has eight slots of its own until it ends: tests that make many errors leave the others' alone.
#[cfg(test)]
fn turn() -> usize {
    use core::cell::Cell;
    use core::sync::atomic::{AtomicBool, Ordering};
    static TAKEN: [AtomicBool; ERROR_SLOTS / 8] = [const { AtomicBool::new(false) }; ERROR_SLOTS / 8];
    struct Mine(usize, Cell<usize>);
    impl Drop for Mine {
        fn drop(&mut self) {
            TAKEN[self.0].store(false, Ordering::Release);
        }
    }
    std::thread_local! {
        static MINE: Mine = {
            let free = TAKEN.iter().position(|taken| !taken.swap(true, Ordering::Acquire));
            Mine(free.expect("no more than 32 tests at once"), Cell::new(0))
        };
    }
    MINE.with(|mine| {
        mine.1.set((mine.1.get() + 1) % 8);
        mine.0 * 8 + mine.1.get()
    })
}

fn next_slot() -> (u8, Option<TryGuard<'static, Text>>) {
    let index = turn() % ERROR_SLOTS;
    (index as u8, SLOTS[index].try_lock())
}

impl Error {
    /// An error with this text: `Error::new(format_args!("blob {digest}: missing"))`.
    #[cold]
    #[inline(never)]
    pub fn new(text: fmt::Arguments<'_>) -> Error {
        Error::with_errno(text, Errno::NONE)
    }

    /// An error that carries `errno` for a caller that decides by it; the text is the caller's, whole.
    #[cold]
    pub fn with_errno(text: fmt::Arguments<'_>, errno: Errno) -> Error {
        let (slot, guard) = next_slot();
        let generation = guard.map_or(0, |mut place| {
            place.len = 0;
            let _ = place.write_fmt(text);
            place.generation = place.generation.wrapping_add(1);
            place.generation
        });
        Error(ALWAYS | u64::from(slot) | u64::from(generation) << 8 | (errno.number() as u64 & 0xfff) << 16)
    }

    /// The errno behind this error; [`Errno::NONE`] if it did not come from the kernel.
    pub fn errno(&self) -> Errno {
        Errno::new((self.0.get() >> 16 & 0xfff) as i32)
    }

    /// The same error, seen from further out: `context: text`.
    #[cold]
    pub fn within(self, context: fmt::Arguments<'_>) -> Error {
        Error::with_errno(format_args!("{context}: {self}"), self.errno()).with_status(self.status())
    }

    /// The exit status this error asks for: [`STATUS_FAILED`] unless it was told otherwise.
    pub fn status(&self) -> u8 {
        STATUS_FAILED + (self.0.get() >> 28 & 3) as u8
    }

    /// The same error, asking for another exit status: one of the three above.
    pub fn with_status(self, status: u8) -> Error {
        let status = u64::from(status.saturating_sub(STATUS_FAILED) & 3) << 28;
        Error(ALWAYS | self.0.get() & !(3 << 28) | status)
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (slot, generation) = (self.0.get() as u8, (self.0.get() >> 8) as u8);
        match SLOTS[usize::from(slot) % ERROR_SLOTS].try_lock() {
            Some(text) if text.generation == generation => f.write_str(text.as_str()),
            _ => f.write_str("(the text of this error was overwritten by later ones)"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// Adds what was being done, and to what, to a failure.
pub trait Context<T> {
    /// `doing: cause`, as in `pivot_root: invalid argument`.
    fn doing(self, doing: &str) -> Result<T>;

    /// `doing subject: cause`, as in `mount /proc: permission denied`. `subject` may be `&""`.
    fn context(self, doing: &str, subject: &dyn Display) -> Result<T>;
}

impl<T> Context<T> for core::result::Result<T, Errno> {
    fn doing(self, doing: &str) -> Result<T> {
        self.map_err(|errno| failed(doing, errno))
    }

    fn context(self, doing: &str, subject: &dyn Display) -> Result<T> {
        self.map_err(|errno| from_errno(doing, subject, errno))
    }
}

impl<T> Context<T> for Result<T> {
    fn doing(self, doing: &str) -> Result<T> {
        self.map_err(|error| further_out(doing, error))
    }

    fn context(self, doing: &str, subject: &dyn Display) -> Result<T> {
        self.map_err(|error| error.within(format_args!("{}", Doing(doing, subject))))
    }
}

#[cold]
fn failed(doing: &str, errno: Errno) -> Error {
    Error::with_errno(format_args!("{doing}: {errno}"), errno)
}

#[cold]
fn further_out(doing: &str, error: Error) -> Error {
    error.within(format_args!("{doing}"))
}

#[cold]
fn from_errno(doing: &str, subject: &dyn Display, errno: Errno) -> Error {
    Error::with_errno(format_args!("{}: {errno}", Doing(doing, subject)), errno)
}

struct Doing<'a>(&'a str, &'a dyn Display);

impl Display for Doing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = Joined { f, pending: self.0 };
        write!(rest, "{}", self.1)?;
        let Joined { f, pending } = rest;
        f.write_str(pending)
    }
}

/// Writes `doing` and a space before the first character of the subject, and no space where it has none.
struct Joined<'a, 'b, 'c> {
    f: &'a mut fmt::Formatter<'b>,
    pending: &'c str,
}

impl Write for Joined<'_, '_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !text.is_empty() && !self.pending.is_empty() {
            self.f.write_str(self.pending)?;
            self.f.write_char(' ')?;
            self.pending = "";
        }
        self.f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_names_verb_object_and_reason() {
        let failed: core::result::Result<(), Errno> = Err(Errno::ENOENT);
        let error = failed.context("open", &"/proc").unwrap_err();
        assert_eq!(error.to_string(), "open /proc: no such file or directory");
        assert_eq!(error.errno(), Errno::ENOENT);
        let outer: Result<()> = Err(error);
        let outer = outer.context("early mounts", &"").unwrap_err();
        assert_eq!(outer.to_string(), "early mounts: open /proc: no such file or directory");
        assert_eq!(outer.errno(), Errno::ENOENT);
    }

    #[test]
    fn a_hostile_name_stays_on_one_line() {
        assert_eq!(Error::new(format_args!("entry a\n\x1b[2Jb")).to_string(), "entry a\\x0a\\x1b[2Jb");
        for (hostile, shown) in [
            ("\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}", "\\u202a\\u202b\\u202c\\u202d\\u202e"),
            ("\u{2066}\u{2067}\u{2068}\u{2069}", "\\u2066\\u2067\\u2068\\u2069"),
            ("a\u{2028}b\u{2029}c\u{feff}", "a\\u2028b\\u2029c\\ufeff"),
            ("\u{200e}\u{200f}\u{61c}\u{200b}", "\\u200e\\u200f\\u061c\\u200b"),
            ("\u{85}\u{9b}\u{7f}", "\\x85\\x9b\\x7f"),
            ("é ‧ \u{202f}\u{2065}… 漢 \u{1f600}", "é ‧ \u{202f}\\u2065… 漢 \u{1f600}"),
        ] {
            assert_eq!(Error::new(format_args!("{hostile}")).to_string(), shown);
        }
    }

    #[test]
    fn a_long_text_ends_in_an_ellipsis() {
        let text = Error::new(format_args!("{}", "x".repeat(2 * ERROR_TEXT_BYTES))).to_string();
        assert!(text.ends_with('…') && text.len() <= ERROR_TEXT_BYTES);
    }

    #[test]
    fn an_old_error_never_reads_as_a_newer_one() {
        let old = Error::new(format_args!("old"));
        for n in 0..ERROR_SLOTS {
            let _ = Error::new(format_args!("new {n}"));
        }
        assert!(!old.to_string().contains("new"));
    }
}
