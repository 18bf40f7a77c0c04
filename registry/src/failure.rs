//! A failed request: a class for ocinit, one line for the user, and whether it is tried again.

use crate::transport::{Class, TEXT_BYTES};
use std::time::Duration;

/// A server's own words in a line, in bytes.
pub const SAID_BYTES: usize = 200;

/// Whether the same request may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It fails in the same way.
    Never,
    /// After a pause that grows.
    Later,
    /// After the time that the server asks for.
    After(Duration),
}

/// An error with its line.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its class.
    pub class: Class,
    /// The status of HTTP, or 0.
    pub status: u16,
    /// Whether it is tried again.
    pub again: Again,
    /// Whether the host answered a handshake of TLS with something else.
    pub no_tls: bool,
    /// The line.
    pub text: String,
}

/// The result of whatever may fail so.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// An error that is not tried again.
    pub fn new(class: Class, text: impl AsRef<str>) -> Failure {
        let text = clean(text.as_ref(), TEXT_BYTES);
        Failure { class, status: 0, again: Again::Never, no_tls: false, text }
    }

    /// The same with a status of HTTP.
    pub fn with_status(mut self, status: u16) -> Failure {
        self.status = status;
        self
    }

    /// The same, and it is tried again.
    pub fn again(mut self, again: Again) -> Failure {
        self.again = again;
        self
    }
}

/// Returns text as one line of at most so many bytes: control characters and runs of white space
/// become one space, and an ellipsis stands for what is left out.
pub fn clean(text: &str, bytes: usize) -> String {
    let mut line = String::new();
    let mut gap = false;
    for character in text.chars() {
        if is_hidden(character) {
            gap = !line.is_empty();
            continue;
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(character);
        // Enough to know that it is too long.
        if line.len() > bytes {
            break;
        }
    }
    if line.len() > bytes {
        let mut end = bytes.saturating_sub('…'.len_utf8());
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push('…');
    }
    line
}

/// White space, control characters, and those that change the direction of text.
fn is_hidden(character: char) -> bool {
    let directions = ['\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2066}'..='\u{2069}'];
    character.is_whitespace()
        || character.is_control()
        || character == '\u{feff}'
        || directions.iter().any(|range| range.contains(&character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_without_control_characters() {
        assert_eq!(clean(" a\r\n\tb\u{1b}[31mc \u{202e}", 100), "a b [31mc");
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abc…");
        assert_eq!(clean("äöüäöü", 6), "ä…");
        assert_eq!(clean(&"x".repeat(1 << 20), SAID_BYTES).len(), SAID_BYTES);
    }
}
