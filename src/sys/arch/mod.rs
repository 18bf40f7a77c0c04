//! All that depends on the processor: how a system call is made, how the program and its threads
//! start, layouts and numbers. Another processor is a file beside `x86_64.rs` with the same names;
//! ARCHITECTURE.md lists all parts of a port.
//!
//! `unsafe` is here because this is assembly.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

#[cfg(miri)]
mod miri;
#[cfg(miri)]
pub use miri::{syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6};
