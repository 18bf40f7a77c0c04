//! # ocinit: a static init and OCI runtime without a heap
//!
//! One binary with three lives: PID 1 of a virtual machine or board, an OCI runtime, and a CI
//! sandbox.
//!
//! The layers, each using only what stands below it (`tests/tidy/` checks the edges):
//!
//! ```text
//!         main
//!        /    \
//!     init    cli              front doors: the only ones that print or choose an exit status
//!        \    /
//!        engine                use cases: one struct in, one result out; no words, no printing
//!        /    \
//!     bundle  export           puts image, rootfs and spec together; takes an image (image, rootfs) elsewhere
//!     /    |     \
//!  image  rootfs  spec <- cgroup <- container
//!     \    |     /                    |
//!        codec                      watch    the one event loop: init, cli and container wait by it
//!            \                     /
//!             io -> sys
//!    error  log  limits  sync        ground, used by all
//! ```
//!
//! Invariants:
//! 1. What the compiler cannot check stands in `sys/`, `sync.rs`, `memory.rs` and `main.rs` alone,
//!    each use with its reason.
//! 2. `codec` makes no system call; its tests need no kernel.
//! 3. Nothing recurses on input; depth and length are bounded before parsing.
//! 4. Every capacity has a name in `limits.rs`; reaching it is an error naming it, never a
//!    truncation.
//! 5. Names that come from an image are only ever resolved beneath a directory fd.
//! 6. Only front doors print an error or choose an exit status.
//! 7. Between clone and exec the child touches only its own stack and memory lent to it.
#![cfg_attr(not(test), no_std)]

#[cfg(test)]
#[path = "../tests/all/support/ground.rs"]
mod ground;
#[cfg(test)]
#[path = "../tests/all/support/pages.rs"]
mod pages;

pub mod bundle;
pub mod cgroup;
pub mod cli;
pub mod codec;
pub mod container;
pub mod engine;
pub mod error;
pub mod export;
pub mod image;
pub mod init;
pub mod io;
pub mod limits;
pub mod log;
pub mod memory;
pub mod rootfs;
pub mod spec;
pub mod sync;
pub mod sys;
pub mod watch;

pub use error::{Context, Error, Result};
