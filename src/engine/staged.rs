//! The directory or file that a command makes: complete under its name, or absent.
//!
//! A new one has a random partial name until the end, when it is renamed. An existing directory
//! must be empty, and is filled in place, because it may be a mount point. A failure restores the
//! former state. The next command for the same path removes leftovers of a killed one.

use super::{Notice, Notices};
use crate::io::lossy::LossyC;
use crate::io::path::PathBuf;
use crate::io::unique;
use crate::limits::NAME_BYTES;
use crate::rootfs::{remove, stale};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::{self, Errno, fs};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// A directory or file in progress. On drop before [`Staged::commit`] it is removed.
pub struct Staged<'n> {
    file: Fd,
    shape: Shape,
    /// Its final path.
    path: &'n CStr,
    /// Its partial path, or empty if it is filled in place.
    partial: &'n PathBuf,
    /// Former owner, mode and time.
    before: fs::Stat,
    kept: bool,
    notices: Notices<'n>,
}

/// The kind of file to make.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    File,
    Directory,
}

impl<'n> Staged<'n> {
    /// Makes the directory `path` with this mode, or accepts an empty one. Errors name its purpose
    /// `what`. `partial` gets its partial name.
    pub fn make(
        what: &str,
        path: &'n CStr,
        mode: u32,
        partial: &'n mut PathBuf,
        notices: Notices<'n>,
    ) -> Result<Staged<'n>> {
        let file = open(path, mode, partial).context(what, &LossyC(path))?;
        Staged::new(file, Shape::Directory, path, partial, notices)
    }

    /// Makes a file. An existing one is an error.
    pub fn make_file(
        what: &str,
        path: &'n CStr,
        partial: &'n mut PathBuf,
        notices: Notices<'n>,
    ) -> Result<Staged<'n>> {
        let file = open_file(path, partial).context(what, &LossyC(path))?;
        Staged::new(file, Shape::File, path, partial, notices)
    }

    /// Accepts an existing empty directory, to fill it in place.
    pub fn fill(
        directory: Fd,
        path: &'n CStr,
        none: &'n PathBuf,
        notices: Notices<'n>,
    ) -> Result<Staged<'n>> {
        Staged::new(directory, Shape::Directory, path, none, notices)
    }

    /// Returns a target that stays, even on failure: the caller removes its own files.
    pub fn of(file: Fd, none: &'n PathBuf, notices: Notices<'n>) -> Result<Staged<'n>> {
        let mut place = Staged::new(file, Shape::File, c"", none, notices)?;
        place.kept = true;
        Ok(place)
    }

    fn new(
        file: Fd,
        shape: Shape,
        path: &'n CStr,
        partial: &'n PathBuf,
        notices: Notices<'n>,
    ) -> Result<Staged<'n>> {
        let before = fs::stat(file.by_ref(), c"").doing("stat")?;
        Ok(Staged { file, shape, path, partial, before, kept: false, notices })
    }

    fn is_directory(&self) -> bool {
        self.shape == Shape::Directory
    }

    /// Returns the file or the directory to fill.
    pub fn file(&self) -> FdRef<'_> {
        self.file.by_ref()
    }

    /// Returns true if the directory existed before, empty.
    pub fn is_filled_in_place(&self) -> bool {
        self.is_directory() && self.partial.as_bytes().is_empty()
    }

    /// Gives the complete target its name. EEXIST or ENOTEMPTY: another process has taken the name.
    pub fn commit(mut self) -> Result<()> {
        if !self.partial.as_bytes().is_empty() {
            let partial = self.partial.as_c_str();
            let renamed = match self.is_directory() {
                // The name is free, or an empty directory.
                true => fs::rename(CWD, partial, CWD, self.path, 0),
                false => name_file(partial, self.path),
            };
            renamed.context("rename to", &LossyC(self.path))?;
        }
        self.kept = true;
        Ok(())
    }

    /// Removes what was made.
    fn undo(&self) -> sys::Result<()> {
        if self.is_directory() {
            remove::children(self.file())?;
        }
        match self.partial.as_bytes() {
            // A layer may have set the directory's own attributes.
            b"" => {
                let (directory, before) = (self.file(), &self.before);
                fs::chown(directory, c"", before.uid, before.gid)?;
                fs::chmod_fd(directory, before.mode & 0o7777)?;
                fs::set_times(directory, c"", before.modified)
            }
            _ if self.is_directory() => fs::rmdir(CWD, self.partial.as_c_str()),
            _ => fs::unlink(CWD, self.partial.as_c_str()),
        }
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.kept
            && let Err(errno) = self.undo()
        {
            (self.notices)(&Notice::NotRemoved(errno));
        }
    }
}

