//! Finds the image's disk and the root file system's disk, and mounts them.
//!
//! It never guesses: if two disks match, the error names both.

use super::block::{self, Content, Disk, Disks, Uevents};
use super::disk_text::{Notes, Shown};
use super::modules::Modules;
use super::options::{DiskSelector, Options};
use super::sysfs::Name;
use super::{early, superblock::Superblock};
use crate::image::{ArchiveMemory, Form, Store};
use crate::io::path::PathBuf;
use crate::sys::fd::Fd;
use crate::sys::fs::{self, O_DIRECTORY, O_RDONLY};
use crate::sys::mount::{self, MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY};
use crate::sys::{Errno, time};
use crate::{Context, Error, Result};
use core::ffi::CStr;
use core::fmt::{self, Display};

/// Mount point of the image's disk.
pub const IMAGE_PLACE: &CStr = c"/run/image";
/// Mount point of the root file system's disk.
pub const ROOTFS_DISK_PLACE: &CStr = c"/run/disk";

/// The inputs of a search for a disk.
pub struct Search<'a> {
    /// The user's options.
    pub options: &'a Options<'a>,
    /// Modules of file systems.
    pub modules: Modules,
    /// Opened before the first module was loaded.
    pub uevents: &'a Uevents,
    /// Buffer for the list.
    pub disks: &'a mut Disks,
}

/// A chosen disk, and its content.
pub struct Chosen {
    disk: Disk,
    content: Content,
}

impl Search<'_> {
    /// Returns the image's disk.
    #[inline(never)]
    pub fn image_disk(&mut self, archive: &mut ArchiveMemory) -> Result<Chosen> {
        let (modules, options) = (self.modules, self.options);
        self.find(options.disk, "ocinit.disk", "image", &mut |disk, content| {
            if names_one(options.disk, disk, content) {
                return Ok(());
            }
            try_image(disk, content, options, modules, archive)
        })
    }

    /// Returns the disk for the root file system.
    #[inline(never)]
    pub fn rootfs_disk(&mut self, which: DiskSelector<'_>) -> Result<Chosen> {
        self.find(which, "ocinit.rootfs", "file system for a root", &mut |disk, content| {
            if names_one(which, disk, content) { Ok(()) } else { holds_root(content).map(drop) }
        })
    }

    /// Returns the one disk with this name that `judge` accepts. The error has `judge`'s reasons
    /// against the others.
    fn find(
        &mut self,
        which: DiskSelector<'_>,
        key: &str,
        what: &str,
        judge: &mut Judge<'_>,
    ) -> Result<Chosen> {
        let deadline = time::monotonic_us() + self.options.wait * 1_000_000;
        loop {
            let mut notes = Notes::default();
            let mut taken: Option<Chosen> = None;
            let mut is_named = false;
            let mut last = Name::new();
            self.disks.clear();
            while let Some(disk) = block::after(&mut last, self.disks)? {
                // Skip a partition of a chosen disk: in a bootable iso9660, one holds the same
                // superblock.
                if taken
                    .as_ref()
                    .is_some_and(|taken| disk.parent.as_ref() == Some(&taken.disk.name))
                {
                    continue;
                }
                let judged = disk.content().and_then(|content| {
                    if !disk.is(which, &content) {
                        notes.add(&disk.name, &Shown(&disk, &content));
                        return Ok(None);
                    }
                    is_named = true;
                    judge(&disk, &content).map(|()| Some(content))
                });
                match (judged, &taken) {
                    (Ok(Some(content)), None) => taken = Some(Chosen { disk, content }),
                    (Ok(Some(_)), Some(first)) => {
                        return Err(two(which, key, &first.disk.name, &disk.name));
                    }
                    (Ok(None), _) => {}
                    (Err(error), _) => notes.add(&disk.name, &error),
                }
            }
            if let Some(taken) = taken {
                return Ok(taken);
            }
            if !self.uevents.wait(deadline)? {
                let wait = self.options.wait;
                return Err(match which {
                    DiskSelector::Auto => {
                        Error::new(format_args!("no disk with an image after {wait} s: {notes}"))
                    }
                    _ if is_named => Error::new(format_args!(
                        "{key}={which}: no {what} on it after {wait} s: {notes}"
                    )),
                    _ => Error::new(format_args!(
                        "{key}={which}: no such disk after {wait} s: {notes}"
                    )),
                });
            }
        }
    }
}

/// Accepts a disk, or returns the reason why not.
type Judge<'a> = dyn FnMut(&Disk, &Content) -> Result<()> + 'a;

/// Returns true if the name means exactly this disk, whatever its content. A serial number may also
/// mean one of its partitions.
fn names_one(which: DiskSelector<'_>, disk: &Disk, content: &Content) -> bool {
    match which {
        DiskSelector::Auto => false,
        DiskSelector::Serial(_) => disk.parent.is_none() && !matches!(content, Content::Partitions),
        _ => true,
    }
}

/// Returns the file system of `content`, if it can hold a root.
fn holds_root(content: &Content) -> Result<&Superblock> {
    match content {
        Content::FileSystem(found) if found.kind == "ext4" => Ok(found),
        Content::FileSystem(found) => {
            Err(Error::new(format_args!("{} cannot hold a root file system, ext4 can", found.kind)))
        }
        _ => Err(Error::new(format_args!(
            "no file system that can hold a root file system, ext4 can"
        ))),
    }
}

fn two(which: DiskSelector<'_>, key: &str, first: &Name, second: &Name) -> Error {
    match which {
        DiskSelector::Auto => Error::new(format_args!(
            "two disks hold an image, /dev/{first} and /dev/{second}: {key}= must say which"
        )),
        _ => Error::new(format_args!(
            "{key}={which}: two disks match, /dev/{first} and /dev/{second}"
        )),
    }
}

