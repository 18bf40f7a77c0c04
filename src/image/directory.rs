//! A layout in a directory. Whatever a name in it says, nothing outside the directory is opened.

use crate::codec::digest::{Algorithm, Digest};
use crate::io::path::PathBuf;
use crate::io::section::Section;
use crate::io::show::{On, ShowC};
use crate::sys::fd::Fd;
use crate::sys::{Errno, fs};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// A directory, in a directory entry.
const DT_DIR: u8 = 4;

/// A layout in a directory.
pub struct Directory {
    dir: Fd,
}

impl Directory {
    /// The layout in this directory.
    pub fn open(dir: Fd) -> Result<Directory> {
        let directory = Directory { dir };
        super::store::check_layout_file(directory.file(c"oci-layout")?)?;
        Ok(directory)
    }

    /// `index.json`; layouts of 2016 have none.
    pub fn index(&self) -> Result<Option<Section>> {
        self.file(c"index.json")
    }

    /// A blob, which must be exactly `size` bytes long.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Section>> {
        let path = PathBuf::format(format_args!("blobs/{}/{}", digest.algorithm().name(), digest.hex()));
        self.file(path.context("blob", digest)?.as_c_str())
    }

    /// Shows every tag of a layout of 2016, with its descriptor.
    pub fn references(&self, see: &mut dyn FnMut(&str, Section) -> Result<()>) -> Result<()> {
        let there = self.each_name(c"refs", &mut |name, kind| {
            // Names are of A-Z a-z 0-9 . _ -; others, hidden files and directories are not tags.
            let Some(name) = name.to_str().ok().filter(|name| !name.starts_with('.') && kind != DT_DIR) else {
                return Ok(());
            };
            let path = PathBuf::format(format_args!("refs/{name}")).context("refs", &name)?;
            self.file(path.as_c_str())?.map_or(Ok(()), |section| see(name, section))
        })?;
        match there {
            true => Ok(()),
            false => Err(Error::new(format_args!("neither index.json nor refs"))),
        }
    }

    /// Shows every blob that there is, by its name. The number of files whose names are no digests that can be verified.
    pub fn each_blob(&self, see: &mut dyn FnMut(Digest, Section) -> Result<()>) -> Result<u64> {
        let mut others = 0;
        for (algorithm, path) in [(Algorithm::Sha256, c"blobs/sha256"), (Algorithm::Sha512, c"blobs/sha512")] {
            self.each_name(path, &mut |name, _| match name
                .to_str()
                .ok()
                .and_then(|name| Digest::from_hex(algorithm, name))
            {
                Some(digest) => self.blob(&digest)?.map_or(Ok(()), |section| see(digest, section)),
                None => {
                    others += u64::from(!matches!(name.to_bytes(), b"." | b".."));
                    Ok(())
                }
            })?;
        }
        Ok(others)
    }

    /// Shows all that is in a directory, by name and `DT_*`; false where there is no such directory.
    fn each_name(&self, path: &CStr, see: &mut dyn FnMut(&CStr, u8) -> Result<()>) -> Result<bool> {
        let directory = match self.open_beneath(path, fs::O_DIRECTORY) {
            Err(Errno::ENOENT) => return Ok(false),
            directory => directory.on("open", path)?,
        };
        let mut buffer = [0; 2048];
        loop {
            let bytes = fs::read_directory(directory.by_ref(), &mut buffer).on("read", path)?;
            if bytes.is_empty() {
                return Ok(true);
            }
            fs::entries(bytes).try_for_each(|entry| see(entry.name, entry.kind))?;
        }
    }

    fn open_beneath(&self, path: &CStr, flags: i32) -> core::result::Result<Fd, Errno> {
        // Non-blocking: a FIFO of that name must not hang us.
        let flags = flags | fs::O_RDONLY | fs::O_NONBLOCK | fs::O_NOCTTY;
        let resolve = fs::RESOLVE_BENEATH | fs::RESOLVE_NO_MAGICLINKS;
        fs::open_resolved(self.dir.by_ref(), path, flags, 0, resolve)
    }

    /// A regular file, whole; `None` where there is none of that name.
    fn file(&self, path: &CStr) -> Result<Option<Section>> {
        let file = match self.open_beneath(path, 0) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            Err(Errno::EXDEV) => return Err(Error::new(format_args!("{}: leads out of the layout", ShowC(path)))),
            file => file.on("open", path)?,
        };
        let stat = fs::stat(file.by_ref(), c"").on("stat", path)?;
        if stat.kind() != fs::S_IFREG {
            return Err(Error::new(format_args!("{}: not a regular file", ShowC(path))));
        }
        Ok(Some(Section { file, offset: 0, size: stat.size }))
    }
}
