//! `ocinit unpack IMAGE ROOTFS`

use super::image;
use crate::io::show::ShowC;
use crate::rootfs::remove;
use crate::sys::fd::{CWD, Fd};
use crate::sys::{Errno, fs};
use crate::{Context, Error, Result, bundle};
use core::ffi::CStr;

/// Unpacks into a directory that it makes, or that is empty; on failure it is as it was.
pub fn run(words: &[&CStr]) -> Result<()> {
    let [words, rootfs] = words else {
        return Err(Error::new(format_args!("usage: ocinit unpack IMAGE ROOTFS")));
    };
    let memory = crate::memory::claim();
    let (store, wanted) = image::open(words, &mut memory.archive)?;
    let image = crate::image::open(&store, &wanted, &mut memory.image)?;
    let (root, made) = empty_directory(rootfs).context("rootfs", &ShowC(rootfs))?;
    let unpacked = bundle::unpack_layers(&store, image.layers, root.by_ref(), &mut memory.unpack);
    if unpacked.is_err() {
        let removed = remove::children(root.by_ref());
        if made && removed.is_ok() {
            let _ = fs::rmdir(CWD, rootfs);
        }
    }
    let applied = unpacked?;
    if applied.skipped_xattrs > 0 {
        crate::warning!("{} extended attributes were skipped", applied.skipped_xattrs);
    }
    Ok(())
}

/// Opens a directory, which is made if it is missing and must be empty; whether it was made.
fn empty_directory(path: &CStr) -> Result<(Fd, bool)> {
    let made = match fs::mkdir(CWD, path, 0o755) {
        Err(Errno::EEXIST) => false,
        made => made.map(|()| true).doing("create")?,
    };
    let directory = fs::open(CWD, path, fs::O_RDONLY | fs::O_DIRECTORY, 0).doing("open")?;
    let mut buffer = [0; 1024];
    let entries = fs::read_directory(directory.by_ref(), &mut buffer).doing("read")?;
    if fs::entries(entries).next().is_some() {
        return Err(Error::new(format_args!("not empty")));
    }
    Ok((directory, made))
}
