//! The large static buffers, claimed once and lent to one stage at a time.
//!
//! All are zeros, so they cost no bytes in the file, and no page until it is touched.
//! The few lines of `unsafe` here make the two cells that hand out what is inside them exclusively.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

/// A value behind a lock that is only ever tried.
pub struct Slot<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `value` is reached only through a `SlotGuard`, of which `taken` allows one at a time.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// A free slot with this value in it.
    pub const fn new(value: T) -> Slot<T> {
        Slot { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// The value, unless somebody has it now.
    pub fn try_lock(&self) -> Option<SlotGuard<'_, T>> {
        let free = !self.taken.swap(true, Ordering::Acquire);
        // Not `then_some`: it would make the guard either way, and dropping it would free another's slot.
        free.then(|| SlotGuard { slot: self })
    }
}

/// The right to a slot's value; dropping it gives the slot back.
pub struct SlotGuard<'a, T> {
    slot: &'a Slot<T>,
}

impl<T> Deref for SlotGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one, so nobody else has a reference.
        unsafe { &*self.slot.value.get() }
    }
}

impl<T> DerefMut for SlotGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one, so nobody else has a reference.
        unsafe { &mut *self.slot.value.get() }
    }
}

impl<T> Drop for SlotGuard<'_, T> {
    fn drop(&mut self) {
        self.slot.taken.store(false, Ordering::Release);
    }
}

/// Everything large, by the stage that borrows it.
pub struct Memory {
    /// PID 1 itself.
    pub init: crate::init::InitMemory,
    /// Reading an image: its documents and the list of its layers.
    pub image: crate::image::ImageMemory,
    /// What is where in an oci-archive.
    pub archive: crate::image::ArchiveMemory,
    /// Unpacking layers.
    pub unpack: crate::rootfs::UnpackMemory,
    /// Taking an image elsewhere.
    pub export: crate::export::TargetMemory,
    /// Text of one container's arguments, environment and names.
    pub strings: [u8; crate::limits::STRINGS_BYTES],
    /// A container's config.json.
    pub config: [u8; crate::limits::CONFIG_BYTES],
    /// The process that exec is given.
    pub process: [u8; crate::limits::PROCESS_BYTES],
    /// Starting a container.
    pub container: crate::container::ContainerMemory,
}

static MEMORY: Slot<Memory> = Slot::new(Memory {
    init: crate::init::InitMemory::EMPTY,
    image: crate::image::ImageMemory::EMPTY,
    archive: crate::image::ArchiveMemory::EMPTY,
    unpack: crate::rootfs::UnpackMemory::EMPTY,
    export: crate::export::TargetMemory::EMPTY,
    strings: [0; crate::limits::STRINGS_BYTES],
    config: [0; crate::limits::CONFIG_BYTES],
    process: [0; crate::limits::PROCESS_BYTES],
    container: crate::container::ContainerMemory::EMPTY,
});

/// The memory, once: whoever calls first keeps it for the life of the process.
///
/// # Panics
/// When called a second time, which is a mistake in the program.
pub fn claim() -> &'static mut Memory {
    let mut guard = MEMORY.try_lock().expect("memory is claimed once");
    let memory: *mut Memory = &mut *guard;
    core::mem::forget(guard);
    // SAFETY: the forgotten guard keeps the slot taken for ever: this is the only reference there will be.
    unsafe { &mut *memory }
}

#[cfg(test)]
mod tests {
    use super::Slot;

    #[test]
    fn trying_a_taken_slot_does_not_free_it() {
        let slot = Slot::new(0);
        let guard = slot.try_lock();
        assert!(guard.is_some() && slot.try_lock().is_none() && slot.try_lock().is_none());
        drop(guard);
        assert!(slot.try_lock().is_some());
    }
}
