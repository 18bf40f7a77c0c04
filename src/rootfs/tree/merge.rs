//! What a layer does to the tree: the same as [`crate::rootfs::apply`] does to a directory, entry by entry.
//!
//! Only here it is known, and not guessed, what the layer itself has made: each name remembers its layer.

use super::{File, ROOT, Tree};
use crate::codec::tar::{Archive, Entry, Kind};
use crate::io::show::Brief;
use crate::limits::{LINKS_FOLLOWED_MAX, PATH_BYTES};
use crate::rootfs::metadata::{Attributes, device};
use crate::rootfs::name::{Meaning, Name};
use crate::rootfs::pipeline;
use crate::rootfs::{Applied, ApplyMemory, Layer, Pass, UnpackMemory};
use crate::sys::{Errno, fs, vm};
use crate::{Context, Error, Result};

/// Verifies a layer and merges it in the same pass. After a failure the tree is worth nothing.
pub fn merge(layer: &Layer<'_>, tree: &mut Tree, memory: &mut UnpackMemory) -> Result<Applied> {
    vm::forbid_huge_pages(memory);
    tree.layer += 1;
    let mut applied = Applied::default();
    let mut pass = Pass::All;
    loop {
        let UnpackMemory { pipeline, tar, apply } = &mut *memory;
        applied.passes += 1;
        applied.entries = 0;
        let ((), bytes) = pipeline::run(layer, pipeline, |source| {
            let mut archive = Archive::new(source, tar);
            while let Some(entry) = archive.next(tar)? {
                applied.entries += 1;
                tree.entry(&entry, &mut pass, apply).context("entry", &Brief(entry.name))?;
            }
            Ok(())
        })?;
        applied.bytes = bytes;
        if pass != Pass::Whiteouts {
            return Ok(applied);
        }
        pass = Pass::Entries;
    }
}

impl Tree {
    /// Carries out an entry, or not: that is for `pass` to say.
    fn entry(&mut self, entry: &Entry<'_>, pass: &mut Pass, memory: &mut ApplyMemory) -> Result<()> {
        let ApplyMemory { name, link, .. } = memory;
        let meaning = name.set(entry.name).and_then(|()| name.interpret()).map_err(refused)?;
        let directory = match (meaning, &pass) {
            (Meaning::Make, Pass::All | Pass::Entries) => return self.make(entry, name, link),
            (Meaning::Whiteout, Pass::All | Pass::Whiteouts) => self.directory(name.parent(), false)?,
            (Meaning::Opaque, Pass::All | Pass::Whiteouts) => self.directory(name.parent(), true)?,
            _ => return Ok(()),
        };
        let Some(directory) = directory else { return Ok(()) };
        if meaning == Meaning::Opaque {
            if self.node(directory).made_beneath == self.layer {
                *pass = Pass::Whiteouts;
            }
            self.remove_children(directory);
        } else if let Some(hidden) = self.child(directory, name.last().to_bytes()).doing("stat")? {
            if self.layer == self.node(hidden).made || self.layer == self.node(hidden).made_beneath {
                *pass = Pass::Whiteouts;
            }
            self.remove(hidden);
        }
        Ok(())
    }

    #[inline(never)]
    fn make(&mut self, entry: &Entry<'_>, name: &Name, link: &mut Name) -> Result<()> {
        let Attributes { owner, mode, time } = Attributes::of(entry)?;
        let mut file = File { owner, mode, modified: time.seconds, size: entry.size, ..File::default() };
        if name.is_root() {
            if entry.kind != Kind::Directory {
                return Err(refused("the root is a directory"));
            }
            self.renew(ROOT, file);
            return Ok(());
        }
        let last = name.last().to_bytes();
        let parent = self.directory(name.parent(), true)?.unwrap_or(ROOT);
        let there = self.child(parent, last).doing("create")?;
        let kind = match entry.kind {
            Kind::HardLink => return self.hard_link(parent, last, there, entry, link),
            Kind::Directory => {
                if let Some(there) = there.filter(|there| self.kind(*there) == fs::S_IFDIR) {
                    self.renew(there, file);
                    return Ok(());
                }
                fs::S_IFDIR
            }
            Kind::Symlink => {
                let target = crate::codec::tar::until_nul(entry.link);
                if entry.link.len() >= PATH_BYTES {
                    return Err(refused("a target longer than PATH_MAX"));
                }
                if target.is_empty() {
                    return Err(refused("a link to nothing"));
                }
                file.target = self.add_text(target)?;
                file.mode = 0o777;
                fs::S_IFLNK
            }
            Kind::Character | Kind::Block => {
                device(entry)?;
                file.device = (entry.device.0 as u32, entry.device.1 as u32);
                if entry.kind == Kind::Block { fs::S_IFBLK } else { fs::S_IFCHR }
            }
            Kind::Fifo => fs::S_IFIFO,
            Kind::File => fs::S_IFREG,
        };
        file.mode |= kind;
        if let Some(there) = there {
            self.remove(there);
        }
        self.add(parent, last, file).map(drop)
    }

