//! The known name that is nearest to a typed word.

/// Most wrong letters of a long enough name that count as a typing error.
const SLIPS_MAX: usize = 2;
/// Longer names are not compared, in bytes.
const COMPARED_BYTES: usize = 24;

/// Returns the nearest known name, if one is near.
pub fn nearest<'k>(typed: &[u8], known: &mut dyn Iterator<Item = &'k str>) -> Option<&'k str> {
    let mut best = None;
    for name in known {
        let distance = edit_distance(typed, name.as_bytes());
        if distance <= SLIPS_MAX.min((name.len() + 1) / 3)
            && best.is_none_or(|(least, _)| distance < least)
        {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Returns Levenshtein's distance: letters to insert, to remove or to change.
fn edit_distance(a: &[u8], b: &[u8]) -> usize {
    if a.len().max(b.len()) > COMPARED_BYTES {
        return usize::MAX;
    }
    let mut row: [usize; COMPARED_BYTES + 1] = core::array::from_fn(|n| n);
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = core::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let near = |typed: &str| {
            nearest(typed.as_bytes(), &mut ["unpack", "inspect", "ps", "list"].into_iter())
        };
        for (typed, name) in
            [("unpak", "unpack"), ("inpsect", "inspect"), ("lst", "list"), ("unpack", "unpack")]
        {
            assert_eq!(near(typed), Some(name));
        }
        for typed in ["", "x", "frobnicate", "inspectinspectinspectinspect"] {
            assert_eq!(near(typed), None, "{typed}");
        }
        assert_eq!(edit_distance(b"kitten", b"sitting"), 3);
    }
}
