//! The container's view of cgroup2, by the type `cgroup` or `cgroup2`.
//!
//! With a cgroup namespace it is a mount whose root is the container's cgroup. Without one it is a
//! bind of that cgroup. If neither is possible (no own cgroup, only a user namespace, a host with
//! v1 alone), the host's hierarchy is shown. That is read-only, whatever the options say.

use super::attributes::change;
use crate::error::{Context, Error, Result};
use crate::limits::PATH_BYTES;
use crate::spec::options::Options;
use crate::spec::{Mount, Spec};
use crate::sys::clone::CLONE_NEWCGROUP;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::mount::{self, MS_PRIVATE, attr};
use crate::sys::{Errno, fs};
use core::ffi::CStr;

const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;

/// Returns whether this type is handled here.
pub fn is_kind(kind: &CStr) -> bool {
    kind == c"cgroup" || kind == c"cgroup2"
}

/// Returns whether this mount shows the container's cgroup without a cgroup namespace.
pub fn is_shown_without_namespace(spec: &Spec<'_>, one: &Mount<'_>) -> bool {
    is_kind(one.kind) && !has_namespace(spec)
}

/// Returns whether the container has a cgroup namespace other than the caller's.
fn has_namespace(spec: &Spec<'_>) -> bool {
    let inode =
        |path| fs::open(CWD, path, fs::O_PATH, 0).and_then(|file| fs::stat(file.by_ref(), c""));
    let is_ours = |path| match (inode(path), inode(c"/proc/self/ns/cgroup")) {
        (Ok(one), Ok(ours)) => (one.device, one.inode) == (ours.device, ours.inode),
        // The file is not a namespace: the join fails later.
        _ => false,
    };
    let joined = spec.joined().iter().find(|one| one.kind == CLONE_NEWCGROUP);
    spec.namespaces & CLONE_NEWCGROUP != 0 || joined.is_some_and(|one| !is_ours(one.path))
}

/// Parent: returns whether a mount shows cgroups beyond the container's. Without its own cgroup its
/// namespace begins at ours, which may be the root.
pub fn shows_others(spec: &Spec<'_>, group: Option<FdRef<'_>>) -> bool {
    if group.is_some() || !spec.mounts.iter().any(|one| is_kind(one.kind)) {
        return false;
    }
    let mut text = [0; PATH_BYTES];
    let own = fs::open(CWD, c"/proc/self/cgroup", fs::O_RDONLY, 0);
    let length = own.and_then(|own| fs::read(own.by_ref(), &mut text)).unwrap_or(0);
    let is_in_root = text[..length].split(|byte| *byte == b'\n').any(|line| line == b"0::/");
    !has_namespace(spec) || spec.namespaces & CLONE_NEWCGROUP != 0 && is_in_root
}

/// Parent: returns a private bind of the container's cgroup: mounts on it never reach the host.
pub fn bind(group: FdRef<'_>) -> Result<Fd> {
    let tree = mount::clone_tree(group, c"", mount::Reach::Mount)
        .doing("copy the mount of the container's group")?;
    mount::set_attributes(tree.by_ref(), mount::Reach::Tree, 0, 0, MS_PRIVATE)
        .doing("part with the host's mounts")?;
    Ok(tree)
}

/// Returns the replacement if the kernel refused the mount.
pub fn instead(options: &Options, error: Error) -> Result<Fd> {
    if !matches!(error.errno(), Errno::EPERM | Errno::EBUSY | Errno::ENODEV) {
        return Err(error);
    }
    let host = fs::open(CWD, c"/sys/fs/cgroup", fs::O_PATH | fs::O_DIRECTORY, 0);
    let is_cgroup2 =
        |fd: &Fd| fs::statfs(fd.by_ref()).is_ok_and(|(magic, ..)| magic == CGROUP2_SUPER_MAGIC);
    let tree = match host.ok().filter(is_cgroup2) {
        Some(host) => mount::clone_tree(host.by_ref(), c"", mount::Reach::Tree)
            .doing("bind the host's cgroups")?,
        // An empty directory hides the host's cgroups, which may be writable (CVE-2023-25809).
        None => crate::container::empty::directory().doing("hide the host's cgroups")?,
    };
    change(tree.by_ref(), options)?;
    mount::set_attributes(tree.by_ref(), mount::Reach::Tree, attr::RDONLY, 0, MS_PRIVATE)
        .doing("make it read-only")?;
    Ok(tree)
}