    /// A directory that is there gets new attributes.
    fn renew(&mut self, node: u32, attributes: File) {
        let layer = self.layer;
        self.node_mut(node).made = layer;
        self.mark_above(node);
        let file = self.node(node).file as usize;
        let File { owner, mode, modified, .. } = attributes;
        self.files[file] = File { owner, mode: fs::S_IFDIR | mode, modified, ..self.files[file] };
    }

    fn hard_link(
        &mut self,
        parent: u32,
        last: &[u8],
        there: Option<u32>,
        entry: &Entry<'_>,
        link: &mut Name,
    ) -> Result<()> {
        let to = |why: &dyn core::fmt::Display| Error::new(format_args!("hard link to {}: {why}", Brief(entry.link)));
        link.set(entry.link).map_err(|why| to(&why))?;
        let missing = || to(&Errno::ENOENT);
        let directory = self.directory(link.parent(), false)?.ok_or_else(missing)?;
        let find = |tree: &Tree| tree.child(directory, link.last().to_bytes()).map_err(|errno| to(&errno));
        let mut source = find(self)?.ok_or_else(missing)?;
        if let Some(there) = there {
            if self.node(there).file == self.node(source).file {
                let layer = self.layer;
                self.node_mut(there).made = layer;
                self.mark_above(there);
                return Ok(());
            }
            self.remove(there);
            // What was in the way may have held the source.
            source = find(self)?.ok_or_else(missing)?;
        }
        if self.kind(source) == fs::S_IFDIR {
            return Err(to(&Errno::EPERM));
        }
        let file = self.node(source).file;
        self.add_name(parent, last, file).map(drop)
    }

    /// The directory that `path` (from a [`Name`]) leads to, symlinks followed beneath the root. Where there is none:
    /// nothing, or it is made, with its parents, in place of what is no directory, and where dangling links point.
    fn directory(&mut self, path: &[u8], make: bool) -> Result<Option<u32>> {
        self.resolve(path, make).context(if make { "create directory" } else { "open" }, &Brief(path))
    }

    fn resolve(&mut self, path: &[u8], make: bool) -> Result<Option<u32>> {
        // What is still to go stands at the end, so that a link's target fits before it.
        let mut buffer = [0; 2 * PATH_BYTES];
        let mut start = buffer.len() - path.len();
        buffer[start..].copy_from_slice(path);
        let (mut at, mut followed) = (ROOT, 0);
        while start < buffer.len() {
            let rest = &buffer[start..];
            let length = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
            let name = &rest[..length];
            let end = start + length;
            start = (end + 1).min(buffer.len());
            match name {
                b"" | b"." => continue,
                b".." => {
                    at = self.node(at).parent;
                    continue;
                }
                _ => {}
            }
            let there = self.child(at, name).doing("open")?;
            match there.map(|there| (there, self.kind(there))) {
                Some((there, fs::S_IFDIR)) => at = there,
                Some((there, fs::S_IFLNK)) => {
                    followed += 1;
                    if followed > LINKS_FOLLOWED_MAX {
                        return if make { Err(Errno::ELOOP).doing("open") } else { Ok(None) };
                    }
                    let target = self.text(self.file_of(there).target);
                    if target.starts_with(b"/") {
                        at = ROOT;
                    }
                    // With the slash that follows the link, or is put there.
                    start = end.checked_sub(target.len()).ok_or(Errno::ENAMETOOLONG).doing("open")?;
                    buffer[start..end].copy_from_slice(target);
                }
                _ if !make => return Ok(None),
                other => {
                    if let Some((there, _)) = other {
                        self.remove(there);
                    }
                    at = self.make_directory(at, name)?;
                }
            }
        }
        Ok(Some(at))
    }

    /// A directory of which no entry tells, as mkdir(2) makes it: a parent's setgid bit goes on to it. Its time would
    /// be that of the unpacking; here it is none.
    fn make_directory(&mut self, parent: u32, name: &[u8]) -> Result<u32> {
        let above = self.file_of(parent);
        let setgid = above.mode & libc::S_ISGID;
        let owner = (0, if setgid != 0 { above.owner.1 } else { 0 });
        self.add(parent, name, File { mode: fs::S_IFDIR | 0o755 | setgid, owner, ..File::default() })
    }
}

#[cold]
fn refused(why: &str) -> Error {
    Error::new(format_args!("{why}"))
}
