//! The bundle that `run --image` makes: a directory of its container alone, removed with it.

use crate::container::state::Id;
use crate::container::userns::{self, Ids};
use crate::io::path::PathBuf;
use crate::io::show::On;
use crate::rootfs::remove;
use crate::sys::fd::CWD;
use crate::sys::{Errno, fs, process};
use crate::{Context, Result};
use core::ffi::CStr;

/// What its name begins with, so that nothing else is removed.
const PREFIX: &[u8] = b"ocinit-bundle-";
/// Where it is, if the environment does not say: on a disk, for images are larger than memory.
const PLACE: &CStr = c"/var/tmp";

/// The path that the bundle of a container gets.
pub fn path(id: Id<'_>, path: &mut PathBuf) -> Result<()> {
    let place = process::variable(b"TMPDIR").filter(|place| place.to_bytes().starts_with(b"/")).unwrap_or(PLACE);
    let set = path.push_bytes(place.to_bytes()).and_then(|()| path.push(PREFIX));
    let set = set.and_then(|()| path.push_bytes(id.as_c_str().to_bytes()));
    // Two users, or two states' roots, may have containers of one name.
    set.and_then(|()| push_number(path, process::getpid())).doing("name a bundle")
}

fn push_number(path: &mut PathBuf, number: i32) -> crate::sys::Result<()> {
    let number = PathBuf::format(format_args!("-{number}"))?;
    path.push_bytes(number.as_bytes())
}

/// Removes the bundle at `path`, if it is such a one. Whoever is not root is root of his user namespace for that.
pub fn remove(path: &CStr) -> Result<()> {
    let name = path.to_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    if !name.starts_with(PREFIX) {
        return Ok(());
    }
    if process::effective_uid() != 0 {
        userns::enter(&mut Ids::of_caller())?;
    }
    let directory = match fs::open(CWD, path, fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0) {
        Err(Errno::ENOENT) => return Ok(()),
        directory => directory.on("open", path)?,
    };
    remove::children(directory.by_ref()).and_then(|()| fs::rmdir(CWD, path)).on("remove", path)
}
