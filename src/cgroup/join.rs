//! The cgroup in which exec's process is created.
//!
//! It is the container's own. But a container may make cgroups in it and enable controllers for
//! them (systemd, docker in a container). Then the kernel allows no process in the outer one. We
//! use the cgroup of the container's first process instead, as runc and crun do. It is looked up
//! beneath the container's own cgroup, so the container cannot lead us out of it.

use super::{Cgroup, MOUNT};
use crate::io::lossy::{Lossy, LossyC, On};
use crate::io::path::PathBuf;
use crate::io::text::decimal;
use crate::limits::{CGROUP_FILE_BYTES, PATH_BYTES};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::{Errno, fs};
use crate::{Context, Error, Result};
use core::ffi::CStr;

const DIRECTORY: i32 = fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW;
const BENEATH: u64 = fs::RESOLVE_BENEATH | fs::RESOLVE_NO_SYMLINKS | fs::RESOLVE_NO_XDEV;

/// The place for a process that cannot start in its cgroup.
pub enum Instead {
    /// Nowhere: an error.
    Nowhere,
    /// In this cgroup.
    Of(Fd),
    /// In the caller's cgroup.
    OfCaller,
}

/// A container's cgroup, for exec's process.
pub struct Joined<'s> {
    /// Its path, from the state.
    own: &'s CStr,
    /// The container's first process.
    pid: i32,
    /// The cgroup for the new process. None if the container has no cgroup of its own.
    directory: Option<Fd>,
    /// The user named it, so no other may replace it.
    is_named: bool,
    /// The container was made without root.
    rootless: bool,
}

impl<'s> Joined<'s> {
    /// Finds the cgroup at `own` (empty: none), or the one `below` it. `pid` is the container's
    /// first process.
    pub fn find(
        own: &'s CStr,
        pid: i32,
        rootless: bool,
        below: Option<&CStr>,
    ) -> Result<Joined<'s>> {
        let below = below.filter(|below| !below.is_empty());
        if own.is_empty() {
            return match below {
                Some(_) => Err(Error::new(format_args!(
                    "--cgroup: the container has no cgroup of its own"
                ))),
                None => Ok(Joined { own, pid, directory: None, is_named: false, rootless }),
            };
        }
        let mut joined = Joined { own, pid, directory: None, is_named: below.is_some(), rootless };
        let way = below.map(relative).transpose()?;
        joined.directory = match (fs::open(CWD, own, DIRECTORY, 0), way) {
            (Err(Errno::ENOENT), None) => joined.of_first_process()?,
            (directory, None) => Some(directory.on("open cgroup", own)?),
            (directory, Some(way)) => {
                let directory = directory.on("open cgroup", own)?;
                let inner = match way.as_bytes() {
                    [] => Ok(directory),
                    _ => {
                        fs::open_resolved(directory.by_ref(), way.as_c_str(), DIRECTORY, 0, BENEATH)
                    }
                };
                Some(inner.on("open cgroup", below.unwrap_or(c""))?)
            }
        };
        Ok(joined)
    }

    /// Returns its directory, for `CLONE_INTO_CGROUP`.
    pub fn directory(&self) -> Option<FdRef<'_>> {
        self.directory.as_ref().map(Fd::by_ref)
    }

    /// Returns where to create the process after clone3(2) failed with `errno` for its cgroup.
    pub fn instead(&self, errno: Errno) -> Result<Instead> {
        match errno {
            _ if self.is_named || self.own.is_empty() => Ok(Instead::Nowhere),
            // It enables controllers for others; it is threaded; it was removed.
            Errno::EBUSY | Errno::EOPNOTSUPP | Errno::ENODEV | Errno::ENOENT => {
                Ok(self.of_first_process()?.map_or(Instead::Nowhere, Instead::Of))
            }
            // As in runc: the user may not write the common parent of its session's and the
            // container's cgroup.
            Errno::EACCES | Errno::EPERM if self.rootless => Ok(Instead::OfCaller),
            _ => Ok(Instead::Nowhere),
        }
    }

    /// Adds to an error that the limit of processes was reached.
    pub fn explain(&self, error: Error) -> Error {
        explain(self.own, error)
    }

    /// Returns the cgroup of the container's first process.
    fn of_first_process(&self) -> Result<Option<Fd>> {
        let mut path = PathBuf::new();
        let mut buffer = [0; PATH_BYTES + CGROUP_FILE_BYTES];
        let lines = path
            .set(format_args!("/proc/{}/cgroup", self.pid))
            .and_then(|()| super::read(CWD, path.as_c_str(), &mut buffer))
            .doing("find the cgroup of the container's first process")?;
        let theirs = lines
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(b"0::"))
            .unwrap_or_default();
        let own = &self.own.to_bytes()[MOUNT.to_bytes().len().min(self.own.to_bytes().len())..];
        let outside = || {
            let theirs = Lossy(theirs);
            Error::new(format_args!(
                "the container's first process is in the cgroup {theirs}, outside of the container's own, {}",
                LossyC(self.own)
            ))
        };
        // If the container's own cgroup exists, the process must be in it or below it.
        let (top, way) = match fs::open(CWD, self.own, DIRECTORY, 0) {
            Ok(top) => (
                top,
                theirs
                    .strip_prefix(own)
                    .filter(|way| way.is_empty() || way[0] == b'/')
                    .ok_or_else(outside)?,
            ),
            Err(Errno::ENOENT) => (fs::open(CWD, MOUNT, DIRECTORY, 0).on("open", MOUNT)?, theirs),
            Err(errno) => return Err(errno).on("open cgroup", self.own),
        };
        let way = way.strip_prefix(b"/").unwrap_or(way);
        if way.is_empty() {
            return Ok(Some(top));
        }
        path.truncate(0);
        path.push_bytes(way).context("cgroup", &Lossy(theirs))?;
        match fs::open_resolved(top.by_ref(), path.as_c_str(), DIRECTORY, 0, BENEATH) {
            Err(Errno::EXDEV) => Err(outside()),
            inner => inner.context("open cgroup", &Lossy(theirs)).map(Some),
        }
    }
}

