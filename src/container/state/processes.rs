//! All processes of a container, and the removal of its cgroup.

use super::State;
use crate::cgroup::Cgroup;
use crate::io::path::PathBuf;
use crate::io::text;
use crate::sys::clone::{CLONE_NEWNS, CLONE_NEWPID};
use crate::sys::fd::{CWD, FdRef};
use crate::sys::signal::SIGKILL;
use crate::sys::{self, Errno, fs, process};
use crate::{Context, Result};
use core::fmt;

/// Rounds of a kill: each finds processes that were made during the former one.
const KILL_ROUNDS: usize = 100;

impl State<'_> {
    /// Calls `see` with the pid, in our namespace, of each process: those in its cgroup, if it has
    /// one. Otherwise those in its own pid or mount namespace (`namespaces` from
    /// [`spec::read_namespaces`]). If it has neither, only its first.
    ///
    /// [`spec::read_namespaces`]: crate::spec::read_namespaces
    pub fn each_process(&self, namespaces: i32, see: &mut dyn FnMut(i32)) -> Result<()> {
        if let Some(group) = self.group()? {
            return group.each_process(see);
        }
        // The pid of an ended process may be reused.
        if !self.process.is_alive() {
            return Ok(());
        }
        let owns = |kind| namespaces & kind != 0;
        let kind = match (owns(CLONE_NEWPID), owns(CLONE_NEWNS)) {
            (true, _) => "pid",
            (false, true) => "mnt",
            (false, false) => {
                see(self.process.pid);
                return Ok(());
            }
        };
        each_of_namespace(self.process.pid, kind, see).doing("list the container's processes")
    }

    /// Sends a signal to all of them.
    pub fn signal_all(&self, namespaces: i32, signal: i32) -> Result<()> {
        if let Some(group) = self.group()? {
            return group.signal(signal);
        }
        let mut answer = Ok(());
        let mut send = |pid| match process::kill(pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => answer = Err(errno),
        };
        if signal != SIGKILL {
            self.each_process(namespaces, &mut send)?;
            return answer.doing("send the signal");
        }
        // The kernel kills a pid namespace together with its first process.
        let rounds = if namespaces & CLONE_NEWPID != 0 { 0 } else { KILL_ROUNDS };
        // The first process last, because its namespace leads to the others, even to new ones.
        for _ in 0..rounds {
            let mut others = 0;
            self.each_process(namespaces, &mut |pid| {
                if pid != self.process.pid {
                    others += 1;
                    send(pid);
                }
            })?;
            if others == 0 {
                break;
            }
        }
        if self.process.is_alive() {
            send(self.process.pid);
        }
        answer.doing("send the signal")
    }

    /// Kills its remaining processes, and removes its cgroup.
    pub fn remove_rest(&self) -> Result<()> {
        self.group()?.map_or(Ok(()), Cgroup::remove)
    }

    /// Returns its own cgroup, if that exists. Never the hierarchy's root, which has all processes.
    pub fn group(&self) -> Result<Option<Cgroup>> {
        match self.cgroup.to_bytes().strip_prefix(b"/sys/fs/cgroup/") {
            None | Some([]) => Ok(None),
            // Another program wrote this state.
            Some(path) if path.split(|byte| *byte == b'/').any(|part| part == b"..") => Ok(None),
            Some(_) => Cgroup::open(self.cgroup),
        }
    }
}

/// The text of a namespace, `pid:[4026531836]`.
const LINK_BYTES: usize = 32;

/// Calls `see` with the processes in `init`'s namespace of this kind (a name of /proc/PID/ns). In
/// our own namespace the others are unknown: only `init`.
fn each_of_namespace(init: i32, kind: &str, see: &mut dyn FnMut(i32)) -> sys::Result<()> {
    let proc = fs::open(CWD, c"/proc", fs::O_RDONLY | fs::O_DIRECTORY, 0)?;
    let (mut wanted, mut other, mut buffer) = ([0; LINK_BYTES], [0; LINK_BYTES], [0; 4096]);
    let wanted = match namespace(proc.by_ref(), format_args!("{init}/ns/{kind}"), &mut wanted) {
        Err(Errno::ENOENT | Errno::ESRCH) => return Ok(()),
        wanted => wanted?,
    };
    if wanted == namespace(proc.by_ref(), format_args!("self/ns/{kind}"), &mut other)? {
        see(init);
        return Ok(());
    }
    loop {
        let bytes = fs::read_directory(proc.by_ref(), &mut buffer)?;
        if bytes.is_empty() {
            return Ok(());
        }
        for pid in fs::entries(bytes).filter_map(|entry| text::decimal(entry.name.to_bytes())) {
            // Skip ended processes, and other users'.
            if namespace(proc.by_ref(), format_args!("{pid}/ns/{kind}"), &mut other) == Ok(wanted) {
                see(pid as i32);
            }
        }
    }
}

fn namespace<'b>(
    proc: FdRef<'_>,
    link: fmt::Arguments<'_>,
    buffer: &'b mut [u8; LINK_BYTES],
) -> sys::Result<&'b [u8]> {
    let path = PathBuf::format(link)?;
    fs::readlink(proc, path.as_c_str(), buffer)
}
