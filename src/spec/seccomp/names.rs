//! System calls by name: their numbers for x86_64 and for i386.
//!
//! `syscalls.txt` has the sorted names with both numbers, and is searched as it stands. The
//! compiler makes a hash table of the places of its lines: no start of a container has to unpack
//! anything.

pub(super) const TEXT: &[u8] = include_bytes!("syscalls.txt");
/// No number: the architecture lacks the call.
pub const NONE: u16 = 0x1ff;

/// How many there are.
pub const COUNT: usize = count(b'\n');

const SLOTS: usize = 1024;
const _: () = assert!(COUNT * 2 < SLOTS && TEXT.len() < u16::MAX as usize);

/// Where each line begins, counted from 1: in the slot of its name's hash, or in the next free
/// slot. A free slot is 0.
static PLACES: [u16; SLOTS] = places();

const fn places() -> [u16; SLOTS] {
    let (mut places, mut start) = ([0; SLOTS], 0);
    while start < TEXT.len() {
        let mut end = start;
        while TEXT[end] != b' ' {
            end += 1;
        }
        let mut slot = hash(TEXT, start, end);
        while places[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        places[slot] = start as u16 + 1;
        while TEXT[end] != b'\n' {
            end += 1;
        }
        start = end + 1;
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

/// Returns the system call whose line begins at `start`, and where the next line begins.
fn read(start: usize) -> (Name, usize) {
    let line = TEXT.get(start..).unwrap_or(&[]);
    let length = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (text, behind) = line.split_at(length);
    let (mut numbers, mut column, mut next) = ([0; 2], 0, start + length + 1);
    for byte in behind.iter().skip(1) {
        next += 1;
        match byte {
            b'\n' => break,
            b' ' => column = 1,
            b'-' => numbers[column] = NONE,
            digit => numbers[column] = numbers[column] * 10 + u16::from(digit.wrapping_sub(b'0')),
        }
    }
    (Name { text, native: numbers[0], compat: numbers[1] }, next)
}

/// Returns the system call of this name.
pub fn find(name: &[u8]) -> Option<Name> {
    let mut slot = hash(name, 0, name.len());
    loop {
        let start = usize::from(PLACES[slot]).checked_sub(1)?;
        let line = TEXT.get(start..).unwrap_or(&[]);
        if line.starts_with(name) && line.get(name.len()) == Some(&b' ') && !name.contains(&b' ') {
            return Some(read(start).0);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// Calls `see` with each system call and its place.
pub fn each_name(see: &mut dyn FnMut(usize, &Name)) {
    let mut start = 0;
    for at in 0..COUNT {
        let (name, next) = read(start);
        see(at, &name);
        start = next;
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
