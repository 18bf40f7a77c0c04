//! The directory of all containers' states.

use super::Id;
use super::directory::{Directory, absent, check_owner, each_entry};
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::limits::{CONTAINERS_MAX, NAME_BYTES};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::vm::MappedVec;
use crate::sys::{self, Errno, fs};
use crate::{Context, Error, Result};
use core::ffi::CStr;

#[cold]
fn taken(id: Id<'_>) -> Error {
    Error::with_errno(format_args!("container with given ID already exists: {id}"), Errno::EEXIST)
}

#[cold]
fn untrusted(id: Id<'_>, error: Error) -> Error {
    error.within(format_args!("container {id}: its state is not trusted"))
}

/// The behaviour if the root is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// An error.
    Refuse,
    /// Treat it as empty.
    Ignore,
    /// Make it and its parents, accessible only to the caller.
    Make,
}

/// The directory of all containers.
pub struct Root {
    directory: Option<Fd>,
    made: Option<MadeRoot>,
}

/// The part of the path that we made.
struct MadeRoot {
    /// The current directory at that time, for a relative path.
    base: Fd,
    path: PathBuf,
    /// Length of the part of the path that existed before.
    former: usize,
}

impl Root {
    /// Opens the directory `path`.
    pub fn open(path: &CStr, missing: Missing) -> Result<Root> {
        if missing == Missing::Make {
            return Root::make(path);
        }
        match open(path) {
            Ok(directory) => Ok(Root { directory: Some(directory), made: None }),
            Err(Errno::ENOENT) if missing == Missing::Ignore => {
                Ok(Root { directory: None, made: None })
            }
            Err(errno) => Err(errno).on("open the state's root", path),
        }
    }

    /// Makes the directory. The lock keeps another command from removing it before it has a
    /// container.
    fn make(path: &CStr) -> Result<Root> {
        loop {
            let made = make_directories(path)?;
            let directory = match open(path) {
                // Another command has removed it again.
                Err(Errno::ENOENT) => continue,
                directory => directory.on("open the state's root", path)?,
            };
            fs::lock(directory.by_ref(), libc::LOCK_SH).on("lock", path)?;
            if fs::stat(directory.by_ref(), c"").on("stat", path)?.links > 0 {
                return Ok(Root { directory: Some(directory), made });
            }
        }
    }

    /// Removes the directories that we made for the root, unless another command uses them.
    pub fn take_back(&self) {
        if let (Some(directory), Some(made)) = (&self.directory, &self.made) {
            let _ = made.remove(directory.by_ref());
        }
    }

    /// Makes a new container's directory, locked.
    pub fn create<'r>(&'r self, id: Id<'r>) -> Result<Directory<'r>> {
        let root = self.directory.as_ref().ok_or_else(|| absent(id))?.by_ref();
        let made = fs::mkdir(root, id.0, 0o711);
        // The root is not empty from now on, so it needs no lock.
        let _ = fs::lock(root, libc::LOCK_UN);
        match made {
            Err(Errno::EEXIST) => return Err(taken(id)),
            made => made.on("make the directory of container", id.0)?,
        }
        let mut directory = self.container(id)?;
        directory.lock()?;
        Ok(directory)
    }

