//! Words of a kernel command line, split exactly like the kernel's `next_arg` (lib/cmdline.c).
//!
//! White space ends a word unless it is in double quotes. Quotes around the whole word or around
//! its value are removed; any other quote stays. There is no escape character.

/// One word: `NAME`, or `NAME=VALUE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word<'a> {
    /// The part before the first `=`.
    pub name: &'a [u8],
    /// The part after it.
    pub value: Option<&'a [u8]>,
}

/// Iterates over the words of a line.
#[derive(Clone, Copy)]
pub struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// Returns the words of `line`.
    pub fn new(line: &'a [u8]) -> Words<'a> {
        Words(skip_space(line))
    }

    /// Skips the words up to ` -- `: the words after it are for init.
    pub fn after_dashes(mut self) -> Words<'a> {
        let _ = self.by_ref().find(|word| *word == DASHES);
        self
    }
}

/// The word that ends the kernel's own.
pub const DASHES: Word<'static> = Word { name: b"--", value: None };

/// Returns the kernel's isspace: ASCII's six, and Latin-1's no-break space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d | 0xa0)
}

fn skip_space(line: &[u8]) -> &[u8] {
    let first = line.iter().position(|&byte| !is_space(byte)).unwrap_or(line.len());
    &line[first..]
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let quoted = self.0[0] == b'"';
        let line = if quoted { &self.0[1..] } else { self.0 };
        let (mut equals, mut in_quotes, mut length) = (0, quoted, line.len());
        for (index, &byte) in line.iter().enumerate() {
            if is_space(byte) && !in_quotes {
                length = index;
                break;
            }
            // As in the kernel, a word that begins with `=` has its name up to the next one.
            if equals == 0 && byte == b'=' {
                equals = index;
            }
            in_quotes ^= byte == b'"';
        }
        self.0 = skip_space(&line[length..]);
        let mut word = &line[..length];
        // Remove one closing quote, either the word's or the value's.
        let value_quoted = equals != 0 && word.get(equals + 1) == Some(&b'"');
        if quoted || value_quoted {
            word = word.strip_suffix(b"\"").unwrap_or(word);
        }
        if equals == 0 {
            return Some(Word { name: word, value: None });
        }
        let value = &word[equals + 1..];
        let value = if value_quoted { value.strip_prefix(b"\"").unwrap_or(value) } else { value };
        Some(Word { name: &word[..equals], value: Some(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let show = |word: Word<'_>| match word.value {
            None => String::from_utf8_lossy(word.name).into_owned(),
            Some(value) => {
                format!("{}|{}", String::from_utf8_lossy(word.name), String::from_utf8_lossy(value))
            }
        };
        Words::new(line.as_bytes()).map(show).collect()
    }

    #[test]
    fn words_are_cut_as_the_kernel_cuts_them() {
        for (line, expected) in [
            ("", vec![]),
            ("  \n", vec![]),
            ("a  b\tc\n", vec!["a", "b", "c"]),
            ("a=1 b= =c", vec!["a|1", "b|", "=c"]),
            ("a=\"x y\" b", vec!["a|x y", "b"]),
            ("\"a=x y\" b", vec!["a|x y", "b"]),
            ("\"x y\"", vec!["x y"]),
            ("a=x\"y z\"w", vec!["a|x\"y z\"w"]),
            ("a=b=c", vec!["a|b=c"]),
            ("=a=b", vec!["=a|b"]),
            ("a=\"open end", vec!["a|open end"]),
            ("a=\"", vec!["a|"]),
            ("\"a=\"b c\"\"", vec!["a|b", "c\"\""]),
            ("\"", vec![""]),
            ("\"\" a", vec!["", "a"]),
            ("a\u{a0}b", vec!["a\u{fffd}", "b"]),
        ] {
            assert_eq!(words(line), expected, "{line:?}");
        }
    }

    #[test]
    fn what_follows_two_dashes_is_inits() {
        let rest = |line: &'static str| Words::new(line.as_bytes()).after_dashes().count();
        assert_eq!(rest("a -- b \"c d\" --"), 3);
        assert_eq!(rest("a --"), 0);
        assert_eq!(rest("a b"), 0);
    }

    #[test]
    fn any_bytes_are_cut_without_a_panic() {
        let mut state = 1u32;
        for _ in 0..20_000 {
            let line: Vec<u8> = (0..12)
                .map(|_| {
                    state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
                    b"a=\" -\x00\xff\n"[(state >> 16) as usize % 8]
                })
                .collect();
            assert!(Words::new(&line).count() <= line.len());
        }
    }
}
