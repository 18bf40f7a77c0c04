//! # ocinit: a static init and OCI runtime without a heap
//!
//! One binary with three lives. Each begins at a front door, which calls use cases ([`engine`]):
//!
//! - PID 1 of a virtual machine or board: [`init::main`], whose phases [`init`] lists. It calls
//!   [`engine::unpack::make_rootfs`] and [`engine::machine::run`].
//! - An OCI runtime with runc's command line: [`cli::main`], then [`engine::create::create`],
//!   [`engine::start::start`], [`engine::exec::exec`], [`engine::delete::delete`].
//! - Image tools and a CI sandbox: [`cli::main`], then [`engine::unpack::unpack`],
//!   [`engine::copy::copy`], [`engine::verify::verify`], [`engine::run::run`].
//!
//! Below the use cases are the rooms:
//!
//! - An image: [`image::open`] finds it, [`rootfs::apply`] unpacks a layer, and
//!   [`bundle::spec_from_image`] turns its configuration into a [`spec::Spec`].
//! - A config.json: [`spec::read()`] turns it into a [`spec::Spec`].
//! - A container: [`container::plan`] decides, [`container::create::create`] makes it, and
//!   [`container::launch::launch`] starts its process in a [`cgroup::Cgroup`].
//! - All waiting: [`watch::Loop`]. All system calls: [`sys`].
//!
//! ARCHITECTURE.md has the drawing of the rooms, the invariants, and where to change what.
#![allow(rustdoc::private_intra_doc_links)] // The documentation is built with private items.
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
pub mod registry;
pub mod rootfs;
pub mod spec;
pub mod sync;
pub mod sys;
pub mod watch;

pub use error::{Context, Error, Result};
