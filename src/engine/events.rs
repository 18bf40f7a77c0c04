//! Observes what a container uses, and when it had too little memory.

use super::stats::{self, Files};
use super::{EngineMemory, Lock, pause};
use crate::cgroup::Cgroup;
use crate::container::state::{Id, Root, Status};
use crate::sys::fd::Fd;
use crate::sys::{Errno, event, fs, time};
use crate::{Context, Error, Result};

/// Something that happened, or was due.
pub enum Event<'e, 'f> {
    /// What the container uses can be read now.
    Stats(&'e mut Files<'f>),
    /// A process was killed for want of memory.
    OutOfMemory,
}

/// Is told of each event; an error ends the observation.
pub type Tell<'t> = &'t mut dyn FnMut(Event<'_, '_>) -> Result<()>;

/// Tells what the container uses: once if there is no interval, else until it has no process any
/// more.
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

/// Tells of a container until it has no process any more.
fn watch(files: &mut Files<'_>, interval_us: u64, tell: Tell<'_>) -> Result<()> {
    let watched = |group: &Cgroup, name| fs::open(group.directory(), name, fs::O_RDONLY, 0);
    let processes = watched(files.group, c"cgroup.events").doing("watch the container")?;
    // Not where there is no such controller.
    let memory = watched(files.group, c"memory.events").ok();
    let set = event::new_set().doing("watch the container")?;
    for file in [Some(&processes), memory.as_ref()].into_iter().flatten() {
        event::add(&set, file.by_ref(), libc::EPOLLPRI, 0).doing("watch the container")?;
    }
    let mut killed =
        memory.as_ref().and_then(|memory| count(memory, b"oom_kill").ok()).unwrap_or(0);
    let mut next = time::monotonic_us() + interval_us;
    loop {
        // Told of changes after what was read last: all of it is read each time.
        let now =
            memory.as_ref().and_then(|memory| count(memory, b"oom_kill").ok()).unwrap_or(killed);
        if now > killed {
            killed = now;
            tell(Event::OutOfMemory)?;
        }
        match count(&processes, b"populated") {
            // The group is gone.
            Ok(0) | Err(Errno::ENODEV) => return Ok(()),
            answer => answer.doing("watch the container")?,
        };
        let left_us = next.saturating_sub(time::monotonic_us());
        if left_us == 0 {
            tell(Event::Stats(files))?;
            next = time::monotonic_us() + interval_us;
            continue;
        }
        let timeout_ms = left_us.div_ceil(1000).min(1 << 30) as i32;
        event::wait(&set, &mut [event::Event::default()], timeout_ms)
            .doing("watch the container")?;
    }
}

/// A number of a file that has a line for each.
fn count(file: &Fd, key: &[u8]) -> crate::sys::Result<u64> {
    let mut buffer = [0; 512];
    let length = fs::read_at(file.by_ref(), &mut buffer, 0)?;
    Ok(stats::number(&buffer[..length], key).unwrap_or(0))
}
