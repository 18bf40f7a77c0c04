//! The directories of the entries. A few stay open, and each gets its modification time back.
//!
//! Paths are resolved only here, by `openat2` with the root as `/`: no `..`, absolute link or magic
//! link leaves the root. All other calls take a fd from here and one component.

use super::metadata::Inherited;
use crate::io::lossy::Elided;
use crate::io::path::PathBuf;
use crate::limits::{DANGLING_MAX, PARENTS_OPEN, PATH_BYTES};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::fs::{self, Time};
use crate::sys::{Errno, xattr};
use crate::{Context, Result};

/// The paths of the open directories.
pub struct ParentsMemory([[u8; PATH_BYTES]; PARENTS_OPEN]);

impl ParentsMemory {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: ParentsMemory = ParentsMemory([[0; PATH_BYTES]; PARENTS_OPEN]);
}

/// One open directory.
pub struct Parent {
    directory: Fd,
    length: usize,
    device: u64,
    inode: u64,
    /// Its time before the first change, or the time in its own entry.
    modified: Time,
    changed: bool,
    last_use: u64,
    /// Its path goes through a symlink.
    pub aliased: bool,
    /// The properties that new files in it inherit.
    pub inherited: Inherited,
}

/// The open directories.
pub struct Parents<'a> {
    root: FdRef<'a>,
    paths: &'a mut [[u8; PATH_BYTES]; PARENTS_OPEN],
    open: [Option<Parent>; PARENTS_OPEN],
    clock: u64,
}

/// Index of an open directory; valid until the next call that takes `&mut`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct At(usize);

const OPEN_DIRECTORY: i32 = fs::O_RDONLY | fs::O_DIRECTORY;
const OPEN_PATH: i32 = fs::O_PATH | fs::O_DIRECTORY;
const IN_ROOT: u64 = fs::RESOLVE_IN_ROOT | fs::RESOLVE_NO_MAGICLINKS;

impl<'a> Parents<'a> {
    /// Returns an empty set.
    pub fn new(root: FdRef<'a>, memory: &'a mut ParentsMemory) -> Parents<'a> {
        Parents { root, paths: &mut memory.0, open: [const { None }; PARENTS_OPEN], clock: 0 }
    }

    /// Returns the directory `path` (from a [`super::name::Name`]), or None if it does not exist.
    pub fn find(&mut self, path: &[u8]) -> Result<Option<At>> {
        self.clock += 1;
        for index in 0..PARENTS_OPEN {
            if let Some(parent) = &mut self.open[index]
                && &self.paths[index][..parent.length] == path
            {
                parent.last_use = self.clock;
                return Ok(Some(At(index)));
            }
        }
        match self.resolve(path) {
            Ok((directory, aliased)) => {
                self.enter(path, directory, aliased).context("open", &Elided(path)).map(Some)
            }
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
            Err(errno) => Err(errno).context("open", &Elided(path)),
        }
    }

    /// Returns the directory `path`. Makes it and missing parents, in place of non-directories.
    pub fn find_or_make(&mut self, path: &[u8]) -> Result<At> {
        if let Some(at) = self.find(path)? {
            return Ok(at);
        }
        self.close_all_but(None)?;
        make_directories(self.root, path).context("create directory", &Elided(path))?;
        let (directory, aliased) = self.resolve(path).context("open", &Elided(path))?;
        self.enter(path, directory, aliased).context("open", &Elided(path))
    }

    /// Returns whether a found directory is still open.
    pub fn is_open(&self, at: At) -> bool {
        self.open[at.0].is_some()
    }

    /// Returns a found directory.
    pub fn get(&self, at: At) -> &Parent {
        self.open[at.0].as_ref().expect("found since the last change")
    }

    /// Returns its fd.
    pub fn directory(&self, at: At) -> FdRef<'_> {
        self.get(at).directory.by_ref()
    }

    /// Marks a directory in which a file is about to be made or removed.
    pub fn touch(&mut self, at: At) {
        if let Some(parent) = &mut self.open[at.0] {
            parent.changed = true;
        }
    }

    /// Notes the new attributes of a directory that may be open here. Its time is set now, or when
    /// it is closed.
    pub fn renew(&mut self, directory: FdRef<'_>, time: Time) -> core::result::Result<(), Errno> {
        let stat = fs::stat(directory, c"")?;
        let same =
            |parent: &&mut Parent| (parent.device, parent.inode) == (stat.device, stat.inode);
        match self.open.iter_mut().flatten().find(same) {
            Some(parent) => {
                (parent.modified, parent.changed) = (time, true);
                parent.inherited = inherited(directory, &stat);
            }
            None => fs::set_times(directory, c"", time)?,
        }
        Ok(())
    }

    /// Closes all but one. Callers do this before they remove a directory or symlink, because
    /// others may lie beneath it.
    pub fn close_all_but(&mut self, at: Option<At>) -> Result<()> {
        (0..PARENTS_OPEN)
            .filter(|index| Some(At(*index)) != at)
            .try_for_each(|index| self.close(index))
    }

    fn close(&mut self, index: usize) -> Result<()> {
        match self.open[index].take() {
            Some(parent) if parent.changed => {
                fs::set_times(parent.directory.by_ref(), c"", parent.modified)
                    .context("set the time of", &Elided(&self.paths[index][..parent.length]))
            }
            _ => Ok(()),
        }
    }

    /// Opens a path beneath the root. Returns whether it goes through a symlink, too.
    fn resolve(&self, path: &[u8]) -> core::result::Result<(Fd, bool), Errno> {
        let path = PathBuf::from_bytes(if path.is_empty() { b"." } else { path })?;
        let open = |resolve| {
            fs::open_resolved(self.root, path.as_c_str(), OPEN_DIRECTORY, 0, IN_ROOT | resolve)
        };
        match open(fs::RESOLVE_NO_SYMLINKS) {
            Err(Errno::ELOOP) => open(0).map(|directory| (directory, true)),
            result => result.map(|directory| (directory, false)),
        }
    }

    fn enter(
        &mut self,
        path: &[u8],
        directory: Fd,
        aliased: bool,
    ) -> core::result::Result<At, Errno> {
        let close = |this: &mut Self, index| this.close(index).map_err(|error| error.errno());
        let mut stat = fs::stat(directory.by_ref(), c"")?;
        // The same directory by another path: keep the time from before its change.
        let same = |parent: &Parent| (parent.device, parent.inode) == (stat.device, stat.inode);
        if let Some(index) = self.open.iter().position(|parent| parent.as_ref().is_some_and(same)) {
            close(self, index)?;
            stat = fs::stat(directory.by_ref(), c"")?;
        }
        let oldest = (0..PARENTS_OPEN)
            .min_by_key(|index| self.open[*index].as_ref().map_or(0, |open| open.last_use));
        let index = oldest.unwrap_or(0);
        close(self, index)?;
        self.paths[index][..path.len()].copy_from_slice(path);
        self.open[index] = Some(Parent {
            inherited: inherited(directory.by_ref(), &stat),
            directory,
            length: path.len(),
            device: stat.device,
            inode: stat.inode,
            modified: stat.modified,
            changed: false,
            last_use: self.clock,
            aliased,
        });
        Ok(At(index))
    }
}

