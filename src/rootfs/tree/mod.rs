//! The tree that layers would make, without making it: names and attributes alone.
//!
//! Names are nodes in a growing list ([`MappedVec`]). Each has its parent, its siblings and its
//! first child. A hash table finds a node by parent and name, so a directory of 200,000 entries
//! costs no more than others. A name refers to a file, which hard links share. Numbers stand for
//! nodes and files. 0 is the root, which has no parent, so it also means "none".

mod list;
mod merge;

pub use list::Listed;
pub use merge::merge;

use crate::limits::{HIDDEN_PLACES_MAX, NAME_BYTES, TREE_BUCKETS, TREE_NAMES_MAX, TREE_TEXT_BYTES};
use crate::sys::vm::MappedVec;
use crate::sys::{Errno, fs};
use crate::{Context, Error, Result};

/// A range of the text buffer, for names and link targets.
#[derive(Clone, Copy, Default)]
struct Span {
    start: u32,
    length: u32,
}

#[derive(Clone, Copy, Default)]
struct Node {
    parent: u32,
    first: u32,
    next: u32,
    previous: u32,
    /// The next node of its bucket, or of the free list.
    chain: u32,
    name: Span,
    file: u32,
    /// The layer that made it last, and the last layer that made something beneath it.
    made: u16,
    made_beneath: u16,
}

#[derive(Clone, Copy, Default)]
struct File {
    size: u64,
    /// Seconds since 1970.
    modified: i64,
    /// Type and permissions.
    mode: u32,
    owner: (u32, u32),
    /// Major and minor number.
    device: (u32, u32),
    /// A symlink's target.
    target: Span,
    names: u32,
    /// The node that is listed as the file; the others are hard links to it. For a free file: the
    /// next free one.
    shown: u32,
}

/// The tree.
pub struct Tree {
    nodes: MappedVec<Node>,
    files: MappedVec<File>,
    text: MappedVec<u8>,
    buckets: MappedVec<u32>,
    free_node: u32,
    free_file: u32,
    /// The number of the layer being merged, from 1.
    layer: u16,
    /// An entry of that layer went through a symlink.
    aliased: bool,
    /// A whiteout of that layer was carried out.
    has_hidden: bool,
    /// The layer is merged in two passes, and hidden files go to one of these places.
    is_hiding: bool,
    hidden: heapless::Vec<u32, HIDDEN_PLACES_MAX>,
}

const ROOT: u32 = 0;
const NONE: u32 = 0;

impl Tree {
    /// Returns the root alone, with a runtime's default attributes.
    pub fn new() -> Result<Tree> {
        let mut tree = Tree {
            nodes: MappedVec::new(TREE_NAMES_MAX),
            files: MappedVec::new(TREE_NAMES_MAX),
            text: MappedVec::new(TREE_TEXT_BYTES),
            buckets: MappedVec::zeros(TREE_BUCKETS).doing("memory for the tree")?,
            free_node: NONE,
            free_file: NONE,
            layer: 0,
            aliased: false,
            has_hidden: false,
            is_hiding: false,
            hidden: heapless::Vec::new(),
        };
        tree.nodes.push(Node::default()).map_err(full)?;
        tree.files
            .push(File { mode: fs::S_IFDIR | 0o755, names: 1, ..File::default() })
            .map_err(full)?;
        Ok(tree)
    }

    fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    fn node_mut(&mut self, node: u32) -> &mut Node {
        &mut self.nodes[node as usize]
    }

    fn file_of(&self, node: u32) -> &File {
        &self.files[self.node(node).file as usize]
    }

    fn kind(&self, node: u32) -> u32 {
        self.file_of(node).mode & fs::S_IFMT
    }

    fn text(&self, span: Span) -> &[u8] {
        self.text.get(span.start as usize..(span.start + span.length) as usize).unwrap_or(&[])
    }

    fn add_text(&mut self, text: &[u8]) -> Result<Span> {
        let start = self.text.len() as u32;
        self.text.extend(text).map_err(full)?;
        Ok(Span { start, length: text.len() as u32 })
    }

