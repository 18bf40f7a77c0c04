//! System calls by name: their numbers for x86_64 and for i386.
//!
//! `syscalls.txt` has the sorted names with both numbers. The compiler packs it: five bits for each
//! character, without the characters shared with the name before (5 KiB of text become 3).

pub(super) const TEXT: &[u8] = include_bytes!("syscalls.txt");
/// All names together have just 32 different characters.
const LETTERS: &[u8; 32] = b"etrsi_aomndlgcupfhkvwxyqbj123468";
/// No number: the architecture lacks the call.
pub const NONE: u16 = 0x1ff;

/// The packed table, in an array that is large enough, and its length in bytes.
const WIDE: ([u8; 4096], usize) = pack();
static PACKED: [u8; WIDE.1] = cut();

/// How many there are.
pub const COUNT: usize = count(b'\n');

/// Packs each line: how many characters it shares with the name before (4 bits), how many follow
/// (5), those characters (5 each), and both numbers (9 each).
const fn pack() -> ([u8; 4096], usize) {
    let (mut packed, mut bit) = ([0; 4096], 0);
    let (mut before, mut start) = (0, 0);
    while start < TEXT.len() {
        let mut shared = 0;
        while shared < 15 && TEXT[start + shared] == TEXT[before + shared] && start > 0 {
            shared += 1;
        }
        let mut end = start;
        while TEXT[end] != b' ' {
            end += 1;
        }
        put(&mut packed, &mut bit, shared, 4);
        put(&mut packed, &mut bit, end - start - shared, 5);
        let mut at = start + shared;
        while at < end {
            let mut letter = 0;
            while LETTERS[letter] != TEXT[at] {
                letter += 1;
            }
            put(&mut packed, &mut bit, letter, 5);
            at += 1;
        }
        let mut numbers = 0;
        while numbers < 2 {
            let (mut number, mut digits) = (0, false);
            at += 1;
            while TEXT[at] != b' ' && TEXT[at] != b'\n' {
                digits = TEXT[at] != b'-';
                number = number * 10 + (TEXT[at] as usize).wrapping_sub(b'0' as usize) % 10;
                at += 1;
            }
            put(&mut packed, &mut bit, if digits { number } else { NONE as usize }, 9);
            numbers += 1;
        }
        (before, start) = (start, at + 1);
    }
    (packed, bit.div_ceil(8))
}

const fn put(packed: &mut [u8; 4096], bit: &mut usize, value: usize, count: usize) {
    assert!(value < 1 << count);
    let mut n = 0;
    while n < count {
        packed[*bit / 8] |= ((value >> n & 1) as u8) << (*bit % 8);
        *bit += 1;
        n += 1;
    }
}

const fn cut() -> [u8; WIDE.1] {
    let (mut packed, mut n) = ([0; WIDE.1], 0);
    while n < WIDE.1 {
        packed[n] = WIDE.0[n];
        n += 1;
    }
    packed
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
    /// Filled up with zeros.
    pub text: Text,
    /// The number of x86_64, and mostly of x32, too; or [`NONE`].
    pub native: u16,
    /// The number of i386, or [`NONE`]. From 500 up: only reachable by socketcall(2) or ipc(2).
    pub compat: u16,
}

/// A name, with zeros behind it.
pub type Text = [u8; 32];

impl Name {
    /// Nothing.
    pub const EMPTY: Name = Name { text: [0; 32], native: 0, compat: 0 };

    /// Its text alone.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

/// Unpacks the table. Calls `see` with each system call and its place.
pub fn each_name(see: &mut dyn FnMut(usize, &Name)) {
    let (mut bytes, mut bits, mut left) = (PACKED.iter(), 0, 0);
    let mut take = |count: u32| {
        while left < count {
            bits |= u32::from(*bytes.next().unwrap_or(&0)) << left;
            left += 8;
        }
        let value = bits & ((1 << count) - 1);
        (bits, left) = (bits >> count, left - count);
        value as usize
    };
    let mut name = Name::EMPTY;
    for at in 0..COUNT {
        let shared = take(4);
        let end = shared + take(5);
        for (n, place) in name.text.iter_mut().enumerate().skip(shared) {
            *place = if n < end { LETTERS[take(5)] } else { 0 };
        }
        (name.native, name.compat) = (take(9) as u16, take(9) as u16);
        see(at, &name);
    }
}
