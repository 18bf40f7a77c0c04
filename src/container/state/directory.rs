//! One container's directory: its lock, its files, its removal.

use super::id::Id;
use super::record::{State, StateMemory};
use super::status::Status;
use crate::codec::json::{self, Writer};
use crate::io::lossy::{LossyC, On};
use crate::io::output::Output;
use crate::io::strings::{PackedStrings, StringBlock};
use crate::limits::{CONFIG_BYTES, LOCK_WAIT_MS};
use crate::spec;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::{self, Errno, event, fs, process, time};
use crate::{Context, Error, Result};
use core::ffi::CStr;

const STATE: &CStr = c"state.json";
const STATE_NEW: &CStr = c"state.json.new";
const CONFIG: &CStr = c"config.json";

#[cold]
pub(super) fn bare(errno: Errno) -> Error {
    Error::with_errno(format_args!("{errno}"), errno)
}

#[cold]
pub(super) fn absent(id: Id<'_>) -> Error {
    Error::with_errno(format_args!("container does not exist: {id}"), Errno::ENOENT)
}

/// Returns an error unless the open file or directory belongs to the caller, and only the caller
/// may write it. Otherwise another user's state could name any process and directory to root.
pub(super) fn check_owner(file: FdRef<'_>, kind: u32) -> Result<()> {
    let (stat, caller) = (fs::stat(file, c"").doing("stat")?, process::effective_uid());
    let text = match () {
        _ if stat.kind() != kind => {
            format_args!("not a {}", if kind == fs::S_IFDIR { "directory" } else { "file" })
        }
        _ if stat.uid != caller => {
            format_args!("it belongs to user {}, and the caller is {caller}", stat.uid)
        }
        _ if stat.mode & 0o022 != 0 => {
            format_args!("others may write it (mode {:o})", stat.mode & 0o7777)
        }
        _ => return Ok(()),
    };
    Err(Error::with_errno(text, Errno::EACCES))
}

pub(super) fn each_entry(
    directory: FdRef<'_>,
    see: &mut dyn FnMut(fs::Entry<'_>) -> Result<()>,
) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let bytes = fs::read_directory(directory, &mut buffer).doing("list containers")?;
        if bytes.is_empty() {
            return Ok(());
        }
        fs::entries(bytes).try_for_each(&mut *see)?;
    }
}

/// One container's directory.
pub struct Directory<'r> {
    pub(super) root: FdRef<'r>,
    pub(super) id: Id<'r>,
    pub(super) fd: Fd,
    pub(super) locked: bool,
}

