//! Sizes, shares and durations as the user writes them, in docker's and systemd's spellings:
//! `512M`, `1.5g`, `64 KiB`, `50%`, `10s`, `1m30s`, `5min 20s`.
//!
//! Each function returns None for unknown text and for a value that is too large. The caller says
//! what it expected.

use super::text::decimal;

/// Decimal places that count. Further digits are dropped.
const PLACES_MAX: u32 = 3;

/// A decimal number: `digits` / 10^`places`.
struct Number {
    digits: u64,
    places: u32,
}

impl Number {
    /// Returns the number at the start of `text`, and the rest.
    fn read(text: &[u8]) -> Option<(Number, &[u8])> {
        let (mut digits, mut places, mut at) = (0u64, None, 0);
        while let Some(byte @ (b'0'..=b'9' | b'.')) = text.get(at) {
            at += 1;
            places = match (byte, places) {
                (b'.', None) => Some(0),
                (b'.', Some(_)) => return None,
                (_, Some(PLACES_MAX)) => continue,
                (digit, places) => {
                    digits = digits.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
                    places.map(|places| places + 1)
                }
            };
        }
        let (number, rest) = text.split_at_checked(at)?;
        // A lone point is not a number.
        number.iter().any(u8::is_ascii_digit).then_some(())?;
        Some((Number { digits, places: places.unwrap_or(0) }, rest))
    }

    /// Returns the number times `unit`, rounded down.
    fn times(&self, unit: u64) -> Option<u64> {
        let scale = 10u64.pow(self.places);
        let whole = (self.digits / scale).checked_mul(unit)?;
        whole.checked_add((self.digits % scale).checked_mul(unit)? / scale)
    }
}

/// Returns the text after its leading spaces. Other white space belongs to no value.
fn after_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| **byte == b' ').count();
    text.get(spaces..).unwrap_or_default()
}

/// Returns the bytes of a size. The units `k`, `M`, `G`, `T`, `P` (either case, optionally with `B`
/// or `iB`) are powers of 1024, as in docker and systemd.
pub fn size(text: &[u8]) -> Option<u64> {
    let (number, letters) = Number::read(text)?;
    let (power, rest) = match after_spaces(letters) {
        [] if letters.is_empty() => return number.times(1),
        [letter, rest @ ..] => {
            match b"bkmgtp".iter().position(|one| *one == letter.to_ascii_lowercase())? {
                0 if !rest.is_empty() => return None,
                power => (power, rest),
            }
        }
        [] => return None,
    };
    let is_unit = matches!(rest, [] | [b'b' | b'B'] | [b'i' | b'I', b'b' | b'B']);
    is_unit.then_some(())?;
    number.times(1 << (10 * power))
}

/// A size, or a percentage of something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// Bytes.
    Bytes(u64),
    /// From 1 to 100.
    Percent(u64),
}

/// Returns a nonzero size, or a percentage.
pub fn share(text: &[u8]) -> Option<Share> {
    match text.strip_suffix(b"%") {
        Some(digits) => {
            decimal(digits).filter(|percent| (1..=100).contains(percent)).map(Share::Percent)
        }
        None => size(text).filter(|bytes| *bytes > 0).map(Share::Bytes),
    }
}

/// The number 1 in the unit of [`thousandths`].
pub const ONE: u64 = 1000;

/// Returns a number in thousandths: `2`, `0.5`, `1.25`. A fourth decimal place gives None instead
/// of a rounded number.
pub fn thousandths(text: &[u8]) -> Option<u64> {
    let (number, rest) = Number::read(text)?;
    let point = text.iter().position(|byte| *byte == b'.');
    let fraction = point.map_or(1, |at| text.len() - at - 1);
    let is_whole = rest.is_empty() && point != Some(0);
    (is_whole && (1..=PLACES_MAX as usize).contains(&fraction)).then_some(())?;
    number.times(ONE)
}

/// Go's (docker's) and systemd's unit names, with their microseconds.
const TIMES: [(&str, u64); 13] = [
    ("ns", 0),
    ("us", 1),
    ("\u{b5}s", 1),
    ("usec", 1),
    ("ms", 1000),
    ("msec", 1000),
    ("s", SECOND_US),
    ("sec", SECOND_US),
    ("m", 60 * SECOND_US),
    ("min", 60 * SECOND_US),
    ("h", 3600 * SECOND_US),
    ("hr", 3600 * SECOND_US),
    ("d", 86_400 * SECOND_US),
];

