//! The time in which a certificate is valid, read from its DER (RFC 5280, 4.1.2.5).
//!
//! webpki reads it only on the way to a root, and a certificate that is trusted as it is has none.

/// Returns the first and the last second of a certificate, since 1970.
pub fn of(certificate: &[u8]) -> Option<(u64, u64)> {
    let (_, outer, _) = element(certificate)?;
    let (_, mut rest, _) = element(outer)?;
    // An optional version [0]; then serial number, algorithm, issuer.
    if rest.first() == Some(&0xa0) {
        rest = element(rest)?.2;
    }
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (kind, from, rest) = element(validity)?;
    let (kind_until, until, _) = element(rest)?;
    Some((time(kind, from)?, time(kind_until, until)?))
}

/// Returns the first element's tag and content, and what is behind it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        let (digits, rest) = rest.split_at_checked(count).filter(|_| (1..=4).contains(&count))?;
        (digits.iter().fold(0, |all, digit| all << 8 | usize::from(*digit)), rest)
    };
    let (content, behind) = rest.split_at_checked(length)?;
    Some((tag, content, behind))
}

/// UTCTime (`YYMMDDHHMMSSZ`) or GeneralizedTime (`YYYYMMDDHHMMSSZ`).
fn time(kind: u8, text: &[u8]) -> Option<u64> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    let digits = text.strip_suffix(b"Z")?;
    let two = |at: usize| {
        let pair = digits.get(at..at + 2)?;
        let are_digits = pair.iter().all(u8::is_ascii_digit);
        are_digits.then(|| u64::from(pair[0] - b'0') * 10 + u64::from(pair[1] - b'0'))
    };
    let (year, rest) = match kind {
        UTC_TIME if digits.len() == 12 => {
            let year = two(0)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, 2)
        }
        GENERALIZED_TIME if digits.len() == 14 => (two(0)? * 100 + two(2)?, 4),
        _ => return None,
    };
    let [month, day, hour, minute, second] =
        [0, 2, 4, 6, 8].map(|at| two(rest + at).unwrap_or(u64::MAX));
    crate::time::seconds([year, month, day, hour, minute, second])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The start of a certificate: version, serial number, algorithm, issuer, validity.
    fn certificate(from: (u8, &[u8]), until: (u8, &[u8])) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
        let times = [wrap(from.0, from.1), wrap(until.0, until.1)].concat();
        let fields = [
            wrap(0xa0, &[2, 1, 2]),
            wrap(2, &[7]),
            wrap(0x30, &[]),
            wrap(0x30, &[1, 2, 3]),
            wrap(0x30, &times),
        ];
        wrap(0x30, &wrap(0x30, &fields.concat()))
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let bytes = certificate((0x17, b"700101000001Z"), (0x18, b"20500101000000Z"));
        assert_eq!(of(&bytes), Some((1, 2_524_608_000)));
        for end in 0..bytes.len() {
            assert_eq!(of(&bytes[..end]), None);
        }
    }

    #[test]
    fn wrong_times_are_none() {
        for wrong in [&b"700101000001"[..], b"7001010000Z", b"701301000001Z", b"70010x000001Z"] {
            assert_eq!(of(&certificate((0x17, wrong), (0x17, b"700101000001Z"))), None);
        }
        assert_eq!(of(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(of(&[0x30, 0x80]), None);
    }
}
