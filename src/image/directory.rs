//! A layout in a directory. No name in it can open a file outside the directory.

use crate::io::lossy::{LossyC, On};
use crate::io::section::Section;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::{Errno, fs};
use crate::{Error, Result};
use core::ffi::CStr;

/// A directory, in getdents64(2).
const DT_DIR: u8 = 4;

/// A layout in a directory.
pub struct Directory {
    dir: Fd,
}

impl Directory {
    /// Returns the layout in this directory.
    pub fn open(dir: Fd) -> Result<Directory> {
        let directory = Directory { dir };
        super::document::check_layout_file(directory.file(c"oci-layout")?)?;
        Ok(directory)
    }

    /// Calls `see` with each non-directory in `folder`. Returns false if the folder does not exist.
    pub fn each_name(
        &self,
        folder: &CStr,
        see: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        let directory = match self.open_beneath(folder, fs::O_RDONLY | fs::O_DIRECTORY) {
            Err(Errno::ENOENT) => return Ok(false),
            directory => directory.on("open", folder)?,
        };
        let mut buffer = [0; 2048];
        loop {
            let bytes = fs::read_directory(directory.by_ref(), &mut buffer).on("read", folder)?;
            if bytes.is_empty() {
                return Ok(true);
            }
            for entry in fs::entries(bytes).filter(|entry| entry.kind != DT_DIR) {
                see(entry.name.to_bytes())?;
            }
        }
    }

    fn open_beneath(&self, path: &CStr, flags: i32) -> core::result::Result<Fd, Errno> {
        let resolve = fs::RESOLVE_BENEATH | fs::RESOLVE_NO_MAGICLINKS;
        fs::open_resolved(self.dir.by_ref(), path, flags, 0, resolve)
    }

    /// Opens a whole regular file. Returns `None` if the name does not exist.
    pub fn file(&self, path: &CStr) -> Result<Option<Section>> {
        // O_PATH first, for a check of the type: opening a device may have an effect, and a socket
        // gives ENXIO.
        let there = match self.open_beneath(path, fs::O_PATH) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            Err(Errno::EXDEV) => {
                return Err(Error::new(format_args!("{}: leads out of the layout", LossyC(path))));
            }
            there => there.on("open", path)?,
        };
        regular(there.by_ref(), path)?;
        // Non-blocking, because another process may have replaced it by a FIFO.
        let flags = fs::O_RDONLY | fs::O_NONBLOCK | fs::O_NOCTTY;
        let file = self.open_beneath(path, flags).on("open", path)?;
        let size = regular(file.by_ref(), path)?;
        Ok(Some(Section { file, offset: 0, size }))
    }
}

/// Returns the size of a regular file, or an error for another type.
fn regular(file: FdRef<'_>, path: &CStr) -> Result<u64> {
    let stat = fs::stat(file, c"").on("stat", path)?;
    if stat.kind() != fs::S_IFREG {
        return Err(Error::new(format_args!("{}: not a regular file", LossyC(path))));
    }
    Ok(stat.size)
}
