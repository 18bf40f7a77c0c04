//! A value of a checked document: a span of its text, read in place.

use super::Text;
use crate::io::text::plain_length;
use crate::{Error, Result};
use core::fmt::{self, Display};

/// A value of a checked document. It owns nothing and knows its position, so an error can name it:
/// `layers[2].size`. The default has no members.
#[derive(Clone, Copy, Default)]
pub struct Value<'m> {
    document: &'m str,
    ends: Option<&'m Ends>,
    start: u32,
    end: u32,
}

impl<'m> Value<'m> {
    /// A value without members.
    pub const NOTHING: Value<'static> = Value { document: "", ends: None, start: 0, end: 0 };

    /// Returns the value of a whole checked document.
    pub(super) fn of_document(document: &'m str, ends: Option<&'m Ends>) -> Value<'m> {
        Value { document, ends, start: 0, end: document.len() as u32 }
    }

    /// Returns the text of this value, in its canonical form.
    pub fn as_json(&self) -> &'m str {
        self.document.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    fn first_byte(&self) -> u8 {
        self.document.as_bytes().get(self.start as usize).copied().unwrap_or(0)
    }

    /// Returns whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.first_byte() == b'n'
    }

    /// Returns an error about this value: `layers[2].size: why`.
    #[cold]
    pub fn error(&self, why: &str) -> Error {
        Error::new(format_args!("{}{why}", Path { to: self, end: ": " }))
    }

    /// Returns an error about a member of this object, present or absent: `layers[2].size: why`.
    #[cold]
    pub fn error_in(&self, key: &str, why: &str) -> Error {
        Error::new(format_args!("{}{key}: {why}", Path { to: self, end: "." }))
    }

    /// Adds this value to another error: `layers[2]: error`.
    #[cold]
    pub fn at(&self, error: Error) -> Error {
        let text = format_args!("{}{error}", Path { to: self, end: ": " });
        Error::with_errno(text, error.errno()).with_status(error.status())
    }

    /// Returns the value of `key` in this object; `None` if it is absent or null. A repeated key is
    /// an error.
    pub fn get(&self, key: &str) -> Result<Option<Value<'m>>> {
        let mut found = None;
        for (name, value) in self.entries()? {
            if name == *key && found.replace(value).is_some() {
                return Err(self.error_in(key, "given twice"));
            }
        }
        Ok(found.filter(|value| !value.is_null()))
    }

    /// Like `get`, but errors read as absent. For display only.
    #[inline(never)]
    pub fn member(&self, key: &str) -> Option<Value<'m>> {
        self.get(key).ok().flatten()
    }

    /// Returns the value of `key` in this object, or an error if it is absent.
    pub fn require(&self, key: &str) -> Result<Value<'m>> {
        self.get(key)?.ok_or_else(|| self.error_in(key, "missing"))
    }

    /// Returns the text of `key` in this object.
    pub fn text(&self, key: &str) -> Result<Option<Text<'m>>> {
        self.get(key)?.map(|value| value.as_text()).transpose()
    }

    /// Returns the text of `key` in this object, or an error if it is absent.
    pub fn require_text(&self, key: &str) -> Result<Text<'m>> {
        self.require(key)?.as_text()
    }

    /// Returns the items of the array of `key`. Errors read as absent, for display only.
    pub fn list_or_none(&self, key: &str) -> Items<'m> {
        self.member(key).and_then(|list| list.as_array()).unwrap_or_default()
    }

    /// Returns the members of the object of `key`. Errors read as absent, for display only.
    pub fn entries_or_none(&self, key: &str) -> Entries<'m> {
        self.member(key).and_then(|object| object.as_object()).unwrap_or_default()
    }

    /// Returns the whole, nonnegative number of `key`, or an error if it is absent.
    pub fn require_u64(&self, key: &str) -> Result<u64> {
        self.require(key)?.as_u64()
    }

    /// Returns the items of the array of `key`; none if it is absent or null (Go's nil slice).
    pub fn list(&self, key: &str) -> Result<Items<'m>> {
        match self.get(key)? {
            Some(list) => list.items(),
            None => Ok(Items::default()),
        }
    }

    /// Returns the members of this object, in order.
    pub fn entries(&self) -> Result<Entries<'m>> {
        self.as_object().ok_or_else(|| self.error("not an object"))
    }

    /// Returns the items of this array, in order.
    pub fn items(&self) -> Result<Items<'m>> {
        self.as_array().ok_or_else(|| self.error("not an array"))
    }

    /// Returns this string.
    pub fn as_text(&self) -> Result<Text<'m>> {
        self.as_string().ok_or_else(|| self.error("not a string"))
    }

    // The next three only ask for a value's type. An error needs the value's path, which takes a
    // walk through the document: for each of many values that is quadratic time.

    /// Returns the members if this is an object.
    pub fn as_object(&self) -> Option<Entries<'m>> {
        (self.first_byte() == b'{').then(|| Entries(self.walk()))
    }

    /// Returns the items if this is an array.
    pub fn as_array(&self) -> Option<Items<'m>> {
        (self.first_byte() == b'[').then(|| Items(self.walk()))
    }

    /// Returns the text if this is a string.
    pub fn as_string(&self) -> Option<Text<'m>> {
        let json = self.as_json();
        let is_string = json.len() >= 2 && self.first_byte() == b'"';
        is_string.then(|| Text::between_quotes(json.get(1..json.len() - 1).unwrap_or("")))
    }

    /// Returns this number, which must be whole and not negative.
    pub fn as_u64(&self) -> Result<u64> {
        self.read(match self.first_byte() {
            b'-' => "negative",
            b'0'..=b'9' => "not a whole number below 2^64",
            _ => "not a number",
        })
    }

    /// Returns this number, which must be whole.
    pub fn as_i64(&self) -> Result<i64> {
        self.read("not a whole number of 64 bits")
    }

    /// Returns this boolean.
    pub fn as_bool(&self) -> Result<bool> {
        self.read("neither true nor false")
    }

    /// Reads this value by serde. serde-json-core gives no reason, so the error says what was
    /// `expected`.
    pub fn read<T: serde::Deserialize<'m>>(&self, expected: &str) -> Result<T> {
        match serde_json_core::from_slice(self.as_json().as_bytes()) {
            Ok((value, _)) => Ok(value),
            Err(_) => Err(self.error(expected)),
        }
    }

    fn walk(&self) -> Walk<'m> {
        Walk { document: self.document, ends: self.ends, at: self.start as usize + 1 }
    }
}

