//! The processes of a group and of the groups in it: listed, frozen, signalled, killed, gone.

use super::target::is_threaded;
use super::walk::{Step, is_gone, walk};
use super::{Cgroup, FILE_BYTES};
use crate::error::{Context, Error, Result};
use crate::io::kernel_file::write_file;
use crate::io::lossy::{LossyC, On};
use crate::io::text::decimal;
use crate::limits::{CGROUP_NAMES_BYTES, CGROUP_WALK_MS};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::process::{self, kill};
use crate::sys::signal::SIGKILL;
use crate::sys::{self, Errno, event, fs, time};
use core::ffi::CStr;

/// How long a killed group may take to become empty, and one to freeze, in milliseconds. Processes
/// in the middle of a long write do either late.
const PATIENCE_MS: u64 = 10_000;
const EVENTS: &CStr = c"cgroup.events";

impl Cgroup {
    /// Shows each process by its pid, as we see it, those of groups in the group too.
    pub fn each_process(&self, see: &mut dyn FnMut(i32)) -> Result<()> {
        // A threaded cgroup lists threads. Those of a cgroup further down are left out: the first
        // cgroup above them that is not threaded lists their processes.
        let file = match is_threaded(self.directory()) {
            true => c"cgroup.threads",
            false => c"cgroup.procs",
        };
        let mut each = |step: Step<'_>| match step {
            Step::Inside(group) => each_of(group, file, see).map(|()| true),
            _ => Ok(true),
        };
        match walk(self.directory(), deadline(CGROUP_WALK_MS), &mut each) {
            Err(Errno::ENOSPC) => Err(Error::new(format_args!(
                "the names of cgroups in {} take more than {CGROUP_NAMES_BYTES} bytes (CGROUP_NAMES_BYTES)",
                LossyC(self.path())
            ))),
            answer => answer.on("list the processes of", self.path()),
        }
    }

    /// Whether it is frozen.
    pub fn is_frozen(&self) -> bool {
        matches!(self.read(c"cgroup.freeze", &mut [0; 4]), Ok([b'1', ..]))
    }

    /// Returns whether all of its processes are frozen, perhaps by a cgroup above it.
    pub fn stands_still(&self) -> bool {
        let events = fs::open(self.directory(), EVENTS, fs::O_RDONLY, 0);
        events.and_then(|events| has_line(&events, b"frozen 1")).unwrap_or(false)
    }

    /// Freezes it, and waits until all of its processes are frozen. Or thaws it without waiting: a
    /// frozen cgroup above it may keep them frozen.
    pub fn freeze(&self, on: bool) -> Result<()> {
        if !on {
            return self.set_frozen(false).on("thaw", self.path());
        }
        self.set_frozen(true).and_then(|()| self.wait_for(b"frozen 1")).or_else(|errno| {
            // A cgroup that cannot be paused runs on.
            let _ = self.set_frozen(false);
            Err(errno).on("freeze", self.path())
        })
    }

    fn set_frozen(&self, on: bool) -> sys::Result<()> {
        write_file(self.directory(), c"cgroup.freeze", format_args!("{}", u8::from(on)))
    }

    /// Sends a signal to all processes; none of them misses it by making another one meanwhile.
    pub fn signal(&self, signal: i32) -> Result<()> {
        if signal == SIGKILL {
            return self.kill_all().on("kill", self.path());
        }
        let holds = !self.is_frozen() && self.freeze(true).is_ok();
        let mut answer = Ok(());
        let listed = self.each_process(&mut |pid| match kill(pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => answer = Err(errno),
        });
        if holds {
            self.set_frozen(false).on("thaw", self.path())?;
        }
        listed.and_then(|()| answer.doing("send the signal"))
    }

    /// Kills all processes, frozen ones too; returns before they are gone.
    pub fn kill_all(&self) -> sys::Result<()> {
        match write_file(self.directory(), c"cgroup.kill", format_args!("1")) {
            // Before Linux 5.14, and in a threaded group.
            Err(Errno::ENOENT | Errno::EOPNOTSUPP) => self.kill_each(),
            killed => killed,
        }
    }

    /// Kills one after the other; they stand still meanwhile, where the kernel can do that.
    fn kill_each(&self) -> sys::Result<()> {
        let _ = self.set_frozen(true);
        let _ = self.each_process(&mut |pid| {
            let _ = kill(pid, SIGKILL);
        });
        match self.set_frozen(false) {
            Err(Errno::ENOENT) => Ok(()),
            thawed => thawed,
        }
    }

    /// Kills what is left in it and removes it with all groups in it.
    pub fn remove(self) -> Result<()> {
        self.empty().on("remove cgroup", self.path())
    }

    pub(super) fn empty(&self) -> sys::Result<()> {
        // One that is empty already goes at once.
        if is_removed(CWD, self.path())? {
            return Ok(());
        }
        self.kill_all()?;
        self.wait_for(b"populated 0")?;
        // The last process leaves a moment before its group can be removed.
        let mut last_progress = time::monotonic_us();
        loop {
            let mut progress = false;
            walk(self.directory(), u64::MAX, &mut |step| match step {
                // Most cgroups have no cgroups in them and need no visit.
                Step::Found(parent, name) | Step::Left(parent, name) => {
                    let gone = is_removed(parent, name)?;
                    progress |= gone;
                    Ok(!gone)
                }
                Step::Inside(_) => Ok(true),
            })?;
            if is_removed(CWD, self.path())? {
                return Ok(());
            }
            if progress {
                last_progress = time::monotonic_us();
            } else if time::monotonic_us() > last_progress + PATIENCE_MS * 1000 {
                return Err(Errno::EBUSY);
            }
            event::wait_ms(2)?;
        }
    }

    /// Waits until cgroup.events has this line; a group that is gone has it, too.
    fn wait_for(&self, line: &[u8]) -> sys::Result<()> {
        let events = match fs::open(self.directory(), EVENTS, fs::O_RDONLY, 0) {
            Err(Errno::ENOENT | Errno::ENODEV) => return Ok(()),
            events => events?,
        };
        let deadline = time::monotonic_us() + PATIENCE_MS * 1000;
        loop {
            // Told when it changes; read first, so that a change in between is not missed.
            if has_line(&events, line)? {
                return Ok(());
            }
            let left_ms = deadline.saturating_sub(time::monotonic_us()) / 1000;
            if left_ms == 0 {
                return Err(Errno::EBUSY);
            }
            event::poll_one(events.by_ref(), libc::POLLPRI, left_ms as i32)?;
        }
    }
}

