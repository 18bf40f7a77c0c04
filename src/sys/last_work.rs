//! A process's last work: it may close fds of other owners, and overwrite secrets in its memory.
//!
//! An [`Fd`](super::fd::Fd) closes its number on drop. If the number was closed before, it may be
//! reused for another file. Here that cannot happen: [`run`] never returns and nothing unwinds, so
//! nothing outside of the work is used or dropped.

use super::fd::{self, FdRef};
use super::{Result, arch};
use core::ffi::{CStr, c_char};

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Proves that this process does its last work.
#[derive(Clone, Copy)]
pub struct LastWork(());

/// Does `work`, which ends the process. It owns no fd at its beginning: `with` is `Copy`.
pub fn run<T: Copy>(work: fn(T, LastWork) -> !, with: T) -> ! {
    work(with, LastWork(()))
}

impl LastWork {
    /// Closes every fd from `first` up except for `kept`. A later use of one of the others gives
    /// EBADF or another file.
    pub fn close_others(self, first: u32, kept: &[Option<FdRef<'_>>]) -> Result<()> {
        let mut start = first;
        loop {
            let numbers = kept.iter().flatten().map(|one| one.raw() as u32);
            let Some(next) = numbers.filter(|number| *number >= start).min() else {
                // SAFETY: the owners are outside of the last work.
                return unsafe { fd::close_range(start, u32::MAX) };
            };
            if start < next {
                // SAFETY: as above.
                unsafe { fd::close_range(start, next - 1) }?;
            }
            start = next + 1;
        }
    }

    /// Overwrites the environment of this process, in /proc/PID/environ as well.
    pub fn erase_environment(self) {
        // SAFETY: the start code sets it to a NULL-terminated vector, and it never changes.
        let mut next = unsafe { environ };
        while !next.is_null() {
            // SAFETY: it points to a string's address, or to the null pointer after the last one.
            let text = unsafe { *next };
            if text.is_null() {
                return;
            }
            // SAFETY: a NUL-terminated string of the kernel's.
            self.erase(unsafe { CStr::from_ptr(text) }.to_bytes());
            // SAFETY: not after the null pointer, which ended the loop.
            next = unsafe { next.add(1) };
        }
    }

    /// Overwrites these bytes with zeros.
    pub fn erase(self, secret: &[u8]) {
        // SAFETY: the bytes are mapped and writable (a buffer of ours, or the kernel's strings),
        // and their other references are outside of the last work.
        unsafe { arch::zero(secret.as_ptr(), secret.len()) }
    }
}
