//! System calls by name: their numbers for x86_64 and for i386.
//!
//! `syscalls.txt` has the sorted names with both numbers. The compiler packs them into rows, and
//! makes a hash table of the rows' places: no start of a container has to unpack anything.

pub(super) const TEXT: &[u8] = include_bytes!("syscalls.txt");
/// No number: the architecture lacks the call.
pub const NONE: u16 = 0x1ff;

/// How many there are.
pub const COUNT: usize = count(b'\n');

/// What a row has beside the name: the name's length, and two numbers of two bytes.
const ROW_REST: usize = 5;
/// The size of all rows.
const ROWS_BYTES: usize = name_bytes() + COUNT * ROW_REST;

/// The rows: the length of the name, both numbers, the name.
static ROWS: [u8; ROWS_BYTES] = rows();

const SLOTS: usize = 1024;
const _: () = assert!(COUNT * 2 < SLOTS && ROWS_BYTES < u16::MAX as usize);

/// Where each row begins, counted from 1: in the slot of its name's hash, or in the next free
/// slot. A free slot is 0.
static PLACES: [u16; SLOTS] = places();

const fn name_bytes() -> usize {
    let (mut bytes, mut at, mut is_name) = (0, 0, true);
    while at < TEXT.len() {
        is_name &= TEXT[at] != b' ';
        bytes += is_name as usize;
        is_name |= TEXT[at] == b'\n';
        at += 1;
    }
    bytes
}

const fn rows() -> [u8; ROWS_BYTES] {
    let (mut rows, mut row, mut start) = ([0; ROWS_BYTES], 0, 0);
    while start < TEXT.len() {
        let mut end = start;
        while TEXT[end] != b' ' {
            rows[row + ROW_REST + end - start] = TEXT[end];
            end += 1;
        }
        let (mut numbers, mut column, mut at) = ([0u16; 2], 0, end + 1);
        while TEXT[at] != b'\n' {
            match TEXT[at] {
                b' ' => column += 1,
                b'-' => numbers[column] = NONE,
                digit => numbers[column] = numbers[column] * 10 + (digit - b'0') as u16,
            }
            at += 1;
        }
        rows[row] = (end - start) as u8;
        [rows[row + 1], rows[row + 2]] = numbers[0].to_le_bytes();
        [rows[row + 3], rows[row + 4]] = numbers[1].to_le_bytes();
        (row, start) = (row + ROW_REST + end - start, at + 1);
    }
    rows
}

const fn places() -> [u16; SLOTS] {
    let (mut places, mut row) = ([0; SLOTS], 0);
    while row < ROWS_BYTES {
        let end = row + ROW_REST + ROWS[row] as usize;
        let mut slot = hash(&ROWS, row + ROW_REST, end);
        while places[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        places[slot] = row as u16 + 1;
        row = end;
    }
    places
}

/// Returns the slot of a name.
const fn hash(text: &[u8], mut at: usize, end: usize) -> usize {
    let mut hash = 0u64;
    while at < end {
        // The upper bits of a product know of all that are below.
        hash = (hash ^ text[at] as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        at += 1;
    }
    (hash >> 54) as usize % SLOTS
}

const fn count(byte: u8) -> usize {
    let (mut count, mut n) = (0, 0);
    while n < TEXT.len() {
        count += (TEXT[n] == byte) as usize;
        n += 1;
    }
    count
}

/// One system call.
#[derive(Clone, Copy)]
pub struct Name {
    /// Its name.
    pub text: &'static [u8],
    /// The number of x86_64, and mostly of x32, too; or [`NONE`].
    pub native: u16,
    /// The number of i386, or [`NONE`]. From 500 up: only reachable by socketcall(2) or ipc(2).
    pub compat: u16,
}

/// Returns the system call whose row begins here, and where the next row begins.
fn read(row: usize) -> Option<(Name, usize)> {
    let (head, rest) = ROWS.get(row..)?.split_first_chunk::<ROW_REST>()?;
    let [length, native_low, native_high, low, high] = *head;
    let text = rest.get(..length.into())?;
    let (native, compat) =
        (u16::from_le_bytes([native_low, native_high]), u16::from_le_bytes([low, high]));
    Some((Name { text, native, compat }, row + ROW_REST + text.len()))
}

/// Returns the system call of this name.
pub fn find(name: &[u8]) -> Option<Name> {
    let mut slot = hash(name, 0, name.len());
    loop {
        let (found, _) = read(usize::from(PLACES[slot]).checked_sub(1)?)?;
        if found.text == name {
            return Some(found);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// Calls `see` with each system call and its place.
pub fn each_name(see: &mut dyn FnMut(usize, &Name)) {
    let (mut row, mut at) = (0, 0);
    while let Some((name, next)) = read(row) {
        see(at, &name);
        (row, at) = (next, at + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_found_with_its_numbers_and_no_other() {
        let mut lines = core::str::from_utf8(TEXT).unwrap().lines();
        each_name(&mut |_, name| {
            let text = core::str::from_utf8(name.text).unwrap();
            let shown =
                |number: u16| if number == NONE { "-".to_string() } else { number.to_string() };
            assert_eq!(
                lines.next().unwrap(),
                format!("{text} {} {}", shown(name.native), shown(name.compat))
            );
            let found = find(name.text).unwrap();
            assert_eq!(
                (found.text, found.native, found.compat),
                (name.text, name.native, name.compat)
            );
            for wrong in
                [&text[1..], &text[..text.len() - 1], &format!("{text} "), &format!("{text}x")]
            {
                let is_one = core::str::from_utf8(TEXT)
                    .unwrap()
                    .lines()
                    .any(|line| line.split(' ').next() == Some(wrong));
                assert_eq!(find(wrong.as_bytes()).is_some(), is_one, "{wrong}");
            }
        });
        assert_eq!(
            (lines.next(), find(b"").is_none(), find(&[b'x'; 300]).is_none()),
            (None, true, true)
        );
        assert!(find(b"accept 43").is_none() && find(b"accept\n").is_none());
    }
}
