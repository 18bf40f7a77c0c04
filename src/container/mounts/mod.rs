//! Mounts file systems and binds at their places beneath the root.
//!
//! ```text
//!  parent: prepare                           child: mount_all, in the order of the config
//!  the container's cgroup  ----------------> a tree that is nowhere yet: prepared, copied from the source, or new
//!  parent: lend                                + a place, opened in the root and made where it is missing
//!  what the child cannot open  <-----------    = attached to the place that was looked at (CVE-2021-30465)
//!  (other owners, closed directories)
//! ```

mod bind;
mod cgroup;
mod copy;
mod filesystem;
mod guard;
mod idmap;
pub mod lent;
mod long;

use super::handshake::Channel;
use super::root;
use crate::error::{Context, Error, Result};
use crate::io::in_root;
use crate::io::lossy::{LossyC, On};
use crate::limits::MOUNTS_MAX;
use crate::spec::options::{self, Options, flag};
use crate::spec::{Mount, Spec};
use crate::sys::clone::{CLONE_NEWNS, CLONE_NEWUSER};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::mount::{self, MS_REC, attr};
use crate::sys::vm::MappedVec;
use crate::sys::{self, Errno, fs};
use core::ffi::CStr;
use core::fmt;

/// What the parent opened, by the number of the mount, and what it knows of cgroups.
pub struct Prepared {
    trees: MappedVec<(usize, Fd)>,
    shows_cgroups: bool,
}

impl Prepared {
    /// Nothing: for a process that opens everything itself.
    pub const NONE: Prepared = Prepared { trees: MappedVec::new(MOUNTS_MAX), shows_cgroups: false };

    fn of(&self, index: usize) -> Option<FdRef<'_>> {
        self.trees.iter().find(|(number, _)| *number == index).map(|(_, tree)| tree.by_ref())
    }
}

/// What all mounts need besides the config.
#[derive(Clone, Copy)]
pub struct From<'a> {
    /// What the parent has opened.
    pub prepared: &'a Prepared,
    /// Ok if the bundle is the current directory, else the errno of entering it.
    pub bundle: sys::Result<()>,
    /// The parent, if it opens sources in this mount namespace on request.
    pub lender: Option<&'a Channel>,
}

/// What a mount needs besides its own line in the config.
#[derive(Clone, Copy)]
struct Sources<'a> {
    from: From<'a>,
    /// The parent's copy of its source, if it made one.
    prepared: Option<FdRef<'a>>,
    /// The mount's number in the config.
    index: usize,
}

impl Sources<'_> {
    /// Returns the source, opened by the parent in this mount namespace. None if no parent does
    /// that.
    fn borrow(&self) -> Option<Result<Fd>> {
        self.from.lender.map(|parent| parent.ask_for_source(self.index as u32))
    }
}

/// Whether the parent opens sources on request, in the container's mount namespace. Else it opens
/// them before the clone, in its own.
pub fn are_lent(spec: &Spec<'_>) -> bool {
    spec.namespaces & CLONE_NEWNS != 0
}

/// Parent: opens what the child cannot open later: the container's cgroup, which only this process
/// knows by its fd; and sources, if the child does not ask for them ([`are_lent`]) or has no parent
/// to ask (`is_alone`). Checks what it does not open, so an error comes before anything is made.
/// Sources are relative to the current directory, which must be the bundle.
pub fn prepare(spec: &Spec<'_>, cgroup: Option<FdRef<'_>>, is_alone: bool) -> Result<Prepared> {
    let mut prepared = Prepared::NONE;
    let is_lent = !is_alone && are_lent(spec);
    let mut ids = idmap::Namespaces::default();
    if spec.mounts.len() > MOUNTS_MAX {
        return Err(Error::new(format_args!("more than {MOUNTS_MAX} mounts")));
    }
    prepared.shows_cgroups = cgroup::shows_others(spec, cgroup);
    for (number, one) in spec.mounts.iter().enumerate() {
        let options = Options::of(one.options);
        let tree = prepare_one(spec, one, &options, cgroup, &mut ids, is_lent)
            .context("mount", &Naming(one))?;
        if let Some(tree) = tree {
            prepared.trees.push((number, tree)).doing("keep a mount's source")?;
        }
    }
    Ok(prepared)
}

