//! Errors: one line of text with the action, its object and the reason.
//!
//! An [`Error`] is one number, and owns one of a few static texts until it is dropped. So `Result`
//! fits a register, and a cause outlives all errors that are made and dropped after it. If all
//! texts are taken, the new error has none.
//!
//! ```text
//! layer 2 of 3 sha256:ab12…: digest mismatch: the bytes hash to sha256:cd34…
//! `- context -------------'  `- the error itself ---------------------------
//! ```

use core::fmt::{self, Display, Write};
use core::num::NonZeroU64;

use core::sync::atomic::{AtomicBool, Ordering};

use crate::limits::{ERROR_TEXT_BYTES, ERRORS_MAX};
use crate::sync::TryLock;
use crate::sys::Errno;

/// The result of everything above `sys`.
pub type Result<T> = core::result::Result<T, Error>;

/// A failure: one line of text, and the errno behind it if there is one.
///
/// The number is never 0, so that a `Result<(), Error>` is one register. From the lowest bit up: 16
/// bits of text number, 12 of errno, 2 of exit status (less 125), and a bit that is always set. It
/// is as wide as a pointer or a length. So a `Result` of one of these is two registers, and avoids
/// memory.
#[must_use]
pub struct Error(NonZeroU64);

const ALWAYS: NonZeroU64 = NonZeroU64::new(1 << 31).unwrap();

/// ocinit's own failure, as in docker and podman.
pub const STATUS_FAILED: u8 = 125;
/// A standard stream is closed and cannot be replaced.
pub const STATUS_NO_STREAMS: u8 = 255;
/// The container's command exists but is not executable.
pub const STATUS_NOT_EXECUTABLE: u8 = 126;
/// The container's command does not exist.
pub const STATUS_NOT_FOUND: u8 = 127;

/// The text number of an error without a text.
const NO_TEXT: u16 = u16::MAX;

/// A text, and whether an error owns it.
struct Slot {
    is_owned: AtomicBool,
    text: TryLock<Text>,
}

impl Slot {
    const fn free() -> Slot {
        Slot { is_owned: AtomicBool::new(false), text: TryLock::new(Text::EMPTY) }
    }
}

static SLOTS: [Slot; ERRORS_MAX] = [const { Slot::free() }; ERRORS_MAX];

struct Text {
    bytes: [u8; ERROR_TEXT_BYTES],
    len: usize,
}

impl Text {
    const EMPTY: Text = Text { bytes: [0; ERROR_TEXT_BYTES], len: 0 };

    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or("(unreadable error text)")
    }
}

impl Write for Text {
    /// Appends text. Deceptive characters are escaped ([`visible`]); text that does not fit ends in
    /// `…`.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const ELLIPSIS: &str = "…";
        for character in text.chars() {
            let mut buffer = [0; ESCAPE_BYTES];
            let piece = visible(character, &mut buffer);
            if self.len + ELLIPSIS.len() > ERROR_TEXT_BYTES {
                return Err(fmt::Error);
            }
            if self.len + piece.len() + ELLIPSIS.len() > ERROR_TEXT_BYTES {
                self.bytes[self.len..self.len + ELLIPSIS.len()]
                    .copy_from_slice(ELLIPSIS.as_bytes());
                self.len += ELLIPSIS.len();
                return Err(fmt::Error);
            }
            self.bytes[self.len..self.len + piece.len()].copy_from_slice(piece);
            self.len += piece.len();
        }
        Ok(())
    }
}

/// Bytes of the longest escape: `\\u202e`.
pub const ESCAPE_BYTES: usize = 6;

/// Returns a character as messages show it, so that a hostile name cannot forge a line. A control
/// character becomes `\\xNN`. A character that reorders or hides text, or ends a line, becomes
/// `\\uNNNN`. Each other one stays as UTF-8.
pub fn visible(character: char, buffer: &mut [u8; ESCAPE_BYTES]) -> &[u8] {
    let code = character as u32;
    let digits: &[u32] = match character {
        '\0'..' ' | '\x7f'..'\u{a0}' => &[4, 0],
        // The controls of bidirectional text, zero-width characters, line and paragraph separator,
        // byte order mark.
        '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => &[12, 8, 4, 0],
        _ => return character.encode_utf8(buffer).as_bytes(),
    };
    (buffer[0], buffer[1]) = (b'\\', if digits.len() == 2 { b'x' } else { b'u' });
    for (place, shift) in buffer[2..].iter_mut().zip(digits) {
        *place = b"0123456789abcdef"[(code >> shift & 15) as usize];
    }
    &buffer[..2 + digits.len()]
}

/// Stores a text in a free slot. Returns its number, or [`NO_TEXT`].
fn place(slots: &[Slot], text: fmt::Arguments<'_>) -> u16 {
    let free = |place: &Slot| !place.is_owned.swap(true, Ordering::Acquire);
    let Some(number) = slots.iter().position(free) else { return NO_TEXT };
    if let Some(mut place) = slots[number].text.try_lock() {
        place.len = 0;
        let _ = place.write_fmt(text);
    }
    number as u16
}

