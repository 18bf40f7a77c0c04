//! The large static buffers, claimed once and lent to one phase at a time.
//!
//! All are zeros, so they take no space in the file, and no page until it is touched.

use crate::sync::TryLock;

/// All large buffers, by the phase that borrows them.
pub struct Memory {
    /// PID 1 itself.
    pub init: crate::init::InitMemory,
    /// The use cases.
    pub engine: crate::engine::EngineMemory,
}

static MEMORY: TryLock<Memory> = TryLock::new(Memory {
    init: crate::init::InitMemory::EMPTY,
    engine: crate::engine::EngineMemory::EMPTY,
});

/// Returns the memory. The first caller keeps it for the life of the process.
///
/// # Panics
/// If it is called a second time, which is a bug.
pub fn claim() -> &'static mut Memory {
    let mut guard = MEMORY.try_lock().expect("memory is claimed once");
    let memory: *mut Memory = &mut *guard;
    core::mem::forget(guard);
    // SAFETY: the forgotten guard keeps the lock for ever, so this is the only reference.
    unsafe { &mut *memory }
}
