//! The paths that the present layer has made, in constant memory: a Bloom filter says "certainly
//! not" or "maybe".
//!
//! A whiteout hides only files of lower layers, never of its own layer, in any order of the
//! entries. A whiteout that certainly hits no path of its own layer is carried out at once.

use crate::limits::OWN_PATHS_BITS;

/// The filter.
pub struct OwnPaths {
    words: [u64; OWN_PATHS_BITS / 64],
    used: bool,
    /// An entry went through a symlinked parent, so a path is no longer certain.
    aliased: bool,
}

/// Bits per path.
const PROBES: u64 = 4;
/// Mixed into the hash to tell "something beneath this path was made" from "this path was made".
const BENEATH: u64 = 0x9e37_79b9_7f4a_7c15;

impl OwnPaths {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: OwnPaths =
        OwnPaths { words: [0; OWN_PATHS_BITS / 64], used: false, aliased: false };

    /// Forgets all paths.
    pub fn clear(&mut self) {
        if self.used {
            self.words.fill(0);
        }
        (self.used, self.aliased) = (false, false);
    }

    /// Adds `parent/last`. `aliased` means that `parent` was reached through a symlink.
    pub fn insert(&mut self, parent: &[u8], last: &[u8], aliased: bool) {
        self.used = true;
        self.aliased |= aliased;
        let mut hash = Hash::NEW;
        self.set(hash.key() ^ BENEATH);
        for component in
            parent.split(|&byte| byte == b'/').filter(|component| !component.is_empty())
        {
            hash.component(component);
            self.set(hash.key());
            self.set(hash.key() ^ BENEATH);
        }
        hash.component(last);
        self.set(hash.key());
    }

    /// Notes that an entry depends on a path through a symlink.
    pub fn alias(&mut self) {
        (self.used, self.aliased) = (true, true);
    }

    /// Returns whether `parent/last` or a path beneath it may have been made.
    pub fn may_hold(&self, parent: &[u8], last: &[u8], aliased: bool) -> bool {
        self.unsure(aliased) || self.has(hash_of(parent, last).key())
    }

    /// Returns whether a path beneath `directory` may have been made.
    pub fn may_hold_beneath(&self, directory: &[u8], aliased: bool) -> bool {
        self.unsure(aliased) || self.has(hash_of(directory, b"").key() ^ BENEATH)
    }

    fn unsure(&self, aliased: bool) -> bool {
        self.used && (aliased || self.aliased)
    }

    fn set(&mut self, key: u64) {
        for (word, bit) in places(key) {
            self.words[word] |= bit;
        }
    }

    fn has(&self, key: u64) -> bool {
        places(key).all(|(word, bit)| self.words[word] & bit != 0)
    }
}

fn places(key: u64) -> impl Iterator<Item = (usize, u64)> {
    let (start, step) = (key >> 32, key & 0xffff_ffff | 1);
    (0..PROBES).map(move |n| {
        let bit = (start + n * step) as usize % OWN_PATHS_BITS;
        (bit / 64, 1 << (bit % 64))
    })
}

fn hash_of(parent: &[u8], last: &[u8]) -> Hash {
    let mut hash = Hash::NEW;
    let components = parent.split(|&byte| byte == b'/').chain([last]);
    components
        .filter(|component| !component.is_empty())
        .for_each(|component| hash.component(component));
    hash
}

/// FNV-1a over components, each ended by a slash.
struct Hash(u64);

impl Hash {
    const NEW: Hash = Hash(0xcbf2_9ce4_8422_2325);

    fn component(&mut self, component: &[u8]) {
        for &byte in component.iter().chain(b"/") {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Returns the state, spread over all bits.
    fn key(&self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ mixed >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_held_with_its_parents() {
        let mut own = Box::new(OwnPaths::EMPTY);
        assert!(
            !own.may_hold(b"", b"a", true) && !own.may_hold_beneath(b"", true),
            "nothing was made"
        );
        own.insert(b"a/b", b"c", false);
        assert!(own.may_hold(b"a/b", b"c", false));
        assert!(own.may_hold(b"a", b"b", false) && own.may_hold(b"", b"a", false));
        assert!(own.may_hold_beneath(b"a/b", false) && own.may_hold_beneath(b"", false));
        assert!(!own.may_hold(b"", b"b", false) && !own.may_hold(b"a/b", b"d", false));
        assert!(!own.may_hold_beneath(b"a/b/c", false) && !own.may_hold(b"a/b/c", b"d", false));
        assert!(own.may_hold(b"x", b"y", true), "through a symlink nothing is certain");
        own.insert(b"s", b"t", true);
        assert!(own.may_hold(b"x", b"y", false));
        own.clear();
        assert!(!own.may_hold(b"a/b", b"c", false) && !own.may_hold(b"x", b"y", true));
    }

    #[test]
    fn few_paths_are_mistaken() {
        let mut own = Box::new(OwnPaths::EMPTY);
        for n in 0..20_000 {
            own.insert(
                format!("usr/share/doc/{}", n / 10).as_bytes(),
                format!("file{n}").as_bytes(),
                false,
            );
        }
        assert!((0..20_000).all(|n| own.may_hold(
            format!("usr/share/doc/{}", n / 10).as_bytes(),
            format!("file{n}").as_bytes(),
            false
        )));
        let mistaken = (0..10_000)
            .filter(|n| own.may_hold(b"usr/lib", format!("{n}").as_bytes(), false))
            .count();
        assert!(mistaken < 60, "{mistaken} of 10,000");
    }
}
