//! Applies one entry of a layer to the tree.
//!
//! A directory over a directory gives it new attributes. In all other cases the existing file is
//! removed first and the entry is made anew. An existing file is never overwritten, because it may
//! be a lower layer's hard link, a device or a pipe.

use super::hidden::Hidden;
use super::layer_paths::OwnPaths;
use super::metadata::{self, Attributes, Setter, Target};
use super::name::{Name, WhiteoutKind};
use super::parents::{At, Parents};
use super::powers::Privilege;
use super::{Applied, Pass, remove, unsure};
use crate::codec::tar::{Archive, Entry, Kind};
use crate::io::lossy::Elided;
use crate::limits::PATH_BYTES;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::{self, Errno, fs};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// One pass over a layer's entries.
pub struct Applier<'a, 'h> {
    parents: Parents<'a>,
    own: &'a mut OwnPaths,
    setter: Setter<'a>,
    target: &'a mut [u8; PATH_BYTES],
    pass: Pass,
    /// The place for hidden files, if the layer is applied in two passes.
    hidden: Option<&'a mut Hidden<'h>>,
    /// The only pass has carried out a whiteout.
    has_hidden: bool,
}

impl<'a, 'h> Applier<'a, 'h> {
    /// Begins a pass.
    pub fn new(
        parents: Parents<'a>,
        own: &'a mut OwnPaths,
        (powers, scratch): (Privilege, &'a mut [u8]),
        target: &'a mut [u8; PATH_BYTES],
        (pass, hidden): (Pass, Option<&'a mut Hidden<'h>>),
        applied: &'a mut Applied,
    ) -> Applier<'a, 'h> {
        let setter = Setter::new(powers, scratch, applied);
        Applier { parents, own, setter, target, pass, hidden, has_hidden: false }
    }

    /// Carries out the next entry.
    // A frame of its own is addressed in shorter instructions: 1.0 KB.
    #[inline(never)]
    pub fn entry(
        &mut self,
        entry: &Entry<'_>,
        archive: &mut Archive<'_>,
        name: &mut Name,
        link: &mut Name,
    ) -> Result<()> {
        self.setter.applied.entries += 1;
        self.act(entry, archive, name, link).context("entry", &Elided(entry.name))
    }

    /// Restores the times of all directories.
    pub fn finish(mut self) -> Result<()> {
        self.parents.close_all_but(None)
    }

    fn act(
        &mut self,
        entry: &Entry<'_>,
        archive: &mut Archive<'_>,
        name: &mut Name,
        link: &mut Name,
    ) -> Result<()> {
        let meaning = name.set(entry.name).and_then(|()| name.interpret()).map_err(refused)?;
        match (meaning, self.pass) {
            (WhiteoutKind::Make, Pass::All | Pass::Entries) => {
                self.make(entry, archive, name, link)
            }
            (WhiteoutKind::Whiteout, Pass::All | Pass::Whiteouts) => self.whiteout(name),
            (WhiteoutKind::Opaque, Pass::All | Pass::Whiteouts) => self.opaque(name),
            // An opaque whiteout also makes its directory.
            (WhiteoutKind::Opaque, Pass::Entries) => {
                self.parents.find_or_make(name.parent()).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn make(
        &mut self,
        entry: &Entry<'_>,
        archive: &mut Archive<'_>,
        name: &Name,
        link: &mut Name,
    ) -> Result<()> {
        let attributes = self.setter.possible(entry, Attributes::of(entry)?);
        if name.is_root() {
            if entry.kind != Kind::Directory {
                return Err(refused("the root is a directory"));
            }
            let at = self.parents.find_or_make(b"")?;
            return self.renew_directory(at, c".", entry, &attributes);
        }
        let last = name.last();
        let at = self.parents.find_or_make(name.parent())?;
        let parent = self.parents.get(at);
        let inherited = parent.inherited;
        self.own.insert(name.parent(), last.to_bytes(), parent.aliased);
        self.parents.touch(at);
        match entry.kind {
            // An empty regular file is made without open(2), which is cheaper.
            Kind::File if entry.size > 0 || entry.has_xattrs() => {
                let flags = fs::O_WRONLY | fs::O_CREAT | fs::O_EXCL | fs::O_NOFOLLOW;
                let mode = attributes.mode & 0o777;
                let file = self.create(at, last, |directory| {
                    fs::open(directory, last, flags, mode).map(Some)
                })?;
                let file = file.ok_or_else(|| refused("not opened"))?;
                write_data(file.by_ref(), entry, archive)?;
                self.setter.set_new(Target::Open(file.by_ref()), entry, &attributes, inherited)?;
                return file.close().doing("close");
            }
            Kind::Directory => {
                if !self.make_directory(at, last, entry, &attributes)? {
                    return Ok(());
                }
            }
            Kind::HardLink => return self.hard_link(at, name, entry, link),
            Kind::Symlink => {
                let length = entry.link.len();
                let place = self
                    .target
                    .get_mut(..=length)
                    .ok_or_else(|| refused("a target longer than PATH_MAX"))?;
                place[..length].copy_from_slice(entry.link);
                place[length] = 0;
                let target = CStr::from_bytes_until_nul(place).unwrap_or(c"");
                let made = fs::symlink(target, self.parents.directory(at), last);
                if made == Err(Errno::EEXIST) {
                    remove_existing(&mut self.parents, at, last)?;
                    fs::symlink(target, self.parents.directory(at), last).doing("create")?;
                } else {
                    made.doing("create")?;
                }
            }
            kind => {
                let (mut kind, mut device) = match kind {
                    Kind::Character => (fs::S_IFCHR, metadata::device(entry)?),
                    Kind::Block => (fs::S_IFBLK, metadata::device(entry)?),
                    Kind::Fifo => (fs::S_IFIFO, 0),
                    _ => (fs::S_IFREG, 0),
                };
                if matches!(kind, fs::S_IFCHR | fs::S_IFBLK) && !self.setter.makes_device() {
                    (kind, device) = (fs::S_IFREG, 0);
                }
                let mode = kind | attributes.mode & 0o777;
                self.create(at, last, |directory| {
                    fs::mknod(directory, last, mode, device).map(|()| None)
                })?;
            }
        }
        let target = Target::Named(self.parents.directory(at), last);
        self.setter.set_new(target, entry, &attributes, inherited)
    }

    /// Makes a file in place of an existing one.
    fn create(
        &mut self,
        at: At,
        last: &CStr,
        make: impl Fn(FdRef<'_>) -> sys::Result<Option<Fd>>,
    ) -> Result<Option<Fd>> {
        let mut made = make(self.parents.directory(at));
        if matches!(made, Err(Errno::EEXIST)) {
            remove_existing(&mut self.parents, at, last)?;
            made = make(self.parents.directory(at));
        }
        made.doing("create")
    }

    /// Makes a directory. Returns false if it exists; it then has the entry's attributes.
    fn make_directory(
        &mut self,
        at: At,
        last: &CStr,
        entry: &Entry<'_>,
        attributes: &Attributes,
    ) -> Result<bool> {
        let mode = attributes.mode & 0o777;
        let mut made = fs::mkdir(self.parents.directory(at), last, mode);
        if made == Err(Errno::EEXIST) {
            let there = fs::stat(self.parents.directory(at), last).doing("stat")?;
            if there.kind() == fs::S_IFDIR {
                return self.renew_directory(at, last, entry, attributes).map(|()| false);
            }
            remove_existing(&mut self.parents, at, last)?;
            made = fs::mkdir(self.parents.directory(at), last, mode);
        }
        made.doing("create").map(|()| true)
    }

    fn renew_directory(
        &mut self,
        at: At,
        last: &CStr,
        entry: &Entry<'_>,
        attributes: &Attributes,
    ) -> Result<()> {
        let flags = fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW;
        let directory = fs::open(self.parents.directory(at), last, flags, 0).doing("open")?;
        self.setter.replace(directory.by_ref(), entry, attributes)?;
        self.parents.renew(directory.by_ref(), attributes.time).doing("set the time")
    }

    fn hard_link(&mut self, at: At, name: &Name, entry: &Entry<'_>, link: &mut Name) -> Result<()> {
        let to = |errno: Errno| {
            Error::with_errno(format_args!("hard link to {}: {errno}", Elided(entry.link)), errno)
        };
        link.set(entry.link).map_err(|why| {
            Error::new(format_args!("hard link to {}: {why}", Elided(entry.link)))
        })?;
        let mut tries = 2;
        loop {
            let Some(source) = self.parents.find(link.parent())? else {
                // The lookup may have closed the target's directory, if that was the oldest.
                let at = self.parents.find_or_make(name.parent())?;
                return self.link_hidden(at, name, entry, link);
            };
            // The two parents may be one directory by two paths, of which one stays open.
            let at = if self.parents.is_open(at) { at } else { source };
            if self.parents.get(source).aliased {
                // The path by which a whiteout would hide it is unknown.
                self.own.alias();
            }
            self.parents.touch(at);
            let (from, into) = (self.parents.directory(source), self.parents.directory(at));
            tries -= 1;
            match fs::link(from, link.last(), into, name.last()) {
                Err(Errno::EEXIST) if tries > 0 => {
                    let source = fs::stat(from, link.last()).map_err(to)?;
                    let there = fs::stat(into, name.last()).map_err(to)?;
                    if (source.device, source.inode) == (there.device, there.inode) {
                        return Ok(());
                    }
                    remove_existing(&mut self.parents, at, name.last())?;
                }
                Err(Errno::ENOENT) => return self.link_hidden(at, name, entry, link),
                result => return result.map_err(to),
            }
        }
    }

    /// Makes a hard link to a missing path: a whiteout of this layer may have hidden it.
    fn link_hidden(&mut self, at: At, name: &Name, entry: &Entry<'_>, link: &Name) -> Result<()> {
        let to = |errno: Errno| {
            Error::with_errno(format_args!("hard link to {}: {errno}", Elided(entry.link)), errno)
        };
        let Some(hidden) = &self.hidden else {
            return Err(if self.has_hidden { unsure() } else { to(Errno::ENOENT) });
        };
        self.parents.touch(at);
        let mut made = hidden.link(link, self.parents.directory(at), name.last());
        if made == Err(Errno::EEXIST) {
            remove_existing(&mut self.parents, at, name.last())?;
            made = hidden.link(link, self.parents.directory(at), name.last());
        }
        made.map_err(to)
    }

    fn whiteout(&mut self, name: &Name) -> Result<()> {
        let Some(at) = self.parents.find(name.parent())? else { return Ok(()) };
        match fs::stat(self.parents.directory(at), name.last()) {
            // Docker also writes whiteouts for files that never existed.
            Err(Errno::ENOENT) => return Ok(()),
            there => there.doing("stat")?,
        };
        let aliased = self.parents.get(at).aliased;
        if self.pass == Pass::All
            && self.own.may_hold(name.parent(), name.last().to_bytes(), aliased)
        {
            return Err(unsure());
        }
        self.has_hidden = true;
        self.parents.touch(at);
        match &mut self.hidden {
            None => remove_existing(&mut self.parents, at, name.last()),
            Some(hidden) => {
                // Open directories may be beneath it, or were reached through it.
                self.parents.close_all_but(Some(at))?;
                hidden.hide(self.parents.directory(at), name.parent(), name.last())
            }
        }
    }

    fn opaque(&mut self, name: &Name) -> Result<()> {
        let at = match self.pass {
            Pass::Whiteouts => self.parents.find(name.parent())?,
            _ => Some(self.parents.find_or_make(name.parent())?),
        };
        let Some(at) = at else { return Ok(()) };
        if self.pass == Pass::All
            && self.own.may_hold_beneath(name.parent(), self.parents.get(at).aliased)
        {
            return Err(unsure());
        }
        self.has_hidden = true;
        self.parents.close_all_but(Some(at))?;
        self.parents.touch(at);
        let directory = self.parents.directory(at);
        match &mut self.hidden {
            None => remove::children(directory).doing("remove lower entries"),
            Some(hidden) => hidden.hide_children(directory, name.parent()),
        }
    }
}

/// Removes the file of this name, if it exists.
fn remove_existing(parents: &mut Parents<'_>, at: At, last: &CStr) -> Result<()> {
    let there = match fs::stat(parents.directory(at), last) {
        Err(Errno::ENOENT) => return Ok(()),
        there => there.doing("stat")?,
    };
    // Open directories may be beneath it, or were reached through it.
    if matches!(there.kind(), fs::S_IFDIR | fs::S_IFLNK) {
        parents.close_all_but(Some(at))?;
    }
    let directory = parents.directory(at);
    let removed = match there.kind() {
        fs::S_IFDIR => remove::tree(directory, last),
        _ => fs::unlink(directory, last),
    };
    removed.doing("remove what is there")
}

fn write_data(file: FdRef<'_>, entry: &Entry<'_>, archive: &mut Archive<'_>) -> Result<()> {
    let Some(segments) = entry.sparse else {
        while let bytes @ [_, ..] = archive.data()? {
            let count = fs::write(file, bytes).doing("write")?;
            archive.consume(count);
        }
        return Ok(());
    };
    for segment in segments {
        let (mut at, end) = (segment.offset, segment.offset + segment.length);
        while at < end {
            let bytes = archive.data()?;
            let bytes = &bytes[..bytes.len().min((end - at) as usize)];
            let count = fs::write_at(file, bytes, at).doing("write")?;
            archive.consume(count);
            at += count as u64;
        }
    }
    fs::truncate(file, entry.size).doing("write")
}

#[cold]
fn refused(why: &str) -> Error {
    Error::new(format_args!("{why}"))
}
