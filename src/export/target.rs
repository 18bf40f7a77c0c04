//! The files of a copy, in a directory or a tar. One at a time; a name that was written before is
//! skipped.
//!
//! A file in a directory has a temporary name until it is complete, and then replaces an older one.

use crate::codec::digest::{Algorithm, Digest, Hasher};
use crate::codec::tar::BLOCK;
use crate::codec::tar::write::{LONG_NAME, NAME_BYTES, header};
use crate::image::path_key;
use crate::io::lossy::Lossy;
use crate::io::observer::Observer;
use crate::io::output::{Output, Sink};
use crate::io::path::PathBuf;
use crate::io::section::Section;
use crate::io::stored::Stored;
use crate::io::unique;
use crate::limits::ARCHIVE_FILES_MAX;
use crate::sys::fd::{Fd, FdRef, duplicate};
use crate::sys::{Errno, fs};
use crate::{Context, Error, Result};

/// Prefix of the name of an unfinished file.
pub const PARTIAL: &str = ".partial-";

/// Names of written files.
pub struct TargetMemory {
    /// Keys of the written files.
    written: heapless::Vec<u64, ARCHIVE_FILES_MAX>,
    /// The begun file's name.
    name: PathBuf,
    /// Its temporary name.
    partial: PathBuf,
}

impl TargetMemory {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: TargetMemory = TargetMemory {
        written: heapless::Vec::new(),
        name: PathBuf::new(),
        partial: PathBuf::new(),
    };
}

/// The kind of target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A tar in an empty file.
    File,
    /// A tar in a pipe: written bytes cannot be changed any more.
    Stream,
}

/// A directory or a tar to be filled.
pub struct Target<'a> {
    /// The directory, or the tar.
    fd: FdRef<'a>,
    kind: Kind,
    memory: &'a mut TargetMemory,
    /// The begun file of the directory.
    open: Option<Fd>,
    /// The tar's length so far, in bytes.
    at: u64,
    /// The announced length of the file.
    size: u64,
}

