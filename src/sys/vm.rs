//! This process's address space.

use super::fd::FdRef;
use super::syscall::syscall;
use super::{Errno, Result};
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

/// The number of mprotect(2), only for the start code (main.rs).
pub const MPROTECT: i64 = libc::SYS_mprotect;

/// madvise(2) `NOHUGEPAGE`: the first touch of a page costs 4 KiB and not 2 MiB, whatever the
/// kernel's default is. Ignores EINVAL, which kernels without huge pages return.
pub fn forbid_huge_pages<T: ?Sized>(value: &mut T) {
    const PAGE: usize = 4096;
    let start = (&raw mut *value).cast::<u8>() as usize & !(PAGE - 1);
    let end = (&raw mut *value).cast::<u8>() as usize + size_of_val(value);
    // SAFETY: the advice changes how pages are backed, never their content.
    let _ = unsafe { syscall!(libc::SYS_madvise, start, end - start, libc::MADV_NOHUGEPAGE) };
}

/// Reads a whole file of `length` bytes into its own pages, which stay for the life of the process.
/// Returns the file's bytes.
pub fn read_file(file: FdRef<'_>, length: usize) -> Result<&'static [u8]> {
    if length == 0 {
        return Ok(&[]);
    }
    let mut bytes = MappedVec::<u8>::zeroed(length)?;
    let mut filled = 0;
    while filled < length {
        match super::fs::read(file, &mut bytes[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes.leak())
}

/// An anonymous mapping, unmapped on drop.
pub struct Mapping {
    start: core::ptr::NonNull<u64>,
    words: usize,
}

impl Mapping {
    /// mmap(2) `MAP_ANONYMOUS` of `words` zero words. Untouched pages cost nothing.
    pub fn new(words: usize) -> Result<Mapping> {
        if words == 0 {
            return Ok(Mapping { start: core::ptr::NonNull::dangling(), words });
        }
        let length = words.checked_mul(size_of::<u64>()).ok_or(Errno::ENOMEM)?;
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: the kernel chooses the address, so none of our mappings is replaced.
        let address =
            unsafe { syscall!(libc::SYS_mmap, 0, length, protection, flags, usize::MAX, 0) }?;
        let start = core::ptr::NonNull::new(address as *mut u64).ok_or(Errno::ENOMEM)?;
        let mut mapping = Mapping { start, words };
        forbid_huge_pages(mapping.words());
        Ok(mapping)
    }

    /// Returns all words.
    pub fn words(&mut self) -> &mut [u64] {
        // SAFETY: that many words are mapped there until the drop, page-aligned, with this one
        // owner.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.words > 0 {
            // SAFETY: mapped by `new`, and no longer borrowed.
            let _ = unsafe {
                syscall!(libc::SYS_munmap, self.start.as_ptr(), self.words * size_of::<u64>())
            };
        }
    }
}

/// Words that this process shares with its children, 0 at first. Every process that has them may
/// write at any time.
pub struct Shared(core::ptr::NonNull<AtomicU32>);

impl Shared {
    /// Number of words.
    pub const WORDS: usize = 2048;
    /// Size in bytes.
    pub const BYTES: usize = Shared::WORDS * size_of::<u32>();

    /// mmap(2) `MAP_SHARED | MAP_ANONYMOUS`.
    pub fn new() -> Result<Shared> {
        Shared::map(libc::MAP_ANONYMOUS, -1)
    }

    /// Maps an anonymous file of [`Shared::BYTES`].
    pub fn of_file(file: FdRef<'_>) -> Result<Shared> {
        Shared::map(0, file.raw())
    }

    fn map(flags: i32, file: i32) -> Result<Shared> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | flags);
        // SAFETY: the kernel chooses the address, so none of our mappings is replaced.
        let address =
            unsafe { syscall!(libc::SYS_mmap, 0, Shared::BYTES, protection, flags, file, 0) }?;
        core::ptr::NonNull::new(address as *mut AtomicU32).map(Shared).ok_or(Errno::ENOMEM)
    }

    /// Returns all words.
    pub fn words(&self) -> &[AtomicU32] {
        // SAFETY: WORDS are mapped there until the drop, page-aligned; atomics may change at any
        // time.
        unsafe { core::slice::from_raw_parts(self.0.as_ptr(), Shared::WORDS) }
    }

    /// madvise(2) `DONTFORK`: later children of this process do not have it.
    pub fn keep_from_children(&self) -> Result<()> {
        // SAFETY: the advice is about children's address spaces, in which nothing uses it.
        unsafe { syscall!(libc::SYS_madvise, self.0.as_ptr(), Shared::BYTES, libc::MADV_DONTFORK) }
            .map(drop)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`, and not borrowed any more.
        let _ = unsafe { syscall!(libc::SYS_munmap, self.0.as_ptr(), Shared::BYTES) };
    }
}

/// madvise(2) `DONTNEED`: releases the whole pages of `bytes`, which then read as zeros. Kernels
/// that count pages lazily (before 6.2) update VmHWM when pages are released.
pub fn release(bytes: &mut [u8]) {
    const PAGE: usize = 4096;
    let start = (bytes.as_mut_ptr() as usize).next_multiple_of(PAGE);
    let end = (bytes.as_mut_ptr() as usize + bytes.len()) & !(PAGE - 1);
    if start < end {
        // SAFETY: the pages lie inside `bytes`, which is exclusively borrowed, and zeros are valid
        // bytes.
        let _ = unsafe { syscall!(libc::SYS_madvise, start, end - start, libc::MADV_DONTNEED) };
    }
}

unsafe extern "C" {
    /// The linker's names for the program's first byte and for the end of its code.
    static __executable_start: u8;
    static etext: u8;
}

/// madvise(2) `DONTNEED` of the program's code and constants. Needed pages are read from the file
/// again; those of a finished phase take no memory.
pub fn release_code() {
    const PAGE: usize = 4096;
    let start = (&raw const __executable_start).addr() & !(PAGE - 1);
    let end = (&raw const etext).addr() & !(PAGE - 1);
    // SAFETY: these pages are never written, so the file has the same bytes.
    let _ = unsafe { syscall!(libc::SYS_madvise, start, end - start, libc::MADV_DONTNEED) };
}

/// A growing list in its own mapping, which needs pages only for its items.
///
/// It may move when it grows, because no reference outlives a `&mut`. It unmaps its pages on drop.
pub struct MappedVec<T> {
    /// Dangling while there is no mapping.
    address: NonNull<T>,
    /// Number of items that fit the mapping.
    room: usize,
    length: usize,
    limit: usize,
}

// SAFETY: it owns its mapping, as a `Vec` its heap; a mapping belongs to the whole process.
unsafe impl<T: Send> Send for MappedVec<T> {}

/// A smaller mapping gets no huge page, which would be touched as a whole.
const HUGE_PAGE_BYTES: usize = 2 << 20;
/// Bytes of a list's first mapping.
const FIRST_BYTES: usize = 64 << 10;

impl<T> MappedVec<T> {
    /// Returns an empty list of at most `limit` items.
    pub const fn new(limit: usize) -> MappedVec<T> {
        MappedVec { address: NonNull::dangling(), room: 0, length: 0, limit }
    }

    /// Returns the largest number of items.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Appends an item. ENOSPC at the limit, ENOMEM if the kernel has no memory.
    pub fn push(&mut self, item: T) -> Result<()> {
        if self.length == self.room {
            self.grow(self.length + 1)?;
        }
        // SAFETY: one more fits after the last, aligned like a page.
        unsafe { self.address.add(self.length).write(item) };
        self.length += 1;
        Ok(())
    }

    /// Drops all items after the first `length`.
    pub fn truncate(&mut self, length: usize) {
        while self.length > length {
            self.length -= 1;
            // SAFETY: this item was written, and is no longer counted, so it is dropped once.
            unsafe { self.address.add(self.length).drop_in_place() };
        }
    }

    #[cold]
    fn grow(&mut self, least: usize) -> Result<()> {
        if least > self.limit {
            return Err(Errno::ENOSPC);
        }
        let size = size_of::<T>();
        let room = (FIRST_BYTES / size).max(2 * self.room).max(least).min(self.limit);
        let address = remap(self.address.as_ptr() as usize, self.room * size, room * size)?;
        self.address = NonNull::new(address as *mut T).ok_or(Errno::ENOMEM)?;
        self.room = room;
        Ok(())
    }
}

/// Maps, or grows with mremap(2), an anonymous region without live references. Returns its address.
#[inline(never)]
fn remap(address: usize, former: usize, bytes: usize) -> Result<usize> {
    let address = if former > 0 {
        // SAFETY: the whole mapping belongs to the one list that calls, which is exclusively
        // borrowed.
        unsafe { syscall!(libc::SYS_mremap, address, former, bytes, libc::MREMAP_MAYMOVE) }
    } else {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: the kernel chooses the address, so none of our mappings is replaced.
        unsafe { syscall!(libc::SYS_mmap, 0, bytes, protection, flags, -1i32, 0) }
    }?;
    if bytes >= HUGE_PAGE_BYTES {
        // SAFETY: advice for the mapping that was just made or grown.
        let _ = unsafe { syscall!(libc::SYS_madvise, address, bytes, libc::MADV_NOHUGEPAGE) };
    }
    Ok(address)
}

impl<T: Copy> MappedVec<T> {
    /// Appends items.
    pub fn extend(&mut self, items: &[T]) -> Result<()> {
        items.iter().try_for_each(|item| self.push(*item))
    }
}

impl MappedVec<u32> {
    /// Returns `length` zeros, without pages until they are written.
    pub fn zeros(length: usize) -> Result<MappedVec<u32>> {
        let mut list = MappedVec::new(length);
        list.grow(length)?;
        // Fresh pages are zeros, which are valid numbers.
        list.length = length;
        Ok(list)
    }
}

impl MappedVec<u8> {
    /// Returns `length` zeros, as [`MappedVec::zeros`].
    pub fn zeroed(length: usize) -> Result<MappedVec<u8>> {
        let mut list = MappedVec::new(length);
        list.grow(length)?;
        list.length = length;
        Ok(list)
    }

    /// Returns the bytes, whose mapping stays for the life of the process.
    fn leak(self) -> &'static [u8] {
        let list = core::mem::ManuallyDrop::new(self);
        match list.length {
            0 => &[],
            // SAFETY: that many bytes are mapped there, and are never unmapped or changed again.
            length => unsafe { core::slice::from_raw_parts(list.address.as_ptr(), length) },
        }
    }
}

impl<T> core::ops::Deref for MappedVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self.length {
            0 => &[],
            // SAFETY: that many items were written, or are the zeros of fresh pages; they live as
            // long as `self`.
            length => unsafe { core::slice::from_raw_parts(self.address.as_ptr(), length) },
        }
    }
}

impl<T> core::ops::DerefMut for MappedVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self.length {
            0 => &mut [],
            // SAFETY: as above, and `self` is exclusively borrowed.
            length => unsafe { core::slice::from_raw_parts_mut(self.address.as_ptr(), length) },
        }
    }
}

impl<T> Drop for MappedVec<T> {
    fn drop(&mut self) {
        self.truncate(0);
        if self.room > 0 {
            // SAFETY: the mapping is ours, and no reference into it is left.
            let _ = unsafe {
                syscall!(libc::SYS_munmap, self.address.as_ptr(), self.room * size_of::<T>())
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_and_an_empty_one_is_no_error() {
        let path = std::env::temp_dir().join(format!("ocinit-vm-{}", std::process::id()));
        let open = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
            super::super::fs::open(super::super::fd::CWD, &path, 0, 0).unwrap()
        };
        let (empty, short) = (open(b""), open(b"some words"));
        assert_eq!(read_file(empty.by_ref(), 0).unwrap(), b"");
        assert_eq!(read_file(short.by_ref(), 10).unwrap(), b"some words");
        // The file has become shorter since its stat(2).
        assert_eq!(read_file(open(b"some").by_ref(), 10).unwrap(), b"some");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_list_grows_to_its_limit() {
        let mut list = MappedVec::new(100_000);
        assert!(list.is_empty());
        for n in 0..100_000u64 {
            list.push(n * n).unwrap();
        }
        assert_eq!(list.push(0), Err(Errno::ENOSPC));
        assert!(list.iter().enumerate().all(|(n, value)| *value == (n * n) as u64));
        list[7] = 1;
        list.truncate(8);
        assert_eq!((list.len(), list.last()), (8, Some(&1)));
        list.extend(&[2, 3]).unwrap();
        assert_eq!(list[7..], [1, 2, 3]);
    }

    #[test]
    fn items_are_dropped_once() {
        let item = std::rc::Rc::new(());
        let mut list = MappedVec::new(10_000);
        for _ in 0..10_000 {
            list.push(item.clone()).unwrap();
        }
        assert_eq!(
            (list.push(item.clone()), std::rc::Rc::strong_count(&item)),
            (Err(Errno::ENOSPC), 10_001)
        );
        list.truncate(7);
        assert_eq!((list.len(), std::rc::Rc::strong_count(&item)), (7, 8));
        drop(list);
        assert_eq!(std::rc::Rc::strong_count(&item), 1);
    }

    #[test]
    fn zeros_are_there_at_once() {
        let mut list = MappedVec::zeros(1 << 20).unwrap();
        list[1 << 19] = 7;
        assert_eq!((list.len(), list.iter().sum::<u32>()), (1 << 20, 7));
        assert_eq!(MappedVec::<[u64; 3]>::new(1).len(), 0);
    }
}
