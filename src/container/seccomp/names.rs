//! System calls by name, in a hash table.

use crate::spec::seccomp::{COUNT, Name, Text, each_name};

const SLOTS: usize = 1024;
const _: () = assert!(COUNT * 2 < SLOTS);

/// The unpacked table: a name is in the slot of its hash, or in the next that was free.
pub struct Names([Name; SLOTS]);

impl Names {
    /// All zeros.
    pub const EMPTY: Names = Names([Name::EMPTY; SLOTS]);

    /// Unpacks the table.
    pub fn unpack(&mut self) {
        each_name(&mut |_, name| *self.slot(&name.text) = *name);
    }

    /// The numbers of this name for x86_64 and for i386, where there is such a system call.
    pub fn find(&mut self, name: &[u8]) -> Option<(u16, u16)> {
        let mut text = [0; 32];
        text.get_mut(..name.len())?.copy_from_slice(name);
        let name = self.slot(&text);
        (name.text[0] != 0).then_some((name.native, name.compat))
    }

    /// The slot that holds this name, or that is free for it.
    fn slot(&mut self, text: &Text) -> &mut Name {
        // The upper bits of a product know of all that are below.
        let mix = |hash: u64, word: &[u8; 8]| (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut at = (text.as_chunks().0.iter().fold(0, mix) >> 54) as usize % SLOTS;
        while self.0[at].text[0] != 0 && self.0[at].text != *text {
            at = (at + 1) % SLOTS;
        }
        &mut self.0[at]
    }
}
