//! Lists the processes of a container.

use crate::container::ContainerMemory;
use crate::container::state::{Id, Root};
use crate::limits::PROCESS_STRINGS_MAX;
use crate::spec;
use crate::{Error, Result};

/// Returns the pids of the container's processes, in order.
pub fn processes<'m>(
    root: &Root,
    id: Id<'_>,
    memory: &'m mut ContainerMemory,
    config: &mut [u8],
) -> Result<&'m [usize]> {
    let directory = root.container(id)?;
    let state = directory.read(&mut memory.state)?;
    let (pids, mut count) = (&mut memory.pointers, 0);
    let mut is_full = false;
    let namespaces = match state.cgroup.is_empty() {
        true => directory.read_config(config).and_then(spec::read_namespaces),
        false => Ok(0),
    };
    state.each_process(namespaces.unwrap_or(0), &mut |pid| match pids.get_mut(count) {
        Some(place) => (*place, count) = (pid as usize, count + 1),
        None => is_full = true,
    })?;
    if is_full {
        return Err(Error::new(format_args!("more than {PROCESS_STRINGS_MAX} processes")));
    }
    let pids = &mut pids[..count];
    pids.sort_unstable();
    Ok(pids)
}
