//! Numbers and pieces of text, by bytes: core's `str` would bring searchers, panics and tables of 10 KB.

/// A decimal number without a sign.
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text.iter().try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

/// The words of a list that is one text, which takes half the room of a table.
pub fn words(list: &'static str) -> impl Iterator<Item = &'static [u8]> {
    list.as_bytes().split(|byte| *byte == b' ')
}

/// What stands before the first `byte` (of ASCII), and what stands after it.
pub fn split_once(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|one| one == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Where the last `byte` (of ASCII) stands.
pub fn last_of(text: &str, byte: u8) -> Option<usize> {
    text.as_bytes().iter().rposition(|&one| one == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_pieces() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for text in [&b""[..], b"+1", b"-1", b" 1", b"18446744073709551616"] {
            assert_eq!(decimal(text), None, "{text:?}");
        }
        assert_eq!(words("one two").collect::<Vec<_>>(), [b"one", b"two"]);
        assert_eq!(split_once("a:b:é", b':'), Some(("a", "b:é")));
        assert_eq!(split_once(":", b':'), Some(("", "")));
        assert_eq!(split_once("é", b':'), None);
        assert_eq!((last_of("é:b:c", b':'), last_of("é", b':')), (Some(4), None));
    }
}