/// Iterates over a list or an object of a checked document.
#[derive(Clone, Default)]
struct Walk<'m> {
    document: &'m str,
    ends: Option<&'m Ends>,
    /// After the opening bracket or the last value.
    at: usize,
}

impl<'m> Walk<'m> {
    /// Returns whether there is one more; then `at` is its first byte.
    fn more(&mut self) -> bool {
        match self.document.as_bytes().get(self.at) {
            Some(b',') => self.at += 1,
            None | Some(b']' | b'}') => return false,
            _ => (),
        }
        true
    }

    /// Returns the value at the current position.
    fn take(&mut self) -> Value<'m> {
        let start = self.at;
        let Walk { document, ends, .. } = *self;
        self.at = end_of_value(document.as_bytes(), ends, start);
        Value { document, ends, start: start as u32, end: self.at as u32 }
    }
}

/// The items of an array; empty by default.
#[derive(Clone, Default)]
pub struct Items<'m>(Walk<'m>);

impl<'m> Iterator for Items<'m> {
    type Item = Value<'m>;

    fn next(&mut self) -> Option<Value<'m>> {
        self.0.more().then(|| self.0.take())
    }
}

/// The members of an object; empty by default.
#[derive(Clone, Default)]
pub struct Entries<'m>(Walk<'m>);

impl<'m> Iterator for Entries<'m> {
    type Item = (Text<'m>, Value<'m>);

    fn next(&mut self) -> Option<(Text<'m>, Value<'m>)> {
        if !self.0.more() {
            return None;
        }
        let key = self.0.take().as_string()?;
        self.0.at += 1;
        Some((key, self.0.take()))
    }
}

/// The ends of long objects and arrays of a document, so that a walk can skip them. An entry has
/// the start in the high half and the end in the low one. Several values share an entry; an empty
/// one is 0.
pub type Ends = [u64; ENDS];

const ENDS: usize = 512;
/// Shorter ones are scanned again as fast.
const WORTH_KEEPING: usize = 32;

/// Stores the end of an object or array.
pub(super) fn keep_end(ends: &mut Ends, start: usize, end: usize) {
    if end - start > WORTH_KEEPING {
        ends[place_of(start)] = (start as u64) << 32 | end as u64;
    }
}

/// Returns the end of the object or array at `start`, if it is known.
fn end_of(ends: &Ends, start: usize) -> Option<usize> {
    let kept = ends[place_of(start)];
    (kept >> 32 == start as u64 && kept != 0).then_some(kept as u32 as usize)
}

fn place_of(start: usize) -> usize {
    ((start as u32).wrapping_mul(0x9e37_79b9) >> 23) as usize % ENDS
}

/// Returns the end of the value at `at` in checked text, whose syntax and depth are known to be
/// good.
fn end_of_value(bytes: &[u8], ends: Option<&Ends>, mut at: usize) -> usize {
    let mut depth = 0usize;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                loop {
                    at += plain_length(bytes.get(at..).unwrap_or(&[]));
                    if bytes.get(at) != Some(&b'\\') {
                        break;
                    }
                    at += 2;
                }
            }
            b'[' | b'{' => match ends.and_then(|ends| end_of(ends, at)) {
                Some(end) => at = end - 1,
                None => depth += 1,
            },
            // The delimiter after a number, or after a word like `true`.
            b']' | b'}' | b',' if depth == 0 => return at,
            b']' | b'}' => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    at.min(bytes.len())
}

/// The path of a value from the top of its document, found by a walk. `end` follows unless it is
/// the top.
struct Path<'a, 'm> {
    to: &'a Value<'m>,
    end: &'a str,
}

impl Display for Path<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = Value::of_document(self.to.document, self.to.ends);
        while value.start < self.to.start {
            let inside = |child: &Value<'_>| child.end > self.to.start;
            let child = if value.first_byte() == b'{' {
                let Some((key, child)) = Entries(value.walk()).find(|(_, child)| inside(child))
                else {
                    break;
                };
                let dot = if value.start == 0 { "" } else { "." };
                write!(f, "{dot}{key}")?;
                child
            } else {
                let Some((n, child)) =
                    Items(value.walk()).enumerate().find(|(_, child)| inside(child))
                else {
                    break;
                };
                write!(f, "[{n}]")?;
                child
            };
            value = child;
        }
        if self.to.start > 0 { f.write_str(self.end) } else { Ok(()) }
    }
}