/// Gives a file its name, unless that exists.
fn name_file(partial: &CStr, path: &CStr) -> sys::Result<()> {
    match fs::rename(CWD, partial, CWD, path, libc::RENAME_NOREPLACE) {
        // The file system does not know the flag. link(2) does not replace a file either.
        Err(Errno::EINVAL | Errno::ENOSYS) => {
            fs::link(CWD, partial, CWD, path)?;
            fs::unlink(CWD, partial)
        }
        renamed => renamed,
    }
}

fn open(path: &CStr, mode: u32, partial: &mut PathBuf) -> Result<Fd> {
    match fs::open(CWD, path, fs::O_RDONLY | fs::O_DIRECTORY, 0) {
        Err(Errno::ENOENT) => create(path, mode, partial),
        directory => {
            let directory = directory.doing("open")?;
            match is_empty(directory.by_ref())? {
                true => Ok(directory),
                false => Err(Error::new(format_args!("not empty"))),
            }
        }
    }
}

/// Returns whether a directory is empty.
pub fn is_empty(directory: FdRef<'_>) -> Result<bool> {
    let directory = fs::open(directory, c".", fs::O_RDONLY | fs::O_DIRECTORY, 0).doing("open")?;
    let mut buffer = [0; 1024];
    let entries = fs::read_directory(directory.by_ref(), &mut buffer).doing("read")?;
    Ok(fs::entries(entries).next().is_none())
}

fn create(path: &CStr, mode: u32, partial: &mut PathBuf) -> Result<Fd> {
    let mut name = path.to_bytes();
    while let Some(shorter) = name.strip_suffix(b"/") {
        name = shorter;
    }
    let name = PathBuf::from_bytes(name).doing("create")?;
    check_free(name.as_c_str())?;
    set_partial(partial, name.as_bytes()).doing("create")?;
    let directory = unique::directory(CWD, partial, mode).doing("create")?;
    // Neither umask nor time of day: attributes of the root that no layer sets are equal in every
    // run.
    let set = fs::chmod_fd(directory.by_ref(), mode);
    set.and_then(|()| fs::set_times(directory.by_ref(), c"", fs::Time::default()))
        .doing("create")?;
    Ok(directory)
}

fn open_file(path: &CStr, partial: &mut PathBuf) -> Result<Fd> {
    check_free(path)?;
    set_partial(partial, path.to_bytes()).doing("create")?;
    unique::file(CWD, partial, 0o644).doing("create")
}

/// Returns an error before any work, unless the name is free and its directory exists.
fn check_free(path: &CStr) -> Result<()> {
    let there = match fs::stat(CWD, path) {
        Ok(there) => there,
        Err(Errno::ENOENT) => {
            let parent = PathBuf::from_bytes(split(path.to_bytes()).0).doing("create")?;
            return fs::open(CWD, parent.as_c_str(), fs::O_PATH | fs::O_DIRECTORY, 0)
                .map(drop)
                .map_err(|errno| {
                    Error::with_errno(
                        format_args!("its directory {}: {errno}", LossyC(parent.as_c_str())),
                        errno,
                    )
                });
        }
        Err(errno) => return Err(errno).doing("look"),
    };
    if there.kind() != fs::S_IFLNK {
        return Err(Error::new(format_args!("is there already")));
    }
    let is_dangling = fs::open(CWD, path, fs::O_PATH, 0).is_err();
    Err(Error::new(format_args!(
        "is a symlink {}",
        if is_dangling { "that leads to nothing" } else { "already" }
    )))
}

/// Returns the directory of a path, and its last component.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        None => (b".", path),
        Some(0) => (b"/", &path[1..]),
        Some(at) => (&path[..at], &path[at + 1..]),
    }
}

/// Sets the prefix of the partial name. Removes leftovers of killed commands with this prefix.
fn set_partial(partial: &mut PathBuf, path: &[u8]) -> sys::Result<()> {
    const MARK: &[u8] = b".partial-";
    let (parent, last) = split(path);
    let last = &last[..last.len().min(NAME_BYTES - MARK.len() - unique::DIGITS)];
    let mut prefix = PathBuf::from_bytes(last)?;
    prefix.push_bytes(MARK)?;
    partial.push_bytes(parent)?;
    if let Ok(parent) = fs::open(CWD, partial.as_c_str(), fs::O_RDONLY | fs::O_DIRECTORY, 0) {
        stale::sweep(parent.by_ref(), prefix.as_bytes());
    }
    partial.push(prefix.as_bytes())
}
