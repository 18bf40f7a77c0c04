//! The bundle of `run --image`: a directory for its container alone, removed with it.
//!
//! The container's state records the directory and that we made it. It is written first, so that
//! `delete` finds the bundle even if we are killed. The name is no proof, because a user may choose
//! the same.

use super::{Notice, Notices};
use crate::container::state::{Directory, Id, Made, State};
use crate::container::userns::{self, Ids};
use crate::io::lossy::{LossyC, On};
use crate::io::path::PathBuf;
use crate::io::unique;
use crate::rootfs::remove;
use crate::spec::VERSION;
use crate::sys::fd::CWD;
use crate::sys::{Errno, fs, process};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// Prefix of its name.
const PREFIX: &[u8] = b"ocinit-bundle-";
/// Its directory by default: on a disk, because images are larger than memory.
const PLACE: &CStr = c"/var/tmp";
/// Names to try.
const TRIES: usize = 8;

/// Makes a container's bundle, empty and private. The state records it before it exists.
pub fn make(directory: &Directory<'_>, path: &mut PathBuf) -> Result<Made> {
    for _ in 0..TRIES {
        name(directory.id(), path)?;
        let state = |made| {
            directory.write(&State {
                version: VERSION,
                bundle: path.as_c_str(),
                made,
                ..State::new()
            })
        };
        state(Made::Soon)?;
        match fs::mkdir(CWD, path.as_c_str(), 0o700) {
            Err(Errno::EEXIST) => continue,
            done => done.on("make the bundle", path.as_c_str())?,
        }
        let made =
            fs::open(CWD, path.as_c_str(), fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0)
                .and_then(|bundle| Made::of(bundle.by_ref()))
                .on("open", path.as_c_str())?;
        state(made)?;
        return Ok(made);
    }
    Err(Error::with_errno(
        format_args!("make the bundle {}: {}", LossyC(path.as_c_str()), Errno::EEXIST),
        Errno::EEXIST,
    ))
}

/// Sets `path` to what a plan shows of the bundle's name: its end is chosen when it is made.
pub fn pattern(id: Id<'_>, path: &mut PathBuf) -> Result<()> {
    start_of_name(id, path).and_then(|()| path.push_bytes(b"*")).doing("name a bundle")
}

/// Sets `path` to an unguessable name, unique across pid namespaces.
fn name(id: Id<'_>, path: &mut PathBuf) -> Result<()> {
    start_of_name(id, path).and_then(|()| unique::push_digits(path)).doing("name a bundle")
}

fn start_of_name(id: Id<'_>, path: &mut PathBuf) -> crate::sys::Result<()> {
    let place = process::variable(b"TMPDIR")
        .filter(|place| place.to_bytes().starts_with(b"/"))
        .unwrap_or(PLACE);
    path.truncate(0);
    let set = path.push_bytes(place.to_bytes()).and_then(|()| path.push(PREFIX));
    let set = set.and_then(|()| path.push_bytes(id.as_c_str().to_bytes()));
    set.and_then(|()| path.push_bytes(b"-"))
}

/// Removes the bundle of this state if we made it, and if it is still the same directory. A
/// non-root caller enters a user namespace first.
pub fn remove(state: &State<'_>, notices: Notices<'_>) -> Result<()> {
    let path = state.bundle;
    match state.made {
        Made::No => return Ok(()),
        // It is still empty.
        Made::Soon => return ignore_absent(fs::rmdir(CWD, path), path),
        Made::This { .. } => {}
    }
    let directory = match fs::open(CWD, path, fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0) {
        Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::ENOTDIR | Errno::ELOOP) => return keep(path, notices),
        directory => directory.on("open", path)?,
    };
    if Made::of(directory.by_ref()).on("stat", path)? != state.made {
        return keep(path, notices);
    }
    if process::effective_uid() != 0 {
        userns::enter(&mut Ids::of_caller())?;
    }
    remove::children(directory.by_ref()).on("remove", path)?;
    ignore_absent(fs::rmdir(CWD, path), path)
}

fn ignore_absent(removed: crate::sys::Result<()>, path: &CStr) -> Result<()> {
    match removed {
        // Made::Soon: another process made this name, so it is not ours.
        Ok(()) | Err(Errno::ENOENT | Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) => Ok(()),
        removed => removed.on("remove", path),
    }
}

fn keep(path: &CStr, notices: Notices<'_>) -> Result<()> {
    notices(&Notice::OtherBundle(path));
    Ok(())
}