/// Checks that a disk has an OCI layout. Leaves it unmounted and unchanged.
fn try_image(
    disk: &Disk,
    content: &Content,
    options: &Options<'_>,
    modules: Modules,
    archive: &mut ArchiveMemory,
) -> Result<()> {
    match content {
        Content::Archive => open_archive(disk, options.path, archive).map(drop),
        Content::Unknown | Content::Partitions => {
            Err(Error::new(format_args!("{}", Shown(disk, content))))
        }
        Content::FileSystem(found) => {
            // The look must not change the disk, not even replay its journal.
            mount_read_only(disk, found, Journal::Leave, modules)?;
            let looked = open_layout(options.path).map(drop);
            let _ = mount::unmount(IMAGE_PLACE, MNT_DETACH);
            looked.map_err(|error| error.within(format_args!("{}", found.kind)))
        }
    }
}

impl Chosen {
    /// Returns whether both are one disk.
    pub fn is_same(&self, other: &Chosen) -> bool {
        self.disk.name == other.disk.name
    }

    /// Opens its layout. Mounts a file system first.
    #[inline(never)]
    pub fn open_store<'m>(
        &self,
        options: &Options<'_>,
        modules: Modules,
        archive: &'m mut ArchiveMemory,
    ) -> Result<Store<'m>> {
        let store = match &self.content {
            Content::Archive => open_archive(&self.disk, options.path, archive),
            Content::Unknown | Content::Partitions => {
                Err(Error::new(format_args!("{}", Shown(&self.disk, &self.content))))
            }
            Content::FileSystem(found) => {
                let journal = if self.disk.read_only { Journal::Leave } else { Journal::Replay };
                mount_read_only(&self.disk, found, journal, modules)
                    .and_then(|()| open_layout(options.path))
                    .map_err(|error| error.within(format_args!("{}", found.kind)))
            }
        };
        store.map_err(|error| error.within(format_args!("{self}")))
    }

    /// Mounts it read-write at [`ROOTFS_DISK_PLACE`].
    pub fn mount_for_rootfs(&self, modules: Modules) -> Result<Fd> {
        let mount = || {
            let found = holds_root(&self.content)?;
            if self.disk.read_only {
                return Err(Error::with_errno(format_args!("the disk is read-only"), Errno::EROFS));
            }
            // Without nosuid, because a root file system needs its set-user-ID programs.
            mount_at(&self.disk, found, ROOTFS_DISK_PLACE, 0, c"errors=remount-ro", modules)?;
            early::open_directory(ROOTFS_DISK_PLACE)
        };
        mount().map_err(|error| error.within(format_args!("{self}")))
    }
}

impl Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/dev/{}", self.disk.name)
    }
}

fn open_archive<'m>(disk: &Disk, path: &str, archive: &'m mut ArchiveMemory) -> Result<Store<'m>> {
    if path != "/" {
        return Err(Error::new(format_args!(
            "an archive without a file system, where ocinit.path={path} is nothing"
        )));
    }
    let file = disk.open()?.ok_or_else(|| Error::new(format_args!("no medium")))?;
    Store::open_archive(file, disk.size, Form::Either, archive)
}

fn open_layout<'m>(path: &str) -> Result<Store<'m>> {
    let mount = early::open_directory(IMAGE_PLACE)?;
    let inside = PathBuf::from_bytes(path.as_bytes()).context("ocinit.path", &path)?;
    let flags = O_RDONLY | O_DIRECTORY;
    let resolve = fs::RESOLVE_IN_ROOT | fs::RESOLVE_NO_MAGICLINKS;
    let dir = fs::open_resolved(mount.by_ref(), inside.as_c_str(), flags, 0, resolve);
    let store = Store::open_directory(dir.context("open", &path)?);
    if path == "/" { store } else { store.context("path", &path) }
}

/// The journal of a file system that was not unmounted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Journal {
    /// The kernel replays it, which writes to the disk.
    Replay,
    /// It stays as it is.
    Leave,
}

fn mount_read_only(
    disk: &Disk,
    found: &Superblock,
    journal: Journal,
    modules: Modules,
) -> Result<()> {
    // Override the superblock: its `errors=panic` would end the machine.
    let data = match found.kind {
        "ext4" if found.dirty && journal == Journal::Leave => c"errors=continue,noload",
        "ext4" => c"errors=continue",
        _ => c"",
    };
    mount_at(disk, found, IMAGE_PLACE, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, data, modules)
}

fn mount_at(
    disk: &Disk,
    found: &Superblock,
    place: &CStr,
    flags: u64,
    data: &CStr,
    modules: Modules,
) -> Result<()> {
    modules.load_for(found.kind)?;
    early::make_directory(place)?;
    let node = super::sysfs::device_node("block", &disk.name).doing("find node")?;
    let kind = PathBuf::from_bytes(found.kind.as_bytes()).context("mount", &found.kind)?;
    let mounted = mount::mount(node.as_c_str(), place, kind.as_c_str(), flags, data);
    match mounted {
        Err(Errno::ENODEV) => Err(Error::new(format_args!(
            "mount {}: the kernel has no such file system",
            found.kind
        ))),
        mounted => mounted.context("mount", &found.kind),
    }
}

/// Syncs and unmounts one of our mount points, if it is mounted. A busy one is at least synced.
pub fn unmount(place: &CStr) {
    match mount::unmount(place, 0) {
        // ENOENT, EINVAL: it is not mounted.
        Ok(()) | Err(Errno::ENOENT | Errno::EINVAL) => {}
        Err(errno) => {
            crate::warning!("unmount {}: {errno}", crate::io::lossy::LossyC(place));
            fs::sync();
            let _ = mount::remount(place, MS_RDONLY, c"");
        }
    }
}
