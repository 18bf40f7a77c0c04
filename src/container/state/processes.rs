//! All processes of a container, and what is left where they were.

use super::State;
use crate::container::Cgroup;
use crate::io::path::PathBuf;
use crate::io::text;
use crate::sys::fd::{CWD, FdRef};
use crate::sys::{self, Errno, fs, process};
use crate::{Context, Result};
use core::fmt;

impl State<'_> {
    /// Shows each process by its pid, as we see it: of its cgroup where it has one, else of its pid namespace.
    pub fn each_process(&self, see: &mut dyn FnMut(i32)) -> Result<()> {
        if let Some(group) = self.group()? {
            return group.each_process(see);
        }
        // The number of one that has ended may be another's by now.
        if !self.process.is_alive() {
            return Ok(());
        }
        each_of_namespace(self.process.pid, see).doing("list the container's processes")
    }

    /// Sends a signal to all of them.
    pub fn signal_all(&self, signal: i32) -> Result<()> {
        if let Some(group) = self.group()? {
            return group.signal(signal);
        }
        let mut answer = Ok(());
        self.each_process(&mut |pid| match process::kill(pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => answer = Err(errno),
        })?;
        answer.doing("send the signal")
    }

    /// Kills what is left of it, and removes its cgroup.
    pub fn remove_rest(&self) -> Result<()> {
        self.group()?.map_or(Ok(()), Cgroup::remove)
    }

    /// The cgroup that it has of its own, as long as that is there. The top of the hierarchy, with all processes there
    /// are, is nobody's.
    pub fn group(&self) -> Result<Option<Cgroup>> {
        match self.cgroup.to_bytes().strip_prefix(b"/sys/fs/cgroup/") {
            None | Some([]) => Ok(None),
            // Somebody else wrote this state.
            Some(path) if path.split(|byte| *byte == b'/').any(|part| part == b"..") => Ok(None),
            Some(_) => Cgroup::open(self.cgroup),
        }
    }
}

/// The text of a namespace, `pid:[4026531836]`.
const LINK_BYTES: usize = 32;

/// Shows the processes that are in the pid namespace of `init`. Where that is ours, nothing tells the container's from
/// others: `init` alone.
fn each_of_namespace(init: i32, see: &mut dyn FnMut(i32)) -> sys::Result<()> {
    let proc = fs::open(CWD, c"/proc", fs::O_RDONLY | fs::O_DIRECTORY, 0)?;
    let (mut wanted, mut other, mut buffer) = ([0; LINK_BYTES], [0; LINK_BYTES], [0; 4096]);
    let wanted = match namespace(proc.by_ref(), format_args!("{init}"), &mut wanted) {
        Err(Errno::ENOENT | Errno::ESRCH) => return Ok(()),
        wanted => wanted?,
    };
    if wanted == namespace(proc.by_ref(), format_args!("self"), &mut other)? {
        see(init);
        return Ok(());
    }
    loop {
        let bytes = fs::read_directory(proc.by_ref(), &mut buffer)?;
        if bytes.is_empty() {
            return Ok(());
        }
        for pid in fs::entries(bytes).filter_map(|entry| text::decimal(entry.name.to_bytes())) {
            // Those that have ended meanwhile, and those of others.
            if namespace(proc.by_ref(), format_args!("{pid}"), &mut other) == Ok(wanted) {
                see(pid as i32);
            }
        }
    }
}

fn namespace<'b>(
    proc: FdRef<'_>,
    process: fmt::Arguments<'_>,
    buffer: &'b mut [u8; LINK_BYTES],
) -> sys::Result<&'b [u8]> {
    let path = PathBuf::format(format_args!("{process}/ns/pid"))?;
    fs::readlink(proc, path.as_c_str(), buffer)
}
