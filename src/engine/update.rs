//! Changes the limits of a running container.

use super::{EngineMemory, Lock, pause};
use crate::codec::json::{self, Value};
use crate::container::state::{Id, Root, Status};
use crate::limits::DOCUMENT_BYTES;
use crate::spec::schema;
use crate::{Error, Result};

/// Reads the new limits, a document like `linux.resources`, into a buffer. Called once, after the
/// container was found.
pub type ReadLimits<'r> = &'r dyn for<'b> Fn(&'b mut [u8]) -> Result<&'b mut [u8]>;

/// Sets the limits that `read` returns. All others stay as they are.
pub fn update(
    root: &Root,
    id: Id<'_>,
    read: ReadLimits<'_>,
    memory: &mut EngineMemory,
) -> Result<()> {
    super::with(root, id, Lock::Yes, memory, &mut |directory, state, buffer| {
        if matches!(directory.status(state), Status::Stopped | Status::Creating) {
            return Err(Error::new(format_args!("container not running: {}", directory.id())));
        }
        let resources: Value<'_> = json::check(read(&mut buffer[..DOCUMENT_BYTES])?)?;
        schema::check(&resources, schema::RESOURCES)?;
        pause::group(directory, state)?.update(&resources, state.rootless)
    })
}
