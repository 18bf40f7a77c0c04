//! The large static buffers, claimed once and lent to one stage at a time.
//!
//! All are zeros, so they cost no bytes in the file, and no page until it is touched.

use crate::sync::TryLock;

/// Everything large, by the stage that borrows it.
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

/// The memory, once: whoever calls first keeps it for the life of the process.
///
/// # Panics
/// When called a second time, which is a mistake in the program.
pub fn claim() -> &'static mut Memory {
    let mut guard = MEMORY.try_lock().expect("memory is claimed once");
    let memory: *mut Memory = &mut *guard;
    core::mem::forget(guard);
    // SAFETY: the forgotten guard keeps the lock taken for ever: this is the only reference there
    // will be.
    unsafe { &mut *memory }
}
