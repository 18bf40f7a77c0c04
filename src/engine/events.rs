//! Reports a container's statistics, and its OOM kills.

use super::stats::{self, Files};
use super::{EngineMemory, Lock, pause};
use crate::cgroup::Cgroup;
use crate::container::state::{Id, Root, Status};
use crate::sys::fd::Fd;
use crate::sys::signal::SignalSet;
use crate::sys::{Errno, fs, time};
use crate::watch::{Interest, Loop};
use crate::{Context, Error, Result};

/// An event of a container.
pub enum Event<'e, 'f> {
    /// The statistics are due, and can be read now.
    Stats(&'e mut Files<'f>),
    /// A process was killed for lack of memory.
    OutOfMemory,
}

/// Receives each event. An error ends the observation.
pub type Tell<'t> = &'t mut dyn FnMut(Event<'_, '_>) -> Result<()>;

/// Reports the statistics: once without an interval, else until the container has no process left.
pub fn observe(
    root: &Root,
    id: Id<'_>,
    interval_us: Option<u64>,
    memory: &mut EngineMemory,
    tell: Tell<'_>,
) -> Result<()> {
    super::with(root, id, Lock::No, memory, &mut |directory, state, buffer| {
        if directory.status(state) == Status::Stopped {
            return Err(Error::new(format_args!("container with id {id} is not running")));
        }
        let group = pause::group(directory, state)?;
        let mut files = Files { group: &group, buffer };
        match interval_us {
            None => tell(Event::Stats(&mut files)),
            Some(interval_us) => watch(&mut files, interval_us, tell),
        }
    })
}

/// Reports events until the container has no process left.
fn watch(files: &mut Files<'_>, interval_us: u64, tell: Tell<'_>) -> Result<()> {
    let watched = |group: &Cgroup, name| fs::open(group.directory(), name, fs::O_RDONLY, 0);
    let processes = watched(files.group, c"cgroup.events").doing("watch the container")?;
    // None if the memory controller is missing.
    let memory = watched(files.group, c"memory.events").ok();
    let mut events = Loop::new(SignalSet::NONE)?;
    for file in [Some(&processes), memory.as_ref()].into_iter().flatten() {
        events.add(file.by_ref(), Interest::CHANGE)?;
    }
    let mut killed =
        memory.as_ref().and_then(|memory| count(memory, b"oom_kill").ok()).unwrap_or(0);
    let mut next = time::monotonic_us() + interval_us;
    loop {
        // epoll compares with the last read, so the whole file is read each time.
        let now =
            memory.as_ref().and_then(|memory| count(memory, b"oom_kill").ok()).unwrap_or(killed);
        if now > killed {
            killed = now;
            tell(Event::OutOfMemory)?;
        }
        match count(&processes, b"populated") {
            // The cgroup is removed.
            Ok(0) | Err(Errno::ENODEV) => return Ok(()),
            answer => answer.doing("watch the container")?,
        };
        let left_us = next.saturating_sub(time::monotonic_us());
        if left_us == 0 {
            tell(Event::Stats(files))?;
            next = time::monotonic_us() + interval_us;
            continue;
        }
        // Whatever happened, both files are read again.
        events.wait(Some(left_us.div_ceil(1000)))?;
        while events.take()?.is_some() {}
    }
}

/// Returns a number of a file with a line for each.
fn count(file: &Fd, key: &[u8]) -> crate::sys::Result<u64> {
    let mut buffer = [0; 512];
    let length = fs::read_at(file.by_ref(), &mut buffer, 0)?;
    Ok(stats::number(&buffer[..length], key).unwrap_or(0))
}