/// Adds to a clone's error that the cgroup `path` (empty: none) has reached its limit of processes.
pub fn explain(path: &CStr, error: Error) -> Error {
    if error.errno() != Errno::EAGAIN {
        return error;
    }
    // We may make two processes, and the first has ended by now.
    for more in [1, 2] {
        let mut path = PathBuf::from_bytes(path.to_bytes()).unwrap_or_default();
        while path.as_bytes().len() > MOUNT.to_bytes().len() {
            if let Ok(Some(group)) = Cgroup::open(path.as_c_str())
                && let Some(limit) = group.number(c"pids.max")
                && group.number(c"pids.current").is_some_and(|count| count + more > limit)
            {
                let path = LossyC(group.path());
                return error.within(format_args!(
                    "the cgroup {path} is at its limit of {limit} processes (pids.max)"
                ));
            }
            let slash = path.as_bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            path.truncate(slash);
        }
    }
    error
}

/// Returns the relative path from a cgroup to one beneath it. Refuses `.` and `..`.
fn relative(way: &CStr) -> Result<PathBuf> {
    let mut clean = PathBuf::new();
    for name in way.to_bytes().split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if clean.as_bytes().is_empty() => {
                return Err(Error::new(format_args!(
                    "bad sub cgroup path: {} is not a sub cgroup path",
                    LossyC(way)
                )));
            }
            b".." => {
                let slash = clean.as_bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                clean.truncate(slash);
            }
            name => clean.push(name).context("--cgroup", &LossyC(way))?,
        }
    }
    Ok(clean)
}

impl Cgroup {
    /// Returns the number in one of its files; None for `max`, or if there is no such file.
    pub fn number(&self, file: &CStr) -> Option<u64> {
        let mut buffer = [0; CGROUP_FILE_BYTES];
        decimal(self.read(file, &mut buffer).ok()?.trim_ascii_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_to_a_cgroup_stays_below_it() {
        for (way, clean) in
            [("a", "a"), ("/", ""), ("./a//b/", "a/b"), ("a/../b", "b"), ("a/b/../..", "")]
        {
            let way = std::ffi::CString::new(way).unwrap();
            assert_eq!(relative(&way).unwrap().as_bytes(), clean.as_bytes(), "{way:?}");
        }
        for way in [c"..", c"../outside", c"a/../../b", c"/.."] {
            let said = relative(way).map(|_| ()).unwrap_err().to_string();
            assert_eq!(
                said,
                format!("bad sub cgroup path: {} is not a sub cgroup path", way.to_str().unwrap())
            );
        }
    }
}
