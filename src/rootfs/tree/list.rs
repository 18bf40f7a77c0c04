//! The tree in order: each directory before its names, and those sorted by their bytes.

use super::{File, NONE, Node, ROOT, Tree, full};
use crate::Result;
use crate::limits::TREE_TEXT_BYTES;
use crate::sys::fs;
use crate::sys::vm::MappedVec;

/// One name of the tree.
pub struct Listed<'a> {
    /// Path without a leading slash; empty for the root.
    pub path: &'a [u8],
    /// Type and permissions.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
    /// Length of a file in bytes.
    pub size: u64,
    /// Seconds since 1970; 0 for a directory that no layer describes.
    pub modified: i64,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// A symlink's target, or the first path of the same file.
    pub link: &'a [u8],
    /// A further name of an earlier file.
    pub is_hard_link: bool,
}

impl Tree {
    /// Calls `see` with all names. A hard link refers to the first name in this order.
    pub fn list(mut self, see: &mut dyn FnMut(&Listed<'_>) -> Result<()>) -> Result<()> {
        let (mut path, mut first) =
            (MappedVec::new(TREE_TEXT_BYTES), MappedVec::new(TREE_TEXT_BYTES));
        let mut at = ROOT;
        loop {
            let length = path.len();
            let Node { file, name, .. } = *self.node(at);
            path.extend(self.text(name)).map_err(full)?;
            let number = file;
            let file = self.files[number as usize];
            let is_directory = file.mode & fs::S_IFMT == fs::S_IFDIR;
            let is_hard_link = !is_directory && file.shown != NONE;
            let link = match is_hard_link {
                true => {
                    self.path_of(file.shown, &mut first)?;
                    &first[..]
                }
                false => self.text(file.target),
            };
            let File { mode, owner, size, modified, device, .. } = file;
            see(&Listed { path: &path, mode, owner, size, modified, device, link, is_hard_link })?;
            if file.names > 1 && !is_hard_link {
                self.files[number as usize].shown = at;
            }
            if is_directory {
                self.sort_children(at);
                if at != ROOT {
                    path.push(b'/').map_err(full)?;
                }
                if self.node(at).first != NONE {
                    at = self.node(at).first;
                    continue;
                }
            }
            path.truncate(length);
            // Go to the next sibling, or to the next sibling of the nearest ancestor that has one.
            while self.node(at).next == NONE {
                if at == ROOT {
                    return Ok(());
                }
                at = self.node(at).parent;
                path.truncate(
                    (path.len().saturating_sub(1))
                        .saturating_sub(self.node(at).name.length as usize),
                );
            }
            at = self.node(at).next;
        }
    }

    /// Writes a node's path to `path`.
    fn path_of(&self, node: u32, path: &mut MappedVec<u8>) -> Result<()> {
        path.truncate(0);
        let mut at = node;
        // Build it backwards, byte by byte, and reverse it.
        while at != ROOT {
            let Node { parent, name, .. } = *self.node(at);
            let slash: &[u8] = if at == node { b"" } else { b"/" };
            let name = self.text(name).iter().rev();
            slash.iter().chain(name).try_for_each(|byte| path.push(*byte)).map_err(full)?;
            at = parent;
        }
        path.reverse();
        Ok(())
    }

    fn name_of(&self, node: u32) -> &[u8] {
        self.text(self.node(node).name)
    }

    /// Sorts a directory's children by a merge sort of the linked list, with runs of doubling
    /// length. Back links are no longer needed and are not kept.
    fn sort_children(&mut self, directory: u32) {
        // runs[n] is a sorted list of 2^n nodes, or empty.
        let mut runs = [NONE; 32];
        let mut rest = self.node(directory).first;
        while rest != NONE {
            let mut run = rest;
            rest = core::mem::replace(&mut self.node_mut(run).next, NONE);
            for place in &mut runs {
                match core::mem::replace(place, NONE) {
                    NONE => {
                        *place = run;
                        break;
                    }
                    former => run = self.merge_runs(former, run),
                }
            }
        }
        let mut all = NONE;
        for run in runs.into_iter().filter(|run| *run != NONE) {
            all = self.merge_runs(run, all);
        }
        self.node_mut(directory).first = all;
    }

    fn merge_runs(&mut self, mut one: u32, mut other: u32) -> u32 {
        let (mut first, mut last) = (NONE, NONE);
        while one != NONE || other != NONE {
            let take_one = other == NONE || one != NONE && self.name_of(one) <= self.name_of(other);
            let from = if take_one { &mut one } else { &mut other };
            let taken = *from;
            *from = self.node(taken).next;
            match last {
                NONE => first = taken,
                last => self.node_mut(last).next = taken,
            }
            last = taken;
        }
        first
    }
}
