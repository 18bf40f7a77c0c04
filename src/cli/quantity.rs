//! Numbers with units, as they are typed: `1.5g`, `1m30s`.

/// The sum of all numbers in a text, each times its unit. `unit` knows what letters stand for. A
/// number may have three places behind its point that count.
pub(super) fn parse(mut text: &[u8], unit: &dyn Fn(&[u8]) -> Option<u64>) -> Option<u64> {
    let mut sum = 0u64;
    while !text.is_empty() {
        let (mut thousandths, mut places, mut at) = (0u64, None, 0);
        while let Some(byte @ (b'0'..=b'9' | b'.')) = text.get(at) {
            at += 1;
            places = match (byte, places) {
                (b'.', None) => Some(0),
                (b'.', Some(_)) => return None,
                (_, Some(3)) => continue,
                (_, places) => {
                    thousandths =
                        thousandths.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
                    places.map(|places| places + 1)
                }
            };
        }
        let letters =
            text[at..].iter().take_while(|byte| !byte.is_ascii_digit() && **byte != b'.').count();
        let unit = unit(&text[at..at + letters]).filter(|_| at > 0)?;
        let (scale, places) = (10u64.pow(places.unwrap_or(0)), thousandths);
        let whole = (places / scale).checked_mul(unit)?;
        sum = sum.checked_add(whole)?.checked_add((places % scale).checked_mul(unit)? / scale)?;
        text = &text[at + letters..];
    }
    Some(sum)
}

/// Bytes: `512`, `64k`, `1.5GiB`; 1024 each, as in docker. One number.
pub(super) fn bytes(text: &[u8]) -> Option<u64> {
    let end = text.iter().rposition(|byte| byte.is_ascii_digit() || *byte == b'.')? + 1;
    if !text[..end].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.')) {
        return None;
    }
    parse(text, &|letters| {
        let (power, rest) = match letters.trim_ascii_start() {
            [] => return Some(1),
            [letter, rest @ ..] => {
                match b"bkmgtp".iter().position(|one| *one == letter.to_ascii_lowercase())? {
                    0 if !rest.is_empty() => return None,
                    power => (power, rest),
                }
            }
        };
        matches!(rest, [] | [b'b' | b'B'] | [b'i' | b'I', b'b' | b'B']).then_some(1 << (10 * power))
    })
}

/// A duration as Go writes it, `1m30s`, in microseconds.
pub(super) fn microseconds(text: &[u8]) -> Option<u64> {
    parse(text, &|letters| {
        let (milli, second) = (1000, 1_000_000);
        Some(match letters {
            b"ns" => 0,
            b"us" | b"\xc2\xb5s" => 1,
            b"ms" => milli,
            b"s" => second,
            b"m" => 60 * second,
            b"h" => 3600 * second,
            _ => return None,
        })
    })
    .filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_docker() {
        for (text, wanted) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("64k", Some(64 << 10)),
            ("64 kB", Some(64 << 10)),
            ("1.5GiB", Some(3 << 29)),
            (".5m", Some(512 << 10)),
            ("1.0625m", Some(1_113_587)),
            ("7p", Some(7 << 50)),
            ("8b", Some(8)),
        ] {
            assert_eq!(bytes(text.as_bytes()), wanted, "{text}");
        }
        for text in [
            "",
            "k",
            "-1",
            "1x",
            "1kk",
            "1.2.3",
            "1g5m",
            "20000p",
            "18446744073709551616",
            "1bb",
            "1 2",
        ] {
            assert_eq!(bytes(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, wanted) in [
            ("5s", 5_000_000),
            ("1m30s", 90_000_000),
            ("1.5s", 1_500_000),
            ("100ms", 100_000),
            ("2h0m3us", 7_200_000_003),
        ] {
            assert_eq!(microseconds(text.as_bytes()), Some(wanted), "{text}");
        }
        for text in ["", "5", "s", "-1s", "5 s", "1d"] {
            assert_eq!(microseconds(text.as_bytes()), None, "{text}");
        }
    }
}
