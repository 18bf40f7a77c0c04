//! New files and directories under unguessable unique names: a prefix and 16 hex digits.
//!
//! Each is made with O_EXCL, never through a symlink, and stays locked (flock(2)) while its fd is
//! open. So a name without a lock belongs to a killed command. A pid would not be unique, because
//! two pid namespaces share numbers.

use super::path::PathBuf;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::{self, Errno, fs, system};
use core::fmt::Write;

/// Hex digits of a name.
pub const DIGITS: usize = 16;
/// Names to try before EEXIST is an error. One suffices unless another process removes it at once.
const TRIES: usize = 16;

/// Appends 16 random hex digits from the kernel.
pub fn push_digits(name: &mut PathBuf) -> sys::Result<()> {
    let mut bytes = [0; DIGITS / 2];
    system::random(&mut bytes)?;
    write!(name, "{:016x}", u64::from_ne_bytes(bytes)).map_err(|_| Errno::ENAMETOOLONG)
}

/// Returns whether `name` is `prefix` and 16 hex digits.
pub fn is_made(name: &[u8], prefix: &[u8]) -> bool {
    let digits = name.strip_prefix(prefix).filter(|digits| digits.len() == DIGITS);
    digits
        .is_some_and(|digits| digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
}

/// Makes and locks a file. `name` holds the prefix, and then the whole name.
pub fn file(directory: FdRef<'_>, name: &mut PathBuf, mode: u32) -> sys::Result<Fd> {
    make(directory, name, &|name| {
        let flags = fs::O_RDWR | fs::O_CREAT | fs::O_EXCL | fs::O_NOFOLLOW;
        fs::open(directory, name.as_c_str(), flags, mode)
    })
}

/// Makes and locks a directory. `path` holds the prefix, and then the whole path.
pub fn directory(parent: FdRef<'_>, path: &mut PathBuf, mode: u32) -> sys::Result<Fd> {
    make(parent, path, &|path| {
        fs::mkdir(parent, path.as_c_str(), mode)?;
        fs::open(parent, path.as_c_str(), fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0)
    })
}

fn make(
    directory: FdRef<'_>,
    name: &mut PathBuf,
    create: &dyn Fn(&PathBuf) -> sys::Result<Fd>,
) -> sys::Result<Fd> {
    let length = name.as_bytes().len();
    let mut tries = TRIES;
    loop {
        name.truncate(length);
        push_digits(name)?;
        tries -= 1;
        match create(name) {
            // ENOENT: a sweep removed the directory before it was locked.
            Err(Errno::EEXIST | Errno::ENOENT) if tries > 0 => continue,
            Err(errno) => return Err(errno),
            // A file system without locks: a sweep finds no free name there either.
            Ok(file)
                if !is_lockable(file.by_ref()) || is_named(directory, name, file.by_ref())? =>
            {
                return Ok(file);
            }
            Ok(_) if tries == 0 => return Err(Errno::EEXIST),
            Ok(_) => continue,
        }
    }
}

/// Locks the file. Returns false if the file system has no locks.
fn is_lockable(file: FdRef<'_>) -> bool {
    !matches!(fs::lock(file, libc::LOCK_EX | libc::LOCK_NB), Err(errno) if errno != Errno::EAGAIN)
}

/// Returns whether `name` still refers to `file`.
pub fn is_named(directory: FdRef<'_>, name: &PathBuf, file: FdRef<'_>) -> sys::Result<bool> {
    let there = match fs::stat(directory, name.as_c_str()) {
        Err(Errno::ENOENT) => return Ok(false),
        there => there?,
    };
    let file = fs::stat(file, c"")?;
    Ok((there.device, there.inode) == (file.device, file.inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd::CWD;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn each_name_is_new_and_locked() {
        let place = std::env::temp_dir().join(format!("ocinit-unique-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        let prefix = place.join("x.partial-");
        let new = || PathBuf::from_bytes(prefix.as_os_str().as_bytes()).unwrap();
        let (mut one, mut other) = (new(), new());
        let first = file(CWD, &mut one, 0o600).unwrap();
        let second = directory(CWD, &mut other, 0o700).unwrap();
        assert!(one.as_bytes() != other.as_bytes());
        for path in [&one, &other] {
            assert!(is_made(path.as_bytes(), new().as_bytes()));
            let again = fs::open(CWD, path.as_c_str(), fs::O_RDONLY, 0).unwrap();
            assert_eq!(fs::lock(again.by_ref(), libc::LOCK_EX | libc::LOCK_NB), Err(Errno::EAGAIN));
        }
        assert!(
            is_named(CWD, &one, first.by_ref()).unwrap()
                && !is_named(CWD, &one, second.by_ref()).unwrap()
        );
        std::fs::remove_dir_all(place).unwrap();
        assert!(!is_named(CWD, &one, first.by_ref()).unwrap());
        assert_eq!(file(CWD, &mut new(), 0o600).unwrap_err(), Errno::ENOENT);
    }

    #[test]
    fn a_name_is_the_prefix_and_digits() {
        assert!(is_made(b"a.partial-0123456789abcdef", b"a.partial-"));
        for name in [
            "a.partial-123",
            "b.partial-0123456789abcdef",
            "a.partial-0123456789abcdeF",
            "a.partial-0123456789abcdef0",
        ] {
            assert!(!is_made(name.as_bytes(), b"a.partial-"), "{name}");
        }
    }
}
