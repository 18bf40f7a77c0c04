//! Lists containers.

use super::{Notice, Notices};
use crate::Result;
use crate::container::state::{Directory, Id, Root, State, StateMemory};
use crate::sys::Errno;

/// Calls `see` with each container. One that cannot be read is a notice; one that disappears
/// meanwhile is left out.
pub fn each(
    root: &Root,
    space: &mut StateMemory,
    notices: Notices<'_>,
    see: &mut dyn FnMut(&Directory<'_>, &State<'_>) -> Result<()>,
) -> Result<()> {
    root.each(&mut |id: Id<'_>| {
        let directory = root.container(id);
        let read = match &directory {
            Ok(directory) => directory.read(space).map(|state| (directory, state)),
            Err(error) => Err(error.clone()),
        };
        match read {
            Ok((directory, state)) => see(directory, &state),
            Err(error) if error.errno() == Errno::ENOENT => Ok(()),
            Err(error) => {
                notices(&Notice::Failed(&error));
                Ok(())
            }
        }
    })
}
