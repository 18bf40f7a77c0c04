//! Use cases: the work of a command or of PID 1 after its words are parsed. A use case takes one
//! struct and returns one result.
//!
//! This room parses no command line and prints nothing. While a use case goes on, it sends a
//! [`Notice`] to the caller.

mod archive_file;
pub mod bundle;
pub mod copy;
pub mod create;
pub mod delete;
pub mod events;
pub mod example;
pub mod exec;
pub mod features;
pub mod foreground;
mod image_bundle;
pub mod inspect;
pub mod kill;
mod limits_reached;
pub mod list;
pub mod list_files;
pub mod log_file;
pub mod machine;
mod notice;
pub mod notify;
pub mod pause;
pub mod processes;
pub mod resolve;
pub mod rootless;
pub mod run;
mod security;
pub mod service_manager;
mod staged;
pub mod start;
pub mod state_root;
pub mod stats;
pub mod unpack;
pub mod update;
pub mod verify;

pub use notice::{Notice, Notices};

use crate::container::ContainerMemory;
use crate::container::state::{Directory, Id, Root, State};
use crate::export::TargetMemory;
use crate::image::{ArchiveMemory, ImageMemory};
use crate::limits::{CONFIG_BYTES, PROCESS_BYTES, STRINGS_BYTES};
use crate::rootfs::UnpackMemory;
use crate::spec::SpecMemory;
use crate::sys::arena::Word;
use crate::sys::signal::{self, SignalSet};
use crate::{Context, Result};

/// The use cases' buffers.
pub struct EngineMemory {
    /// For an image's documents and the list of its layers.
    pub image: ImageMemory,
    /// For an archive's table of contents.
    pub archive: ArchiveMemory,
    /// For unpacking layers.
    pub unpack: UnpackMemory,
    /// For copying an image.
    pub export: TargetMemory,
    /// One container's arguments, environment and names.
    pub strings: [u8; STRINGS_BYTES],
    /// Its lists: mounts, devices, hooks, rules.
    pub lists: [Word; SpecMemory::LISTS],
    /// A container's config.json.
    pub config: [u8; CONFIG_BYTES],
    /// The process file of exec.
    pub process: [u8; PROCESS_BYTES],
    /// For starting a container.
    pub container: ContainerMemory,
}

impl EngineMemory {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: EngineMemory = EngineMemory {
        image: ImageMemory::EMPTY,
        archive: ArchiveMemory::EMPTY,
        unpack: UnpackMemory::EMPTY,
        export: TargetMemory::EMPTY,
        strings: [0; STRINGS_BYTES],
        lists: [Word::uninit(); SpecMemory::LISTS],
        config: [0; CONFIG_BYTES],
        process: [0; PROCESS_BYTES],
        container: ContainerMemory::EMPTY,
    };
}

/// Gets a container's state, and a buffer for texts.
pub type Work<'w> = &'w mut dyn FnMut(&Directory<'_>, &State<'_>, &mut [u8]) -> Result<()>;

/// The caller's relation to a process in the foreground.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Attach {
    /// The caller attends it to its end.
    Yes,
    /// The caller leaves it running.
    No,
}

/// The lock on a container during a use case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Other commands cannot change it.
    Yes,
    /// Other commands may change it.
    No,
}

/// Calls `work` with the container's state and a buffer for a document or other texts.
#[inline(never)]
pub fn with(
    root: &Root,
    id: Id<'_>,
    lock: Lock,
    memory: &mut EngineMemory,
    work: Work<'_>,
) -> Result<()> {
    let mut directory = root.container(id)?;
    if lock == Lock::Yes {
        directory.lock()?;
    }
    let state = directory.read(&mut memory.container.state)?;
    work(&directory, &state, &mut memory.strings)
}

/// Blocks all signals. Called before a process is made, so that a signal is neither lost nor ends
/// us.
fn hold_signals() -> Result<()> {
    signal::set_mask(SignalSet::ALL).doing("block signals")
}
