//! The large static buffers, claimed once and lent to one stage at a time.
//!
//! All are zeros, so they cost no bytes in the file, and no page until it is touched.

use crate::sync::TryLock;

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

static MEMORY: TryLock<Memory> = TryLock::new(Memory {
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
    // SAFETY: the forgotten guard keeps the lock taken for ever: this is the only reference there
    // will be.
    unsafe { &mut *memory }
}
