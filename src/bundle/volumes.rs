//! The image's `Volumes`: mounts for data that does not belong to the image.

use super::config::{Rootless, holds, push};
use crate::codec::json::Text;
use crate::error::{Context, Result};
use crate::image::Config;
use crate::io::in_root;
use crate::io::lossy::Lossy;
use crate::io::path::PathBuf;
use crate::io::strings::{PackedStrings, StringBlock};
use crate::spec::Mount;
use crate::sys::fd::FdRef;
use crate::sys::vm::MappedVec;
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// The mounts of one container, in order.
pub type Mounts<'m> = MappedVec<Mount<'m>>;

/// Makes the missing directories of volumes in `root` (0755, owned by root). It is for a root that
/// belongs to one container and goes with it. There the directory is the volume, and keeps the
/// image's files visible.
pub fn make_volumes(
    config: &Config<'_>,
    root: FdRef<'_>,
    strings: &mut StringBlock<'_>,
) -> Result<()> {
    let mut path = PathBuf::new();
    for volume in config.volumes() {
        destination(&volume, strings, &mut path)?;
        if !is_kernels(path.as_bytes())
            && let Err(errno) = in_root::make_directories(root, path.as_c_str(), 0)
        {
            super::warn("volume", &volume, &errno);
        }
    }
    Ok(())
}

/// Adds a tmpfs for each volume, with a copy of the directory in `root`. `tmpcopyup` copies its
/// files (runc and crun know that option of the runtime-spec). Owner and mode are the directory's.
pub fn mount_volumes<'m>(
    config: &Config<'_>,
    root: Option<FdRef<'_>>,
    rootless: Option<Rootless<'_>>,
    strings: &mut StringBlock<'m>,
    mounts: &mut Mounts<'m>,
) -> Result<()> {
    let mut path = PathBuf::new();
    for volume in config.volumes() {
        destination(&volume, strings, &mut path)?;
        if is_kernels(path.as_bytes()) {
            super::warn(
                "volume",
                &volume,
                &"gets no mount, because the kernel's file systems are there",
            );
            continue;
        }
        if mounts.iter().any(|mount| mount.destination == path.as_c_str()) {
            continue;
        }
        let Some(options) = options(root, path.as_c_str(), rootless, strings)? else {
            super::warn("volume", &volume, &"gets no mount, because it is not a directory");
            continue;
        };
        let destination = strings.add(path.as_bytes())?;
        let mount = Mount {
            destination,
            kind: c"tmpfs",
            source: c"tmpfs",
            options,
            optional: false,
            uid_mappings: &[],
            gid_mappings: &[],
        };
        push(mounts, mount)?;
    }
    Ok(())
}

/// Returns the options of a volume's mount; `None` if the image has a non-directory there.
fn options<'m>(
    root: Option<FdRef<'_>>,
    path: &CStr,
    rootless: Option<Rootless<'_>>,
    strings: &mut StringBlock<'m>,
) -> Result<Option<PackedStrings<'m>>> {
    let found = root.ok_or(Errno::ENOENT).and_then(|root| in_root::open(root, path, 0, 0));
    let (mode, uid, gid) = match found.and_then(|place| fs::stat(place.by_ref(), c"")) {
        Ok(stat) if stat.kind() == fs::S_IFDIR => (stat.mode, stat.uid, stat.gid),
        Err(Errno::ENOENT) => (0o755, 0, 0),
        _ => return Ok(None),
    };
    let mut words = strings.begin();
    words.push_words(PackedStrings::new(b"nosuid\0nodev\0tmpcopyup\0"))?;
    words.push(b"mode=")?;
    words.push(&[9, 6, 3, 0].map(|shift: u32| b'0' + (mode >> shift & 7) as u8))?;
    words.end_word()?;
    // If the owner is not mapped, the mount belongs to the user namespace's root.
    let is_known = rootless.is_none_or(|ids| holds(ids.uids, uid) && holds(ids.gids, gid));
    for (name, id) in [("uid", uid), ("gid", gid)] {
        if is_known {
            words.push_format(format_args!("{name}={id}"))?;
            words.end_word()?;
        }
    }
    Ok(Some(words.finish_words()))
}

/// Sets the volume's path as runtimes read it: absolute, without `.`, `..` and doubled slashes.
fn destination(volume: &Text<'_>, strings: &mut StringBlock<'_>, path: &mut PathBuf) -> Result<()> {
    let mut written = strings.begin();
    volume.write_to(&mut written).doing("the image's Volumes")?;
    clean(written.as_bytes(), path)
}

/// Sets `path` to an absolute path without `.`, `..` and doubled slashes; empty for the root.
pub(super) fn clean(written: &[u8], path: &mut PathBuf) -> Result<()> {
    path.truncate(0);
    for component in written.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                let end = path.as_bytes().iter().rposition(|byte| *byte == b'/');
                path.truncate(end.unwrap_or(0));
            }
            component => {
                let pushed = path.push_bytes(b"/").and_then(|()| path.push_bytes(component));
                pushed.context("the image's volume", &Lossy(component))?;
            }
        }
    }
    Ok(())
}

/// Returns true for the root and for the kernel's own file systems. A mount there would hide the
/// host's protection (CVE-2019-16884); images for systemd name /sys/fs/cgroup.
fn is_kernels(path: &[u8]) -> bool {
    let below =
        |top: &&[u8]| path.strip_prefix(*top).is_some_and(|rest| matches!(rest, [] | [b'/', ..]));
    path.is_empty() || [&b"/proc"[..], b"/sys", b"/dev"].iter().any(below)
}
