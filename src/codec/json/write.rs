//! Writes JSON (RFC 8259) piece by piece to a [`Sink`], indented by tabs like `runc spec`.
//!
//! ```text
//! let mut json = Writer::new(&mut output);
//! json.object();
//! json.key("name").string(b"a");
//! json.key("size").number(3);
//! json.key("tags").array();
//! json.string(b"one");
//! json.end();                     // the innermost: first the array, then the object
//! json.end();
//! ```
//!
//! No call can fail, because the sink keeps its failure for its end. Commas, line breaks and
//! brackets are added automatically.
//!
//! Bytes that are not UTF-8 become U+FFFD, as in Go's encoding/json; [`Writer::has_replaced`]
//! reports that. Control characters, including U+0080 to U+009F, are escaped, so a hostile image's
//! text is harmless on a terminal.

use super::{Text, Value};
use crate::io::output::Sink;
use crate::limits::JSON_DEPTH;
use core::fmt;

/// A document being written.
pub struct Writer<'s> {
    sink: &'s mut dyn Sink,
    /// Indentation of one level. If it is empty, everything is on one line.
    indent: &'static str,
    /// The open levels, a bit each, 1 for an object; the innermost is the lowest bit.
    objects: u64,
    depth: usize,
    /// The innermost object or array is still empty.
    is_fresh: bool,
    /// The next value belongs to a written key.
    is_member: bool,
    replaced: bool,
}

// Each open level takes one bit.
const _: () = assert!(JSON_DEPTH <= 64);

/// The inside of a string that is being written.
struct Shown<'a, 's>(&'a mut Writer<'s>);

impl fmt::Write for Shown<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.escape(text, false);
        Ok(())
    }
}

impl<'s> Writer<'s> {
    /// Returns an empty document. Its one value completes it, and then a line feed follows.
    pub fn new(sink: &'s mut dyn Sink) -> Writer<'s> {
        Writer::with_indent(sink, "\t")
    }

    /// Does the same with another indentation. If it is empty, everything is on one line, without
    /// spaces.
    pub fn with_indent(sink: &'s mut dyn Sink, indent: &'static str) -> Writer<'s> {
        Writer {
            sink,
            indent,
            objects: 0,
            depth: 0,
            is_fresh: true,
            is_member: false,
            replaced: false,
        }
    }

    /// Opens an object.
    pub fn object(&mut self) {
        self.open(true);
    }

    /// Opens an array.
    pub fn array(&mut self) {
        self.open(false);
    }

    /// Closes the innermost object or array.
    pub fn end(&mut self) {
        debug_assert!(self.depth > 0 && !self.is_member, "nothing is open, or a key has no value");
        self.depth -= 1;
        if !self.is_fresh {
            self.new_line();
        }
        self.sink.put(if self.objects & 1 != 0 { b"}" } else { b"]" });
        self.objects >>= 1;
        self.after_value();
    }

