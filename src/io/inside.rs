//! Names resolved inside a root: `/`, `..` and symlinks lead no further than the directory that is the root.

use super::path::PathBuf;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::fs::{self, O_DIRECTORY, O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS};
use crate::sys::{self, Errno};
use core::ffi::CStr;

/// `path` in `root` as a place (`O_PATH`), with further `O_*` flags and `RESOLVE_*`.
pub fn open(root: FdRef<'_>, path: &CStr, flags: i32, resolve: u64) -> sys::Result<Fd> {
    fs::open_resolved(root, path, O_PATH | flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve)
}

/// The directory `path` in `root`, made with all that leads to it where it is missing (0755, root's).
/// `resolve` may add `RESOLVE_NO_SYMLINKS`. ENOENT at the end means a symlink to nothing.
pub fn make_directories(root: FdRef<'_>, path: &CStr, resolve: u64) -> sys::Result<Fd> {
    match open(root, path, O_DIRECTORY, resolve) {
        Err(Errno::ENOENT) => {}
        found => return found,
    }
    let mut walked = PathBuf::from_bytes(b"/")?;
    let mut place = open(root, c"/", O_DIRECTORY, 0)?;
    for component in path.to_bytes().split(|byte| *byte == b'/').filter(|component| !component.is_empty()) {
        let start = walked.as_bytes().len();
        walked.push(component)?;
        place = match open(root, walked.as_c_str(), O_DIRECTORY, resolve) {
            Err(Errno::ENOENT) => {
                // The name alone, in the directory just opened: nothing is followed here.
                let name_at = start + usize::from(start > 1);
                let name = CStr::from_bytes_until_nul(&walked.as_c_str().to_bytes_with_nul()[name_at..]);
                match fs::mkdir(place.by_ref(), name.unwrap_or(c""), 0o755) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(errno),
                }
                open(root, walked.as_c_str(), O_DIRECTORY, resolve)?
            }
            found => found?,
        };
    }
    Ok(place)
}
