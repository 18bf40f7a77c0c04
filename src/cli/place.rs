//! The directory or file that a command fills: whole under its name, or not there at all.
//!
//! One that is missing is made under a name that says it is partial, and renamed at the end; a directory that is there
//! must be empty and is filled in place, for it may be a mount point. Whatever ends the work early, it is as before.

use crate::io::path::PathBuf;
use crate::io::show::ShowC;
use crate::rootfs::remove;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::{self, Errno, fs, process};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// A directory or file that is being filled. Dropped before [`Place::keep`], it takes back what was made.
pub struct Place<'n> {
    file: Fd,
    is_directory: bool,
    /// Where it will be.
    path: &'n CStr,
    /// Where it is until then; empty where it is there already.
    partial: &'n PathBuf,
    /// Its owner, mode and time before.
    before: fs::Stat,
    kept: bool,
}

impl<'n> Place<'n> {
    /// Makes the directory `path` with these permissions, or takes it where it is empty. `what` says what it is for, in
    /// errors; the name that it has meanwhile is put into `partial`.
    pub fn make(what: &str, path: &'n CStr, mode: u32, partial: &'n mut PathBuf) -> Result<Place<'n>> {
        let file = open(path, mode, partial).context(what, &ShowC(path))?;
        Place::new(file, true, path, partial)
    }

    /// Makes a file, of which nothing has the name.
    pub fn make_file(what: &str, path: &'n CStr, partial: &'n mut PathBuf) -> Result<Place<'n>> {
        let file = open_file(path, partial).context(what, &ShowC(path))?;
        Place::new(file, false, path, partial)
    }

    /// What is there already, and stays whatever happens: who fills it takes back what he made.
    pub fn of(file: Fd, none: &'n PathBuf) -> Result<Place<'n>> {
        let mut place = Place::new(file, false, c"", none)?;
        place.kept = true;
        Ok(place)
    }

    fn new(file: Fd, is_directory: bool, path: &'n CStr, partial: &'n PathBuf) -> Result<Place<'n>> {
        let before = fs::stat(file.by_ref(), c"").doing("stat")?;
        Ok(Place { file, is_directory, path, partial, before, kept: false })
    }

    /// The file to be filled, or the directory.
    pub fn file(&self) -> FdRef<'_> {
        self.file.by_ref()
    }

    /// All is there: it gets its name.
    pub fn keep(mut self) -> Result<()> {
        if !self.partial.as_bytes().is_empty() {
            // Over nothing, or over a file or an empty directory that came meanwhile.
            let renamed = fs::rename(CWD, self.partial.as_c_str(), CWD, self.path, 0);
            renamed.context("rename to", &ShowC(self.path))?;
        }
        self.kept = true;
        Ok(())
    }

    /// Takes back what was made.
    fn undo(&self) -> sys::Result<()> {
        if self.is_directory {
            remove::children(self.file())?;
        }
        match self.partial.as_bytes() {
            // A layer may have set what the directory itself is.
            b"" => {
                let (directory, before) = (self.file(), &self.before);
                fs::chown(directory, c"", before.uid, before.gid)?;
                fs::chmod_fd(directory, before.mode & 0o7777)?;
                fs::set_times(directory, c"", before.modified)
            }
            _ if self.is_directory => fs::rmdir(CWD, self.partial.as_c_str()),
            _ => fs::unlink(CWD, self.partial.as_c_str()),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.kept
            && let Err(errno) = self.undo()
        {
            crate::warning!("what was made could not all be removed: {errno}");
        }
    }
}

fn open(path: &CStr, mode: u32, partial: &mut PathBuf) -> Result<Fd> {
    match fs::open(CWD, path, fs::O_RDONLY | fs::O_DIRECTORY, 0) {
        Err(Errno::ENOENT) => create(path, mode, partial).doing("create"),
        directory => {
            let directory = directory.doing("open")?;
            let mut buffer = [0; 1024];
            let entries = fs::read_directory(directory.by_ref(), &mut buffer).doing("read")?;
            match fs::entries(entries).next() {
                None => Ok(directory),
                Some(_) => Err(Error::new(format_args!("not empty"))),
            }
        }
    }
}

fn create(path: &CStr, mode: u32, partial: &mut PathBuf) -> sys::Result<Fd> {
    let mut name = path.to_bytes();
    while let Some(shorter) = name.strip_suffix(b"/") {
        name = shorter;
    }
    set_partial(partial, name)?;
    fs::mkdir(CWD, partial.as_c_str(), mode)?;
    let directory = fs::open(CWD, partial.as_c_str(), fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0)?;
    // Neither the caller's umask nor the time of day: what layers do not say of the root is the same in every run.
    fs::chmod_fd(directory.by_ref(), mode)?;
    fs::set_times(directory.by_ref(), c"", fs::Time::default())?;
    Ok(directory)
}

fn open_file(path: &CStr, partial: &mut PathBuf) -> Result<Fd> {
    if !matches!(fs::stat(CWD, path), Err(Errno::ENOENT)) {
        return Err(Error::new(format_args!("is there already, or its directory is not")));
    }
    set_partial(partial, path.to_bytes()).doing("create")?;
    let flags = fs::O_RDWR | fs::O_CREAT | fs::O_EXCL | fs::O_NOFOLLOW;
    fs::open(CWD, partial.as_c_str(), flags, 0o644).doing("create")
}

/// The name that it has until all is there.
fn set_partial(partial: &mut PathBuf, name: &[u8]) -> sys::Result<()> {
    partial.push_bytes(name)?;
    core::fmt::write(partial, format_args!(".partial-{}", process::getpid())).map_err(|_| Errno::ENAMETOOLONG)
}
