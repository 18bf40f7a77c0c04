//! JSON as the tests of the runtime write and read it: a value, a merge patch (RFC 7396) to change
//! a config.json with.

use std::fmt;

/// A value; the members of an object keep their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As it was written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The value of a text, which is a test's own or a runtime's: what is wrong with it ends the
    /// test.
    #[track_caller]
    pub fn parse(text: &str) -> Json {
        Json::try_parse(text).unwrap_or_else(|at| panic!("no JSON at byte {at} of {text}"))
    }

    /// The value, or where the text stops being one.
    pub fn try_parse(text: &str) -> Result<Json, usize> {
        let mut reader = Reader { text: text.as_bytes(), at: 0 };
        let value = reader.value()?;
        reader.blanks();
        if reader.at == text.len() { Ok(value) } else { Err(reader.at) }
    }

    /// A member by the names on the way to it, `linux.namespaces.0.type`; `Null` where there is
    /// none.
    pub fn at(&self, path: &str) -> &Json {
        path.split('.').fold(self, |value, name| match value {
            Json::Object(members) => {
                members.iter().find(|(key, _)| key == name).map_or(&Json::Null, |(_, value)| value)
            }
            Json::List(items) => {
                name.parse().ok().and_then(|index: usize| items.get(index)).unwrap_or(&Json::Null)
            }
            _ => &Json::Null,
        })
    }

    /// A text without its quotes, anything else as JSON.
    pub fn show(&self) -> String {
        match self {
            Json::Text(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The names of an object's members.
    pub fn keys(&self) -> Vec<&str> {
        match self {
            Json::Object(members) => members.iter().map(|(key, _)| key.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// The items of a list.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            _ => &[],
        }
    }

    /// Changes it as RFC 7396 says: objects are merged, null takes a member away, all else
    /// replaces. Two more: `"mounts+"` adds the items of a list, `"root="` sets what it is
    /// given, null too.
    pub fn merge(&mut self, patch: &Json) {
        let Json::Object(changes) = patch else {
            *self = patch.clone();
            return;
        };
        if !matches!(self, Json::Object(_)) {
            *self = Json::Object(Vec::new());
        }
        let Json::Object(members) = self else { unreachable!("made an object above") };
        for (key, change) in changes {
            let name = key.trim_end_matches(['+', '=']);
            let place = members.iter().position(|(key, _)| key == name);
            if *change == Json::Null && !key.ends_with('=') {
                members.retain(|(key, _)| key != name);
                continue;
            }
            let place = place.unwrap_or_else(|| {
                members.push((name.to_string(), Json::Null));
                members.len() - 1
            });
            let value = &mut members[place].1;
            match (key.as_bytes().last(), change, value) {
                (Some(b'+'), Json::List(more), Json::List(items)) => {
                    items.extend(more.iter().cloned())
                }
                (Some(b'='), change, value) => *value = change.clone(),
                (_, change, value) => value.merge(change),
            }
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Json::Null => out.write_str("null"),
            Json::Bool(value) => write!(out, "{value}"),
            Json::Number(text) => out.write_str(text),
            Json::Text(text) => quote(out, text),
            Json::List(items) => {
                out.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(out, "{}{item}", if at == 0 { "" } else { "," })?;
                }
                out.write_str("]")
            }
            Json::Object(members) => {
                out.write_str("{")?;
                for (at, (key, value)) in members.iter().enumerate() {
                    out.write_str(if at == 0 { "" } else { "," })?;
                    quote(out, key)?;
                    write!(out, ":{value}")?;
                }
                out.write_str("}")
            }
        }
    }
}

fn quote(out: &mut fmt::Formatter, text: &str) -> fmt::Result {
    out.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(out, "\\{character}")?,
            '\0'..='\x1f' => write!(out, "\\u{:04x}", u32::from(character))?,
            _ => write!(out, "{character}")?,
        }
    }
    out.write_str("\"")
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn expect(&mut self, wanted: &str) -> Result<(), usize> {
        self.blanks();
        if !self.text[self.at..].starts_with(wanted.as_bytes()) {
            return Err(self.at);
        }
        self.at += wanted.len();
        Ok(())
    }

    fn value(&mut self) -> Result<Json, usize> {
        self.blanks();
        match self.text.get(self.at) {
            Some(b'n') => self.expect("null").map(|()| Json::Null),
            Some(b't') => self.expect("true").map(|()| Json::Bool(true)),
            Some(b'f') => self.expect("false").map(|()| Json::Bool(false)),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'[') => self.list(),
            Some(b'{') => self.object(),
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                let part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                while self.text.get(self.at).is_some_and(part) {
                    self.at += 1;
                }
                Ok(Json::Number(String::from_utf8_lossy(&self.text[start..self.at]).into_owned()))
            }
            _ => Err(self.at),
        }
    }

    fn list(&mut self) -> Result<Json, usize> {
        self.expect("[")?;
        let mut items = Vec::new();
        if self.expect("]").is_ok() {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.expect(",").is_err() {
                return self.expect("]").map(|()| Json::List(items));
            }
        }
    }

    fn object(&mut self) -> Result<Json, usize> {
        self.expect("{")?;
        let mut members = Vec::new();
        if self.expect("}").is_ok() {
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            let key = self.string()?;
            self.expect(":")?;
            members.push((key, self.value()?));
            if self.expect(",").is_err() {
                return self.expect("}").map(|()| Json::Object(members));
            }
        }
    }

    fn string(&mut self) -> Result<String, usize> {
        self.expect("\"")?;
        let mut bytes = Vec::new();
        loop {
            let byte = *self.text.get(self.at).ok_or(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(bytes).map_err(|_| self.at),
                b'\\' => bytes.extend(self.escape()?.to_string().bytes()),
                _ => bytes.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Result<char, usize> {
        let byte = *self.text.get(self.at).ok_or(self.at)?;
        self.at += 1;
        Ok(match byte {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\x08',
            b'f' => '\x0c',
            b'u' => {
                let digits = self.text.get(self.at..self.at + 4).ok_or(self.at)?;
                self.at += 4;
                let digits = std::str::from_utf8(digits).map_err(|_| self.at)?;
                u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).ok_or(self.at)?
            }
            other => char::from(other),
        })
    }
}
