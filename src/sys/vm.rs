//! This process's address space.

use super::fd::FdRef;
use super::syscall::syscall;
use super::{Errno, Result};

/// madvise(2) `NOHUGEPAGE`: one touch of a byte costs 4 KiB and not 2 MiB, whatever the kernel's default is.
/// A hint: kernels without huge pages answer EINVAL.
pub fn forbid_huge_pages<T: ?Sized>(value: &mut T) {
    const PAGE: usize = 4096;
    let start = (&raw mut *value).cast::<u8>() as usize & !(PAGE - 1);
    let end = (&raw mut *value).cast::<u8>() as usize + size_of_val(value);
    // SAFETY: the advice changes how pages are backed, never what they hold.
    let _ = unsafe { syscall!(libc::SYS_madvise, start, end - start, libc::MADV_NOHUGEPAGE) };
}

/// mmap(2) `MAP_PRIVATE`, read only, for the life of the process. The file must not be truncated while it lives.
pub fn map_file(file: FdRef<'_>, length: usize) -> Result<&'static [u8]> {
    if length == 0 {
        return Ok(&[]);
    }
    let (protection, flags) = (libc::PROT_READ, libc::MAP_PRIVATE);
    // SAFETY: the kernel chooses the place, so no mapping of ours is replaced.
    let address = unsafe { syscall!(libc::SYS_mmap, 0, length, protection, flags, file.raw(), 0) }?;
    if address == 0 {
        return Err(Errno::ENOMEM);
    }
    // SAFETY: `length` readable bytes are mapped there, and are never unmapped.
    Ok(unsafe { core::slice::from_raw_parts(address as *const u8, length) })
}

/// Memory that was not there before and is gone when this is dropped.
pub struct Mapping {
    start: core::ptr::NonNull<u64>,
    words: usize,
}

impl Mapping {
    /// mmap(2) `MAP_ANONYMOUS`: so many words of zeros, of which an untouched page costs nothing.
    pub fn new(words: usize) -> Result<Mapping> {
        if words == 0 {
            return Ok(Mapping { start: core::ptr::NonNull::dangling(), words });
        }
        let length = words.checked_mul(size_of::<u64>()).ok_or(Errno::ENOMEM)?;
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: the kernel chooses the place, so no mapping of ours is replaced.
        let address = unsafe { syscall!(libc::SYS_mmap, 0, length, protection, flags, usize::MAX, 0) }?;
        let start = core::ptr::NonNull::new(address as *mut u64).ok_or(Errno::ENOMEM)?;
        let mut mapping = Mapping { start, words };
        forbid_huge_pages(mapping.words());
        Ok(mapping)
    }

    /// All of it.
    pub fn words(&mut self) -> &mut [u64] {
        // SAFETY: as many words are mapped there until the drop, page-aligned, and this is their one owner.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.words > 0 {
            // SAFETY: mapped by `new`, and nobody borrows it any more.
            let _ = unsafe { syscall!(libc::SYS_munmap, self.start.as_ptr(), self.words * size_of::<u64>()) };
        }
    }
}

/// madvise(2) `DONTNEED`: gives back the whole pages of `bytes`, which read as zeros from now on. Kernels that count a
/// process's pages lazily (before 6.2) bring VmHWM up to date when they take pages away.
pub fn release(bytes: &mut [u8]) {
    const PAGE: usize = 4096;
    let start = (bytes.as_mut_ptr() as usize).next_multiple_of(PAGE);
    let end = (bytes.as_mut_ptr() as usize + bytes.len()) & !(PAGE - 1);
    if start < end {
        // SAFETY: the pages lie inside `bytes`, which is exclusively borrowed, and zeros are valid bytes.
        let _ = unsafe { syscall!(libc::SYS_madvise, start, end - start, libc::MADV_DONTNEED) };
    }
}
