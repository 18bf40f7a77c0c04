//! The directory that a command fills: whole under its name, or not there at all.
//!
//! One that is missing is made under a name that says it is partial, and renamed at the end; one that is there must be
//! empty and is filled in place, for it may be a mount point. Whatever ends the work early, it is as before.

use crate::io::path::PathBuf;
use crate::io::show::ShowC;
use crate::rootfs::remove;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::{self, Errno, fs, process};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// A directory that is being filled. Dropped before [`Place::keep`], it takes back what was made.
pub struct Place {
    directory: Fd,
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

    /// The directory to be filled.
    pub fn directory(&self) -> FdRef<'_> {
        self.directory.by_ref()
    }

    /// All is there: the directory gets its name.
    pub fn keep(mut self) -> Result<()> {
        if let Some((name, partial)) = &self.names {
            let (from, to) = (partial.as_c_str(), name.as_c_str());
            // Over nothing, or over an empty directory that came meanwhile.
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
        let emptied = remove::children(self.directory());
        let removed = match &self.names {
            Some((_, partial)) => emptied.and_then(|()| fs::rmdir(CWD, partial.as_c_str())),
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
            let before = fs::stat(directory.by_ref(), c"").doing("stat")?;
            return Ok(Place { directory, names: None, before, kept: false });
        }
    }
    let mut name = path.to_bytes();
    while let Some(shorter) = name.strip_suffix(b"/") {
        name = shorter;
    }
    let name = PathBuf::from_bytes(name).doing("create")?;
    let mut partial = name.clone();
    let pid = process::getpid();
    fmt_suffix(&mut partial, pid).doing("create")?;
    fs::mkdir(CWD, partial.as_c_str(), mode).doing("create")?;
    let directory = fs::open(CWD, partial.as_c_str(), flags | fs::O_NOFOLLOW, 0).doing("open")?;
    // Neither the caller's umask nor the time of day: what layers do not say of the root is the same in every run.
    fs::chmod_fd(directory.by_ref(), mode).doing("change the mode")?;
    fs::set_times(directory.by_ref(), c"", fs::Time::default()).doing("set the time")?;
    let before = fs::stat(directory.by_ref(), c"").doing("stat")?;
    Ok(Place { directory, names: Some((name, partial)), before, kept: false })
}

fn fmt_suffix(path: &mut PathBuf, pid: i32) -> core::result::Result<(), Errno> {
    core::fmt::write(path, format_args!(".partial-{pid}")).map_err(|_| Errno::ENAMETOOLONG)
}
