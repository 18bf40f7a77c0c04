//! The parent opens a source for the child, in the child's mount namespace, where an earlier mount
//! of the container may be the source. Root of a user namespace cannot search every directory, and
//! only the parent can map owners.
//!
//! ```text
//!  child                          parent               helper
//!  Source, the mount's number --> forks -------------> opens the source in the caller's namespace
//!    |                            goes on at its end   joins the child's mount namespace,
//!    |                                                 opens it there, maps owners
//!    |  <--- Lent + the tree, or Failed -------------- exits
//! ```
//!
//! A joined mount namespace has other processes, which could mislead the helper, so nothing is
//! opened there.

use super::{filesystem, idmap, long};
use crate::container::handshake::Channel;
use crate::error::{Context, Error, Result};
use crate::io::lossy::On;
use crate::spec::options::{self, Options, flag};
use crate::spec::{Mount, Spec, TAKES_CONFIGS};
use crate::sys::clone::{self, CLONE_NEWNS, Side};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::mount::{self, MS_SHARED, MS_SLAVE};
use crate::sys::process::{self, Ended};
use crate::sys::{Errno, fs, signal};
use crate::watch::Loop;
use crate::watch::children::Helper;
use core::ffi::CStr;

/// The child that asks.
pub struct Borrower<'a> {
    pub spec: &'a Spec<'a>,
    /// The process whose mount namespace is used.
    pub process: FdRef<'a>,
    /// The bundle's path.
    pub bundle: &'a CStr,
    /// The channel for the answer.
    pub channel: &'a Channel,
}

/// Parent: makes a process that sends the child the source of the mount of this number. The current
/// directory is the bundle.
pub fn lend(borrower: &Borrower<'_>, index: usize, events: &mut Loop) -> Result<Helper> {
    let Some(one) = borrower.spec.mounts.get(index) else {
        return Err(Error::new(format_args!("the container asked for a mount that there is not")));
    };
    match clone::fork(0, None).doing("make a process that opens a mount's source")? {
        Side::Child => {
            let _ = process::set_parent_death_signal(signal::SIGKILL);
            let told = match open(borrower, one) {
                Ok(tree) => borrower.channel.lend(tree.by_ref()),
                Err(error) => {
                    borrower.channel.failed(&error);
                    Ok(())
                }
            };
            process::exit(told.is_err().into())
        }
        Side::Parent(pid, pidfd) => Helper::watch(pid, pidfd, events),
    }
}

/// Returns the result of that process's end.
pub fn verdict(ended: Ended) -> Result<()> {
    match ended {
        Ended::Exited(0) => Ok(()),
        _ => Err(Error::new(format_args!("the process that opens a mount's source died"))),
    }
}

fn open(borrower: &Borrower<'_>, one: &Mount<'_>) -> Result<Fd> {
    let (spec, options) = (borrower.spec, Options::of(one.options));
    let mut ids = idmap::Namespaces::default();
    // Before the join, because both resolve names in our namespace.
    let mapping = idmap::wanted(one, &options)?;
    let mapping = mapping.map(|mapping| ids.get(spec, mapping)).transpose()?;
    let is_bind = options.has(flag::BIND);
    let here = is_bind.then(|| copy(spec, one, &options));
    clone::join_namespace(borrower.process, CLONE_NEWNS)
        .doing("join the container's mount namespace")?;
    // An absolute source needs no directory.
    let _ = mount::chdir(borrower.bundle);
    let Some(here) = here else {
        if !long::is_needed(one) {
            return filesystem::new(spec, one, &options, None);
        }
        // Any directory works, because no mount in a user namespace's mount namespace reaches the
        // host.
        let place = fs::open(CWD, c"/", fs::O_PATH | fs::O_DIRECTORY, 0).doing("open /")?;
        return long::make(spec, one, &options, place.by_ref());
    };
    let tree = match mount::clone_tree(
        CWD,
        one.source,
        mount::Reach::tree_if(options.has(flag::BIND_ALL)),
    ) {
        // Mounts on it are locked there: they came from our namespace, so both are the same source.
        Err(Errno::EINVAL) => here,
        tree => tree,
    }
    .on("open", one.source)?;
    if let Some(namespace) = mapping {
        map(tree.by_ref(), &options, namespace)?;
    }
    Ok(tree)
}

/// Returns a copy of a bind's source in this namespace. The container's mounts on it do not reach
/// the host.
pub fn copy(spec: &Spec<'_>, one: &Mount<'_>, options: &Options) -> crate::sys::Result<Fd> {
    let tree =
        mount::clone_tree(CWD, one.source, mount::Reach::tree_if(options.has(flag::BIND_ALL)))?;
    if spec.root.propagation() & MS_SHARED == 0 || spec.has_users() {
        mount::set_attributes(tree.by_ref(), mount::Reach::Tree, 0, 0, MS_SLAVE)?;
    }
    Ok(tree)
}

/// Maps owners by `namespace`.
pub fn map(tree: FdRef<'_>, options: &Options, namespace: FdRef<'_>) -> Result<()> {
    mount::set_id_mapping(tree, mount::Reach::tree_if(options.has(flag::IDMAP_ALL)), namespace)
        .doing("map owners")
}

/// Returns true for an overlay whose directories may be inaccessible to root of the container's
/// user namespace. Returns false if it has `userxattr`, because that is for a user namespace.
pub fn is_overlay(spec: &Spec<'_>, one: &Mount<'_>, options: &Options) -> bool {
    let is_ours = TAKES_CONFIGS && one.kind == c"overlay" && spec.has_users();
    let is_theirs = || options::each(one.options).any(|option| option == b"userxattr");
    is_ours && !options.has(flag::BIND) && !options.has(flag::REMOUNT) && !is_theirs()
}
