//! Numbers and pieces of text, by bytes: core's `str` would add 10 KB of searchers, panics and
//! tables.

/// Returns a decimal number without a sign, or None.
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text.iter()
        .try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

/// Returns the words of a list that is one text. It takes half the space of a table.
pub fn words(list: &'static str) -> impl Iterator<Item = &'static [u8]> {
    let mut rest = Some(list.as_bytes());
    core::iter::from_fn(move || {
        let text = rest?;
        let (word, behind) = text.split_at_checked(find(text, b' '))?;
        rest = behind.get(1..);
        Some(word)
    })
}

const ONES: u64 = each(1);

/// Returns a word that has `byte` eight times.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Returns the high bit of each byte of `word` that is less than `limit`, which is at most 128.
/// Only the lowest bit of the result is certain, because borrows change the bytes above it.
const fn less(word: u64, limit: u64) -> u64 {
    word.wrapping_sub(ONES * limit) & !word & ONES << 7
}

/// Returns the number of bytes before the first that `mark` marks, eight at once. `is_marked` is
/// the same for one byte.
#[inline(always)]
fn before(text: &[u8], mark: impl Fn(u64) -> u64, is_marked: impl Fn(u8) -> bool) -> usize {
    let (words, rest) = text.as_chunks();
    for (n, word) in words.iter().enumerate() {
        let marks = mark(u64::from_le_bytes(*word));
        if marks != 0 {
            return 8 * n + marks.trailing_zeros() as usize / 8;
        }
    }
    8 * words.len() + rest.iter().position(|byte| is_marked(*byte)).unwrap_or(rest.len())
}

/// Returns the index of the first `byte`, or the length of the text if there is none.
#[inline(never)]
pub fn find(text: &[u8], byte: u8) -> usize {
    before(text, |word| less(word ^ each(byte), 1), |one| one == byte)
}

/// Returns the number of bytes before the first quote, backslash or control character of a JSON
/// string.
#[inline(never)]
pub fn plain_length(text: &[u8]) -> usize {
    let mark = |word| less(word ^ each(b'"'), 1) | less(word ^ each(b'\\'), 1) | less(word, 0x20);
    before(text, mark, |byte| matches!(byte, b'"' | b'\\' | ..b' '))
}

/// Returns the text before and after the first `byte` (ASCII).
pub fn split_once(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|one| one == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Returns the index of the last `byte` (ASCII).
pub fn last_of(text: &str, byte: u8) -> Option<usize> {
    text.as_bytes().iter().rposition(|&one| one == byte)
}

/// Returns the FNV-1a hash of the bytes.
pub fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
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
        assert_eq!(
            words(" seventeen-letters  x ").collect::<Vec<_>>(),
            [&b""[..], b"seventeen-letters", b"", b"x", b""]
        );
        assert_eq!(words("").collect::<Vec<_>>(), [b""]);
        assert_eq!(split_once("a:b:é", b':'), Some(("a", "b:é")));
        assert_eq!(split_once(":", b':'), Some(("", "")));
        assert_eq!(split_once("é", b':'), None);
        assert_eq!((last_of("é:b:c", b':'), last_of("é", b':')), (Some(4), None));
    }

    #[test]
    fn eight_bytes_at_once_find_what_one_at_a_time_finds() {
        for byte in *b"\0\x01\x1f !\"#/09A[\\]a~\x7f\x80\xa2\xdc\xff" {
            for (length, at) in (0..18).flat_map(|length| (0..=length).map(move |at| (length, at)))
            {
                for around in [b'a', 0x21, 0x80, 0xff, byte ^ 1, byte ^ 0x80] {
                    let mut text = vec![around; length];
                    text[at..].iter_mut().step_by(3).for_each(|place| *place = byte);
                    let first = text.iter().position(|one| *one == byte).unwrap_or(length);
                    assert_eq!(find(&text, byte), first, "{text:?}");
                    let special = |one: &u8| *one == b'"' || *one == b'\\' || *one < 0x20;
                    let plain = text.iter().position(special).unwrap_or(length);
                    assert_eq!(plain_length(&text), plain, "{text:?}");
                }
            }
        }
    }
}