    /// Writes a member's name. Its value follows: `json.key("size").number(3)`.
    pub fn key(&mut self, name: &str) -> &mut Writer<'s> {
        self.bytes_key(name.as_bytes())
    }

    /// Opens a member that is an object.
    pub fn object_of(&mut self, name: &str) {
        self.key(name).object();
    }

    /// Opens a member that is an array.
    pub fn array_of(&mut self, name: &str) {
        self.key(name).array();
    }

    /// Writes a member that is a string.
    pub fn string_of(&mut self, name: &str, bytes: &[u8]) {
        self.key(name).string(bytes);
    }

    /// Writes a member's name from any bytes.
    pub fn bytes_key(&mut self, name: &[u8]) -> &mut Writer<'s> {
        self.begin_key();
        self.sink.put(b"\"");
        self.put_text(name);
        self.sink.put(b"\"");
        self.end_key()
    }

    /// Writes a member's name from another document.
    pub fn text_key(&mut self, name: &Text<'_>) -> &mut Writer<'s> {
        self.begin_key();
        self.quote_text(name);
        self.end_key()
    }

    /// Writes the bytes as a string.
    pub fn string(&mut self, bytes: &[u8]) {
        self.concat("", bytes);
    }

    /// Writes what is shown as a string.
    pub fn shown(&mut self, text: fmt::Arguments<'_>) {
        self.before_value();
        self.sink.put(b"\"");
        let _ = fmt::write(&mut Shown(self), text);
        self.sink.put(b"\"");
        self.after_value();
    }

    /// Writes a prefix and bytes as one string: `json.concat("CAP_", b"KILL")`.
    pub fn concat(&mut self, prefix: &str, bytes: &[u8]) {
        self.before_value();
        self.sink.put(b"\"");
        self.escape(prefix, false);
        self.put_text(bytes);
        self.sink.put(b"\"");
        self.after_value();
    }

    /// Writes a string from another document.
    pub fn text(&mut self, text: &Text<'_>) {
        self.before_value();
        self.quote_text(text);
        self.after_value();
    }

    /// Writes several texts as one string.
    pub fn joined(&mut self, pieces: &mut dyn Iterator<Item = Text<'_>>, between: &str) {
        self.before_value();
        self.sink.put(b"\"");
        for (n, piece) in pieces.enumerate() {
            if n > 0 {
                self.escape(between, false);
            }
            self.escape(piece.as_escaped(), true);
        }
        self.sink.put(b"\"");
        self.after_value();
    }

    /// Writes a number without a sign.
    pub fn number(&mut self, number: u64) {
        self.before_value();
        self.digits(number);
    }

    /// Writes a number that may be negative.
    pub fn signed(&mut self, number: i64) {
        self.before_value();
        if number < 0 {
            self.sink.put(b"-");
        }
        self.digits(number.unsigned_abs());
    }

    /// Writes a number from its text: `4.16`.
    pub fn number_text(&mut self, text: &str) {
        self.word(text);
    }

    /// Writes `true` or `false`.
    pub fn boolean(&mut self, value: bool) {
        self.word(if value { "true" } else { "false" });
    }

    /// Writes `null`.
    pub fn null(&mut self) {
        self.word("null");
    }

    /// Writes a whole value from another document on one line.
    pub fn value(&mut self, value: &Value<'_>) {
        self.word(value.as_json());
    }

    /// Returns true if some bytes were not UTF-8.
    pub fn has_replaced(&self) -> bool {
        self.replaced
    }

    fn open(&mut self, is_object: bool) {
        debug_assert!(self.depth < JSON_DEPTH, "too deep to be read again");
        self.before_value();
        self.sink.put(if is_object { b"{" } else { b"[" });
        self.objects = self.objects << 1 | u64::from(is_object);
        self.depth += 1;
        self.is_fresh = true;
    }

    fn word(&mut self, word: &str) {
        self.before_value();
        self.escape(word, true);
        self.after_value();
    }

    fn digits(&mut self, number: u64) {
        let (mut digits, mut at, mut rest) = ([0; 20], 20, number);
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.sink.put(&digits[at..]);
        self.after_value();
    }

    fn begin_key(&mut self) {
        debug_assert!(
            self.objects & 1 != 0 && !self.is_member,
            "a key belongs into an object, before its value"
        );
        self.next_item();
    }

    fn end_key(&mut self) -> &mut Writer<'s> {
        self.sink.put(if self.indent.is_empty() { b":" } else { b": " });
        self.is_member = true;
        self
    }

    fn before_value(&mut self) {
        debug_assert!(self.is_member || self.objects & 1 == 0, "a value in an object needs a key");
        if !self.is_member && self.depth > 0 {
            self.next_item();
        }
        self.is_member = false;
    }

    fn after_value(&mut self) {
        self.is_fresh = false;
        if self.depth == 0 {
            self.sink.put(b"\n");
        }
    }

    fn next_item(&mut self) {
        if !self.is_fresh {
            self.sink.put(b",");
        }
        self.new_line();
    }

    fn new_line(&mut self) {
        if self.indent.is_empty() {
            return;
        }
        self.sink.put(b"\n");
        for _ in 0..self.depth {
            self.sink.put(self.indent.as_bytes());
        }
    }

    fn put_text(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            self.escape(chunk.valid(), false);
            if !chunk.invalid().is_empty() {
                self.sink.put("\u{fffd}".as_bytes());
                self.replaced = true;
            }
        }
    }

    fn quote_text(&mut self, text: &Text<'_>) {
        self.sink.put(b"\"");
        self.escape(text.as_escaped(), true);
        self.sink.put(b"\"");
    }

    /// Escapes special characters. Text that `is_escaped`, from a checked document, keeps its
    /// escapes.
    fn escape(&mut self, text: &str, is_escaped: bool) {
        let bytes = text.as_bytes();
        // Bytes from `start` on need no escape.
        let (mut start, mut at) = (0, 0);
        while let Some(&byte) = bytes.get(at) {
            let second = bytes.get(at + 1).copied().unwrap_or(0);
            let (code, length) = match byte {
                b'"' | b'\\' if !is_escaped => (byte, 1),
                0..b' ' | 0x7f => (byte, 1),
                // U+0080 to U+009F in UTF-8.
                0xc2 if second < 0xa0 => (second, 2),
                _ => {
                    at += 1;
                    continue;
                }
            };
            self.sink.put(&bytes[start..at]);
            self.put_escape(code);
            at += length;
            start = at;
        }
        self.sink.put(&bytes[start..]);
    }

    fn put_escape(&mut self, code: u8) {
        let short = match code {
            b'"' | b'\\' => code,
            b'\x08' => b'b',
            b'\x0c' => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => {
                let hex = |shift: u32| b"0123456789abcdef"[usize::from(code >> shift & 15)];
                return self.sink.put(&[b'\\', b'u', b'0', b'0', hex(4), hex(0)]);
            }
        };
        self.sink.put(&[b'\\', short]);
    }
}

#[cfg(test)]
mod tests;
