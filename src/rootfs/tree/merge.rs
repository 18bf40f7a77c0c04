//! Applies a layer to the tree, entry by entry, like [`crate::rootfs::apply`] to a directory.
//!
//! Here the layer's own paths are known exactly, because each name has the number of its layer.

use super::{File, NONE, Node, ROOT, Tree};
use crate::codec::tar::{Archive, Entry, Kind};
use crate::io::lossy::Elided;
use crate::limits::{HIDDEN_PLACES_MAX, LINKS_FOLLOWED_MAX, PATH_BYTES};
use crate::rootfs::metadata::{Attributes, device};
use crate::rootfs::name::{Name, WhiteoutKind};
use crate::rootfs::pipeline;
use crate::rootfs::{ApplyMemory, Layer, Pass, UNSURE, UnpackMemory, Whiteouts, unsure};
use crate::sys::{Errno, fs, vm};
use crate::{Context, Error, Result};

/// Verifies a layer and merges it in the same pass. Returns false if it needs two passes. After
/// that, or an error, the tree is useless.
pub fn merge(
    layer: &Layer<'_>,
    tree: &mut Tree,
    whiteouts: Whiteouts,
    memory: &mut UnpackMemory,
) -> Result<bool> {
    vm::forbid_huge_pages(memory);
    tree.layer += 1;
    (tree.aliased, tree.has_hidden) = (false, false);
    let passes: &[Pass] = match whiteouts {
        Whiteouts::Nothing => &[Pass::Entries],
        Whiteouts::InOrder => &[Pass::All],
        Whiteouts::First => &[Pass::Whiteouts, Pass::Entries],
    };
    tree.is_hiding = whiteouts == Whiteouts::First;
    for pass in passes {
        let UnpackMemory { pipeline, tar, apply } = &mut *memory;
        let merged = pipeline::run(layer, pipeline, |source| {
            let mut archive = Archive::new(source, tar);
            while let Some(entry) = archive.next(tar)? {
                tree.entry(&entry, *pass, apply).context("entry", &Elided(entry.name))?;
            }
            Ok(())
        });
        match merged {
            Err(error) if error.errno() == UNSURE && *pass == Pass::All => return Ok(false),
            merged => merged.map(drop)?,
        }
    }
    tree.forget_hidden();
    Ok(true)
}

impl Tree {
    /// Carries out an entry if `pass` includes it.
    fn entry(&mut self, entry: &Entry<'_>, pass: Pass, memory: &mut ApplyMemory) -> Result<()> {
        let ApplyMemory { name, link, .. } = memory;
        let meaning = name.set(entry.name).and_then(|()| name.interpret()).map_err(refused)?;
        let directory = match (meaning, pass) {
            (WhiteoutKind::Make, Pass::All | Pass::Entries) => return self.make(entry, name, link),
            (WhiteoutKind::Whiteout, Pass::All | Pass::Whiteouts) => {
                self.directory(name.parent(), false)?
            }
            (WhiteoutKind::Opaque, Pass::All | Pass::Whiteouts) => {
                self.directory(name.parent(), pass == Pass::All)?
            }
            // An opaque whiteout also makes its directory.
            (WhiteoutKind::Opaque, Pass::Entries) => {
                return self.directory(name.parent(), true).map(drop);
            }
            _ => return Ok(()),
        };
        let Some((directory, aliased)) = directory else { return Ok(()) };
        let is_unsure = pass == Pass::All
            && (self.aliased || aliased && self.node(ROOT).made_beneath == self.layer);
        if meaning == WhiteoutKind::Opaque {
            if is_unsure || pass == Pass::All && self.node(directory).made_beneath == self.layer {
                return Err(unsure());
            }
            self.has_hidden = true;
            while let first @ 1.. = self.node(directory).first {
                self.hide(first, name.parent())?;
            }
        } else if let Some(hidden) = self.child(directory, name.last().to_bytes()).doing("stat")? {
            let Node { made, made_beneath, .. } = *self.node(hidden);
            if is_unsure || pass == Pass::All && (made == self.layer || made_beneath == self.layer)
            {
                return Err(unsure());
            }
            self.has_hidden = true;
            self.hide(hidden, name.parent())?;
        }
        Ok(())
    }

    /// Hides a node of the directory `parent`: in two passes a hard link may still name it.
    fn hide(&mut self, node: u32, parent: &[u8]) -> Result<()> {
        if !self.is_hiding {
            self.remove(node);
            return Ok(());
        }
        let mut place = self.hidden.len();
        loop {
            // Try the newest place, then a new one.
            place = if place == 0 { self.new_place()? } else { place };
            let top = self.hidden[place - 1];
            if let Some(directory) = self.place_for(top, parent, node)? {
                self.relink(node, directory);
                return Ok(());
            }
            place = 0;
        }
    }

    /// Adds a directory for hidden files, outside of the tree.
    fn new_place(&mut self) -> Result<usize> {
        let file = self.add_file(File { mode: fs::S_IFDIR, names: 1, ..File::default() })?;
        self.nodes.push(Node { file, ..Node::default() }).map_err(super::full)?;
        let node = (self.nodes.len() - 1) as u32;
        let full =
            |_| Error::new(format_args!("more than {HIDDEN_PLACES_MAX} whiteouts of one path"));
        self.hidden.push(node).map_err(full)?;
        Ok(self.hidden.len())
    }

