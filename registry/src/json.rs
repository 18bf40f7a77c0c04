//! JSON as far as tokens, errors, lists of tags and files with credentials need it.

/// Nesting of a document. Real ones have four levels.
const DEPTH_MAX: usize = 32;

/// A value. Numbers are kept as they are written.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// null, true, false or a number.
    Word(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, in its order.
    Map(Vec<(String, Json)>),
}

impl Json {
    /// Returns the document in these bytes, or what is wrong with them.
    pub fn parse(bytes: &[u8]) -> Result<Json, &'static str> {
        let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
        let text = text.trim_start_matches('\u{feff}');
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.space();
        if parser.at == text.len() { Ok(value) } else { Err("more than one JSON document") }
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.map()?.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The members of an object.
    pub fn map(&self) -> Option<&[(String, Json)]> {
        if let Json::Map(members) = self { Some(members) } else { None }
    }

    /// The members of an array.
    pub fn list(&self) -> Option<&[Json]> {
        if let Json::List(members) = self { Some(members) } else { None }
    }

    /// A string.
    pub fn text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    /// The member of this name, if it is a string that is not empty.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.text().filter(|text| !text.is_empty())
    }

    /// The member of this name, if it is a whole number.
    pub fn number_of(&self, name: &str) -> Option<u64> {
        if let Json::Word(word) = self.get(name)? { word.parse().ok() } else { None }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Takes this byte if it is next.
    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Json, &'static str> {
        if depth > DEPTH_MAX {
            return Err("nested too deep");
        }
        self.space();
        match self.peek().ok_or("ends too early")? {
            b'"' => self.string().map(Json::Text),
            b'[' => {
                self.at += 1;
                let mut members = Vec::new();
                if self.take(b']') {
                    return Ok(Json::List(members));
                }
                loop {
                    members.push(self.value(depth + 1)?);
                    if self.take(b']') {
                        return Ok(Json::List(members));
                    }
                    if !self.take(b',') {
                        return Err("a list without comma or end");
                    }
                }
            }
            b'{' => {
                self.at += 1;
                let mut members = Vec::new();
                if self.take(b'}') {
                    return Ok(Json::Map(members));
                }
                loop {
                    self.space();
                    let name = self.string()?;
                    if !self.take(b':') {
                        return Err("a member without a colon");
                    }
                    members.push((name, self.value(depth + 1)?));
                    if self.take(b'}') {
                        return Ok(Json::Map(members));
                    }
                    if !self.take(b',') {
                        return Err("an object without comma or end");
                    }
                }
            }
            _ => {
                let rest = &self.text[self.at..];
                let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
                let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
                let is_number = word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
                    && word.parse::<f64>().is_ok();
                if !is_number && !["null", "true", "false"].contains(&word) {
                    return Err("not JSON");
                }
                self.at += word.len();
                Ok(Json::Word(word.to_string()))
            }
        }
    }

    fn string(&mut self) -> Result<String, &'static str> {
        if !self.take(b'"') {
            return Err("a name that is no string");
        }
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(['"', '\\']).ok_or("a string without end")?;
            text.push_str(&rest[..plain]);
            self.at += plain + 1;
            if rest.as_bytes()[plain] == b'"' {
                return Ok(text);
            }
            let escape = self.peek().ok_or("a string without end")?;
            self.at += 1;
            text.push(match escape {
                b'"' | b'\\' | b'/' => escape as char,
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => self.unicode()?,
                _ => return Err("an unknown escape"),
            });
        }
    }

    fn four_digits(&mut self) -> Result<u32, &'static str> {
        let digits = self.text.get(self.at..self.at + 4).ok_or("a short escape")?;
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| "a wrong escape")
    }

    /// A lone half of a pair becomes U+FFFD.
    fn unicode(&mut self) -> Result<char, &'static str> {
        let first = self.four_digits()?;
        let has_second = self.text[self.at..].starts_with("\\u");
        if (0xd800..0xdc00).contains(&first) && has_second {
            self.at += 2;
            let second = self.four_digits()?;
            let low = second.wrapping_sub(0xdc00);
            let code = (0x10000 + ((first - 0xd800) << 10)).wrapping_add(low);
            return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
        }
        Ok(char::from_u32(first).unwrap_or('\u{fffd}'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_and_escapes_undone() {
        let json =
            Json::parse(br#" {"a":[1,-2.5e3,null],"b":{"c":"x\"\u00e4\ud83d\ude00\n"},"n":300} "#);
        let json = json.unwrap();
        assert_eq!(json.get("b").unwrap().text_of("c"), Some("x\"ä😀\n"));
        assert_eq!(json.get("a").unwrap().list().unwrap().len(), 3);
        assert_eq!((json.number_of("n"), json.number_of("a")), (Some(300), None));
        assert_eq!(Json::parse(b"{}"), Ok(Json::Map(vec![])));
    }

    #[test]
    fn every_prefix_of_a_document_is_an_error() {
        let text = r#"{"auths":{"x":{"auth":"dQ=="}},"l":[true,"\u00e4"]}"#;
        assert!(Json::parse(text.as_bytes()).is_ok());
        for end in 0..text.len() {
            assert!(Json::parse(&text.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for text in ["<html>", "nul", "{\"a\" 1}", "[1 2]", "{}{}", "\"\\x\"", "\"\\u12\"", "\u{1}"]
        {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(Json::parse(&[b'['; 100_000]), Err("nested too deep"));
        assert!(Json::parse(b"\"\\ud83d\\u0041\"").is_ok());
        assert!(Json::parse("\"\\ué1234\"".as_bytes()).is_err());
    }
}