/// Removes a cgroup. Returns false if it has processes or cgroups in it; true if it is gone
/// already.
fn is_removed(parent: FdRef<'_>, name: &CStr) -> sys::Result<bool> {
    match fs::rmdir(parent, name) {
        Ok(()) => Ok(true),
        Err(errno) if is_gone(errno) => Ok(true),
        Err(Errno::EBUSY | Errno::ENOTEMPTY) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Returns the time in so many milliseconds, as [`time::monotonic_us`] counts.
fn deadline(milliseconds: u64) -> u64 {
    time::monotonic_us() + milliseconds * 1000
}

fn has_line(events: &Fd, line: &[u8]) -> sys::Result<bool> {
    let mut content = [0; FILE_BYTES];
    match fs::read_at(events.by_ref(), &mut content, 0) {
        Err(Errno::ENODEV) => Ok(true),
        length => Ok(content[..length?].split(|byte| *byte == b'\n').any(|one| one == line)),
    }
}

/// Calls `see` with each process that the file `name` of the cgroup lists.
fn each_of(group: FdRef<'_>, name: &CStr, see: &mut dyn FnMut(i32)) -> sys::Result<()> {
    let threads = name == c"cgroup.threads";
    let file = match fs::open(group, name, fs::O_RDONLY, 0) {
        Err(errno) if is_gone(errno) => return Ok(()),
        file => file?,
    };
    let (mut buffer, mut kept) = ([0; FILE_BYTES], 0);
    loop {
        let length = match fs::read(file.by_ref(), &mut buffer[kept..]) {
            // Removed meanwhile; or threaded: a cgroup further up lists its processes.
            Err(Errno::ENODEV | Errno::EOPNOTSUPP) => return Ok(()),
            length => length?,
        };
        if length == 0 {
            return Ok(());
        }
        let end = kept + length;
        let whole = buffer[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in buffer[..whole].split(|byte| *byte == b'\n') {
            match decimal(line) {
                // 0 is one that our pid namespace does not have.
                None | Some(0) => {}
                // pidfd_open(2) fails for threads other than the first.
                Some(pid) if threads && process::open_pidfd(pid as i32).is_err() => {}
                Some(pid) => see(pid as i32),
            }
        }
        buffer.copy_within(whole..end, 0);
        kept = end - whole;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ended, name, own_hierarchy, sleeper};
    use super::*;
    use crate::spec::Resources;
    use crate::sys::process::Ended;

    #[test]
    fn a_kernel_that_cannot_kill_groups_has_it_done_one_by_one() {
        if !own_hierarchy() {
            return;
        }
        let name = std::ffi::CString::new(name("one-by-one")).unwrap();
        let group = Cgroup::create_for_machine(&name, &Resources::default()).unwrap();
        for frozen in [false, true] {
            let sleepers: Vec<_> = (0..10).map(|_| sleeper(&group)).collect();
            group.freeze(frozen).unwrap();
            group.kill_each().unwrap();
            sleepers
                .iter()
                .for_each(|(_, pidfd)| assert_eq!(ended(pidfd), Some(Ended::Killed(SIGKILL))));
            assert!(!group.is_frozen());
        }
        group.remove().unwrap();
    }
}
