//! Takes out of memory what a process must not have any more, because others may soon look into it.

use super::arch;
use core::ffi::{CStr, c_char};

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Overwrites the environment that this process was given: its variables are gone, in
/// /proc/PID/environ as well.
pub fn environment() {
    // SAFETY: the start code sets it to a NULL-terminated vector, and nothing changes that.
    let mut next = unsafe { environ };
    while !next.is_null() {
        // SAFETY: it points to a string's address, or to the null pointer behind the last one.
        let text = unsafe { *next };
        if text.is_null() {
            return;
        }
        // SAFETY: a NUL-terminated string of the kernel's, in memory of this process that may be
        // written.
        bytes(unsafe { CStr::from_ptr(text) }.to_bytes());
        // SAFETY: not behind the null pointer, which ended the loop.
        next = unsafe { next.add(1) };
    }
}

/// Overwrites these bytes with zeros. Nobody reads them from now on: this is for a process that has
/// no other use for them.
pub fn bytes(secret: &[u8]) {
    // SAFETY: the bytes are mapped and writable (a buffer of ours, or the kernel's strings), and
    // the caller is done with them.
    unsafe { arch::zero(secret.as_ptr(), secret.len()) }
}
