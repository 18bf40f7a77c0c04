//! The one pass over a document: it checks syntax, depth and UTF-8, and makes every escape
//! canonical.

use super::{Ends, Value, value};
use crate::io::text::plain_length;
use crate::limits::JSON_DEPTH;
use crate::{Error, Result};

const TOO_DEEP: &str = "nested deeper than 64 levels";
// Each open level takes one bit of a word. The error text names the same depth.
const _: () = assert!(JSON_DEPTH == 64);

/// Checks a whole document and rewrites it in place (it never grows). Returns its value.
pub fn check(document: &mut [u8]) -> Result<Value<'_>> {
    let text = rewrite(document, None)?;
    Ok(Value::of_document(text, None))
}

/// Does the same, and stores the ends of objects and arrays, so that a walk only reads what it
/// needs.
pub fn check_with<'m>(document: &'m mut [u8], ends: &'m mut Ends) -> Result<Value<'m>> {
    let text = rewrite(document, Some(ends))?;
    Ok(Value::of_document(text, Some(ends)))
}

fn rewrite<'m>(document: &'m mut [u8], ends: Option<&mut Ends>) -> Result<&'m str> {
    if let Err(utf8) = core::str::from_utf8(document) {
        return Err(error(utf8.valid_up_to(), "not UTF-8"));
    }
    if document.starts_with(b"\xef\xbb\xbf") {
        return Err(error(0, "a byte order mark"));
    }
    let mut pass = Pass { bytes: document, ends, read: 0, written: 0 };
    let end = pass.document().map_err(|why| match pass.read < pass.bytes.len() {
        true => error(pass.read, why),
        false => error(pass.read, "the document ends early"),
    })?;
    core::str::from_utf8(&document[..end]).map_err(|utf8| error(utf8.valid_up_to(), "not UTF-8"))
}

#[cold]
fn error(at: usize, why: &str) -> Error {
    Error::new(format_args!("invalid JSON at byte {at}: {why}"))
}

/// The tokens that may come next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Value,
    FirstItem,
    FirstKey,
    Key,
    CommaOrEnd,
}

/// Reads at `read` and writes at `written`, which never overtakes it. An error is a text; `read` is
/// its position.
struct Pass<'a> {
    bytes: &'a mut [u8],
    ends: Option<&'a mut Ends>,
    read: usize,
    written: usize,
}

type Step<T = ()> = core::result::Result<T, &'static str>;

