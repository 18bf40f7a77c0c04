//! The values that keys take, as people write them.

use crate::io::text::{decimal, split_once};

/// Bytes: a number with `k`, `M`, `G` or `T` (of 1,024) behind it, or without.
pub fn size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes() {
        [digits @ .., b'k' | b'K'] => (digits, 10),
        [digits @ .., b'm' | b'M'] => (digits, 20),
        [digits @ .., b'g' | b'G'] => (digits, 30),
        [digits @ .., b't' | b'T'] => (digits, 40),
        digits => (digits, 0),
    };
    let number = decimal(digits)?;
    (number > 0).then_some(number.checked_mul(1 << shift)?)
}

/// A number without a sign.
pub fn whole(text: &str) -> Option<u64> {
    decimal(text.as_bytes())
}

/// How large a tmpfs may grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// Bytes.
    Bytes(u64),
    /// A part of the machine's memory.
    Percent(u64),
}

/// A size, or a percentage of memory, 1 to 100.
pub fn share(text: &str) -> Option<Share> {
    match text.strip_suffix("%") {
        Some(digits) => {
            whole(digits).filter(|percent| (1..=100).contains(percent)).map(Share::Percent)
        }
        None => size(text).map(Share::Bytes),
    }
}

/// One processor, in the unit of [`cpus`].
pub const ONE_CPU: u64 = 1000;

/// Processors in thousandths: `2`, `0.5`, `1.25`. At least 0.01, below which the kernel takes no
/// quota.
pub fn cpus(text: &str) -> Option<u64> {
    let (whole_part, fraction) = split_once(text, b'.').unwrap_or((text, "0"));
    if whole_part.is_empty() || fraction.is_empty() || fraction.len() > 3 {
        return None;
    }
    let scale = [1, 100, 10, 1][fraction.len()];
    let thousandths =
        whole(whole_part)?.checked_mul(1000)?.checked_add(whole(fraction)? * scale)?;
    (10..=1_000_000).contains(&thousandths).then_some(thousandths)
}

/// `on` or `off`.
pub fn switch(text: &str) -> Option<bool> {
    choice(text, &[("on", true), ("off", false)])
}

/// One of a few words.
pub fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Option<T> {
    choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

/// A name that may stand in a UTS namespace: 1 to 64 letters, digits, dots, dashes, underscores.
pub fn hostname(text: &str) -> Option<&str> {
    let fits = (1..=64).contains(&text.len());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (fits && text.bytes().all(plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares() {
        for (text, expected) in [
            ("1", Some(1)),
            ("100M", Some(100 << 20)),
            ("2k", Some(2048)),
            ("1T", Some(1 << 40)),
            ("0", None),
            ("", None),
            ("M", None),
            ("-1", None),
            ("+1", None),
            ("1.5G", None),
            ("18446744073709551615k", None),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
        assert_eq!(share("80%"), Some(Share::Percent(80)));
        assert_eq!(share("64M"), Some(Share::Bytes(64 << 20)));
        assert_eq!((share("0%"), share("101%"), share("%")), (None, None, None));
    }

    #[test]
    fn processors_in_thousandths() {
        for (text, expected) in [
            ("1", Some(1000)),
            ("0.5", Some(500)),
            ("1.25", Some(1250)),
            ("0.010", Some(10)),
            ("0.009", None),
            ("0", None),
            (".5", None),
            ("1.", None),
            ("1.2345", None),
            ("x", None),
        ] {
            assert_eq!(cpus(text), expected, "{text}");
        }
    }

    #[test]
    fn hostnames() {
        assert_eq!(hostname("a-b.c_1"), Some("a-b.c_1"));
        assert!(
            hostname("").is_none()
                && hostname("a b").is_none()
                && hostname(&"x".repeat(65)).is_none()
        );
    }
}
