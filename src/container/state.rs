//! The state of containers between two commands: a directory for each beneath one root.
//!
//! ```text
//! ROOT/ID/state.json    the container's state; replaced, never changed
//!         config.json   its config, checked; later edits of the bundle's have no effect
//!         start.sock    a created container listens here for its start
//! ```
//!
//! The directory is made first and removed last. A command that changes something holds the lock on
//! it. One that only reads does not, and may see a container that is being made or removed.

mod directory;
mod id;
mod processes;
mod record;
mod root;
mod status;

pub use directory::Directory;
pub use id::Id;
pub use record::{Made, Rfc3339, State, StateMemory};
pub use root::{Missing, Root};
pub use status::{Process, Status};

/// Reading and writing a state, for the fuzzer.
#[cfg(fuzzing)]
pub mod fuzz {
    use super::{Id, State};
    use crate::Result;
    use crate::codec::json::Value;
    use crate::io::output::Sink;

    /// Reads the state in a checked document.
    pub fn read<'s>(id: Id<'_>, document: &Value<'_>, memory: &'s mut [u8]) -> Result<State<'s>> {
        State::read(id, document, memory)
    }

    /// Writes a state to `output`.
    pub fn write(state: &State<'_>, id: Id<'_>, output: &mut dyn Sink) -> Result<()> {
        state.write(id, output)
    }
}

#[cfg(test)]
mod tests;
