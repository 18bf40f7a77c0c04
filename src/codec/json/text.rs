//! A string of a checked document.

use crate::io::strings::Builder;
use crate::io::text::find;
use crate::sys::Errno;
use crate::{Error, Result};
use core::cmp::Ordering;
use core::fmt::{self, Display, Write};

/// A string of a checked document, as it stands between its quotes. Only `"`, `\` and control
/// characters are escaped, each in one way, so equal strings are equal bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(transparent)]
pub struct Text<'m>(#[serde(borrow)] &'m str);

impl<'m> Text<'m> {
    /// The empty text.
    pub const EMPTY: Text<'static> = Text("");

    /// Returns the string whose checked bytes between the quotes are `raw`.
    pub(super) fn between_quotes(raw: &'m str) -> Text<'m> {
        Text(raw)
    }

    /// Returns a text, if JSON writes it without escapes.
    pub fn plain(text: &'m str) -> Option<Text<'m>> {
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
        (!text.as_bytes().iter().any(is_special)).then_some(Text(text))
    }

    /// Returns the text with its JSON escapes.
    pub fn as_escaped(&self) -> &'m str {
        self.0
    }

    /// Returns true if it has no characters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the text itself, if JSON escapes none of its characters. That holds for names,
    /// digests and media types.
    pub fn as_plain(&self) -> Option<&'m str> {
        (find(self.0.as_bytes(), b'\\') == self.0.len()).then_some(self.0)
    }

    /// Returns its decoded characters. `\u0000` gives U+0000.
    pub fn chars(&self) -> impl Iterator<Item = char> + Clone + 'm {
        Chars(self.0.chars())
    }

    /// Appends it to a C string. A NUL character is an error.
    pub fn write_to(&self, builder: &mut Builder<'_, '_>) -> Result<()> {
        if let Some(plain) = self.as_plain() {
            // A NUL is a control character, which is escaped.
            return builder.push_checked(plain.as_bytes());
        }
        let mut buffer = [0; 4];
        for character in self.chars() {
            if character == '\0' {
                return Err(Error::with_errno(
                    format_args!("{self}: a NUL character"),
                    Errno::EINVAL,
                ));
            }
            builder.push(character.encode_utf8(&mut buffer).as_bytes())?;
        }
        Ok(())
    }
}

/// Decodes the canonical escapes.
#[derive(Clone)]
struct Chars<'m>(core::str::Chars<'m>);

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let character = self.0.next()?;
        if character != '\\' {
            return Some(character);
        }
        Some(match self.0.next()? {
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let digits =
                    (0..4).try_fold(0, |code, _| Some(code << 4 | self.0.next()?.to_digit(16)?))?;
                char::from_u32(digits)?
            }
            other => other,
        })
    }
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_plain() {
            Some(plain) => f.write_str(plain),
            None => self.chars().try_for_each(|character| f.write_char(character)),
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        // An escape is longer than its character.
        match self.0.len().cmp(&other.len()) {
            Ordering::Less => false,
            Ordering::Equal => self.0 == other && self.as_plain().is_some(),
            Ordering::Greater => self.as_plain().is_none() && self.chars().eq(other.chars()),
        }
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}
