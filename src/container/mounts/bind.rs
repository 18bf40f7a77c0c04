//! Bind mounts.

use super::attributes::change;
use super::idmap;
use super::sources::Sources;
use super::wanted::is_absolute;
use crate::error::{Context, Error, Result};
use crate::io::lossy::On;
use crate::spec::options::{Change, Options, flag};
use crate::spec::{Mount, Spec};
use crate::sys::fd::{self, CWD, Fd, FdRef};
use crate::sys::mount::{self, attr};
use crate::sys::{self, Errno};

/// Attributes that a mount's options always decide. Access times stay unless an option names them.
const NAMED: u64 = attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC | attr::NOSYMFOLLOW;

/// Returns a detached copy of the source's mount.
///
/// The child opens it, because it may lie beneath the root directory and show an earlier mount. If
/// the child cannot, or owners are mapped, the parent does. The parent opens it in the child's
/// mount namespace or, if that is joined, before the join.
pub fn make(
    spec: &Spec<'_>,
    one: &Mount<'_>,
    sources: Sources<'_>,
    options: &Options,
) -> Result<Fd> {
    let reached = if is_absolute(one.source) { Ok(()) } else { sources.from.bundle };
    let open = || {
        reached.and_then(|()| {
            mount::clone_tree(CWD, one.source, mount::Reach::tree_if(options.has(flag::BIND_ALL)))
        })
    };
    let has_users = || spec.has_users();
    let is_mapped = idmap::wanted(one, options)?.is_some();
    let tree = match sources.prepared {
        Some(tree) if is_mapped => fd::duplicate(tree, 3).doing("duplicate a descriptor")?,
        Some(tree) => open().or_else(|_| fd::duplicate(tree, 3)).on("open", one.source)?,
        None if is_mapped => sources
            .borrow()
            .unwrap_or_else(|| Err(Error::new(format_args!("no process can map owners"))))?,
        None => match open() {
            // The parent's error may come from weaker rights than ours, so it is ignored.
            Err(errno) if has_users() => {
                sources.borrow().and_then(Result::ok).ok_or(errno).on("open", one.source)?
            }
            tree => tree.on("open", one.source)?,
        },
    };
    set_options(tree.by_ref(), options)?;
    Ok(tree)
}

/// Sets the mount's attributes. As in runc, one named attribute clears all unnamed ones; if none is
/// named, the source's stay. Attributes that a user namespace locks stay, and the opposite option
/// is an error.
fn set_options(tree: FdRef<'_>, options: &Options) -> Result<()> {
    if options.own.is_empty() {
        return change(tree, options);
    }
    match set(tree, whole(options.own)) {
        Err(Errno::EPERM) => change(tree, options),
        done => {
            done.doing("change its attributes")?;
            change(tree, &Options { own: Change::default(), ..*options })
        }
    }
}

fn whole(own: Change) -> Change {
    let names_times = (own.set | own.clear) & (attr::ATIME_MASK | attr::NODIRATIME) != 0;
    let all = NAMED | own.clear | if names_times { attr::NODIRATIME } else { 0 };
    Change { set: own.set, clear: all & (!own.set | attr::ATIME_MASK) }
}

fn set(tree: FdRef<'_>, change: Change) -> sys::Result<()> {
    mount::set_attributes(tree, mount::Reach::Mount, change.set, change.clear, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_is_cleared() {
        let of = |set, clear| whole(Change { set, clear });
        assert_eq!(of(attr::NODEV, 0), Change { set: 4, clear: 0x20_000b });
        assert_eq!(of(0, attr::RDONLY), Change { set: 0, clear: 0x20_000f });
        // Access times are one field, which must be cleared as a whole.
        assert_eq!(of(attr::NOATIME, attr::ATIME_MASK), Change { set: 0x10, clear: 0x20_00ff });
        assert_eq!(of(attr::NODIRATIME, 0), Change { set: 0x80, clear: 0x20_000f });
    }
}
