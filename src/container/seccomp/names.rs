//! System calls by name: their numbers for x86_64 and for i386.
//!
//! `syscalls.txt` is what a reader sees: sorted names, each with both numbers. The compiler packs it, five bits a character and
//! no character that the name before has, too (5 KiB of text become 3), and for a filter it is unpacked into a hash table.

const TEXT: &[u8] = include_bytes!("syscalls.txt");
/// There are just 32 characters in all names.
const LETTERS: &[u8; 32] = b"etrsi_aomndlgcupfhkvwxyqbj123468";
/// A number that is not there.
const NONE: u16 = 0x1ff;

/// The packed table, in a place that is large enough, and its length in bytes.
const WIDE: ([u8; 4096], usize) = pack();
static PACKED: [u8; WIDE.1] = cut();

/// Names, and all of their letters.
const COUNT: usize = count(b'\n');
const RECORDS_BYTES: usize = TEXT.len();
const SLOTS: usize = 1024;
const _: () = assert!(COUNT * 2 < SLOTS && RECORDS_BYTES < 1 << 16);

/// Packs line by line: how many characters the name shares with the one before (4 bits), how many follow (5), these (5 each),
/// both numbers (9 each).
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
    // Bits are read three bytes at a time.
    (packed, bit / 8 + 3)
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

/// The numbers of one name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Numbers {
    /// Of x86_64, and mostly of x32, too.
    pub native: Option<u16>,
    /// Of i386. From 500 up there is none: the call is one of socketcall(2) or ipc(2) and nothing else.
    pub compat: Option<u16>,
}

/// The unpacked table.
pub struct Names {
    /// A name's length, both numbers (two bytes each), the name; and the next.
    records: [u8; RECORDS_BYTES],
    /// Where a record begins, and one more; found by the name's hash, or in the next slot that is not free.
    slots: [u16; SLOTS],
}

const HEADER_BYTES: usize = 5;

impl Names {
    /// All zeros.
    pub const EMPTY: Names = Names { records: [0; RECORDS_BYTES], slots: [0; SLOTS] };

    /// Unpacks the table.
    pub fn unpack(&mut self) {
        self.slots.fill(0);
        let (mut bit, mut at, mut before) = (0, 0, 0);
        for _ in 0..COUNT {
            let mut take = |count: usize| {
                let bytes = PACKED.get(bit / 8..).and_then(|bytes| bytes.first_chunk()).unwrap_or(&[0; 3]);
                let [low, middle, high] = bytes.map(u32::from);
                let value = (low | middle << 8 | high << 16) >> (bit % 8) & ((1 << count) - 1);
                bit += count;
                value as usize
            };
            let (shared, more) = (take(4), take(5));
            let name = at + HEADER_BYTES;
            let Some(space) = self.records.get_mut(..name + shared + more) else { return };
            for n in 0..shared {
                space[name + n] = space[before + n];
            }
            for place in &mut space[name + shared..] {
                *place = LETTERS[take(5)];
            }
            let (native, compat) = (take(9) as u16, take(9) as u16);
            space[at] = (shared + more) as u8;
            space[at + 1..at + 3].copy_from_slice(&native.to_le_bytes());
            space[at + 3..name].copy_from_slice(&compat.to_le_bytes());
            let mut slot = hash(&space[name..]);
            while self.slots[slot] != 0 {
                slot = (slot + 1) % SLOTS;
            }
            self.slots[slot] = at as u16 + 1;
            (before, at) = (name, name + shared + more);
        }
    }

    /// The numbers of a name, where there is such a system call.
    pub fn find(&self, name: &[u8]) -> Option<Numbers> {
        let mut slot = hash(name);
        loop {
            let at = usize::from(self.slots[slot]).checked_sub(1)?;
            let (header, rest) = self.records.get(at..)?.split_first_chunk::<HEADER_BYTES>()?;
            if rest.get(..usize::from(header[0])) == Some(name) {
                let number = |low, high| Some(u16::from_le_bytes([low, high])).filter(|number| *number != NONE);
                return Some(Numbers { native: number(header[1], header[2]), compat: number(header[3], header[4]) });
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

/// FNV-1a.
fn hash(name: &[u8]) -> usize {
    let hash = name.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    (hash ^ hash >> 16) as usize % SLOTS
}
