//! Walks over a cgroup and all cgroups beneath it.
//!
//! A container that may make cgroups chooses their depth and number. So the walk goes down by one
//! name and up by `..`: paths may have any length, two fds suffice, and each directory is read
//! once. A stack holds the pending names: for each open directory an empty name, then its cgroups.

use crate::limits::CGROUP_NAMES_BYTES;
use crate::sys::fd::FdRef;
use crate::sys::vm::MappedVec;
use crate::sys::{Errno, Result, fs, time};
use core::ffi::CStr;

/// Buffer for directory entries, in bytes: a cgroup has some 60 files.
const DIRECTORY_BYTES: usize = 4096;
const DIRECTORY: i32 = fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW;

/// A step of the walk.
pub(super) enum Step<'a> {
    /// The directory has a cgroup of this name; the answer `true` enters it.
    Found(FdRef<'a>, &'a CStr),
    /// In this cgroup, after all below it.
    Inside(FdRef<'a>),
    /// Back in this directory from the cgroup of this name.
    Left(FdRef<'a>, &'a CStr),
}

/// Walks over `top` and all cgroups beneath it. Skips a cgroup that vanishes meanwhile.
///
/// ETIME after `deadline_us` (of [`time::monotonic_us`]), ENOSPC beyond [`CGROUP_NAMES_BYTES`].
pub(super) fn walk(
    top: FdRef<'_>,
    deadline_us: u64,
    step: &mut dyn FnMut(Step<'_>) -> Result<bool>,
) -> Result<()> {
    let (mut names, mut depth) = (MappedVec::new(CGROUP_NAMES_BYTES), 0);
    let mut group = match fs::open(top, c".", DIRECTORY, 0) {
        Err(errno) if is_gone(errno) => return Ok(()),
        group => group?,
    };
    read_names(group.by_ref(), &mut names)?;
    loop {
        if time::monotonic_us() > deadline_us {
            return Err(Errno::ETIME);
        }
        let (mut start, mut name) = last(&names);
        if name.is_empty() {
            step(Step::Inside(group.by_ref()))?;
            names.truncate(start);
            if depth == 0 {
                return Ok(());
            }
            depth -= 1;
            group = fs::open(group.by_ref(), c"..", DIRECTORY, 0)?;
            (start, name) = last(&names);
            step(Step::Left(group.by_ref(), name))?;
        } else if step(Step::Found(group.by_ref(), name))? {
            // Mounts over a cgroup are not entered.
            let resolve = fs::RESOLVE_NO_XDEV | fs::RESOLVE_NO_SYMLINKS | fs::RESOLVE_BENEATH;
            match fs::open_resolved(group.by_ref(), name, DIRECTORY, 0, resolve) {
                Ok(inner) => {
                    (group, depth) = (inner, depth + 1);
                    read_names(group.by_ref(), &mut names)?;
                    continue;
                }
                Err(errno) if is_gone(errno) || errno == Errno::EXDEV => {}
                Err(errno) => return Err(errno),
            }
        }
        names.truncate(start);
    }
}

/// Returns the start of the last name, and the name.
fn last(names: &[u8]) -> (usize, &CStr) {
    let end = names.len().saturating_sub(1);
    let start = names[..end].iter().rposition(|byte| *byte == 0).map_or(0, |at| at + 1);
    (start, CStr::from_bytes_with_nul(&names[start..]).unwrap_or(c""))
}

/// Appends an empty name and the names of all cgroups in `group`.
fn read_names(group: FdRef<'_>, names: &mut MappedVec<u8>) -> Result<()> {
    names.push(0)?;
    // A directory without subdirectories has two links: its name and `.`.
    if fs::stat(group, c"").is_ok_and(|stat| stat.links == 2) {
        return Ok(());
    }
    let mut buffer = [0; DIRECTORY_BYTES];
    loop {
        let bytes = match fs::read_directory(group, &mut buffer) {
            Err(errno) if is_gone(errno) => return Ok(()),
            bytes => bytes?,
        };
        if bytes.is_empty() {
            return Ok(());
        }
        for entry in fs::entries(bytes).filter(|entry| entry.kind == libc::DT_DIR) {
            names.extend(entry.name.to_bytes_with_nul())?;
        }
    }
}

/// Returns whether this errno says that the cgroup was removed.
pub(super) fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENODEV)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd::CWD;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    fn open(path: &Path) -> crate::sys::fd::Fd {
        let path = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
        fs::open(CWD, &path, DIRECTORY, 0).unwrap()
    }

    /// Returns the steps as text. Only steps between `+` and `-` are in any order.
    fn steps(top: &Path, deadline_us: u64) -> Result<Vec<String>> {
        let mut all = Vec::new();
        walk(open(top).by_ref(), deadline_us, &mut |step| {
            all.push(match step {
                Step::Found(_, name) => format!("+{}", name.to_str().unwrap()),
                Step::Inside(_) => "in".to_string(),
                Step::Left(_, name) => format!("-{}", name.to_str().unwrap()),
            });
            Ok(true)
        })
        .map(|()| all)
    }

    /// Plain directories suffice: the walk uses only names and `..`.
    #[test]
    fn each_directory_is_seen_once_after_all_in_it() {
        let top = std::env::temp_dir().join(format!("ocinit-walk-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&top);
        std::fs::create_dir_all(top.join("a/b/c")).unwrap();
        std::fs::write(top.join("a/file"), "").unwrap();
        std::os::unix::fs::symlink("/", top.join("a/link")).unwrap();
        assert_eq!(
            steps(&top, u64::MAX).unwrap(),
            ["+a", "+b", "+c", "in", "-c", "in", "-b", "in", "-a", "in"]
        );
        assert_eq!(steps(&top, 0), Err(Errno::ETIME));
        for n in 0..300 {
            std::fs::create_dir(top.join(format!("a/b/{n}"))).unwrap();
        }
        let all = steps(&top, u64::MAX).unwrap();
        assert_eq!(all.iter().filter(|step| *step == "in").count(), 304);
        let mut found: Vec<_> = all.iter().filter(|step| step.starts_with('+')).collect();
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 303);
        std::fs::remove_dir_all(top).unwrap();
    }

    /// Longer than PATH_MAX, and deeper than the limit of fds.
    #[test]
    fn depth_is_no_matter() {
        let top = std::env::temp_dir().join(format!("ocinit-deep-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&top);
        std::fs::create_dir(&top).unwrap();
        let name = std::ffi::CString::new("n".repeat(200)).unwrap();
        let mut inner = open(&top);
        for _ in 0..2000 {
            fs::mkdir(inner.by_ref(), &name, 0o755).unwrap();
            inner = fs::open(inner.by_ref(), &name, DIRECTORY, 0).unwrap();
        }
        let (mut deepest, mut depth) = (0, 0);
        walk(open(&top).by_ref(), u64::MAX, &mut |step| {
            match step {
                Step::Found(..) => (depth, deepest) = (depth + 1, deepest.max(depth + 1)),
                Step::Inside(_) => {}
                Step::Left(parent, name) => {
                    depth -= 1;
                    fs::rmdir(parent, name)?;
                }
            }
            Ok(true)
        })
        .unwrap();
        assert_eq!((deepest, depth), (2000, 0));
        std::fs::remove_dir(top).unwrap();
    }
}
