//! The parent's preparations for the process that it clones.

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

/// The prepared start.
pub struct Plan<'a> {
    /// The start that is wanted.
    pub launch: &'a Launch<'a>,
    /// A detached copy of the root's mount.
    pub tree: Option<Fd>,
    /// The sources of mounts that this process has opened.
    pub prepared: mounts::Prepared,
    /// The parent. `None` if this process becomes the container's without a clone.
    pub channel: Option<Channel>,
    /// The directory that this process left for the root directory: the bundle.
    pub departure: Option<root::Departure>,
    /// The mount namespace is the container's. If not, it is the caller's, and nothing is mounted.
    pub owns_mounts: bool,
    /// An intermediate process has done the steps that need its privileges.
    pub staged: bool,
    /// Memory for the pid of the container's process, if that is made last
    /// ([`Launch::is_made_apart`]).
    pub born: Option<Shared>,
    /// Memory for the report of a process that is under its filter.
    pub report: Option<Report>,
    /// The host's procfs, for labels: others have no `self` for an intermediate process.
    pub proc: Option<Procfs>,
    /// The mark of system calls that a filter lets pass, if an intermediate process loads it.
    pub mark: Option<Mark>,
    /// See `Launch::filters_early`.
    pub filters_early: bool,
    /// It runs startContainer hooks.
    pub has_hooks_inside: bool,
    /// The argument array for execve(2), which takes it.
    pub pointers: Cell<Option<&'a mut Pointers>>,
}

impl Plan<'_> {
    /// Enters the root directory with the caller's rights, because the container's root may lack
    /// access.
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

    /// Returns whether the process is cloned under its filter and executes on the parent's Go.
    pub fn is_released(&self) -> bool {
        self.mark.is_some() && self.launch.gate.is_none() && !self.has_hooks_inside
    }

    /// Returns whether another process executes than the one that sets up.
    pub fn is_apart(&self) -> bool {
        self.born.is_some()
    }
}