/// One second, in microseconds.
pub const SECOND_US: u64 = 1_000_000;

/// Returns the microseconds of a duration, the sum of its parts. Each part has a unit. `bare` is
/// the unit of a number alone, if that is allowed.
pub fn microseconds(text: &[u8], bare: Option<u64>) -> Option<u64> {
    if let (Some(unit), Some(number)) = (bare, decimal(text)) {
        return number.checked_mul(unit);
    }
    let (mut sum, mut rest) = (0u64, text);
    loop {
        let (number, behind) = Number::read(rest)?;
        let behind = after_spaces(behind);
        let length = behind
            .iter()
            .take_while(|byte| !byte.is_ascii_digit() && !matches!(byte, b'.' | b' '))
            .count();
        let (letters, behind) = behind.split_at_checked(length)?;
        let (_, unit) = TIMES.iter().find(|(name, _)| name.as_bytes() == letters)?;
        sum = sum.checked_add(number.times(*unit)?)?;
        if behind.is_empty() {
            return Some(sum);
        }
        rest = after_spaces(behind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_dockers_and_systemds() {
        for (text, wanted) in [
            ("0", 0),
            ("512", 512),
            ("512M", 512 << 20),
            ("64k", 64 << 10),
            ("64K", 64 << 10),
            ("64 kB", 64 << 10),
            ("1.5g", 3 << 29),
            ("1.5GiB", 3 << 29),
            (".5m", 512 << 10),
            ("1.0625m", 1_113_587),
            ("1T", 1 << 40),
            ("7p", 7 << 50),
            ("8b", 8),
        ] {
            assert_eq!(size(text.as_bytes()), Some(wanted), "{text}");
        }
        for text in [
            "",
            ".",
            ".k",
            "k",
            "-1",
            "+1",
            "1x",
            "1kk",
            "1.2.3",
            "1g5m",
            "1g ",
            "1 ",
            "20000p",
            "18446744073709551616",
            "18446744073709551615k",
            "1bb",
            "1 2",
            "50%",
            "1\tm",
            "1\n\nm",
            "1\x0cm",
        ] {
            assert_eq!(size(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn shares_are_sizes_or_parts() {
        for (text, wanted) in [
            ("80%", Some(Share::Percent(80))),
            ("100%", Some(Share::Percent(100))),
            ("64M", Some(Share::Bytes(64 << 20))),
            ("0%", None),
            ("101%", None),
            ("1.5%", None),
            ("%", None),
            ("0", None),
        ] {
            assert_eq!(share(text.as_bytes()), wanted, "{text}");
        }
    }

    #[test]
    fn thousandths_leave_no_digit_out() {
        for (text, wanted) in [
            ("1", Some(1000)),
            ("0.5", Some(500)),
            ("1.25", Some(1250)),
            ("0.010", Some(10)),
            ("0.009", Some(9)),
            ("0", Some(0)),
            (".5", None),
            ("1.", None),
            ("1.2345", None),
            ("1.5x", None),
            ("x", None),
            ("", None),
            ("18446744073709551615", None),
        ] {
            assert_eq!(thousandths(text.as_bytes()), wanted, "{text}");
        }
    }

    #[test]
    fn durations_are_gos_and_systemds() {
        for (text, wanted) in [
            ("5s", 5_000_000),
            ("10s", 10_000_000),
            ("1m30s", 90_000_000),
            ("1.5s", 1_500_000),
            ("100ms", 100_000),
            ("2h0m3us", 7_200_000_003),
            ("7\u{b5}s", 7),
            ("9ns", 0),
            ("5min 20s", 320_000_000),
            ("5 sec", 5_000_000),
            ("1d", 86_400_000_000),
        ] {
            assert_eq!(microseconds(text.as_bytes(), None), Some(wanted), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1y",
            "1s ",
            "1.2.3s",
            "1ss",
            "300000000000h",
            "5s,6s",
            "5\ts",
            "5s\n6s",
        ] {
            assert_eq!(microseconds(text.as_bytes(), None), None, "{text}");
        }
        let seconds = |text: &str| microseconds(text.as_bytes(), Some(SECOND_US));
        assert_eq!((seconds("10"), seconds("1m")), (Some(10_000_000), Some(60_000_000)));
        assert_eq!((seconds(""), seconds("18446744073709551615")), (None, None));
    }
}