fn prepare_one(
    spec: &Spec<'_>,
    one: &Mount<'_>,
    options: &Options,
    cgroup: Option<FdRef<'_>>,
    ids: &mut idmap::Namespaces,
    is_lent: bool,
) -> Result<Option<Fd>> {
    let mapping = idmap::wanted(one, options)?;
    if !options.has(flag::BIND) {
        return match cgroup {
            Some(group) if cgroup::is_shown_without_namespace(spec, one) => {
                cgroup::bind(group).map(Some)
            }
            // On failure the child tries, and reports its error.
            _ if !is_lent && lent::is_overlay(spec, one, options) && !long::is_needed(one) => {
                Ok(filesystem::new(spec, one, options, None).ok())
            }
            _ => Ok(None),
        };
    }
    let Some(mapping) = mapping else {
        // The child may have more rights, or see an earlier mount there.
        let is_needed = !is_lent && joins_or_makes(spec, CLONE_NEWUSER);
        return Ok(is_needed.then(|| lent::copy(spec, one, options).ok()).flatten());
    };
    if is_lent {
        return idmap::check(spec, mapping).map(|()| None);
    }
    let tree = lent::copy(spec, one, options).on("open", one.source)?;
    lent::map(tree.by_ref(), options, ids.get(spec, mapping)?)?;
    Ok(Some(tree))
}

/// Whether the container has a namespace of this kind (`CLONE_NEW*`) that is not the caller's.
pub fn joins_or_makes(spec: &Spec<'_>, kind: i32) -> bool {
    spec.namespaces & kind != 0 || spec.joined.iter().any(|one| one.kind == kind)
}

/// Whether the config binds something there itself: whoever brings a /dev has in it what he wants.
pub fn binds_dev(spec: &Spec<'_>) -> bool {
    let at_dev = |one: &Mount<'_>| guard::Guard::of(one, true).is_ok_and(|guard| guard.is_dev());
    spec.mounts.iter().any(|one| at_dev(one) && Options::of(one.options).has(flag::BIND))
}

/// What later steps need of the mounts.
pub struct Mounted {
    /// The procfs at /proc, by its own root: a name can be made to mean something else.
    pub proc: Option<Fd>,
    /// Those that become read-only when everything is in them.
    readonly_later: MappedVec<Fd>,
}

impl Mounted {
    /// Nothing yet.
    pub const fn new() -> Mounted {
        Mounted { proc: None, readonly_later: MappedVec::new(MOUNTS_MAX) }
    }

    /// Makes read-only what had to be written until now: /dev, and every tmpfs, for mounts in it
    /// are made there.
    pub fn finish(&mut self) -> Result<()> {
        for tree in self.readonly_later.iter() {
            mount::set_attributes(tree.by_ref(), false, attr::RDONLY, 0, 0)
                .doing("make a mount read-only")?;
        }
        self.readonly_later.truncate(0);
        Ok(())
    }
}

/// Returns whether the source of a bind is relative to the bundle.
pub fn has_relative_source(spec: &Spec<'_>) -> bool {
    let is_relative =
        |one: &Mount<'_>| Options::of(one.options).has(flag::BIND) && !is_absolute(one.source);
    spec.mounts.iter().any(is_relative)
}

fn is_absolute(path: &CStr) -> bool {
    path.to_bytes().starts_with(b"/")
}

/// Returns an error if a container in the caller's mount namespace would change that.
pub fn check_without_namespace(spec: &Spec<'_>, no_pivot: bool) -> Result<()> {
    let protects = spec.masked_paths.first().is_some() || spec.readonly_paths.first().is_some();
    // Listed devices, not the default ones.
    let makes_devices = spec
        .linux("devices")
        .is_some_and(|list| list.items().is_ok_and(|mut all| all.next().is_some()));
    let reasons = [
        // In runc's words.
        (protects, "unable to restrict sys entries without a private MNT namespace"),
        (!spec.mounts.is_empty(), "mounts: need a mount namespace of the container's own"),
        (makes_devices, "linux.devices: need a mount namespace of the container's own"),
        (spec.root.readonly, "root.readonly: needs a mount namespace of the container's own"),
        (
            spec.linux("rootfsPropagation").is_some(),
            "linux.rootfsPropagation: needs a mount namespace of the container's own",
        ),
        (no_pivot, "--no-pivot: needs a mount namespace of the container's own"),
    ];
    match reasons.iter().find(|(is_wanted, _)| *is_wanted) {
        Some((_, why)) => Err(Error::new(format_args!("{why}"))),
        None => Ok(()),
    }
}