impl<'r> Directory<'r> {
    /// Returns the container's name.
    pub fn id(&self) -> Id<'r> {
        self.id
    }

    /// Returns its fd, for other files in it.
    pub fn fd(&self) -> FdRef<'_> {
        self.fd.by_ref()
    }

    /// Keeps other commands from changing this container until drop. ENOENT if it was removed
    /// meanwhile, EBUSY if another command does not end.
    pub fn lock(&mut self) -> Result<()> {
        let deadline = time::monotonic_us() + LOCK_WAIT_MS * 1000;
        while !self.locked {
            match fs::lock(self.fd(), libc::LOCK_EX | libc::LOCK_NB) {
                Err(Errno::EAGAIN) if time::monotonic_us() < deadline => drop(event::wait_ms(5)),
                Err(Errno::EAGAIN) => {
                    let text =
                        format_args!("container {}: another command is at work on it", self.id);
                    return Err(Error::with_errno(text, Errno::EBUSY));
                }
                locked => {
                    locked.on("lock container", self.id.0)?;
                    self.locked = true;
                }
            }
        }
        match fs::stat(self.fd(), c"") {
            Ok(stat) if stat.links > 0 => Ok(()),
            _ => Err(absent(self.id)),
        }
    }

    /// Replaces the state atomically by `state`.
    pub fn write(&self, state: &State<'_>) -> Result<()> {
        self.put(STATE_NEW, &mut |output| state.write(self.id, output))?;
        fs::rename(self.fd(), STATE_NEW, self.fd(), STATE, 0)
            .on("replace the state of container", self.id.0)
    }

    /// Stores the container's config.
    pub fn write_config(&self, config: &[u8]) -> Result<()> {
        self.put(CONFIG, &mut |output| {
            use crate::io::output::Sink;
            output.put(config);
            Ok(())
        })
    }

    fn put(&self, name: &CStr, write: &mut dyn FnMut(&mut Output<'_>) -> Result<()>) -> Result<()> {
        let flags = fs::O_WRONLY | fs::O_CREAT | fs::O_TRUNC | fs::O_NOFOLLOW;
        let file = fs::open(self.fd(), name, flags, 0o600).on("make", name)?;
        let mut output = Output::new(file.by_ref());
        write(&mut output)?;
        output.finish().on("write", name)
    }

    /// Reads the last state. ENOENT if there is none: the container is just being made or removed,
    /// or a command died meanwhile.
    pub fn read<'b>(&self, memory: &'b mut StateMemory) -> Result<State<'b>> {
        let StateMemory { document, strings } = memory;
        match self.whole(STATE, document) {
            Ok(document) => json::check(document)
                .and_then(|document| State::read(self.id, &document, strings))
                .map_err(|error| self.at(STATE, error)),
            Err(error) if error.errno() == Errno::ENOENT => Err(absent(self.id)),
            Err(error) => Err(error),
        }
    }

    /// Writes the state for callers (see [`State::describe`]). `buffer` holds the container's
    /// config, for its annotations, and their text.
    pub fn describe(
        &self,
        json: &mut Writer<'_>,
        state: &State<'_>,
        status: Status,
        owner: Option<&[u8]>,
        buffer: &mut [u8],
    ) {
        let (document, text) = buffer.split_at_mut(buffer.len().min(CONFIG_BYTES));
        let mut strings = StringBlock::new(text);
        let annotations = self
            .read_config(document)
            .and_then(|config| spec::read_annotations(config, &mut strings))
            .unwrap_or(PackedStrings::new(b""));
        state.describe(self.id, json, status, owner, annotations);
    }

    /// Reads the container's config for [`spec::read`] and similar.
    pub fn read_config<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8]> {
        self.whole(CONFIG, buffer)
    }

    fn whole<'b>(&self, name: &CStr, buffer: &'b mut [u8]) -> Result<&'b mut [u8]> {
        self.read_whole(name, buffer).map_err(|error| self.at(name, error))
    }

    fn read_whole<'b>(&self, name: &CStr, buffer: &'b mut [u8]) -> Result<&'b mut [u8]> {
        let file = fs::open(self.fd(), name, fs::O_RDONLY | fs::O_NOFOLLOW | fs::O_NONBLOCK, 0)
            .map_err(bare)?;
        check_owner(file.by_ref(), fs::S_IFREG)?;
        let mut length = 0;
        while length < buffer.len() {
            match fs::read(file.by_ref(), &mut buffer[length..]).map_err(bare)? {
                0 => return Ok(&mut buffer[..length]),
                count => length += count,
            }
        }
        Err(bare(Errno::EFBIG))
    }

    #[cold]
    fn at(&self, name: &CStr, error: Error) -> Error {
        error.within(format_args!("container {}: {}", self.id, LossyC(name)))
    }

    /// Removes the directory with all its files.
    pub fn remove(&self) -> Result<()> {
        let all = fs::open(self.fd(), c".", fs::O_RDONLY | fs::O_DIRECTORY, 0)
            .on("open container", self.id.0)?;
        each_entry(all.by_ref(), &mut |entry| match fs::unlink(self.fd(), entry.name) {
            Err(Errno::EISDIR) => remove_directory(self.fd(), entry.name).on("remove", entry.name),
            removed => removed.on("remove", entry.name),
        })?;
        fs::rmdir(self.root, self.id.0).on("remove the directory of container", self.id.0)?;
        // Commands that wait for the lock then see that the container is gone.
        let _ = fs::lock(self.fd(), libc::LOCK_UN);
        Ok(())
    }
}

/// Removes a directory without subdirectories: that of notifications.
fn remove_directory(parent: FdRef<'_>, name: &CStr) -> sys::Result<()> {
    let directory = fs::open(parent, name, fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0)?;
    let mut buffer = [0; 1024];
    loop {
        let bytes = fs::read_directory(directory.by_ref(), &mut buffer)?;
        if bytes.is_empty() {
            return fs::rmdir(parent, name);
        }
        fs::entries(bytes).try_for_each(|entry| fs::unlink(directory.by_ref(), entry.name))?;
    }
}

impl Drop for Directory<'_> {
    /// Unlocks at once, because a child may have a copy of the fd.
    fn drop(&mut self) {
        if self.locked {
            let _ = fs::lock(self.fd(), libc::LOCK_UN);
        }
    }
}
