//! The container's view of cgroup2, by the type `cgroup` or `cgroup2`.
//!
//! With a cgroup namespace it is a mount whose root is the container's group. Without one it is a bind of that group. Where
//! neither can be (a user namespace alone, a host with version 1 alone), the host's hierarchy is shown, and not written.

use super::{change, joins_or_makes};
use crate::error::{Context, Error, Result};
use crate::spec::options::Options;
use crate::spec::{Mount, Spec};
use crate::sys::clone::CLONE_NEWCGROUP;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::mount::{self, MS_PRIVATE, attr};
use crate::sys::{Errno, fs};
use core::ffi::CStr;

const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;

/// Whether this type is ours.
pub fn is_kind(kind: &CStr) -> bool {
    kind == c"cgroup" || kind == c"cgroup2"
}

/// Whether this mount shows the container's group, in no namespace of its own.
pub fn is_shown_without_namespace(spec: &Spec<'_>, one: &Mount<'_>) -> bool {
    is_kind(one.kind) && !joins_or_makes(spec, CLONE_NEWCGROUP)
}

/// Parent: a bind of the container's group. What is mounted there does not reach the host, whatever travels otherwise.
pub fn bind(group: FdRef<'_>) -> Result<Fd> {
    let tree = mount::clone_tree(group, c"", false).doing("copy the mount of the container's group")?;
    mount::set_attributes(tree.by_ref(), true, 0, 0, MS_PRIVATE).doing("part with the host's mounts")?;
    Ok(tree)
}

/// What is shown where the kernel did not mount it.
pub fn instead(options: &Options, error: Error) -> Result<Fd> {
    if !matches!(error.errno(), Errno::EPERM | Errno::EBUSY | Errno::ENODEV) {
        return Err(error);
    }
    let host = fs::open(CWD, c"/sys/fs/cgroup", fs::O_PATH | fs::O_DIRECTORY, 0);
    let is_cgroup2 = |fd: &Fd| fs::statfs(fd.by_ref()).is_ok_and(|(magic, ..)| magic == CGROUP2_SUPER_MAGIC);
    let tree = match host.ok().filter(is_cgroup2) {
        Some(host) => mount::clone_tree(host.by_ref(), c"", true).doing("bind the host's cgroups")?,
        // Nothing, rather than what is there: that may be written (CVE-2023-25809).
        None => crate::container::protect::empty_directory().doing("hide the host's cgroups")?,
    };
    change(tree.by_ref(), options)?;
    if options.own.clear & attr::RDONLY == 0 {
        mount::set_attributes(tree.by_ref(), true, attr::RDONLY, 0, 0).doing("make it read-only")?;
    }
    Ok(tree)
}
