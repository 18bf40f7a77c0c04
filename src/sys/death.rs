//! Reports the death of this process through shared memory: a robust futex (set_robust_list(2)).
//!
//! A process that may make no system call has no other way to learn that its peer has died.

use super::Result;
use super::syscall::{command, syscall};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// `FUTEX_OWNER_DIED`: the kernel sets this bit of the word.
pub const DIED: u32 = 0x4000_0000;

/// `struct robust_list_head`: the first entry, the offset from an entry to its word, nothing
/// pending.
static HEAD: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
/// `struct robust_list`: the only entry, which leads back to the head.
static ENTRY: AtomicUsize = AtomicUsize::new(0);

/// Makes the kernel set [`DIED`] in `word` when this thread ends in any way. Only one word at a
/// time.
pub fn tell_by(word: &AtomicU32) -> Result<()> {
    // SAFETY: no memory is passed.
    word.store(unsafe { syscall!(libc::SYS_gettid) }? as u32, Ordering::Release);
    let entry = &raw const ENTRY as usize;
    ENTRY.store(&raw const HEAD as usize, Ordering::Relaxed);
    HEAD[0].store(entry, Ordering::Relaxed);
    HEAD[1].store((word.as_ptr() as usize).wrapping_sub(entry), Ordering::Relaxed);
    // SAFETY: head and entry are static. If the word is unmapped by then, the kernel leaves it
    // alone.
    unsafe { command!(libc::SYS_set_robust_list, &raw const HEAD, size_of_val(&HEAD)) }
}
