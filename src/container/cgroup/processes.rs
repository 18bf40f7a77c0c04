//! The processes of a group and of the groups in it: listed, frozen, signalled, killed, gone.

use super::{Cgroup, FILE_BYTES};
use crate::container::write_file;
use crate::error::{Context, Result};
use crate::io::path::PathBuf;
use crate::io::show::On;
use crate::io::text::decimal;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::process::kill;
use crate::sys::signal::SIGKILL;
use crate::sys::{self, Errno, event, fs, time};
use core::ffi::CStr;

/// How long a killed group may take to become empty, and one to freeze, in milliseconds. Processes in the middle of a
/// long write do either late.
const PATIENCE_MS: u64 = 10_000;
const EVENTS: &CStr = c"cgroup.events";
/// Names that are read at once, in bytes: a group has some 60 files.
const DIRECTORY_BYTES: usize = 2048;

impl Cgroup {
    /// Shows each process by its pid, as we see it, those of groups in the group too.
    pub fn each_process(&self, see: &mut dyn FnMut(i32)) -> Result<()> {
        walk(self.path(), &mut |_, group| each_of(group, see)).on("list the processes of", self.path())
    }

    /// Whether it is frozen.
    pub fn is_frozen(&self) -> bool {
        matches!(self.read(c"cgroup.freeze", &mut [0; 4]), Ok([b'1', ..]))
    }

    /// Freezes it, and waits until all of its processes stand still; or thaws it.
    pub fn freeze(&self, on: bool) -> Result<()> {
        self.set_frozen(on).and_then(|()| self.wait_for(if on { b"frozen 1" } else { b"frozen 0" })).or_else(|errno| {
            // Who cannot be paused runs on.
            if on {
                let _ = self.set_frozen(false);
            }
            Err(errno).on(if on { "freeze" } else { "thaw" }, self.path())
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
        if remove_one(self.path()).is_ok() {
            return Ok(());
        }
        self.kill_all()?;
        self.wait_for(b"populated 0")?;
        // The last process leaves a moment before its group can be removed.
        let deadline = time::monotonic_us() + PATIENCE_MS * 1000;
        loop {
            match walk(self.path(), &mut |path, _| remove_one(path)) {
                Err(Errno::EBUSY) if time::monotonic_us() < deadline => event::wait_ms(2)?,
                answer => return answer,
            }
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

/// Removes a group without processes and groups in it; one that is gone is removed.
fn remove_one(path: &CStr) -> sys::Result<()> {
    match fs::rmdir(CWD, path) {
        Err(Errno::ENOENT) => Ok(()),
        answer => answer,
    }
}

fn has_line(events: &Fd, line: &[u8]) -> sys::Result<bool> {
    let mut content = [0; FILE_BYTES];
    match fs::read_at(events.by_ref(), &mut content, 0) {
        Err(Errno::ENODEV) => Ok(true),
        length => Ok(content[..length?].split(|byte| *byte == b'\n').any(|one| one == line)),
    }
}

/// Shows each process of one group.
fn each_of(group: FdRef<'_>, see: &mut dyn FnMut(i32)) -> sys::Result<()> {
    let file = match fs::open(group, c"cgroup.procs", fs::O_RDONLY, 0) {
        Err(Errno::ENOENT | Errno::ENODEV) => return Ok(()),
        file => file?,
    };
    let (mut buffer, mut kept) = ([0; FILE_BYTES], 0);
    loop {
        let length = match fs::read(file.by_ref(), &mut buffer[kept..]) {
            // Gone meanwhile; or a threaded group, whose processes stand in the group above it.
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
                Some(pid) => see(pid as i32),
            }
        }
        buffer.copy_within(whole..end, 0);
        kept = end - whole;
    }
}

/// Shows a group and all groups in it, each after those in it.
///
/// It keeps no more than a path: the next group is the one whose name comes next, whatever is removed meanwhile.
fn walk(top: &CStr, see: &mut dyn FnMut(&CStr, FdRef<'_>) -> sys::Result<()>) -> sys::Result<()> {
    let (mut path, mut after) = (PathBuf::from_bytes(top.to_bytes())?, PathBuf::new());
    loop {
        match fs::open(CWD, path.as_c_str(), fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0) {
            Ok(group) if next_group(&group, &mut after)? => {
                path.push(after.as_bytes())?;
                after.truncate(0);
                continue;
            }
            Ok(group) => see(path.as_c_str(), group.by_ref())?,
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
        if path.as_bytes().len() == top.to_bytes().len() {
            return Ok(());
        }
        let slash = path.as_bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        after.truncate(0);
        after.push_bytes(&path.as_bytes()[slash + 1..])?;
        path.truncate(slash);
    }
}

/// Finds the group in `group` whose name comes next after this one.
fn next_group(group: &Fd, name: &mut PathBuf) -> sys::Result<bool> {
    let (mut buffer, mut best) = ([0; DIRECTORY_BYTES], PathBuf::new());
    loop {
        let bytes = match fs::read_directory(group.by_ref(), &mut buffer) {
            // Removed meanwhile.
            Err(Errno::ENOENT) => return Ok(false),
            bytes => bytes?,
        };
        if bytes.is_empty() {
            break;
        }
        for entry in fs::entries(bytes).filter(|entry| entry.kind == libc::DT_DIR) {
            let one = entry.name.to_bytes();
            if one > name.as_bytes() && (best.as_bytes().is_empty() || one < best.as_bytes()) {
                best.truncate(0);
                best.push_bytes(one)?;
            }
        }
    }
    name.truncate(0);
    name.push_bytes(best.as_bytes())?;
    Ok(!best.as_bytes().is_empty())
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
            sleepers.iter().for_each(|(_, pidfd)| assert_eq!(ended(pidfd), Some(Ended::Killed(SIGKILL))));
            assert!(!group.is_frozen());
        }
        group.remove().unwrap();
    }
}