    /// Early check before expensive work: returns an error if the container exists. `create` checks
    /// again.
    pub fn check_free(&self, id: Id<'_>) -> Result<()> {
        match self.container(id) {
            Ok(_) => Err(taken(id)),
            Err(error) if error.errno() == Errno::ENOENT => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Opens a container's directory; ENOENT if there is none.
    pub fn container<'r>(&'r self, id: Id<'r>) -> Result<Directory<'r>> {
        let root = self.directory.as_ref().ok_or_else(|| absent(id))?.by_ref();
        match fs::open(root, id.0, fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0) {
            Ok(fd) => {
                check_owner(fd.by_ref(), fs::S_IFDIR).map_err(|error| untrusted(id, error))?;
                Ok(Directory { root, id, fd, locked: false })
            }
            Err(Errno::ENOENT) => Err(absent(id)),
            Err(errno) => Err(errno).on("open the directory of container", id.0),
        }
    }

    /// Sets `path` to the absolute path of a container's directory, which need not exist.
    pub fn path_of(&self, id: Id<'_>, path: &mut PathBuf) -> Result<()> {
        let root = self.directory.as_ref().ok_or_else(|| absent(id))?.raw() as u32;
        let link =
            PathBuf::format(format_args!("/proc/self/fd/{root}")).doing("find the state's root")?;
        let mut buffer = [0; crate::limits::PATH_BYTES];
        let root =
            fs::readlink(CWD, link.as_c_str(), &mut buffer).doing("find the state's root")?;
        path.push_bytes(root)
            .and_then(|()| path.push(id.0.to_bytes()))
            .doing("find the state's root")
    }

    /// Calls `see` with the names of all containers, sorted.
    pub fn each(&self, see: &mut dyn FnMut(Id<'_>) -> Result<()>) -> Result<()> {
        let Some(root) = &self.directory else { return Ok(()) };
        let mut names = Names::new();
        fs::seek(root.by_ref(), 0, fs::SEEK_SET).doing("list containers")?;
        each_entry(root.by_ref(), &mut |entry| {
            let is_one = matches!(entry.kind, libc::DT_DIR | libc::DT_UNKNOWN)
                && Id::check(entry.name).is_ok();
            if is_one { names.add(entry.name).map_err(too_many) } else { Ok(()) }
        })?;
        names.sort();
        names.iter().try_for_each(|name| see(Id::check(name)?))
    }
}

fn open(path: &CStr) -> sys::Result<Fd> {
    fs::open(CWD, path, fs::O_RDONLY | fs::O_DIRECTORY, 0)
}

fn make_directories(path: &CStr) -> Result<Option<MadeRoot>> {
    let (mut part, mut former) = (PathBuf::new(), None);
    for component in path.to_bytes().split_inclusive(|byte| *byte == b'/') {
        let before = part.as_bytes().len();
        part.push_bytes(component).on("make the state's root", path)?;
        match fs::mkdir(CWD, part.as_c_str(), 0o700) {
            Ok(()) => former = former.or(Some(before)),
            Err(Errno::EEXIST) => {}
            // On a read-only file system mkdir(2) fails even if the directory exists.
            Err(_) if fs::stat(CWD, part.as_c_str()).is_ok() => {}
            Err(errno) => return Err(errno).on("make the state's root", part.as_c_str()),
        }
    }
    let Some(former) = former else { return Ok(None) };
    let base =
        fs::open(CWD, c".", fs::O_PATH | fs::O_DIRECTORY, 0).doing("open the current directory")?;
    Ok(Some(MadeRoot { base, path: part, former }))
}

impl MadeRoot {
    fn remove(&self, directory: FdRef<'_>) -> sys::Result<()> {
        // EAGAIN: another command is about to make a container in it.
        fs::lock(directory, libc::LOCK_EX | libc::LOCK_NB)?;
        let mut path = PathBuf::from_bytes(self.path.as_bytes())?;
        while path.as_bytes().len() > self.former {
            fs::rmdir(self.base.by_ref(), path.as_c_str())?;
            let bytes = path.as_bytes();
            let end = bytes.iter().rposition(|byte| *byte != b'/').unwrap_or(0);
            let parent = bytes[..end].iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
            path.truncate(parent);
        }
        Ok(())
    }
}

/// Names, each with its NUL, and the start of each.
struct Names {
    text: MappedVec<u8>,
    starts: MappedVec<u32>,
}

impl Names {
    fn new() -> Names {
        Names {
            text: MappedVec::new(CONTAINERS_MAX * (NAME_BYTES + 1)),
            starts: MappedVec::new(CONTAINERS_MAX),
        }
    }

    fn add(&mut self, name: &CStr) -> sys::Result<()> {
        self.starts.push(self.text.len() as u32)?;
        self.text.extend(name.to_bytes_with_nul())
    }

    fn sort(&mut self) {
        let text = &*self.text;
        self.starts.sort_unstable_by(|a, b| name_at(text, *a).cmp(name_at(text, *b)));
    }

    fn iter(&self) -> impl Iterator<Item = &CStr> {
        self.starts.iter().map(|start| name_at(&self.text, *start))
    }
}

fn name_at(text: &[u8], start: u32) -> &CStr {
    CStr::from_bytes_until_nul(&text[start as usize..]).unwrap_or(c"")
}

#[cold]
fn too_many(errno: Errno) -> Error {
    match errno {
        Errno::ENOSPC => Error::new(format_args!("more than {CONTAINERS_MAX} containers")),
        errno => Error::with_errno(format_args!("list containers: {errno}"), errno),
    }
}