impl Error {
    /// Returns an error with this text: `Error::new(format_args!("blob {digest}: missing"))`.
    #[cold]
    #[inline(never)]
    pub fn new(text: fmt::Arguments<'_>) -> Error {
        Error::with_errno(text, Errno::NONE)
    }

    /// Returns an error with `errno` for the caller's decisions. It does not add errno's own text.
    #[cold]
    pub fn with_errno(text: fmt::Arguments<'_>, errno: Errno) -> Error {
        Error(ALWAYS | u64::from(place(&SLOTS, text)) | (errno.number() as u64 & 0xfff) << 16)
    }

    /// Returns the errno behind this error, or [`Errno::NONE`] if it did not come from the kernel.
    pub fn errno(&self) -> Errno {
        Errno::new((self.0.get() >> 16 & 0xfff) as i32)
    }

    /// Adds context: `context: text`.
    #[cold]
    pub fn within(self, context: fmt::Arguments<'_>) -> Error {
        let longer = Error::with_errno(format_args!("{context}: {self}"), self.errno())
            .with_status(self.status());
        // If the longer text finds no slot, the cause is more useful than the context.
        if longer.number() == NO_TEXT { self } else { longer }
    }

    /// Adds an error of the cleanup after this one: `text; after`.
    #[cold]
    pub fn and(self, after: Error) -> Error {
        if let Some(mut text) =
            SLOTS.get(usize::from(self.number())).and_then(|place| place.text.try_lock())
        {
            let _ = write!(text, "; {after}");
        }
        self
    }

    /// Adds the cleanup's error, if it failed.
    pub fn with(self, cleanup: Result<()>) -> Error {
        match cleanup {
            Ok(()) => self,
            Err(after) => self.and(after),
        }
    }

    fn number(&self) -> u16 {
        self.0.get() as u16
    }

    /// Returns the exit status for this error: [`STATUS_FAILED`] unless another was set.
    pub fn status(&self) -> u8 {
        STATUS_FAILED + (self.0.get() >> 28 & 3) as u8
    }

    /// Sets another exit status: one of the three above.
    pub fn with_status(mut self, status: u8) -> Error {
        let status = u64::from(status.saturating_sub(STATUS_FAILED) & 3) << 28;
        self.0 = ALWAYS | self.0.get() & !(3 << 28) | status;
        self
    }
}

impl Clone for Error {
    /// Returns an error with a copy of the text.
    #[cold]
    fn clone(&self) -> Error {
        Error::with_errno(format_args!("{self}"), self.errno()).with_status(self.status())
    }
}

impl Drop for Error {
    #[inline(never)]
    fn drop(&mut self) {
        if let Some(place) = SLOTS.get(usize::from(self.number())) {
            place.is_owned.store(false, Ordering::Release);
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SLOTS.get(usize::from(self.number())).and_then(|place| place.text.try_lock()) {
            Some(text) => f.write_str(text.as_str()),
            None if self.errno() != Errno::NONE => write!(f, "{}", self.errno()),
            None => write!(f, "an error without a text: there are more than {ERRORS_MAX} at once"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// Adds the action and its object to a failure.
pub trait Context<T> {
    /// Returns `doing: cause`, as in `pivot_root: invalid argument`.
    fn doing(self, doing: &str) -> Result<T>;

    /// Returns `doing subject: cause`, as in `mount /proc: permission denied`. `subject` may be
    /// `&""`.
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

/// Writes `doing` and a space before the first character of the subject, and no space if it is
/// empty.
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
        assert_eq!(
            Error::new(format_args!("entry a\n\x1b[2Jb")).to_string(),
            "entry a\\x0a\\x1b[2Jb"
        );
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
    fn a_cause_survives_what_comes_after_it() {
        let mut error = Error::with_errno(format_args!("the cause"), Errno::EPERM)
            .with_status(STATUS_NOT_FOUND);
        for n in 0..100 {
            drop(Error::new(format_args!("dropped {n}")));
            error = error.within(format_args!("{n}"));
        }
        assert!(
            error.to_string().starts_with("99: 98: ")
                && error.to_string().ends_with("0: the cause"),
            "{error}"
        );
        error = error.and(Error::new(format_args!("and the end of it")));
        assert!(error.to_string().ends_with("0: the cause; and the end of it"), "{error}");
        assert_eq!((error.errno(), error.status()), (Errno::EPERM, STATUS_NOT_FOUND));
    }

    #[test]
    fn the_error_that_finds_all_texts_taken_is_the_one_without() {
        let slots = [const { Slot::free() }; 2];
        let taken = [0, 1, 2].map(|n| place(&slots, format_args!("error {n}")));
        assert_eq!(taken, [0, 1, NO_TEXT]);
        assert_eq!(slots[0].text.try_lock().unwrap().as_str(), "error 0");
        slots[0].is_owned.store(false, Ordering::Release);
        assert_eq!(place(&slots, format_args!("error 3")), 0);

        let mut last = Error(ALWAYS | u64::from(NO_TEXT) | (Errno::ENOENT.number() as u64) << 16);
        assert_eq!(last.to_string(), "no such file or directory");
        last = last.within(format_args!("open"));
        assert_eq!(last.to_string(), "open: no such file or directory");
    }
}
