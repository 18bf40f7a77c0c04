//! Mounts file systems and binds beneath the root.
//!
//! ```text
//!  parent: prepare                  child: mount_all, in the order of the config
//!  the container's cgroup  -------> a detached tree: prepared, copied from the source, or new
//!  parent: lend                       + a place, opened in the root and made if it is missing
//!  sources that the child  <------>   = attached to the checked place (CVE-2021-30465)
//!  cannot open
//!  (other owners, closed directories)
//! ```

mod attributes;
mod bind;
mod cgroup;
mod copy;
mod filesystem;
mod guard;
mod idmap;
pub mod lent;
mod long;
mod sources;
mod wanted;

use super::root;
use crate::error::{Context, Error, Result};
use crate::io::in_root;
use crate::io::lossy::{LossyC, On};
use crate::limits::MOUNTS_MAX;
use crate::spec::options::{Options, flag};
use crate::spec::{Mount, Spec};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::mount::{self, attr};
use crate::sys::vm::MappedVec;
use crate::sys::{Errno, fs};
use attributes::{change, set_propagation};
use core::ffi::CStr;
use core::fmt;
use sources::Sources;
pub use sources::{From, Prepared};
pub use wanted::{are_lent, binds_dev, check_without_namespace, has_relative_source};

/// Parent: opens what the child cannot open later. That is the container's cgroup, which only this
/// process knows by its fd, and some sources. It opens sources if the child does not ask for them
/// ([`are_lent`]) or has no parent (`is_alone`). Checks what it does not open, so that errors come
/// before any effect. Sources are relative to the current directory, which must be the bundle.
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
            // If this fails, the child tries, and reports its error.
            _ if !is_lent && lent::is_overlay(spec, one, options) && !long::is_needed(one) => {
                Ok(filesystem::new(spec, one, options, None).ok())
            }
            _ => Ok(None),
        };
    }
    let Some(mapping) = mapping else {
        // The child may have more rights, or see an earlier mount there.
        let is_needed = !is_lent && spec.has_users();
        return Ok(is_needed.then(|| lent::copy(spec, one, options).ok()).flatten());
    };
    if is_lent {
        return idmap::check(spec, mapping).map(|()| None);
    }
    let tree = lent::copy(spec, one, options).on("open", one.source)?;
    lent::map(tree.by_ref(), options, ids.get(spec, mapping)?)?;
    Ok(Some(tree))
}

/// The mounts that later steps need.
pub struct Mounted {
    /// The procfs at /proc, by its own root, because a name can be redirected.
    pub proc: Option<Fd>,
    /// Mounts that become read-only when they are complete.
    readonly_later: MappedVec<Fd>,
}

impl Mounted {
    /// Returns an empty set.
    pub const fn new() -> Mounted {
        Mounted { proc: None, readonly_later: MappedVec::new(MOUNTS_MAX) }
    }

    /// Makes mounts read-only that had to be writable until now: /dev, and every tmpfs with mounts
    /// in it.
    pub fn finish(&mut self) -> Result<()> {
        for tree in self.readonly_later.iter() {
            mount::set_attributes(tree.by_ref(), mount::Reach::Mount, attr::RDONLY, 0, 0)
                .doing("make a mount read-only")?;
        }
        self.readonly_later.truncate(0);
        Ok(())
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

/// Returns a destination as seen in the container. Some callers write the host's path; runc accepts
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
    // Devices and mount points for other mounts are made there.
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

/// Changes an existing mount and, unless it is a bind, its file system.
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
