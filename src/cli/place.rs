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
pub struct Place {
    file: Fd,
    is_directory: bool,
    /// Where it will be, and where it is until then; nothing where it is there already.
    names: Option<(PathBuf, PathBuf)>,
    /// Its owner, mode and time before.
    before: fs::Stat,
    kept: bool,
}

impl Place {
    /// Makes the directory `path` with these permissions, or takes it where it is empty. `what` says what it is for, in
    /// errors.
    pub fn make(what: &str, path: &CStr, mode: u32) -> Result<Place> {
        open(path, mode).context(what, &ShowC(path))
    }

    /// Makes a file, of which nothing has the name.
    pub fn make_file(what: &str, path: &CStr) -> Result<Place> {
        open_file(path).context(what, &ShowC(path))
    }

    /// What is there already, and stays whatever happens: who fills it takes back what he made.
    pub fn of(file: Fd) -> Result<Place> {
        let mut place = Place::new(file, false, None)?;
        place.kept = true;
        Ok(place)
    }

    fn new(file: Fd, is_directory: bool, names: Option<(PathBuf, PathBuf)>) -> Result<Place> {
        let before = fs::stat(file.by_ref(), c"").doing("stat")?;
        Ok(Place { file, is_directory, names, before, kept: false })
    }

    /// The directory to be filled.
    pub fn directory(&self) -> FdRef<'_> {
        self.file.by_ref()
    }

    /// The file to be filled, or the directory.
    pub fn file(&self) -> FdRef<'_> {
        self.file.by_ref()
    }

    /// All is there: it gets its name.
    pub fn keep(mut self) -> Result<()> {
        if let Some((name, partial)) = &self.names {
            let (from, to) = (partial.as_c_str(), name.as_c_str());
            // Over nothing, or over a file or an empty directory that came meanwhile.
            fs::rename(CWD, from, CWD, to, 0).context("rename to", &ShowC(to))?;
        }
        self.kept = true;
        Ok(())
    }
}

impl Place {
    /// A layer may have set what the directory itself is.
    fn restore(&self) -> sys::Result<()> {
        let (directory, before) = (self.directory(), &self.before);
        fs::chown(directory, c"", before.uid, before.gid)?;
        fs::chmod_fd(directory, before.mode & 0o7777)?;
        fs::set_times(directory, c"", before.modified)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let emptied = if self.is_directory { remove::children(self.file()) } else { Ok(()) };
        let removed = match &self.names {
            Some((_, partial)) if self.is_directory => emptied.and_then(|()| fs::rmdir(CWD, partial.as_c_str())),
            Some((_, partial)) => fs::unlink(CWD, partial.as_c_str()),
            None => emptied.and_then(|()| self.restore()),
        };
        if let Err(errno) = removed {
            crate::warning!("what was made could not all be removed: {errno}");
        }
    }
}

fn open(path: &CStr, mode: u32) -> Result<Place> {
    let flags = fs::O_RDONLY | fs::O_DIRECTORY;
    match fs::open(CWD, path, flags, 0) {
        Err(Errno::ENOENT) => {}
        directory => {
            let directory = directory.doing("open")?;
            let mut buffer = [0; 1024];
            let entries = fs::read_directory(directory.by_ref(), &mut buffer).doing("read")?;
            if fs::entries(entries).next().is_some() {
                return Err(Error::new(format_args!("not empty")));
            }
            return Place::new(directory, true, None);
        }
    }
    let mut name = path.to_bytes();
    while let Some(shorter) = name.strip_suffix(b"/") {
        name = shorter;
    }
    let (name, partial) = names(name).doing("create")?;
    fs::mkdir(CWD, partial.as_c_str(), mode).doing("create")?;
    let directory = fs::open(CWD, partial.as_c_str(), flags | fs::O_NOFOLLOW, 0).doing("open")?;
    // Neither the caller's umask nor the time of day: what layers do not say of the root is the same in every run.
    fs::chmod_fd(directory.by_ref(), mode).doing("change the mode")?;
    fs::set_times(directory.by_ref(), c"", fs::Time::default()).doing("set the time")?;
    Place::new(directory, true, Some((name, partial)))
}

fn open_file(path: &CStr) -> Result<Place> {
    if !matches!(fs::stat(CWD, path), Err(Errno::ENOENT)) {
        return Err(Error::new(format_args!("is there already, or its directory is not")));
    }
    let (name, partial) = names(path.to_bytes()).doing("create")?;
    let flags = fs::O_RDWR | fs::O_CREAT | fs::O_EXCL | fs::O_NOFOLLOW;
    let file = fs::open(CWD, partial.as_c_str(), flags, 0o644).doing("create")?;
    Place::new(file, false, Some((name, partial)))
}

/// The name, and the one that it has until all is there.
fn names(name: &[u8]) -> core::result::Result<(PathBuf, PathBuf), Errno> {
    let name = PathBuf::from_bytes(name)?;
    let mut partial = name.clone();
    let pid = process::getpid();
    core::fmt::write(&mut partial, format_args!(".partial-{pid}")).map_err(|_| Errno::ENAMETOOLONG)?;
    Ok((name, partial))
}
