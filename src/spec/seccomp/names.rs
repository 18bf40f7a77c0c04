//! System calls: their names, and their numbers for x86_64 and for i386.
//!
//! `syscalls.txt` has the sorted names with both numbers. The compiler packs its lines and makes a
//! hash table of their offsets, so no start of a container unpacks anything. PID 1 alone compiles
//! only docker's profile, which knows system calls by their lines: there the names are left out.

pub(super) const TEXT: &[u8] = include_bytes!("syscalls.txt");
/// No number: the architecture lacks the system call.
pub const NONE: u16 = 0x1ff;

/// Number of system calls.
pub const COUNT: usize = count(b'\n');

/// True if profiles may name system calls, or a config.json names those of docker's.
const NAMED: bool = cfg!(any(feature = "runtime", feature = "tools", test));

/// Bytes of a packed line before the name: both numbers, and the name's length.
const NUMBERS: usize = 4;
static LINES: [u8; lines_bytes()] = lines();

const fn lines_bytes() -> usize {
    let (mut bytes, mut at) = (0, 0);
    while at < TEXT.len() {
        let end = end_of_name(at);
        bytes += NUMBERS + if NAMED { 1 + end - at } else { 0 };
        at = number(number(end + 1).1 + 1).1 + 1;
    }
    bytes
}

const fn lines() -> [u8; lines_bytes()] {
    let (mut lines, mut used, mut at) = ([0; lines_bytes()], 0, 0);
    while at < TEXT.len() {
        let end = end_of_name(at);
        let (native, next) = number(end + 1);
        let (compat, next) = number(next + 1);
        [lines[used], lines[used + 1]] = native.to_le_bytes();
        [lines[used + 2], lines[used + 3]] = compat.to_le_bytes();
        used += NUMBERS;
        if NAMED {
            lines[used] = (end - at) as u8;
            used += 1;
            while at < end {
                lines[used] = TEXT[at];
                used += 1;
                at += 1;
            }
        }
        at = next + 1;
    }
    lines
}

const fn end_of_name(mut at: usize) -> usize {
    while TEXT[at] != b' ' {
        at += 1;
    }
    at
}

/// Returns the number at `at`, and its end.
const fn number(mut at: usize) -> (u16, usize) {
    if TEXT[at] == b'-' {
        return (NONE, at + 1);
    }
    let mut number = 0;
    while TEXT[at].is_ascii_digit() {
        number = number * 10 + (TEXT[at] - b'0') as u16;
        at += 1;
    }
    (number, at)
}

const SLOTS: usize = 1024;
const _: () = assert!(COUNT * 2 < SLOTS && lines_bytes() < u16::MAX as usize);

/// The start of each line, plus 1, in the slot of its name's hash or in the next free slot. A free
/// slot is 0.
static PLACES: [u16; SLOTS] = places();

const fn places() -> [u16; SLOTS] {
    let (mut places, mut at, mut start) = ([0; SLOTS], 0, 0);
    while at < TEXT.len() {
        let end = end_of_name(at);
        let mut slot = hash(TEXT, at, end);
        while places[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        places[slot] = start as u16 + 1;
        start += NUMBERS + 1 + end - at;
        at = number(number(end + 1).1 + 1).1 + 1;
    }
    places
}

/// Returns the slot of a name.
const fn hash(text: &[u8], mut at: usize, end: usize) -> usize {
    let mut hash = 0u64;
    while at < end {
        // The upper bits of a product depend on all lower ones.
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
    /// Its name, unless names are left out.
    pub text: &'static [u8],
    /// The number for x86_64, and mostly for x32, too; or [`NONE`].
    pub native: u16,
    /// The number for i386, or [`NONE`]. From 500 up: only reachable by socketcall(2) or ipc(2).
    pub compat: u16,
}

/// Returns the system call of this name, at compile time.
pub const fn known(name: &'static [u8]) -> Name {
    let mut at = 0;
    loop {
        let end = end_of_name(at);
        let (native, next) = number(end + 1);
        let (compat, next) = number(next + 1);
        if crate::spec::capability::same(name, 0, name.len(), TEXT, at, end) {
            return Name { text: name, native, compat };
        }
        at = next + 1;
    }
}

/// Returns the system call of the first line of `lines`, and the other lines.
fn read(lines: &'static [u8]) -> Option<(Name, &'static [u8])> {
    let (&[one, two, three, four], behind) = lines.split_first_chunk::<NUMBERS>()?;
    let (text, rest) = match behind.split_first() {
        Some((length, behind)) if NAMED => behind.split_at_checked(usize::from(*length))?,
        _ => (&[][..], behind),
    };
    let native = u16::from_le_bytes([one, two]);
    Some((Name { text, native, compat: u16::from_le_bytes([three, four]) }, rest))
}

/// Returns the system call of this name.
pub fn find(name: &[u8]) -> Option<Name> {
    let mut slot = hash(name, 0, name.len());
    loop {
        let start = usize::from(PLACES[slot]).checked_sub(1)?;
        let (found, _) = read(LINES.get(start..)?)?;
        if found.text == name {
            return Some(found);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// Calls `see` with each system call and its index.
pub fn each_name(see: &mut dyn FnMut(usize, &Name)) {
    let (mut lines, mut at) = (&LINES[..], 0);
    while let Some((name, rest)) = read(lines) {
        see(at, &name);
        (lines, at) = (rest, at + 1);
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
