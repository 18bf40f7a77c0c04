//! Every system call, each behind one small safe function that returns `Result<_, Errno>`.
//!
//! `unsafe` is in this folder because here the program calls the kernel; each use gives its reason.
//! System calls use the `syscall` instruction and not libc's wrappers. Threads here share one TLS
//! block, so no code may write `errno`. Multiplexed system calls are split by intent. Every fd is
//! close-on-exec from the start. No function decides or prints. None retries but for `EINTR`, if
//! the system call cannot have had an effect yet.

pub mod arch;
pub mod arena;
pub mod attributes;
pub mod bpf;
mod capabilities;
pub mod clone;
pub mod death;
pub mod errno;
pub mod event;
pub mod fd;
pub mod fs;
pub mod last_work;
pub mod marked;
mod memory_file;
pub mod mount;
pub mod net;
pub mod process;
pub mod ring;
pub mod seccomp;
pub mod signal;
pub mod socket;
mod stat;
pub mod syscall;
pub mod system;
pub mod thread;
pub mod time;
pub mod trace;
pub mod tty;
pub mod vm;
pub mod xattr;
#[cfg(feature = "zstd")]
pub mod zstd;

pub use errno::Errno;

/// The result of one system call.
pub type Result<T> = core::result::Result<T, Errno>;

// musl is linked into the library, once; in main.rs it would come too early on the link line.
#[cfg(all(not(test), target_env = "musl"))]
#[link(name = "c", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {}
