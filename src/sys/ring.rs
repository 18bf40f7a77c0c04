//! A ring of bytes between threads: one writes, two read, each at its own pace.
//!
//! `unsafe` is here because the three use one buffer at once. Positions only grow. The bytes from
//! the slowest reader to the writer belong to the readers, all others to the writer, so no byte has
//! two owners.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};

/// Memory for a ring of `N` bytes, a power of two.
pub struct Ring<const N: usize> {
    bytes: [u8; N],
    written: u64,
    taken: [u64; 2],
}

impl<const N: usize> Ring<N> {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: Ring<N> = {
        assert!(N.is_power_of_two());
        Ring { bytes: [0; N], written: 0, taken: [0; 2] }
    };

    /// Returns the ring's memory to the kernel until it is used again.
    pub fn release(&mut self) {
        super::vm::release(&mut self.bytes);
    }

    /// Empties the ring and returns its one writer and its two readers.
    pub fn split(&mut self) -> (Writer<'_>, Reader<'_>, Reader<'_>) {
        (self.written, self.taken) = (0, [0; 2]);
        let [first, second] = &mut self.taken;
        // SAFETY: valid, aligned, and borrowed exclusively for as long as the `Part`s live.
        let atomic = |word: *mut u64| unsafe { AtomicU64::from_ptr(word) };
        let part = Part {
            bytes: self.bytes.as_mut_ptr(),
            size: N,
            written: atomic(&mut self.written),
            taken: [atomic(first), atomic(second)],
            ring: PhantomData,
        };
        (Writer { ring: part }, Reader { ring: part, index: 0 }, Reader { ring: part, index: 1 })
    }
}

/// The three sides' common view of a ring. Its size is a number here, so that all rings share one
/// copy of the code.
#[derive(Clone, Copy)]
struct Part<'r> {
    bytes: *mut u8,
    size: usize,
    written: &'r AtomicU64,
    taken: [&'r AtomicU64; 2],
    ring: PhantomData<&'r mut [u8]>,
}

// SAFETY: `bytes` is reached only through the `Writer` and the two `Reader`s of one `split`, each
// in its own part.
unsafe impl Send for Part<'_> {}
// SAFETY: a shared side only reads its own part (see `bytes`).
unsafe impl Sync for Part<'_> {}

impl Part<'_> {
    /// Returns the bytes that may be written now. For a reader the number may be too small, but
    /// never too large.
    fn free(&self) -> usize {
        let slowest =
            self.taken[0].load(Ordering::Acquire).min(self.taken[1].load(Ordering::Acquire));
        (slowest + self.size as u64).saturating_sub(self.written.load(Ordering::Acquire)) as usize
    }
}

/// The side that writes.
pub struct Writer<'r> {
    ring: Part<'r>,
}

impl Writer<'_> {
    /// Returns the bytes that may be written now.
    pub fn free(&self) -> usize {
        self.ring.free()
    }

    /// Returns the bytes that the first reader has not consumed yet.
    pub fn unread(&self) -> usize {
        let taken = self.ring.taken[0].load(Ordering::Acquire);
        self.ring.written.load(Ordering::Relaxed).saturating_sub(taken) as usize
    }

    /// Returns the next byte's index, and the bytes that fit there in one piece.
    fn place(&self) -> (usize, usize) {
        let at = self.ring.written.load(Ordering::Relaxed) as usize & (self.ring.size - 1);
        (at, self.ring.free().min(self.ring.size - at))
    }

    /// Returns the free bytes in one piece, to be written and then passed to the readers by
    /// [`Writer::commit`].
    pub fn space(&mut self) -> &mut [u8] {
        let (at, length) = self.place();
        // SAFETY: this part is the writer's, there is one writer, and it is borrowed for as long as
        // the slice lives.
        unsafe { core::slice::from_raw_parts_mut(self.ring.bytes.add(at), length) }
    }

    /// Passes the first `count` bytes of [`Writer::space`] to the readers.
    pub fn commit(&mut self, count: usize) {
        assert!(count <= self.place().1);
        self.ring.written.fetch_add(count as u64, Ordering::Release);
    }
}

/// A side that reads.
pub struct Reader<'r> {
    ring: Part<'r>,
    index: usize,
}

impl Reader<'_> {
    /// Returns the bytes that the writer may write now.
    pub fn free(&self) -> usize {
        self.ring.free()
    }

    /// Returns the unread bytes in one piece; empty only if there are none.
    pub fn bytes(&self) -> &[u8] {
        let taken = self.ring.taken[self.index].load(Ordering::Relaxed);
        let at = taken as usize & (self.ring.size - 1);
        let length =
            ((self.ring.written.load(Ordering::Acquire) - taken) as usize).min(self.ring.size - at);
        // SAFETY: this part is the readers' until `consume`, which cannot be called while the slice
        // lives.
        unsafe { core::slice::from_raw_parts(self.ring.bytes.add(at), length) }
    }

    /// Removes the first `count` of [`Reader::bytes`].
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.bytes().len());
        self.ring.taken[self.index].fetch_add(count as u64, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_in_order_and_the_slowest_reader_holds_the_writer() {
        let mut ring = Box::new(Ring::<8>::EMPTY);
        let (mut writer, mut first, mut second) = ring.split();
        let (mut sent, mut seen_first, mut seen_second) = (0u8, 0u8, 0u8);
        for round in 0..200usize {
            let space = writer.space();
            let count = space.len().min(1 + round % 5);
            space[..count].iter_mut().for_each(|byte| {
                *byte = sent;
                sent = sent.wrapping_add(1);
            });
            writer.commit(count);
            for (reader, seen, most) in
                [(&mut first, &mut seen_first, 8), (&mut second, &mut seen_second, 2)]
            {
                let count = reader.bytes().len().min(most);
                for &byte in &reader.bytes()[..count] {
                    assert_eq!(byte, *seen);
                    *seen = seen.wrapping_add(1);
                }
                reader.consume(count);
            }
            assert!(usize::from(sent.wrapping_sub(seen_second)) <= 8);
        }
    }
}
