//! A value behind a lock that is only tried, never waited for.
//!
//! The few lines of `unsafe` here give one user at a time access to the value.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

/// A value behind a lock that is only tried, never waited for.
pub struct TryLock<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `value` is reached only through a `TryGuard`, of which `taken` allows one at a time.
unsafe impl<T: Send> Sync for TryLock<T> {}

impl<T> TryLock<T> {
    /// Returns a free lock with this value in it.
    pub const fn new(value: T) -> TryLock<T> {
        TryLock { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Returns access to the value, or `None` while another user has it.
    pub fn try_lock(&self) -> Option<TryGuard<'_, T>> {
        let free = !self.taken.swap(true, Ordering::Acquire);
        // Not `then_some`: it would make the guard in any case, and its drop would release another
        // user's lock.
        free.then(|| TryGuard { lock: self, exclusive: PhantomData })
    }
}

/// Access to the value; its drop releases the lock.
pub struct TryGuard<'a, T> {
    lock: &'a TryLock<T>,
    /// The guard is like `&mut T`: `Sync` only if `T` is.
    exclusive: PhantomData<&'a mut T>,
}

impl<T> Deref for TryGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one, so there is no other reference.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for TryGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one, so there is no other reference.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for TryGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.taken.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::TryLock;

    #[test]
    fn trying_a_taken_lock_does_not_free_it() {
        let lock = TryLock::new(0);
        let guard = lock.try_lock();
        assert!(guard.is_some() && lock.try_lock().is_none() && lock.try_lock().is_none());
        drop(guard);
        assert!(lock.try_lock().is_some());
    }
}
