//! The contents of a cgroup's files before an update, so that a failed update restores every limit.

use crate::io::lossy::LossyC;
use crate::io::path::PathBuf;
use crate::limits::{CGROUP_FILE_BYTES, CGROUP_KEPT_BYTES, CGROUP_KEPT_FILES_MAX};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::fs;
use crate::{Error, Result};
use core::ffi::CStr;

/// Files with a device at the start of each line, and the value that removes a device's limits.
const LINES: [(&CStr, &str); 5] = [
    (c"io.max", "rbps=max wbps=max riops=max wiops=max"),
    (c"io.weight", "default"),
    (c"io.bfq.weight", "default"),
    (c"io.latency", "target=0"),
    (c"rdma.max", "hca_handle=max hca_object=max"),
];

/// Files that cannot be emptied while the cgroup has processes, and the meaning of an empty one:
/// the parent's CPUs.
const INHERITED: [(&CStr, &CStr); 2] =
    [(c"cpuset.cpus", c"../cpuset.cpus.effective"), (c"cpuset.mems", c"../cpuset.mems.effective")];

/// The files in the order of their first write: each name, NUL, content.
pub(super) struct Undo {
    bytes: [u8; CGROUP_KEPT_BYTES],
    /// The end of each file.
    ends: [usize; CGROUP_KEPT_FILES_MAX],
    count: usize,
}

impl Undo {
    pub(super) fn new() -> Undo {
        Undo { bytes: [0; CGROUP_KEPT_BYTES], ends: [0; CGROUP_KEPT_FILES_MAX], count: 0 }
    }

    /// Stores a file's content before its first write. An unreadable one sets no limit.
    pub(super) fn keep(&mut self, group: FdRef<'_>, name: &CStr) -> Result<()> {
        if (0..self.count).any(|index| self.file(index).is_some_and(|(kept, _)| kept == name)) {
            return Ok(());
        }
        let start = self.start(self.count);
        let name_bytes = name.to_bytes_with_nul();
        let content = start + name_bytes.len();
        let Some(room) =
            self.bytes.get_mut(start..content).filter(|_| self.count < CGROUP_KEPT_FILES_MAX)
        else {
            return Err(full(name));
        };
        room.copy_from_slice(name_bytes);
        let Ok(file) = open(group, name, fs::O_RDONLY) else { return Ok(()) };
        let mut end = content;
        loop {
            match fs::read(file.by_ref(), &mut self.bytes[end..]) {
                Ok(0) if end == CGROUP_KEPT_BYTES => return Err(full(name)),
                Ok(0) => break,
                Ok(length) => end += length,
                Err(_) => return Ok(()),
            }
        }
        self.ends[self.count] = end;
        self.count += 1;
        Ok(())
    }

    /// Restores all files, the last first. `error` is the cause; files that could not be restored
    /// are added to it.
    pub(super) fn restore(&self, group: FdRef<'_>, error: Error) -> Error {
        let mut left = None;
        // A second round, because a value may be refused beside another's new one: a quota below
        // the burst.
        for _ in 0..2 {
            left = None;
            for (name, content) in (0..self.count).rev().filter_map(|index| self.file(index)) {
                if holds(group, name, content).unwrap_or(false) {
                    continue;
                }
                if set_back(group, name, content).is_none() {
                    left = Some(name);
                }
            }
        }
        match left {
            Some(name) => error.within(format_args!("{} could not be set back", LossyC(name))),
            None => error,
        }
    }

    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    fn file(&self, index: usize) -> Option<(&CStr, &[u8])> {
        let bytes = self.bytes.get(self.start(index)..self.ends[index])?;
        let name = CStr::from_bytes_until_nul(bytes).ok()?;
        Some((name, bytes.get(name.count_bytes() + 1..)?))
    }
}

fn full(name: &CStr) -> Error {
    Error::new(format_args!(
        "{}: an update changes at most {CGROUP_KEPT_FILES_MAX} files, which hold {CGROUP_KEPT_BYTES} bytes",
        LossyC(name)
    ))
}

fn open(group: FdRef<'_>, name: &CStr, how: i32) -> crate::sys::Result<Fd> {
    fs::open(group, name, how | fs::O_NOFOLLOW, 0)
}

/// Returns whether a file has exactly this content.
fn holds(group: FdRef<'_>, name: &CStr, mut content: &[u8]) -> Option<bool> {
    let file = open(group, name, fs::O_RDONLY).ok()?;
    let mut buffer = [0; CGROUP_FILE_BYTES];
    loop {
        match fs::read(file.by_ref(), &mut buffer).ok()? {
            0 => return Some(content.is_empty()),
            length => match content.strip_prefix(&buffer[..length]) {
                Some(rest) => content = rest,
                None => return Some(false),
            },
        }
    }
}

/// Restores a file's old lines, and removes limits of devices that had none. Returns `None` if a
/// write was refused.
fn set_back(group: FdRef<'_>, name: &CStr, content: &[u8]) -> Option<()> {
    let mut done = Some(());
    let mut write = |line: &[u8]| {
        let written =
            open(group, name, fs::O_WRONLY).and_then(|file| fs::write_all(file.by_ref(), line));
        done = done.filter(|()| written.is_ok());
    };
    if let Some((_, none)) = LINES.iter().find(|(file, _)| *file == name) {
        // Such a line is shorter than a path.
        each_device(group, name, &mut |device| {
            let is_new =
                !content.split(|byte| *byte == b'\n').any(|line| first_word(line) == device);
            let mut line = PathBuf::new();
            if is_new
                && line.push_bytes(device).is_ok()
                && line.push_bytes(b" ").is_ok()
                && line.push_bytes(none.as_bytes()).is_ok()
            {
                write(line.as_bytes());
            }
        })?;
    }
    content.split_inclusive(|byte| *byte == b'\n').for_each(&mut write);
    match INHERITED.iter().find(|(file, _)| done.is_none() && *file == name && content == b"\n") {
        Some((_, above)) => {
            let mut buffer = [0; CGROUP_FILE_BYTES];
            let all = super::read(group, above, &mut buffer).ok()?;
            open(group, name, fs::O_WRONLY).and_then(|file| fs::write_all(file.by_ref(), all)).ok()
        }
        None => done,
    }
}

fn first_word(line: &[u8]) -> &[u8] {
    line.split(|byte| *byte == b' ').next().unwrap_or_default()
}

/// Calls `give` with the first word of each line of a file.
fn each_device(group: FdRef<'_>, name: &CStr, give: &mut dyn FnMut(&[u8])) -> Option<()> {
    let file = open(group, name, fs::O_RDONLY).ok()?;
    let mut bytes = [0; CGROUP_KEPT_BYTES];
    let mut length = 0;
    loop {
        match fs::read(file.by_ref(), &mut bytes[length..]).ok()? {
            0 => break,
            more => length += more,
        }
    }
    let lines = bytes[..length].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(first_word).for_each(give);
    Some(())
}
