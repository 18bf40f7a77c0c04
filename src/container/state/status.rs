//! The status of a container, by its process.

use super::{Directory, State};
use crate::container::start_socket;
use crate::io::path::PathBuf;
use crate::io::text;
use crate::sys::fd::{CWD, Fd};
use crate::sys::{Errno, fs, process};

/// The status of a container (runtime-spec, "State").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// A command is making it.
    Creating,
    /// It waits for its start.
    Created,
    /// Its program was started.
    Running,
    /// Its cgroup is frozen.
    Paused,
    /// It has no process, or never had one.
    Stopped,
}

impl Status {
    /// Returns the specification's word.
    pub fn name(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}

/// A process, distinguished from a later one with the same pid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process {
    /// Its pid in our namespace; 0 for none.
    pub pid: i32,
    /// Its start time, in clock ticks since the boot (/proc/PID/stat, field 22).
    pub started: u64,
}

impl Process {
    /// No process.
    pub const NONE: Process = Process { pid: 0, started: 0 };

    /// Returns the process with this pid. None if it has ended, collected or not.
    pub fn now(pid: i32) -> Option<Process> {
        let path = PathBuf::format(format_args!("/proc/{pid}/stat")).ok()?;
        let file = fs::open(CWD, path.as_c_str(), fs::O_RDONLY, 0).ok()?;
        let mut buffer = [0; 1024];
        let length = fs::read(file.by_ref(), &mut buffer).ok()?;
        started(&buffer[..length]).map(|started| Process { pid, started })
    }

    /// Returns whether it has not ended.
    pub fn is_alive(&self) -> bool {
        self.pid > 0 && Process::now(self.pid) == Some(*self)
    }

    /// Returns its own pidfd, never another process's. None if it has ended.
    pub fn open(&self) -> Option<Fd> {
        // First open, then check: if it is alive after that, the pidfd refers to it.
        let pidfd = process::open_pidfd(self.pid).ok()?;
        self.is_alive().then_some(pidfd)
    }
}

/// Returns the start time in a line of /proc/PID/stat; None for a zombie. The name in it may have
/// any bytes, even `)` and line feeds.
fn started(line: &[u8]) -> Option<u64> {
    let end = line.iter().rposition(|byte| *byte == b')')?;
    let mut fields = line.get(end + 2..)?.split(|byte| *byte == b' ');
    match fields.next()? {
        b"Z" | b"X" | b"x" => None,
        // The state is field 3.
        _ => text::decimal(fields.nth(22 - 4)?),
    }
}

impl Directory<'_> {
    /// Returns the status of the container with this state.
    pub fn status(&self, state: &State<'_>) -> Status {
        if state.process.pid == 0 {
            return match self.is_locked_by_others() {
                true => Status::Creating,
                false => Status::Stopped,
            };
        }
        if !state.process.is_alive() {
            return Status::Stopped;
        }
        match state.group() {
            // A container that waits for its start can be paused, too.
            Ok(Some(group)) if group.is_frozen() => Status::Paused,
            _ if start_socket::listens(self.fd()) => Status::Created,
            _ => Status::Running,
        }
    }

    /// Returns whether another command holds its lock.
    pub fn is_locked_by_others(&self) -> bool {
        if self.locked {
            return false;
        }
        match fs::lock(self.fd(), libc::LOCK_SH | libc::LOCK_NB) {
            Ok(()) => {
                let _ = fs::lock(self.fd(), libc::LOCK_UN);
                false
            }
            Err(errno) => errno == Errno::EAGAIN,
        }
    }
}
