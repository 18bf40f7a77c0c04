//! The members of a JSON object as lines of text: a name, and its value in JSON. A value holds no
//! line feed.

use crate::io::output::Sink;
use core::fmt::Write;

/// Takes one object without white space.
pub struct Lines<'o> {
    out: &'o mut dyn Write,
    depth: u32,
    is_in_string: bool,
    is_escaped: bool,
    is_name: bool,
}

impl<'o> Lines<'o> {
    /// Writes the lines to `out`.
    pub fn new(out: &'o mut dyn Write) -> Lines<'o> {
        Lines { out, depth: 0, is_in_string: false, is_escaped: false, is_name: true }
    }

    fn take(&mut self, byte: u8) {
        let (was_escaped, at_top) = (self.is_escaped, self.depth == 1);
        self.is_escaped = self.is_in_string && byte == b'\\' && !was_escaped;
        if byte == b'"' && !was_escaped {
            self.is_in_string = !self.is_in_string;
            if at_top && self.is_name {
                return;
            }
        } else if !self.is_in_string {
            match byte {
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth -= 1,
                b':' if at_top && self.is_name => {
                    self.is_name = false;
                    return self.put(b' ');
                }
                b',' if at_top => {
                    self.is_name = true;
                    return self.put(b'\n');
                }
                b'\n' => return,
                _ => {}
            }
            if byte == b'{' && self.depth == 1 {
                return;
            }
            if self.depth == 0 {
                if !self.is_name {
                    self.put(b'\n');
                }
                return;
            }
        }
        self.put(byte);
    }

    fn put(&mut self, byte: u8) {
        // A character of more bytes is shown as its bytes.
        let _ = match byte {
            ..0x80 => self.out.write_char(char::from(byte)),
            _ => write!(self.out, "\\x{byte:02x}"),
        };
    }
}

impl Sink for Lines<'_> {
    fn put(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.take(*byte));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json::Writer;

    #[test]
    fn members_are_lines_and_their_values_are_json() {
        let mut text = String::new();
        let mut lines = Lines::new(&mut text);
        let mut json = Writer::with_indent(&mut lines, "");
        json.object();
        json.key("a").number(1);
        json.object_of("b");
        json.string_of("c", b"x\",{\n\xc3\xa9");
        json.array_of("d");
        json.boolean(true);
        json.end();
        json.end();
        json.string_of("e", b"f:g");
        json.end();
        assert_eq!(text, "a 1\nb {\"c\":\"x\\\",{\\n\\xc3\\xa9\",\"d\":[true]}\ne \"f:g\"\n");
    }

    #[test]
    fn an_object_without_members_has_no_line() {
        let mut text = String::new();
        let mut lines = Lines::new(&mut text);
        let mut json = Writer::with_indent(&mut lines, "");
        json.object();
        json.end();
        assert_eq!(text, "");
    }
}