impl Pass<'_> {
    fn document(&mut self) -> Step<usize> {
        let (mut objects, mut depth) = (0u64, 0);
        let mut starts = [0; JSON_DEPTH];
        let mut next = Next::Value;
        loop {
            self.white_space();
            let byte = self.peek();
            next = match (next, byte) {
                (Next::Value | Next::FirstItem, b'{' | b'[') => {
                    if depth == JSON_DEPTH {
                        return Err(TOO_DEEP);
                    }
                    starts[depth] = self.written;
                    depth += 1;
                    objects = objects << 1 | u64::from(byte == b'{');
                    self.copy();
                    if byte == b'{' { Next::FirstKey } else { Next::FirstItem }
                }
                (Next::FirstItem, b']') | (Next::FirstKey, b'}') => {
                    self.copy();
                    (objects, depth) = (objects >> 1, depth - 1);
                    Next::CommaOrEnd
                }
                (Next::Value | Next::FirstItem, _) => {
                    self.scalar(byte)?;
                    Next::CommaOrEnd
                }
                (Next::FirstKey | Next::Key, b'"') => {
                    self.string()?;
                    self.white_space();
                    self.expect(b":", "a colon is missing")?;
                    Next::Value
                }
                (Next::FirstKey | Next::Key, _) => return Err("a key in quotes is missing"),
                (Next::CommaOrEnd, b',') => {
                    self.copy();
                    if objects & 1 != 0 { Next::Key } else { Next::Value }
                }
                (Next::CommaOrEnd, _) => {
                    let (end, why) = match objects & 1 {
                        0 => (b"]", "a comma or ] is missing"),
                        _ => (b"}", "a comma or } is missing"),
                    };
                    self.expect(end, why)?;
                    (objects, depth) = (objects >> 1, depth - 1);
                    if let Some(ends) = &mut self.ends {
                        value::keep_end(ends, starts[depth], self.written);
                    }
                    Next::CommaOrEnd
                }
            };
            if next == Next::CommaOrEnd && depth == 0 {
                self.white_space();
                return if self.read == self.bytes.len() {
                    Ok(self.written)
                } else {
                    Err("more after the end")
                };
            }
        }
    }

    /// Returns the next byte. Past the end it is 0, which is invalid everywhere.
    fn peek(&self) -> u8 {
        self.bytes.get(self.read).copied().unwrap_or(0)
    }

    fn emit(&mut self, byte: u8) {
        self.bytes[self.written] = byte;
        self.written += 1;
    }

    /// Copies one byte, which `peek` has shown.
    fn copy(&mut self) {
        let byte = self.peek();
        self.read += 1;
        self.emit(byte);
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.read += 1;
        }
    }

    fn expect(&mut self, text: &[u8], why: &'static str) -> Step {
        for &byte in text {
            if self.peek() != byte {
                return Err(why);
            }
            self.copy();
        }
        Ok(())
    }

    fn scalar(&mut self, first: u8) -> Step {
        match first {
            b'"' => self.string(),
            b't' => self.expect(b"true", "not a value"),
            b'f' => self.expect(b"false", "not a value"),
            b'n' => self.expect(b"null", "not a value"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err("a value is missing"),
        }
    }

    fn number(&mut self) -> Step {
        if self.peek() == b'-' {
            self.copy();
        }
        match self.peek() {
            b'0' => self.copy(),
            _ => self.digits()?,
        }
        if self.peek() == b'.' {
            self.copy();
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.copy();
            if matches!(self.peek(), b'+' | b'-') {
                self.copy();
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Step {
        if !self.peek().is_ascii_digit() {
            return Err("a digit is missing");
        }
        while self.peek().is_ascii_digit() {
            self.copy();
        }
        Ok(())
    }

    fn string(&mut self) -> Step {
        self.copy();
        loop {
            let plain = plain_length(self.bytes.get(self.read..).unwrap_or(&[]));
            if self.written < self.read {
                self.bytes.copy_within(self.read..self.read + plain, self.written);
            }
            (self.read, self.written) = (self.read + plain, self.written + plain);
            match self.peek() {
                b'"' => {
                    self.copy();
                    return Ok(());
                }
                b'\\' => self.escape()?,
                _ => return Err("a control character in a string"),
            }
        }
    }

    fn escape(&mut self) -> Step {
        let start = self.read;
        self.read += 1;
        match self.peek() {
            b'/' => self.copy(),
            b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.emit(b'\\');
                self.copy();
            }
            b'u' => {
                self.read = start;
                let character = self.code_point()?;
                self.emit_character(character);
            }
            _ => return Err("an unknown escape"),
        }
        Ok(())
    }

    /// Reads `\uXXXX`, or two of them that are a surrogate pair.
    fn code_point(&mut self) -> Step<char> {
        let first = self.code_unit()?;
        let code = match first {
            0xd800..0xdc00 if self.peek() == b'\\' => {
                let second = self.code_unit()?;
                if !(0xdc00..0xe000).contains(&second) {
                    return Err("an unpaired surrogate");
                }
                0x10000 + ((first - 0xd800) << 10 | (second - 0xdc00))
            }
            _ => first,
        };
        char::from_u32(code).ok_or("an unpaired surrogate")
    }

    fn code_unit(&mut self) -> Step<u32> {
        self.read += 1;
        if self.peek() != b'u' {
            return Err("an unpaired surrogate");
        }
        self.read += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.peek())
                .to_digit(16)
                .ok_or("four hexadecimal digits are missing")?;
            unit = unit << 4 | digit;
            self.read += 1;
        }
        Ok(unit)
    }

    /// Writes a character. It is at most as long as its escape: six bytes, or twelve.
    fn emit_character(&mut self, character: char) {
        let short = match character {
            '"' | '\\' => character as u8,
            '\x08' => b'b',
            '\x0c' => b'f',
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            '\0'..='\x1f' => {
                for byte in *b"\\u00" {
                    self.emit(byte);
                }
                self.emit(b'0' + (character as u8 >> 4));
                return self.emit(b"0123456789abcdef"[usize::from(character as u8 & 15)]);
            }
            _ => {
                let mut buffer = [0; 4];
                for &byte in character.encode_utf8(&mut buffer).as_bytes() {
                    self.emit(byte);
                }
                return;
            }
        };
        self.emit(b'\\');
        self.emit(short);
    }
}
