//! What the parent prepared for the process that it clones.

use super::handshake::Channel;
use super::procfs::Procfs;
use super::report::Report;
use super::request::Launch;
use super::{Pointers, mounts, root};
use crate::sys::clone;
use crate::sys::fd::Fd;
use crate::sys::marked::Mark;
use crate::sys::vm::Shared;
use core::cell::Cell;

/// What the parent prepared.
pub struct Plan<'a> {
    /// What is wanted.
    pub launch: &'a Launch<'a>,
    /// A copy of the root's mount, attached nowhere yet.
    pub tree: Option<Fd>,
    /// What of its mounts this process could not open.
    pub prepared: mounts::Prepared,
    /// The parent; `None` where this process was not cloned but becomes the container's.
    pub channel: Option<Channel>,
    /// The directory that this process left for the root directory: the bundle.
    pub departure: Option<root::Departure>,
    /// The mount namespace is the container's. If not, it is the caller's, and nothing is mounted.
    pub owns_mounts: bool,
    /// There was an intermediate process, which has done what needs its powers.
    pub staged: bool,
    /// Memory for the pid of the container's process, if that is made last ([`Launch::is_made_apart`]).
    pub born: Option<Shared>,
    /// Memory for the report of a process that is under its filter.
    pub report: Option<Report>,
    /// The host's, for labels: others have no `self` for an intermediate process.
    pub proc: Option<Procfs>,
    /// The mark of calls that a filter lets pass, if an intermediate process loads it.
    pub mark: Option<Mark>,
    /// See `Launch::filters_early`.
    pub filters_early: bool,
    /// It runs startContainer hooks.
    pub has_hooks_inside: bool,
    /// For execve(2), which takes it.
    pub pointers: Cell<Option<&'a mut Pointers>>,
}

impl Plan<'_> {
    /// Enters the root directory with the caller's rights: root of the container may not reach it.
    pub fn depart(&mut self) {
        // Another mount namespace has other directories.
        let joins_mounts =
            self.launch.spec.joined().iter().any(|joined| joined.kind == clone::CLONE_NEWNS);
        self.departure = self
            .launch
            .root
            .filter(|_| !joins_mounts)
            .and_then(|root| root::Departure::to(root).ok());
    }

    /// Returns whether the process is cloned under its filter and executes when the parent says so.
    pub fn is_released(&self) -> bool {
        self.mark.is_some() && self.launch.gate.is_none() && !self.has_hooks_inside
    }

    /// Returns whether the process that executes is not the one that sets up.
    pub fn is_apart(&self) -> bool {
        self.born.is_some()
    }
}
