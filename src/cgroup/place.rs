//! The path of a container's cgroup, and the controllers it can have there.

use super::{MOUNT, read};
use crate::io::kernel_file::write_file;
use crate::io::lossy::Lossy;
use crate::io::path::PathBuf;
use crate::limits::CGROUP_FILE_BYTES;
use crate::sys::fd::CWD;
use crate::sys::{Errno, fs};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// Returns the path of the cgroup, absolute and clean, by the rules of runc's cgroupfs driver. An
/// absolute path is beneath the mount. A relative one, or by default the container's ID, is beneath
/// the parent of the caller's own cgroup. That parent has no processes, so it can enable
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
    // Clean it alone, so that `..` does not leave its parent.
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

/// Appends a path; `..` stays beneath the mount.
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

/// Enables a cgroup's controllers for its children, as far as possible. A cgroup with processes
/// cannot, and a delegated one is limited by its owner. A missing controller is reported when the
/// limit is written.
pub(super) fn enable(group: &CStr) {
    let Ok(group) = fs::open(CWD, group, fs::O_PATH | fs::O_DIRECTORY, 0) else { return };
    let mut buffer = [0; CGROUP_FILE_BYTES];
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

/// Makes a cgroup threaded if the kernel requires it, because a cgroup above has processes or is
/// threaded. It then gets the controllers for threads: cpu, cpuset, pids.
pub(super) fn make_threaded(group: &CStr) {
    let Ok(group) = fs::open(CWD, group, fs::O_PATH | fs::O_DIRECTORY, 0) else { return };
    let mut buffer = [0; CGROUP_FILE_BYTES];
    if read(group.by_ref(), c"cgroup.type", &mut buffer)
        .is_ok_and(|kind| kind.starts_with(b"domain invalid"))
    {
        let _ = write_file(group.by_ref(), c"cgroup.type", format_args!("threaded"));
    }
}

/// Removes the empty cgroups of a path after its first `kept` bytes.
pub(super) fn remove_empty(path: &mut PathBuf, kept: usize) {
    while path.as_bytes().len() > kept {
        let _ = fs::rmdir(CWD, path.as_c_str());
        let slash = path.as_bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        path.truncate(slash);
    }
}

/// Returns whether the errno means that the caller may not make cgroups there.
pub(super) fn is_forbidden(errno: Errno) -> bool {
    matches!(errno, Errno::EACCES | Errno::EPERM | Errno::EROFS)
}
