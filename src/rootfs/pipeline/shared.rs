//! The two threads' common state: digests that either takes a step of, and their wake-ups.

use crate::codec::digest::Hasher;
use crate::limits::HASH_STEP_BYTES;
use crate::sync::TryLock;
use crate::sys::ring::Reader;
use crate::sys::thread;
use crate::{Error, Result};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

/// One thread sleeps on it, the other wakes it.
pub struct Event(AtomicU32);

impl Event {
    /// Returns an event without a sleeping thread.
    pub const fn new() -> Event {
        Event(AtomicU32::new(0))
    }

    /// Sleeps unless `ready` returns true. May wake without a reason.
    pub fn sleep(&self, mut ready: impl FnMut() -> bool) {
        self.0.store(1, Ordering::Relaxed);
        // Either `ready` sees the other thread's write, or that thread sees that this one sleeps.
        fence(Ordering::SeqCst);
        if !ready() {
            thread::wait(&self.0, 1);
        }
        self.0.store(0, Ordering::Relaxed);
    }

    /// Returns true if the other thread sleeps.
    pub fn sleeps(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Wakes the other thread.
    pub fn wake(&self) {
        if self.sleeps() {
            self.0.store(0, Ordering::Relaxed);
            thread::wake(&self.0);
        }
    }
}

/// A digest in progress.
pub struct Hashing<'r> {
    /// The bytes still to hash.
    pub reader: Reader<'r>,
    /// None if these bytes need no digest.
    pub hasher: Option<Hasher>,
}

impl Hashing<'_> {
    /// Hashes some bytes. Returns false if there are none.
    pub fn step(&mut self) -> bool {
        let bytes = self.reader.bytes();
        let bytes = &bytes[..bytes.len().min(HASH_STEP_BYTES)];
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        let count = bytes.len();
        self.reader.consume(count);
        count > 0
    }
}

/// Hashes the rest when both threads have ended. Returns the digest. Without one it is an error,
/// because the layer would be unverified.
pub fn finish(slot: &TryLock<Hashing<'_>>) -> Result<crate::codec::digest::Digest> {
    let digest = slot.try_lock().and_then(|mut hashing| {
        while hashing.step() {}
        hashing.hasher.take().map(Hasher::finish)
    });
    digest.ok_or_else(|| Error::new(format_args!("the digest was not computed")))
}

/// The state that both threads share.
pub struct Shared<'r> {
    /// Woken when the tar has more bytes.
    pub data: Event,
    /// Woken when a ring has free space.
    pub space: Event,
    /// The tar is complete.
    pub ended: AtomicBool,
    /// One side failed, so the other ends.
    pub stopped: AtomicBool,
    /// The digest of the tar.
    pub tar: TryLock<Hashing<'r>>,
    /// The digest of the stored bytes.
    pub stored: TryLock<Hashing<'r>>,
}

impl Shared<'_> {
    /// Returns true if one side failed.
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Takes a step of a digest that is not locked. Returns false if there is none.
    pub fn hash_some(&self) -> bool {
        self.tar.try_lock().is_some_and(|mut tar| tar.step())
            || self.stored.try_lock().is_some_and(|mut stored| stored.step())
    }
}