    /// Returns the directory `parent` beneath `top`, made if it is missing. None if `node` cannot
    /// be put there.
    fn place_for(&mut self, top: u32, parent: &[u8], node: u32) -> Result<Option<u32>> {
        let mut at = top;
        for component in
            parent.split(|&byte| byte == b'/').filter(|component| !component.is_empty())
        {
            at = match self.child(at, component).doing("hide")? {
                Some(there) if self.kind(there) != fs::S_IFDIR => return Ok(None),
                Some(there) => there,
                None => self.add(at, component, File { mode: fs::S_IFDIR, ..File::default() })?,
            };
        }
        let name = self.node(node).name;
        let there = self.child(at, self.text(name)).doing("hide")?;
        Ok(Some(at).filter(|_| there.is_none()))
    }

    /// Forgets all hidden files. The places stay, empty.
    fn forget_hidden(&mut self) {
        for place in 0..self.hidden.len() {
            self.remove_children(self.hidden[place]);
        }
    }

    /// Returns the file of a hidden path.
    fn hidden_file(&self, link: &Name) -> Option<u32> {
        let components =
            || link.parent().split(|&byte| byte == b'/').chain([link.last().to_bytes()]);
        let find = |top: &u32| {
            components()
                .filter(|it| !it.is_empty())
                .try_fold(*top, |at, name| self.child(at, name).ok().flatten())
        };
        self.hidden
            .iter()
            .find_map(find)
            .filter(|node| self.kind(*node) != fs::S_IFDIR)
            .map(|node| self.node(node).file)
    }

    #[inline(never)]
    fn make(&mut self, entry: &Entry<'_>, name: &Name, link: &mut Name) -> Result<()> {
        let Attributes { owner, mode, time } = Attributes::of(entry)?;
        let mut file =
            File { owner, mode, modified: time.seconds, size: entry.size, ..File::default() };
        if name.is_root() {
            if entry.kind != Kind::Directory {
                return Err(refused("the root is a directory"));
            }
            self.renew(ROOT, file);
            return Ok(());
        }
        let last = name.last().to_bytes();
        let (parent, aliased) = self.directory(name.parent(), true)?.unwrap_or((ROOT, false));
        self.aliased |= aliased;
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

    /// Gives an existing directory new attributes.
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
        let to = |why: &dyn core::fmt::Display| {
            Error::new(format_args!("hard link to {}: {why}", Elided(entry.link)))
        };
        link.set(entry.link).map_err(|why| to(&why))?;
        let missing = || to(&Errno::ENOENT);
        let found = self.directory(link.parent(), false)?;
        let (directory, aliased) = found.unwrap_or((NONE, false));
        self.aliased |= aliased;
        let find = |tree: &Tree| match found {
            Some(_) => tree.child(directory, link.last().to_bytes()).map_err(|errno| to(&errno)),
            None => Ok(None),
        };
        let Some(mut source) = find(self)? else {
            if !self.is_hiding {
                return Err(if self.has_hidden { unsure() } else { missing() });
            }
            let file = self.hidden_file(link).ok_or_else(missing)?;
            if let Some(there) = there {
                self.remove(there);
            }
            return self.add_name(parent, last, file).map(drop);
        };
        if let Some(there) = there {
            if self.node(there).file == self.node(source).file {
                let layer = self.layer;
                self.node_mut(there).made = layer;
                self.mark_above(there);
                return Ok(());
            }
            self.remove(there);
            // The removed file may have contained the source.
            source = find(self)?.ok_or_else(missing)?;
        }
        if self.kind(source) == fs::S_IFDIR {
            return Err(to(&Errno::EPERM));
        }
        let file = self.node(source).file;
        self.add_name(parent, last, file).map(drop)
    }

    /// Returns the directory at `path` (from a [`Name`]), and whether a symlink was followed.
    /// Symlinks stay beneath the root. If it is missing: None, or with `make` it is made with its
    /// parents. It then replaces non-directories, and targets of dangling links are made.
    fn directory(&mut self, path: &[u8], make: bool) -> Result<Option<(u32, bool)>> {
        self.resolve(path, make)
            .context(if make { "create directory" } else { "open" }, &Elided(path))
    }

    fn resolve(&mut self, path: &[u8], make: bool) -> Result<Option<(u32, bool)>> {
        // The remaining path is at the end, so that a link's target fits before it.
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
                    // Include the slash after the link, or add one.
                    start =
                        end.checked_sub(target.len()).ok_or(Errno::ENAMETOOLONG).doing("open")?;
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
        Ok(Some((at, followed > 0)))
    }

    /// Makes a directory that no entry describes, like mkdir(2): it inherits a parent's setgid bit.
    /// Its time is 0 here, because it would be the time of unpacking.
    fn make_directory(&mut self, parent: u32, name: &[u8]) -> Result<u32> {
        let above = self.file_of(parent);
        let setgid = above.mode & libc::S_ISGID;
        let owner = (0, if setgid != 0 { above.owner.1 } else { 0 });
        self.add(
            parent,
            name,
            File { mode: fs::S_IFDIR | 0o755 | setgid, owner, ..File::default() },
        )
    }
}

#[cold]
fn refused(why: &str) -> Error {
    Error::new(format_args!("{why}"))
}