    /// Returns the index of a name's chain. The seed is a random address, so an image cannot aim
    /// all names at one bucket.
    fn bucket(&self, parent: u32, name: &[u8]) -> usize {
        let seed = self.buckets.as_ptr() as u64 ^ u64::from(parent) << 32;
        let mut hash = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for &byte in name {
            hash = (hash ^ hash >> 29 ^ u64::from(byte)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        }
        (hash >> 40) as usize % TREE_BUCKETS
    }

    /// Returns the child of this name. ENAMETOOLONG for a name that is too long for a file.
    fn child(&self, parent: u32, name: &[u8]) -> core::result::Result<Option<u32>, Errno> {
        if name.len() > NAME_BYTES {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut at = self.buckets[self.bucket(parent, name)];
        while at != NONE
            && (self.node(at).parent != parent || self.text(self.node(at).name) != name)
        {
            at = self.node(at).chain;
        }
        Ok(Some(at).filter(|at| *at != NONE))
    }

    /// Gives an existing file a new name.
    fn add_name(&mut self, parent: u32, name: &[u8], file: u32) -> Result<u32> {
        let node = match self.free_node {
            NONE => {
                self.nodes.push(Node::default()).map_err(full)?;
                (self.nodes.len() - 1) as u32
            }
            free => {
                self.free_node = self.node(free).chain;
                free
            }
        };
        let bucket = self.bucket(parent, name);
        let (name, next, chain) =
            (self.add_text(name)?, self.node(parent).first, self.buckets[bucket]);
        *self.node_mut(node) =
            Node { parent, next, chain, name, file, made: self.layer, ..Node::default() };
        self.buckets[bucket] = node;
        self.node_mut(parent).first = node;
        if next != NONE {
            self.node_mut(next).previous = node;
        }
        self.files[file as usize].names += 1;
        self.mark_above(node);
        Ok(node)
    }

    /// Marks all ancestors of `node`: this layer made something beneath them.
    fn mark_above(&mut self, mut node: u32) {
        let layer = self.layer;
        while node != ROOT {
            node = self.node(node).parent;
            if core::mem::replace(&mut self.node_mut(node).made_beneath, layer) == layer {
                break;
            }
        }
    }

    /// Adds a file without a name.
    fn add_file(&mut self, file: File) -> Result<u32> {
        match self.free_file {
            NONE => {
                self.files.push(file).map_err(full)?;
                Ok((self.files.len() - 1) as u32)
            }
            free => {
                self.free_file = self.files[free as usize].shown;
                self.files[free as usize] = file;
                Ok(free)
            }
        }
    }

    /// Adds a file under a new name.
    fn add(&mut self, parent: u32, name: &[u8], file: File) -> Result<u32> {
        let file = self.add_file(file)?;
        self.add_name(parent, name, file)
    }

    /// Removes a name and all names beneath it.
    fn remove(&mut self, top: u32) {
        let above = self.node(top).parent;
        let mut at = top;
        while at != above {
            match self.node(at).first {
                NONE => at = self.remove_leaf(at),
                first => at = first,
            }
        }
    }

    /// Removes all names in a directory.
    fn remove_children(&mut self, directory: u32) {
        while let first @ 1.. = self.node(directory).first {
            self.remove(first);
        }
    }

    /// Moves a name, and all beneath it, to a directory without such a name.
    fn relink(&mut self, node: u32, parent: u32) {
        self.unlink(node);
        let bucket = self.bucket(parent, self.text(self.node(node).name));
        let (next, chain) = (self.node(parent).first, self.buckets[bucket]);
        let moved = self.node_mut(node);
        (moved.parent, moved.next, moved.previous, moved.chain) = (parent, next, NONE, chain);
        self.buckets[bucket] = node;
        self.node_mut(parent).first = node;
        if next != NONE {
            self.node_mut(next).previous = node;
        }
    }

    /// Removes a name from its directory.
    fn unlink(&mut self, node: u32) {
        let Node { parent, next, previous, chain, name, .. } = *self.node(node);
        match previous {
            NONE => self.node_mut(parent).first = next,
            previous => self.node_mut(previous).next = next,
        }
        if next != NONE {
            self.node_mut(next).previous = previous;
        }
        let bucket = self.bucket(parent, self.text(name));
        match self.buckets[bucket] {
            first if first == node => self.buckets[bucket] = chain,
            mut before => {
                while self.node(before).chain != node {
                    before = self.node(before).chain;
                }
                self.node_mut(before).chain = chain;
            }
        }
    }

    /// Removes a name without children. Returns its parent.
    fn remove_leaf(&mut self, node: u32) -> u32 {
        let Node { parent, file, .. } = *self.node(node);
        self.unlink(node);
        self.node_mut(node).chain = self.free_node;
        self.free_node = node;
        let free = self.free_file;
        let left = &mut self.files[file as usize];
        left.names -= 1;
        if left.names == 0 {
            left.shown = free;
            self.free_file = file;
        }
        parent
    }
}

#[cold]
fn full(errno: Errno) -> Error {
    match errno {
        Errno::ENOSPC => {
            let bytes = TREE_TEXT_BYTES;
            Error::new(format_args!(
                "more than {TREE_NAMES_MAX} names in one image, or {bytes} bytes of them"
            ))
        }
        errno => Error::with_errno(format_args!("memory for the tree: {errno}"), errno),
    }
}

#[cfg(test)]
mod tests;
