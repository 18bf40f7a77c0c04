//! The files that a layer's whiteouts hide are kept, because its hard links may still name them.
//!
//! They lie in a directory of the root with a random name. Each keeps its path beneath one of the
//! subdirectories 0, 1 and so on: the next one if a hidden file already has that path.

use super::name::Name;
use super::remove;
use crate::io::path::PathBuf;
use crate::io::unique;
use crate::limits::HIDDEN_PLACES_MAX;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::{self, Errno, fs};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// The files that a layer's whiteouts hide.
pub struct Hidden<'r> {
    root: FdRef<'r>,
    name: PathBuf,
    directory: Fd,
    /// Its inode, so that an opaque whiteout of the root spares it.
    inode: u64,
    places: usize,
}

impl<'r> Hidden<'r> {
    /// Makes the directory.
    pub fn new(root: FdRef<'r>) -> Result<Hidden<'r>> {
        let mut name = PathBuf::from_bytes(b".ocinit-hidden-").doing("name")?;
        let mut make = || {
            let modified = fs::stat(root, c"")?.modified;
            let directory = unique::directory(root, &mut name, 0o700)?;
            fs::set_times(root, c"", modified)?;
            let inode = fs::stat(directory.by_ref(), c"")?.inode;
            Ok((directory, inode))
        };
        let made: sys::Result<(Fd, u64)> = make();
        let (directory, inode) = made.doing("make a place for hidden files")?;
        Ok(Hidden { root, name, directory, inode, places: 1 })
    }

    /// Removes all hidden files, and the directory.
    pub fn remove(self) -> Result<()> {
        let remove = || {
            let modified = fs::stat(self.root, c"")?.modified;
            remove::tree(self.root, self.name.as_c_str())?;
            fs::set_times(self.root, c"", modified)
        };
        remove().doing("remove what whiteouts hide")
    }

    /// Hides `last` in `directory`, whose path in the root is `parent`. Removes it if it cannot be
    /// moved.
    pub fn hide(&mut self, directory: FdRef<'_>, parent: &[u8], last: &CStr) -> Result<()> {
        loop {
            match self.hide_in(self.places - 1, directory, parent, last) {
                Ok(()) | Err(Errno::ENOENT) => return Ok(()),
                Err(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR | Errno::EISDIR) => {}
                Err(_) => {
                    let is_directory =
                        fs::stat(directory, last).is_ok_and(|stat| stat.kind() == fs::S_IFDIR);
                    let removed = if is_directory {
                        remove::tree(directory, last)
                    } else {
                        fs::unlink(directory, last)
                    };
                    return removed.doing("remove what is there");
                }
            }
            if self.places == HIDDEN_PLACES_MAX {
                return Err(Error::new(format_args!(
                    "more than {HIDDEN_PLACES_MAX} whiteouts of one path"
                )));
            }
            self.places += 1;
        }
    }

    fn hide_in(
        &self,
        place: usize,
        directory: FdRef<'_>,
        parent: &[u8],
        last: &CStr,
    ) -> sys::Result<()> {
        let number = PathBuf::format(format_args!("{place}"))?;
        let mut here = make_directory(self.directory.by_ref(), number.as_c_str())?;
        for component in
            parent.split(|&byte| byte == b'/').filter(|component| !component.is_empty())
        {
            here = make_directory(here.by_ref(), PathBuf::from_bytes(component)?.as_c_str())?;
        }
        match fs::rename(directory, last, here.by_ref(), last, libc::RENAME_NOREPLACE) {
            // The file system lacks RENAME_NOREPLACE.
            Err(Errno::EINVAL) => fs::rename(directory, last, here.by_ref(), last, 0),
            renamed => renamed,
        }
    }

    /// Hides everything in `directory`, whose path in the root is `parent`.
    pub fn hide_children(&mut self, directory: FdRef<'_>, parent: &[u8]) -> Result<()> {
        let listed = fs::open(directory, c".", fs::O_RDONLY | fs::O_DIRECTORY, 0).doing("open")?;
        let mut buffer = [0; 2048];
        loop {
            // Start again: on some file systems a rename invalidates the position in a directory.
            fs::seek(listed.by_ref(), 0, fs::SEEK_SET).doing("read")?;
            let mut is_any = false;
            loop {
                let bytes = fs::read_directory(listed.by_ref(), &mut buffer).doing("read")?;
                if bytes.is_empty() {
                    break;
                }
                for entry in fs::entries(bytes) {
                    if entry.inode == self.inode && entry.name == self.name.as_c_str() {
                        continue;
                    }
                    self.hide(directory, parent, entry.name)?;
                    is_any = true;
                }
            }
            if !is_any {
                return Ok(());
            }
        }
    }

    /// Makes a hard link to a hidden file. ENOENT if no hidden file has that path.
    pub fn link(&self, from: &Name, into: FdRef<'_>, last: &CStr) -> sys::Result<()> {
        for place in 0..self.places {
            let mut path = PathBuf::format(format_args!("{place}"))?;
            path.push(from.parent())?;
            let resolve = fs::RESOLVE_IN_ROOT | fs::RESOLVE_NO_MAGICLINKS | fs::RESOLVE_NO_SYMLINKS;
            let flags = fs::O_PATH | fs::O_DIRECTORY;
            match fs::open_resolved(self.directory.by_ref(), path.as_c_str(), flags, 0, resolve) {
                Ok(parent) => match fs::link(parent.by_ref(), from.last(), into, last) {
                    Err(Errno::ENOENT) => {}
                    done => return done,
                },
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {}
                Err(errno) => return Err(errno),
            }
        }
        Err(Errno::ENOENT)
    }
}

fn make_directory(parent: FdRef<'_>, name: &CStr) -> sys::Result<Fd> {
    match fs::mkdir(parent, name, 0o700) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    fs::open(parent, name, fs::O_PATH | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0)
}
