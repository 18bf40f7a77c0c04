//! Lists of plain data in borrowed memory. Each has a bound from its start.

use core::mem::MaybeUninit;

/// A word of an arena's memory. Its content is no number.
pub type Word = MaybeUninit<u64>;

/// Memory for lists. They live as long as the memory.
pub struct Arena<'m> {
    free: &'m mut [Word],
}

impl<'m> Arena<'m> {
    /// Returns an arena in `memory`.
    pub fn new(memory: &'m mut [Word]) -> Arena<'m> {
        Arena { free: memory }
    }

    /// Begins a list of at most `most` items. None if the arena is full.
    pub fn list<T: Copy>(&mut self, most: usize) -> Option<List<'m, T>> {
        const { assert!(align_of::<T>() <= align_of::<Word>()) };
        let words = most.checked_mul(size_of::<T>())?.div_ceil(size_of::<Word>());
        if words > self.free.len() {
            return None;
        }
        let (taken, free) = core::mem::take(&mut self.free).split_at_mut(words);
        self.free = free;
        let start = taken.as_mut_ptr().cast::<MaybeUninit<T>>();
        // SAFETY: the words have room for `most` items, aligned, of any content; no other code has
        // them for 'm. An item is copied, never dropped.
        let items = unsafe { core::slice::from_raw_parts_mut(start, most) };
        Some(List { items, length: 0 })
    }
}

/// A list that grows to its bound.
pub struct List<'m, T> {
    items: &'m mut [MaybeUninit<T>],
    length: usize,
}

impl<'m, T: Copy> List<'m, T> {
    /// Appends an item. Returns false at the bound.
    pub fn push(&mut self, item: T) -> bool {
        match self.items.get_mut(self.length) {
            Some(place) => {
                place.write(item);
                self.length += 1;
                true
            }
            None => false,
        }
    }

    /// Drops all items.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Returns the items so far.
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: that many items were written.
        unsafe { self.items[..self.length].assume_init_ref() }
    }

    /// Returns the items. The rest of its memory stays unused.
    pub fn finish(self) -> &'m mut [T] {
        let (items, _) = self.items.split_at_mut(self.length);
        // SAFETY: that many items were written.
        unsafe { items.assume_init_mut() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stand_side_by_side_and_end_at_their_bounds() {
        let mut memory = [Word::uninit(); 8];
        let mut arena = Arena::new(&mut memory);
        let mut bytes = arena.list::<u8>(9).unwrap();
        let mut pairs = arena.list::<(u64, u32)>(2).unwrap();
        assert!((0..9).all(|byte| bytes.push(byte)) && !bytes.push(9));
        assert!(pairs.push((1, 2)) && pairs.push((3, 4)) && !pairs.push((5, 6)));
        assert_eq!(pairs.as_slice()[0], (1, 2));
        pairs.clear();
        assert!(pairs.push((7, 8)));
        assert!(arena.list::<u64>(3).is_none() && arena.list::<u64>(usize::MAX).is_none());
        assert_eq!(arena.list::<u64>(0).unwrap().finish(), []);
        assert_eq!(arena.list::<[u32; 4]>(1).unwrap().finish(), [[0; 4]; 0]);
        assert_eq!(
            (bytes.finish(), pairs.finish()),
            (&mut [0, 1, 2, 3, 4, 5, 6, 7, 8][..], &mut [(7, 8)][..])
        );
    }
}
