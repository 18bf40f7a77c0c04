//! Removes trees without recursion, with two open fds at a time, and never across a mount.

use crate::sys::Errno;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::fs;
use core::ffi::CStr;

const OPEN_DIRECTORY: i32 = fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW;

/// Gets the directory and name of a file that cannot be removed. Returns true if it has made the
/// removal possible.
pub type Refused<'a> = dyn FnMut(FdRef<'_>, &CStr, Errno) -> bool + 'a;

/// Removes the directory `name` in `parent` and all beneath it. EXDEV or EBUSY if it has a mount
/// point.
pub fn tree(parent: FdRef<'_>, name: &CStr) -> Result<(), Errno> {
    tree_with(parent, name, &mut |_, _, _| false)
}

/// Does the same, but calls `refused` for each file that cannot be removed before it gives up.
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

/// Removes all files in `directory`.
pub fn children(directory: FdRef<'_>) -> Result<(), Errno> {
    empty(fs::open(directory, c".", OPEN_DIRECTORY, 0)?, &mut |_, _, _| false)
}

/// Calls `refused` after a failure, and tries again if that has changed something. The caller
/// handles missing and non-empty directories.
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

/// Empties a directory. It enters the first non-empty directory, and goes up when that is empty;
/// the parent then removes it. Each step removes something, so the walk ends.
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

/// Removes the entries. Opens and returns the first directory that is not empty.
fn remove_entries(directory: FdRef<'_>, refused: &mut Refused<'_>) -> Result<Option<Fd>, Errno> {
    // Small, because a directory is read again from its start after each non-empty one in it.
    let mut buffer = [0; 2048];
    let mut removed = true;
    while removed {
        // On some file systems a removal invalidates the position in a directory: start again until
        // it is empty.
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
