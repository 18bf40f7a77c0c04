//! The processes of a cgroup and of all cgroups beneath it: list, freeze, signal, kill, remove.

use super::Cgroup;
use super::apply::is_threaded;
use super::awaited::{EVENTS, Emptying, Line, has_line};
use super::walk::{Step, is_gone, walk};
use crate::error::{Context, Error, Result};
use crate::io::kernel_file::write_file;
use crate::io::lossy::{LossyC, On};
use crate::io::text::decimal;
use crate::limits::{CGROUP_FILE_BYTES, CGROUP_NAMES_BYTES, CGROUP_WALK_MS};
use crate::sys::fd::FdRef;
use crate::sys::process::{self, kill};
use crate::sys::signal::{SIGKILL, SignalSet};
use crate::sys::{self, Errno, fs, time};
use crate::watch::Loop;
use core::ffi::CStr;

/// Milliseconds for a killed cgroup to become empty, and for one to freeze. Processes in the middle
/// of a long write do either late.
pub(super) const PATIENCE_MS: u64 = 10_000;

impl Cgroup {
    /// Calls `see` with the pid, in our namespace, of each process, including those of cgroups
    /// beneath.
    pub fn each_process(&self, see: &mut dyn FnMut(i32)) -> Result<()> {
        // A threaded cgroup lists threads. Skip those of cgroups beneath: the first cgroup above
        // that is not threaded lists their processes.
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

    /// Returns whether it is frozen.
    pub fn is_frozen(&self) -> bool {
        matches!(self.read(c"cgroup.freeze", &mut [0; 4]), Ok([b'1', ..]))
    }

    /// Returns whether all of its processes are frozen, perhaps by a cgroup above it.
    pub fn stands_still(&self) -> bool {
        let events = fs::open(self.directory(), EVENTS, fs::O_RDONLY, 0);
        events.and_then(|events| has_line(&events, b"frozen 1")).unwrap_or(false)
    }

    /// Freezes it, and waits until all of its processes are frozen. Or thaws it without waiting,
    /// because a frozen cgroup above may keep them frozen.
    pub fn freeze(&self, on: bool) -> Result<()> {
        if !on {
            return self.set_frozen(false).on("thaw", self.path());
        }
        self.set_frozen(true)
            .on("freeze", self.path())
            .and_then(|()| self.await_freeze())
            .inspect_err(|_| {
                // A cgroup that cannot be frozen is thawed again.
                let _ = self.set_frozen(false);
            })
    }

    fn await_freeze(&self) -> Result<()> {
        let mut events = Loop::new(SignalSet::NONE)?;
        match Line::begin(self.directory(), b"frozen 1", &mut events)? {
            Some(line) => line.finish(&mut events)?.on("freeze", self.path()),
            None => Ok(()),
        }
    }

    fn set_frozen(&self, on: bool) -> sys::Result<()> {
        write_file(self.directory(), c"cgroup.freeze", format_args!("{}", u8::from(on)))
    }

    /// Sends a signal to all processes. A process cannot avoid it by a fork meanwhile.
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

    /// Kills all processes, even frozen ones. Returns before they have ended.
    pub fn kill_all(&self) -> sys::Result<()> {
        match write_file(self.directory(), c"cgroup.kill", format_args!("1")) {
            // Before Linux 5.14, and in a threaded cgroup.
            Err(Errno::ENOENT | Errno::EOPNOTSUPP) => self.kill_each(),
            killed => killed,
        }
    }

    /// Kills one after the other, frozen meanwhile if the kernel can do that.
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

    /// Kills the remaining processes, and removes the cgroup with all beneath it.
    pub fn remove(self) -> Result<()> {
        self.empty()
    }

    pub(super) fn empty(&self) -> Result<()> {
        // An empty cgroup is removed at once.
        if self.is_removed().on("remove cgroup", self.path())? {
            return Ok(());
        }
        let mut events = Loop::new(SignalSet::NONE)?;
        match Emptying::begin(self, &mut events)? {
            Some(emptying) => emptying.finish(&mut events),
            None => Ok(()),
        }
    }
}

/// Returns the time in `milliseconds` from now, on the clock of [`time::monotonic_us`].
fn deadline(milliseconds: u64) -> u64 {
    time::monotonic_us() + milliseconds * 1000
}

/// Calls `see` with each process that the file `name` of the cgroup lists.
fn each_of(group: FdRef<'_>, name: &CStr, see: &mut dyn FnMut(i32)) -> sys::Result<()> {
    let threads = name == c"cgroup.threads";
    let file = match fs::open(group, name, fs::O_RDONLY, 0) {
        Err(errno) if is_gone(errno) => return Ok(()),
        file => file?,
    };
    let (mut buffer, mut kept) = ([0; CGROUP_FILE_BYTES], 0);
    loop {
        let length = match fs::read(file.by_ref(), &mut buffer[kept..]) {
            // It was removed; or it is threaded, and a cgroup above lists its processes.
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
                // 0 is a process outside our pid namespace.
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
    use crate::sys::process::Ended;

    #[test]
    fn a_kernel_that_cannot_kill_groups_has_it_done_one_by_one() {
        if !own_hierarchy() {
            return;
        }
        let name = std::ffi::CString::new(name("one-by-one")).unwrap();
        let group = Cgroup::create_for_machine(&name, &[]).unwrap();
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
