//! pax extended headers: records `LENGTH KEY=VALUE\n`; the length includes itself.

use crate::io::text::decimal;

/// Iterates over records that [`check`] accepted.
#[derive(Clone)]
pub struct Records<'a>(pub &'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value, rest) = split(self.0).ok()?;
        self.0 = rest;
        Some((key, value))
    }
}

/// Returns the records at the start of `text` (NULs may follow), or the reason why they are
/// invalid.
pub fn check(text: &[u8]) -> Result<&[u8], &'static str> {
    let mut rest = text;
    while rest.iter().any(|&byte| byte != 0) {
        let (key, value, after) = split(rest)?;
        if key.contains(&0) {
            return Err("a key with a NUL byte");
        }
        if super::entry::is_name(key) && value.contains(&0) {
            return Err("a name with a NUL byte");
        }
        rest = after;
    }
    Ok(&text[..text.len() - rest.len()])
}

type Split<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Returns key and value of the first record, and the rest.
fn split(text: &[u8]) -> Result<Split<'_>, &'static str> {
    let space =
        text.iter().take(20).position(|&byte| byte == b' ').ok_or("a record without a length")?;
    let length = decimal(&text[..space]).ok_or("a record without a length")?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > text.len() {
        return Err("a record longer than the header");
    }
    let (record, rest) = text.split_at(length);
    let record = record.get(space + 1..).and_then(|record| record.strip_suffix(b"\n"));
    let record = record.ok_or("a record that does not end in a newline")?;
    let equals = record.iter().position(|&byte| byte == b'=').ok_or("a record without a =")?;
    if equals == 0 {
        return Err("a record without a key");
    }
    Ok((&record[..equals], &record[equals + 1..], rest))
}

/// Returns a time `[-]SECONDS[.FRACTION]` as (seconds rounded down, nanoseconds). Digits past the
/// ninth are dropped.
pub fn time(text: &[u8]) -> Option<(i64, u32)> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let mut parts = text.splitn(2, |&byte| byte == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let mut nanoseconds = 0u32;
    if let Some(fraction) = parts.next() {
        if !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digits = fraction
            .iter()
            .map(|digit| u32::from(digit - b'0'))
            .chain(core::iter::repeat(0))
            .take(9);
        nanoseconds = digits.fold(0, |value, digit| value * 10 + digit);
    }
    Some(match (negative, nanoseconds) {
        (false, _) => (seconds, nanoseconds),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanoseconds),
    })
}

/// Decodes a `LIBARCHIVE.xattr.` value (base64) into `buffer`.
pub fn base64<'b>(text: &[u8], buffer: &'b mut [u8]) -> Result<&'b [u8], &'static str> {
    let (mut bits, mut count, mut filled) = (0u32, 0, 0);
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    for &digit in &text[..text.len() - padding] {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err("not base64"),
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            *buffer.get_mut(filled).ok_or("longer than XATTR_DECODED_BYTES")? =
                (bits >> count) as u8;
            filled += 1;
        }
    }
    if count >= 6 || padding > 2 { Err("not base64") } else { Ok(&buffer[..filled]) }
}

/// Decodes the name in a `LIBARCHIVE.xattr.` key (`%XX` for some bytes) into `buffer`.
pub fn unescape<'b>(text: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let (mut at, mut filled) = (0, 0);
    while at < text.len() {
        let escaped = text.get(at + 1..at + 3).filter(|_| text[at] == b'%');
        let byte =
            escaped.and_then(|hex| u8::from_str_radix(core::str::from_utf8(hex).ok()?, 16).ok());
        *buffer.get_mut(filled)? = byte.unwrap_or(text[at]);
        at += if byte.is_some() { 3 } else { 1 };
        filled += 1;
    }
    Some(&buffer[..filled])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_split_by_their_lengths() {
        let text = b"12 path=a=b\n11 x=1\n2\n3\n\0\0";
        let text = check(text).unwrap();
        let records: Vec<_> = Records(text).collect();
        assert_eq!(records, [(&b"path"[..], &b"a=b"[..]), (b"x", b"1\n2\n3")]);
    }

    #[test]
    fn malformed_records_are_refused() {
        for text in [
            &b"12 path=a=b"[..],
            b"13 path=a=b\n",
            b"11 path=a=b\n",
            b"x path=a\n",
            b" path=a\n",
            b"8 path\n\n",
            b"6 =ab\n",
            b"11 path=a\0b\n",
            b"11 pat\0h=ab\n",
            b"99999999999999999999 path=a\n",
            b"-1 path=a\n",
            b"0 path=a\n",
            b"2 \n",
            b"9 path=a\n\0x",
        ] {
            assert!(check(text).is_err(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn times_are_rounded_down() {
        for (text, value) in [
            ("0", Some((0, 0))),
            ("1350244992.023960108", Some((1350244992, 23960108))),
            ("1.5", Some((1, 500_000_000))),
            ("1.", Some((1, 0))),
            ("-1.5", Some((-2, 500_000_000))),
            ("-1", Some((-1, 0))),
            ("-0.1", Some((-1, 900_000_000))),
            ("4.0123456789123", Some((4, 12_345_678))),
            ("", None),
            (".5", None),
            ("1.x", None),
            ("1.5.5", None),
            ("--1", None),
            ("9223372036854775808", None),
        ] {
            assert_eq!(time(text.as_bytes()), value, "{text}");
        }
    }

    #[test]
    fn libarchive_names_and_values() {
        let mut buffer = [0; 8];
        assert_eq!(base64(b"AQID/w", &mut buffer), Ok(&b"\x01\x02\x03\xff"[..]));
        assert_eq!(base64(b"AQI=", &mut buffer), Ok(&b"\x01\x02"[..]));
        assert_eq!(base64(b"", &mut buffer), Ok(&b""[..]));
        assert!(base64(b"A", &mut buffer).is_err() && base64(b"A?==", &mut buffer).is_err());
        assert!(base64(b"AAAAAAAAAAAAAAAA", &mut buffer).is_err());
        assert_eq!(unescape(b"user%3Da%zz", &mut [0; 16]), Some(&b"user=a%zz"[..]));
        assert_eq!(unescape(b"abc", &mut [0; 2]), None);
    }
}