impl<'a> Target<'a> {
    /// Returns an empty target.
    pub fn new(fd: FdRef<'a>, kind: Kind, memory: &'a mut TargetMemory) -> Target<'a> {
        memory.written.clear();
        Target { fd, kind, memory, open: None, at: 0, size: 0 }
    }

    /// Returns true if a file's length may be unknown until it is written.
    pub fn can_wait(&self) -> bool {
        self.kind != Kind::Stream
    }

    /// Begins a blob of a layout. Returns false if it exists already, with the right digest.
    pub fn begin_blob(&mut self, digest: &Digest, size: u64) -> Result<bool> {
        if self.kind == Kind::Directory && self.is_there(digest, size)? {
            return Ok(false);
        }
        self.begin(format_args!("blobs/{}/{}", digest.algorithm().name(), digest.hex()), size)
    }

    /// Returns whether the target has this blob already.
    pub fn has(&mut self, digest: &Digest, size: u64) -> Result<bool> {
        Ok(self.kind == Kind::Directory && self.is_there(digest, size)?)
    }

    /// Returns whether the directory holds this blob. A damaged one is written again.
    fn is_there(&mut self, digest: &Digest, size: u64) -> Result<bool> {
        let mut path = PathBuf::new();
        path.set(format_args!("blobs/{}/{}", digest.algorithm().name(), digest.hex()))
            .doing("look")?;
        let key = path_key(path.as_bytes());
        if self.memory.written.contains(&key) {
            return Ok(true);
        }
        let flags = fs::O_RDONLY | fs::O_NONBLOCK | fs::O_NOCTTY | fs::O_NOFOLLOW;
        let resolve = fs::RESOLVE_BENEATH | fs::RESOLVE_NO_MAGICLINKS;
        let Ok(file) = fs::open_resolved(self.fd, path.as_c_str(), flags, 0, resolve) else {
            return Ok(false);
        };
        let stat = fs::stat(file.by_ref(), c"").doing("stat")?;
        if stat.kind() != fs::S_IFREG || stat.size != size {
            return Ok(false);
        }
        let section = Section { file, offset: 0, size };
        let is_whole = super::hash_blob(&section, digest.algorithm(), None, &())
            .is_ok_and(|its| its == *digest);
        if is_whole {
            self.remember(key)?;
        }
        Ok(is_whole)
    }

    fn remember(&mut self, key: u64) -> Result<()> {
        let full = |_| Error::new(format_args!("more than {ARCHIVE_FILES_MAX} files"));
        self.memory.written.push(key).map_err(full)
    }

    /// Begins a file of `size` bytes. Returns false if it was written already.
    pub fn begin(&mut self, name: core::fmt::Arguments<'_>, size: u64) -> Result<bool> {
        self.memory.name.set(name).doing("write")?;
        let key = path_key(self.memory.name.as_bytes());
        if self.memory.written.contains(&key) {
            return Ok(false);
        }
        self.remember(key)?;
        self.size = size;
        match self.kind {
            Kind::Directory => {
                self.memory.partial.set(format_args!("{PARTIAL}")).doing("create")?;
                self.open =
                    Some(unique::file(self.fd, &mut self.memory.partial, 0o644).doing("create")?);
            }
            _ => {
                let name = self.memory.name.as_bytes();
                let mut at = self.at + BLOCK as u64;
                if name.len() > NAME_BYTES {
                    // The name with its NUL, in whole blocks.
                    let mut block = [0; BLOCK];
                    let room = block.get_mut(..name.len());
                    room.ok_or(Errno::ENAMETOOLONG).doing("write")?.copy_from_slice(name);
                    put(self.fd, &header(LONG_NAME, b'L', name.len() as u64 + 1))?;
                    put(self.fd, &block)?;
                    at += 2 * BLOCK as u64;
                }
                put(self.fd, &header(name, b'0', size))?;
                self.at = at;
            }
        }
        Ok(true)
    }

    /// Renames a complete file in a directory to its final name.
    fn keep(&mut self) -> core::result::Result<(), Errno> {
        let Some(file) = &self.open else { return Ok(()) };
        fs::sync_file(file.by_ref())?;
        let partial = self.memory.partial.as_c_str();
        // Resolve beneath the layout without links, because another user may have made it.
        let (mut parent, mut name) = (None, self.memory.name.as_bytes());
        while let Some(slash) = name.iter().position(|&byte| byte == b'/') {
            let component = PathBuf::from_bytes(&name[..slash])?;
            let at = parent.as_ref().map_or(self.fd, Fd::by_ref);
            match fs::mkdir(at, component.as_c_str(), 0o755) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            }
            let flags = fs::O_PATH | fs::O_DIRECTORY | fs::O_NOFOLLOW;
            parent = Some(fs::open(at, component.as_c_str(), flags, 0)?);
            name = &name[slash + 1..];
        }
        let at = parent.as_ref().map_or(self.fd, Fd::by_ref);
        fs::rename(self.fd, partial, at, PathBuf::from_bytes(name)?.as_c_str(), 0)?;
        self.open = None;
        Ok(())
    }

    /// Returns the file for the bytes of the begun one.
    pub fn file(&self) -> FdRef<'_> {
        self.open.as_ref().map_or(self.fd, Fd::by_ref)
    }

    /// Ends the file, which has `size` bytes.
    pub fn end(&mut self, size: u64) -> Result<()> {
        if self.kind == Kind::Directory {
            return self.keep().context("write", &Lossy(self.memory.name.as_bytes()));
        }
        if size != self.size {
            let said = self.size;
            if self.kind == Kind::Stream {
                return Err(Error::new(format_args!(
                    "{size} bytes instead of the announced {said}"
                )));
            }
            let block = header(self.memory.name.as_bytes(), b'0', size);
            match fs::write_at(self.fd, &block, self.at - BLOCK as u64).doing("write")? {
                BLOCK => {}
                _ => return Err(Errno::EIO).doing("write"),
            }
        }
        let padding = size.wrapping_neg() as usize % BLOCK;
        self.at += size + padding as u64;
        put(self.fd, &[0; BLOCK][..padding])
    }

    /// Copies a blob of a layout, verified by its digest alone.
    pub fn copy_blob(
        &mut self,
        blob: &dyn Stored,
        digest: &Digest,
        watch: &dyn Observer,
    ) -> Result<()> {
        match self.begin_blob(digest, blob.size())? {
            true => self.fill(blob, digest, watch),
            false => Ok(()),
        }
    }

    /// Fills the begun file with the blob, which must have this digest.
    pub fn fill(&mut self, blob: &dyn Stored, digest: &Digest, watch: &dyn Observer) -> Result<()> {
        let algorithm = digest.algorithm();
        let found = match &self.open {
            // Hash the new file, which only we have open: the source may change meanwhile.
            Some(file) if shares_all(blob, file.by_ref()) => {
                let file = duplicate(file.by_ref(), 3).doing("read")?;
                super::hash_blob(
                    &Section { file, offset: 0, size: blob.size() },
                    algorithm,
                    None,
                    watch,
                )?
            }
            _ => super::hash_blob(blob, algorithm, Some(self.file()), watch)?,
        };
        digest.expect(&found)?;
        self.end(blob.size())
    }

    /// Writes a generated file. It calls `make` twice, because the length precedes the bytes.
    /// Returns digest and length. An empty name makes a blob.
    pub fn document(&mut self, name: &str, make: &dyn Fn(&mut dyn Sink)) -> Result<(Digest, u64)> {
        let mut measure = Measure { hasher: Hasher::new(Algorithm::Sha256), size: 0 };
        make(&mut measure);
        let (digest, size) = (measure.hasher.finish(), measure.size);
        let is_new = match name {
            "" => self.begin_blob(&digest, size)?,
            name => self.begin(format_args!("{name}"), size)?,
        };
        if is_new {
            let mut output = Output::new(self.file());
            make(&mut output);
            output.finish().doing("write")?;
            self.end(size)?;
        }
        Ok((digest, size))
    }

    /// Ends the tar, and syncs everything to the disk.
    pub fn finish(self) -> Result<()> {
        if self.kind != Kind::Directory {
            put(self.fd, &[0; 2 * BLOCK])?;
        }
        match self.kind {
            Kind::Stream => Ok(()),
            _ => fs::sync_file(self.fd).doing("write"),
        }
    }
}

impl Drop for Target<'_> {
    fn drop(&mut self) {
        if self.open.is_some() {
            let _ = fs::unlink(self.fd, self.memory.partial.as_c_str());
        }
    }
}

/// Returns whether the file now shares all blocks of the blob, so that no byte is copied.
fn shares_all(blob: &dyn Stored, file: FdRef<'_>) -> bool {
    let Some(Section { file: source, offset: 0, size }) = blob.file() else { return false };
    if fs::share_blocks(source.by_ref(), file).is_err() {
        return false;
    }
    let is_all = fs::stat(file, c"").is_ok_and(|stat| stat.size == *size);
    is_all || fs::truncate(file, 0).is_err()
}

fn put(file: FdRef<'_>, bytes: &[u8]) -> Result<()> {
    fs::write_all(file, bytes).doing("write")
}

/// Computes the digest and the length of a document.
struct Measure {
    hasher: Hasher,
    size: u64,
}

impl Sink for Measure {
    fn put(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }
}