fn inherited(directory: FdRef<'_>, stat: &fs::Stat) -> Inherited {
    let default_acl = xattr::length_fd(directory, c"system.posix_acl_default").is_ok();
    Inherited { setgid: stat.mode & libc::S_ISGID != 0, default_acl }
}

/// Makes `path` and its missing parents, like mkdir -p. The target of a dangling symlink is made
/// inside the root, as in other implementations. Other non-directories are removed, as an explicit
/// entry would do.
///
/// It opens one component at a time: resolving each prefix again would take quadratic time.
#[inline(never)]
fn make_directories(root: FdRef<'_>, path: &[u8]) -> core::result::Result<(), Errno> {
    let mut path = PathBuf::from_bytes(path)?;
    let (mut start, mut dangling) = (0, 0);
    let mut here = fs::open(root, c".", OPEN_PATH, 0)?;
    while start < path.as_bytes().len() {
        let rest = &path.as_bytes()[start..];
        let end = start + rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
        let name = PathBuf::from_bytes(&path.as_bytes()[start..end])?;
        let name = name.as_c_str();
        // A link's target may have these components.
        if matches!(name.to_bytes(), b"" | b".") {
            start = end + 1;
            continue;
        }
        let deeper = match name.to_bytes() {
            b".." => Err(Errno::ELOOP),
            _ => fs::open(here.by_ref(), name, OPEN_PATH | fs::O_NOFOLLOW, 0),
        };
        let deeper = match deeper {
            // A symlink, which is followed inside the root, or another non-directory.
            Err(Errno::ELOOP | Errno::ENOTDIR) => {
                let prefix = PathBuf::from_bytes(&path.as_bytes()[..end])?;
                fs::open_resolved(root, prefix.as_c_str(), OPEN_PATH, 0, IN_ROOT)
            }
            deeper => deeper,
        };
        match deeper {
            Ok(deeper) => {
                here = deeper;
                start = end + 1;
            }
            Err(Errno::ENOENT | Errno::ENOTDIR) => {
                let above = fs::open(here.by_ref(), c".", OPEN_DIRECTORY, 0)?;
                let modified = fs::stat(above.by_ref(), c"")?.modified;
                match fs::mkdir(above.by_ref(), name, 0o755) {
                    Err(Errno::EEXIST) => {
                        let mut target = [0; PATH_BYTES];
                        match fs::readlink(above.by_ref(), name, &mut target) {
                            Ok(target) => {
                                dangling += 1;
                                if dangling > DANGLING_MAX {
                                    return Err(Errno::ELOOP);
                                }
                                let mut longer = PathBuf::new();
                                if !target.starts_with(b"/") {
                                    longer.push_bytes(&path.as_bytes()[..start])?;
                                }
                                longer.push_bytes(target)?;
                                longer.push_bytes(&path.as_bytes()[end..])?;
                                path = longer;
                                start = 0;
                                here = fs::open(root, c".", OPEN_PATH, 0)?;
                            }
                            Err(_) => {
                                fs::unlink(above.by_ref(), name)?;
                                fs::set_times(above.by_ref(), c"", modified)?;
                            }
                        }
                    }
                    made => {
                        made?;
                        fs::set_times(above.by_ref(), c"", modified)?;
                    }
                }
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
