//! Return addresses on the stack: the position of a panic in a release build.

use super::arch;
use core::fmt::{self, Display};

unsafe extern "C" {
    /// The linker's names for the first byte of the program, and for both ends of its code. (Tests
    /// are linked without linker/static.ld.)
    static __executable_start: u8;
    #[cfg_attr(test, link_name = "__executable_start")]
    static __code_start: u8;
    static etext: u8;
}

/// Words of the stack to search: the frames of core's panicking functions and the end of their
/// caller's. Above the first frame there are at least as many words of arguments and environment.
const WORDS: usize = 64;
/// Number of stored addresses; those of core's functions come first.
const KEPT: usize = 6;

/// Addresses relative to the program's first byte, nearest first. Some are leftovers of calls that
/// have returned. `nm` and `addr2line` use the same offsets on a build with
/// `CARGO_PROFILE_RELEASE_STRIP=none`. A build for fixed addresses begins at 0x400000 there.
pub struct Trace([usize; KEPT]);

impl Trace {
    /// Returns the caller's addresses.
    #[inline(always)]
    pub fn here() -> Trace {
        let stack = arch::stack_pointer();
        // SAFETY: the stack is mapped from its pointer up, `WORDS` above any frame of ours as well.
        unsafe { Trace::of(stack) }
    }

    /// # Safety
    /// `WORDS` words at `stack` can be read.
    unsafe fn of(stack: *const usize) -> Trace {
        let start = (&raw const __executable_start).addr();
        let code = (&raw const __code_start).addr();
        let length = (&raw const etext).addr() - code;
        let mut found = [0; KEPT];
        let mut places = found.iter_mut();
        for index in 0..WORDS {
            // SAFETY: the caller guarantees it. Volatile, because the compiler does not know these
            // bytes.
            let word = unsafe { stack.wrapping_add(index).read_volatile() };
            if (1..length).contains(&word.wrapping_sub(code)) {
                match places.next() {
                    Some(place) => *place = word - start,
                    None => break,
                }
            }
        }
        Trace(found)
    }
}

impl Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at")?;
        self.0
            .iter()
            .filter(|&&address| address > 0)
            .try_for_each(|address| write!(f, " {address:x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_addresses_are_told_from_other_words() {
        let start = (&raw const __executable_start).addr();
        let mut words = [0usize; WORDS];
        (words[3], words[5], words[9]) = (start + 0x123, start - 1, start + 0xabc);
        // SAFETY: the array has that many words.
        let trace = unsafe { Trace::of(words.as_ptr()) };
        assert_eq!(trace.to_string(), "at 123 abc");
    }

    #[test]
    fn a_call_leaves_its_address() {
        assert!(Trace::here().0[0] > 0);
    }
}
