//! The source of a mount: the parent opened it, it lends it, or the child opens it.

use crate::container::handshake::Channel;
use crate::error::Result;
use crate::limits::MOUNTS_MAX;
use crate::sys;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::vm::MappedVec;

/// The sources that the parent opened, by mount number, and whether cgroups are visible.
pub struct Prepared {
    pub(super) trees: MappedVec<(usize, Fd)>,
    pub(super) shows_cgroups: bool,
}

impl Prepared {
    /// No sources: for a process that opens everything itself.
    pub const NONE: Prepared = Prepared { trees: MappedVec::new(MOUNTS_MAX), shows_cgroups: false };

    pub(super) fn of(&self, index: usize) -> Option<FdRef<'_>> {
        self.trees.iter().find(|(number, _)| *number == index).map(|(_, tree)| tree.by_ref())
    }
}

/// The inputs of all mounts besides the config.
#[derive(Clone, Copy)]
pub struct From<'a> {
    /// The sources that the parent opened.
    pub prepared: &'a Prepared,
    /// Ok if the bundle is the current directory, else the errno of entering it.
    pub bundle: sys::Result<()>,
    /// The parent, if it opens sources in this mount namespace on request.
    pub lender: Option<&'a Channel>,
}

/// The inputs of a mount besides its own config.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub from: From<'a>,
    /// The parent's copy of its source, if it made one.
    pub prepared: Option<FdRef<'a>>,
    /// The mount's number in the config.
    pub index: usize,
}

impl Sources<'_> {
    /// Returns the source, opened by the parent in this mount namespace. None if no parent does
    /// that.
    pub fn borrow(&self) -> Option<Result<Fd>> {
        self.from.lender.map(|parent| parent.ask_for_source(self.index as u32))
    }
}
