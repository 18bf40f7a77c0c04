//! Removing trees without recursion, with two descriptors at a time, and never across a mount.

use crate::sys::Errno;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::fs;
use core::ffi::CStr;

const OPEN_DIRECTORY: i32 = fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW;

/// Called with the directory and name of a file that cannot be removed. Returns true if it has made
/// that possible.
pub type Refused<'a> = dyn FnMut(FdRef<'_>, &CStr, Errno) -> bool + 'a;

/// Removes the directory `name` in `parent` with all that is beneath it. A mount point in it: EXDEV
/// or EBUSY.
pub fn tree(parent: FdRef<'_>, name: &CStr) -> Result<(), Errno> {
    tree_with(parent, name, &mut |_, _, _| false)
}

/// The same, but calls `refused` for each file that cannot be removed before it gives up.
pub fn tree_with(parent: FdRef<'_>, name: &CStr, refused: &mut Refused<'_>) -> Result<(), Errno> {
    let mut remove = || try_twice(parent, name, refused, &|| fs::rmdir(parent, name));
    match remove() {
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
        done => return done,
    }
    let top = fs::open_resolved(
        parent,
        name,
        OPEN_DIRECTORY,
        0,
        fs::RESOLVE_NO_XDEV | fs::RESOLVE_BENEATH,
    )?;
    empty(top, refused)?;
    fs::rmdir(parent, name)
}

/// Removes all that is in `directory`.
pub fn children(directory: FdRef<'_>) -> Result<(), Errno> {
    empty(fs::open(directory, c".", OPEN_DIRECTORY, 0)?, &mut |_, _, _| false)
}

/// Tries again if `refused` has changed something. The caller handles missing and non-empty
/// directories.
fn try_twice(
    directory: FdRef<'_>,
    name: &CStr,
    refused: &mut Refused<'_>,
    remove: &dyn Fn() -> Result<(), Errno>,
) -> Result<(), Errno> {
    match remove() {
        Err(errno) if !matches!(errno, Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOENT) => {
            if refused(directory, name, errno) {
                remove()
            } else {
                Err(errno)
            }
        }
        done => done,
    }
}

/// Goes down into the first directory that is not empty and up again when it is; then it is removed
/// like an empty one that was met on the way. What has been removed is not met again, so every step
/// is one forward.
fn empty(top: Fd, refused: &mut Refused<'_>) -> Result<(), Errno> {
    let mut here = top;
    let mut depth = 0u64;
    loop {
        match remove_entries(here.by_ref(), refused)? {
            Some(deeper) => {
                here = deeper;
                depth += 1;
            }
            None if depth == 0 => return Ok(()),
            None => {
                here = fs::open(here.by_ref(), c"..", OPEN_DIRECTORY, 0)?;
                depth -= 1;
            }
        }
    }
}

/// Removes what can be removed; the first directory that is not empty is opened instead.
fn remove_entries(directory: FdRef<'_>, refused: &mut Refused<'_>) -> Result<Option<Fd>, Errno> {
    // Small, because a directory is read again from its start for every one in it that is not
    // empty.
    let mut buffer = [0; 2048];
    let mut removed = true;
    while removed {
        // After removals the place in a directory means nothing on some file systems: from the
        // start until it is empty.
        removed = false;
        fs::seek(directory, 0, libc::SEEK_SET)?;
        loop {
            let bytes = fs::read_directory(directory, &mut buffer)?;
            if bytes.is_empty() {
                break;
            }
            for entry in fs::entries(bytes) {
                let remove = || match entry.kind {
                    libc::DT_DIR => fs::rmdir(directory, entry.name),
                    libc::DT_UNKNOWN => match fs::unlink(directory, entry.name) {
                        Err(Errno::EISDIR | Errno::EPERM) => fs::rmdir(directory, entry.name),
                        result => result,
                    },
                    _ => fs::unlink(directory, entry.name),
                };
                match try_twice(directory, entry.name, refused, &remove) {
                    Ok(()) => removed = true,
                    Err(Errno::ENOTEMPTY | Errno::EEXIST) => {
                        let resolve = fs::RESOLVE_NO_XDEV | fs::RESOLVE_BENEATH;
                        return fs::open_resolved(
                            directory,
                            entry.name,
                            OPEN_DIRECTORY,
                            0,
                            resolve,
                        )
                        .map(Some);
                    }
                    Err(errno) => return Err(errno),
                }
            }
        }
    }
    Ok(None)
}
