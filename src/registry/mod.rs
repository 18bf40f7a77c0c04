//! Images in registries: a client of the transport helper `ocinit-registry`, which speaks TLS and
//! HTTP (`docs/registries.md`, `codec::transport`).
//!
//! The helper is a process of its own without rights. Its bytes are read as a disk's are: the
//! reader of a blob verifies it. Its words are bounded, and a stop signal ends every wait for them.

mod channel;
mod client;
mod documents;
mod helper;
mod settings;

pub use client::{Client, Named, Remote, Sort};
pub use settings::{MIRRORS_MAX, Settings};
