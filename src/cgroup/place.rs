//! Where a container's group is, and which controllers it can have there.

use super::{FILE_BYTES, MOUNT, read};
use crate::io::kernel_file::write_file;
use crate::io::lossy::Lossy;
use crate::io::path::PathBuf;
use crate::sys::fd::CWD;
use crate::sys::{Errno, fs};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// The path of the group, absolute and clean, as runc (its cgroupfs driver) chooses it: an absolute
/// path is beneath the mount; a relative one, or the container's id where the config says nothing,
/// beneath the parent of the caller's own group: that one has no processes, so that it can give
/// controllers.
pub(super) fn path(wanted: Option<&CStr>, id: &[u8]) -> Result<PathBuf> {
    let mut path = PathBuf::from_bytes(MOUNT.to_bytes()).doing("cgroupsPath")?;
    let name = wanted.map_or(id, CStr::to_bytes);
    if !name.starts_with(b"/") {
        let mut buffer = [0; crate::limits::PATH_BYTES];
        let own = read(CWD, c"/proc/self/cgroup", &mut buffer).doing("read /proc/self/cgroup")?;
        let own = own
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(b"0::"))
            .unwrap_or_default();
        add(&mut path, own)?;
        add(&mut path, b"..")?;
    }
    let parent = path.as_bytes().len();
    // Cleaned by itself: `..` does not lead out of where it is put.
    let mut clean = PathBuf::from_bytes(MOUNT.to_bytes()).doing("cgroupsPath")?;
    add(&mut clean, name)?;
    add(&mut path, &clean.as_bytes()[MOUNT.to_bytes().len()..])?;
    match path.as_bytes().len() > parent {
        true => Ok(path),
        false => {
            Err(Error::new(format_args!("cgroupsPath {}: not a group of its own", Lossy(name))))
        }
    }
}

/// Goes along a path from where it is; `..` stays beneath the mount.
fn add(path: &mut PathBuf, way: &[u8]) -> Result<()> {
    for name in way.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => {
                let slash = path.as_bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                path.truncate(slash.max(MOUNT.to_bytes().len()));
            }
            name => path.push(name).context("cgroupsPath", &Lossy(name))?,
        }
    }
    Ok(())
}

/// Has a group hand on the controllers it has, as far as it can: a group with processes of its own
/// cannot, and who was given a group may not beyond it. A limit that is then missing is missed when
/// it is set.
pub(super) fn enable(group: &CStr) {
    let Ok(group) = fs::open(CWD, group, fs::O_PATH | fs::O_DIRECTORY, 0) else { return };
    let mut buffer = [0; FILE_BYTES];
    let Ok(controllers) = read(group.by_ref(), c"cgroup.controllers", &mut buffer) else { return };
    let write = |names: &[u8]| {
        let mut text = PathBuf::new();
        for name in names.split(u8::is_ascii_whitespace).filter(|name| !name.is_empty()) {
            let _ = text.push_bytes(b" +").and_then(|()| text.push_bytes(name));
        }
        write_file(
            group.by_ref(),
            c"cgroup.subtree_control",
            format_args!("{}", Lossy(text.as_bytes())),
        )
    };
    if write(controllers).is_err() {
        for name in controllers.split(u8::is_ascii_whitespace) {
            let _ = write(name);
        }
    }
}

/// Makes a cgroup threaded if the kernel allows nothing else: a cgroup above it has processes, or
/// is threaded. It then gets the controllers that can limit threads: cpu, cpuset, pids.
pub(super) fn make_threaded(group: &CStr) {
    let Ok(group) = fs::open(CWD, group, fs::O_PATH | fs::O_DIRECTORY, 0) else { return };
    let mut buffer = [0; FILE_BYTES];
    if read(group.by_ref(), c"cgroup.type", &mut buffer)
        .is_ok_and(|kind| kind.starts_with(b"domain invalid"))
    {
        let _ = write_file(group.by_ref(), c"cgroup.type", format_args!("threaded"));
    }
}

/// Removes the groups of a path beyond `kept`, which have no processes.
pub(super) fn remove_empty(path: &mut PathBuf, kept: usize) {
    while path.as_bytes().len() > kept {
        let _ = fs::rmdir(CWD, path.as_c_str());
        let slash = path.as_bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        path.truncate(slash);
    }
}

/// The caller may not make groups there.
pub(super) fn is_forbidden(errno: Errno) -> bool {
    matches!(errno, Errno::EACCES | Errno::EPERM | Errno::EROFS)
}
