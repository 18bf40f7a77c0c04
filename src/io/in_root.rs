//! Names resolved inside a root: `/`, `..` and symlinks never leave the root directory.

use super::path::PathBuf;
use crate::limits::{LINKS_FOLLOWED_MAX, PATH_BYTES};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::fs::{self, O_DIRECTORY, O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS};
use crate::sys::{self, Errno};
use core::ffi::CStr;

/// Opens `path` in `root` with `O_PATH`, further `O_*` flags and `RESOLVE_*`.
pub fn open(root: FdRef<'_>, path: &CStr, flags: i32, resolve: u64) -> sys::Result<Fd> {
    fs::open_resolved(
        root,
        path,
        O_PATH | flags,
        0,
        RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
    )
}

/// Opens the directory `path` in `root`. Makes missing components first (0755, owned by root).
/// `resolve` may add `RESOLVE_NO_SYMLINKS`.
pub fn make_directories(root: FdRef<'_>, path: &CStr, resolve: u64) -> sys::Result<Fd> {
    make(root, path, resolve, true)
}

/// Opens the directory or file `path` in `root`. Makes missing directories, and a missing file as
/// an empty one. Follows a dangling symlink and makes its target, inside `root`.
///
/// Each component is made by its name alone in the directory that was just opened (CVE-2024-45310).
pub fn make(root: FdRef<'_>, path: &CStr, resolve: u64, directory: bool) -> sys::Result<Fd> {
    match open(root, path, if directory { O_DIRECTORY } else { 0 }, resolve) {
        Err(Errno::ENOENT) => make_missing(root, path, resolve, directory),
        found => found,
    }
}

/// Does the same as [`make`] for a path that is known to be missing.
// A function of its own, because its buffers are needed only here.
#[inline(never)]
pub fn make_missing(
    root: FdRef<'_>,
    path: &CStr,
    resolve: u64,
    directory: bool,
) -> sys::Result<Fd> {
    let last = if directory { O_DIRECTORY } else { 0 };
    let mut path = PathBuf::from_bytes(path.to_bytes())?;
    // As a rule only the last component is missing.
    let slash = path.as_bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    if let Ok(name) = CStr::from_bytes_with_nul(
        path.as_c_str().to_bytes_with_nul().get(slash + 1..).unwrap_or(b""),
    ) && slash > 0
    {
        let parent = PathBuf::from_bytes(&path.as_bytes()[..slash])?;
        if let Ok(place) = open(root, parent.as_c_str(), O_DIRECTORY, resolve)
            && make_one(place.by_ref(), name, last).is_ok()
        {
            return open(root, path.as_c_str(), last, resolve);
        }
    }
    let mut tries = LINKS_FOLLOWED_MAX;
    'again: loop {
        let mut place = open(root, c"/", O_DIRECTORY, 0)?;
        let mut walked = PathBuf::new();
        let (bytes, mut end) = (path.as_bytes(), 0);
        while let Some(start) =
            bytes[end..].iter().position(|byte| *byte != b'/').map(|more| end + more)
        {
            end = bytes[start..]
                .iter()
                .position(|byte| *byte == b'/')
                .map_or(bytes.len(), |more| start + more);
            let rest = &bytes[end..];
            let flags = if rest.iter().all(|byte| *byte == b'/') { last } else { O_DIRECTORY };
            let parent = walked.as_bytes().len();
            walked.push_bytes(b"/")?;
            walked.push_bytes(&bytes[start..end])?;
            place = match open(root, walked.as_c_str(), flags, resolve) {
                Err(Errno::ENOENT) => {
                    let name = walked.as_c_str().to_bytes_with_nul().get(parent + 1..);
                    let name = CStr::from_bytes_with_nul(name.unwrap_or(b"\0"))
                        .map_err(|_| Errno::EINVAL)?;
                    let made = make_one(place.by_ref(), name, flags);
                    let mut target = [0; PATH_BYTES];
                    match made {
                        Ok(()) => open(root, walked.as_c_str(), flags, resolve)?,
                        Err(Errno::EEXIST) if tries > 0 => {
                            tries -= 1;
                            // Or another process has just made it.
                            if let Ok(target) = fs::readlink(place.by_ref(), name, &mut target) {
                                walked.truncate(if target.starts_with(b"/") { 0 } else { parent });
                                walked.push(target)?;
                                walked.push_bytes(rest)?;
                                path = walked;
                            }
                            continue 'again;
                        }
                        Err(Errno::EEXIST) => return Err(Errno::ELOOP),
                        Err(errno) => return Err(errno),
                    }
                }
                found => found?,
            };
        }
        return Ok(place);
    }
}

/// Makes a directory, or an empty file.
fn make_one(directory: FdRef<'_>, name: &CStr, flags: i32) -> sys::Result<()> {
    match flags {
        0 => fs::mknod(directory, name, fs::S_IFREG | 0o755, 0),
        _ => fs::mkdir(directory, name, 0o755),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd::CWD;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_missing_is_made_inside() {
        let top = std::env::temp_dir().join(format!("ocinit-inside-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&top);
        let root = top.join("root");
        std::fs::create_dir_all(root.join("run")).unwrap();
        let name = std::ffi::CString::new(root.to_str().unwrap()).unwrap();
        let fd = fs::open(CWD, &name, O_PATH | O_DIRECTORY, 0).unwrap();
        let fd = fd.by_ref();
        let is_file = |path: &str| root.join(path).symlink_metadata().unwrap().is_file();

        make_directories(fd, c"/a//b/c/", 0).unwrap();
        make_directories(fd, c"a/../d/e", 0).unwrap();
        make(fd, c"/etc/hosts", 0, false).unwrap();
        assert!(root.join("a/b/c").is_dir() && root.join("d/e").is_dir() && is_file("etc/hosts"));
        // Dangling links as in images, for example systemd's /etc/resolv.conf.
        symlink("../run/systemd/stub", root.join("etc/resolv.conf")).unwrap();
        symlink("/run/gone", root.join("var")).unwrap();
        symlink("../../../../out", root.join("up")).unwrap();
        symlink("/out", root.join("absolute")).unwrap();
        make(fd, c"/etc/resolv.conf", 0, false).unwrap();
        make_directories(fd, c"/var/lib/x", 0).unwrap();
        make_directories(fd, c"/up/x", 0).unwrap();
        make(fd, c"/absolute/y", 0, false).unwrap();
        assert!(is_file("run/systemd/stub") && root.join("run/gone/lib/x").is_dir());
        assert!(root.join("out/x").is_dir() && is_file("out/y"));
        assert_eq!(std::fs::read_dir(&top).unwrap().count(), 1, "something was made outside");

        symlink("loop", root.join("loop")).unwrap();
        symlink("round/x", root.join("round")).unwrap();
        let errno = |path, resolve| make_directories(fd, path, resolve).unwrap_err();
        assert_eq!(errno(c"/loop/x", 0), Errno::ELOOP);
        assert_eq!(errno(c"/round", 0), Errno::ELOOP);
        assert_eq!(errno(c"/var/lib", fs::RESOLVE_NO_SYMLINKS), Errno::ELOOP);
        assert_eq!(errno(c"/etc/hosts/x", 0), Errno::ENOTDIR);
        assert_eq!(errno(c"/etc/hosts", 0), Errno::ENOTDIR);
        std::fs::remove_dir_all(&top).unwrap();
    }
}