/// Child: mounts them in order. The process still sees the host's mounts. `rootfs` is the root's
/// absolute path on the host.
pub fn mount_all(
    root: FdRef<'_>,
    rootfs: &CStr,
    spec: &Spec<'_>,
    from: From<'_>,
    mounted: &mut Mounted,
) -> Result<()> {
    for (index, one) in spec.mounts.iter().enumerate() {
        let one = &Mount { destination: in_root(one.destination, rootfs), ..*one };
        let sources = Sources { from, prepared: from.prepared.of(index), index };
        match mount_one(root, spec, one, sources, mounted) {
            Err(error) if one.optional && error.errno() == Errno::ENODEV => {}
            done => done.context("mount", &Naming(one))?,
        }
    }
    Ok(())
}

/// Returns a destination as the container sees it. Some callers write the host's path; runc takes
/// both.
fn in_root<'p>(destination: &'p CStr, rootfs: &CStr) -> &'p CStr {
    let (path, root) = (destination.to_bytes_with_nul(), rootfs.to_bytes());
    match path.strip_prefix(root) {
        Some(rest) if root.len() > 1 && rest.starts_with(b"/") => {
            CStr::from_bytes_with_nul(rest).unwrap_or(destination)
        }
        _ => destination,
    }
}

fn mount_one(
    root: FdRef<'_>,
    spec: &Spec<'_>,
    one: &Mount<'_>,
    sources: Sources<'_>,
    mounted: &mut Mounted,
) -> Result<()> {
    let mut options = Options::of(one.options);
    let is_bind = options.has(flag::BIND);
    let guard = guard::Guard::of(one, is_bind)?;
    if options.has(flag::REMOUNT) {
        let place = root::open(root, one.destination, 0).doing("find what is remounted")?;
        guard.check_place(place.by_ref())?;
        return remount(place.by_ref(), one, &options);
    }
    // Devices are made there, and places for other mounts.
    let wait = guard.is_dev() || !is_bind && one.kind == c"tmpfs";
    let later = wait && options.own.set & attr::RDONLY != 0;
    if later {
        options.own.set &= !attr::RDONLY;
    }
    let (tree, place);
    if is_bind {
        tree = bind::make(spec, one, sources, &options)?;
        let directory =
            fs::stat(tree.by_ref(), c"").doing("stat the source")?.kind() == fs::S_IFDIR;
        place = guard.place(in_root::make(root, one.destination, guard.resolve(), directory))?;
    } else {
        let found = in_root::open(root, one.destination, fs::O_DIRECTORY, guard.resolve());
        let existed = found.is_ok();
        place = guard.place(match found {
            Err(Errno::ENOENT) => {
                in_root::make_missing(root, one.destination, guard.resolve(), true)
            }
            found => found,
        })?;
        tree = filesystem::make(spec, one, &options, sources, (place.by_ref(), existed))?;
    }
    guard.check_place(place.by_ref())?;
    guard.check_tree(tree.by_ref())?;
    mount::attach(tree.by_ref(), place.by_ref()).doing("attach")?;
    set_propagation(tree.by_ref(), one, &options)?;
    if guard.is_proc() {
        mounted.proc = Some(tree);
    } else if later {
        mounted.readonly_later.push(tree).doing("keep a mount that becomes read-only")?;
    }
    Ok(())
}

/// Changes the attributes of a mount, and of those beneath it.
fn change(tree: FdRef<'_>, options: &Options) -> Result<()> {
    for (recursive, change) in [(false, options.own), (true, options.all)] {
        if !change.is_empty() {
            mount::set_attributes(tree, recursive, change.set, change.clear, 0)
                .doing("change its attributes")?;
        }
    }
    Ok(())
}

/// In their order: `slave`, then `shared` is both.
fn set_propagation(tree: FdRef<'_>, one: &Mount<'_>, options: &Options) -> Result<()> {
    if !options.has(flag::PROPAGATION) {
        return Ok(());
    }
    for bits in options::each(one.options).filter_map(options::propagation) {
        mount::set_attributes(tree, bits & MS_REC != 0, 0, 0, bits & !MS_REC)
            .doing("set its propagation")?;
    }
    Ok(())
}

/// Changes the mount that is there; and, unless it is a bind, its file system.
fn remount(place: FdRef<'_>, one: &Mount<'_>, options: &Options) -> Result<()> {
    if !options.has(flag::BIND) {
        let context = mount::fs_pick(place).doing("open its file system")?;
        filesystem::configure_all(context.by_ref(), one, options)?;
        mount::fs_reconfigure(context.by_ref()).doing("change its file system")?;
    }
    change(place, options)?;
    set_propagation(place, one, options)
}

struct Naming<'a>(&'a Mount<'a>);

impl fmt::Display for Naming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.kind.is_empty() { c"none" } else { self.0.kind };
        write!(f, "{} at {}", LossyC(kind), LossyC(self.0.destination))
    }
}

#[cfg(test)]
mod tests;
