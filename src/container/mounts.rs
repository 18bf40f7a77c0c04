//! Mounts file systems at their places beneath the root.

use super::root;
use crate::error::{Context, Error, Result};
use crate::io::show::ShowC;
use crate::limits::NAME_BYTES;
use crate::spec::{Mount, options};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::{Errno, fs, mount};
use core::ffi::CStr;
use core::fmt;

/// Mounts them in order.
pub fn mount_all(root: FdRef<'_>, mounts: &[Mount<'_>]) -> Result<()> {
    mounts.iter().try_for_each(|mount| mount_one(root, mount))
}

fn mount_one(root: FdRef<'_>, mount: &Mount<'_>) -> Result<()> {
    let tree = match prepare(mount) {
        Err(Errno::ENODEV) if mount.optional => return Ok(()),
        tree => tree.context("mount", &Naming(mount))?,
    };
    // What others will look for by name, and write to as root, is never behind a link of the image
    // (CVE-2019-19921, CVE-2023-27561, CVE-2026-41579).
    let straight = mount.kind == c"proc" || mount.kind == c"sysfs" || mount.destination == c"/dev";
    let resolve = if straight { fs::RESOLVE_NO_SYMLINKS } else { 0 };
    let target = match root::make_directories(root, mount.destination, resolve) {
        Err(Errno::ELOOP) if straight => {
            let text = format_args!("mount {}: the image has a symbolic link there", Naming(mount));
            return Err(Error::with_errno(text, Errno::ELOOP));
        }
        target => target.context("mount", &Naming(mount))?,
    };
    mount::attach(tree.by_ref(), target.by_ref()).context("mount", &Naming(mount))
}

/// The file system, configured and mounted nowhere yet.
fn prepare(mount: &Mount<'_>) -> crate::sys::Result<Fd> {
    let context = mount::fs_open(mount.kind)?;
    mount::fs_set(context.by_ref(), c"source", mount.source)?;
    let mut attributes = 0;
    for option in mount.options.iter() {
        match options::attribute(option.to_bytes(), attributes) {
            Some(changed) => attributes = changed,
            None => configure(context.by_ref(), option)?,
        }
    }
    mount::fs_mount(context.by_ref(), attributes)
}

/// `key=value` or `flag`, to the file system.
fn configure(context: FdRef<'_>, option: &CStr) -> crate::sys::Result<()> {
    let bytes = option.to_bytes_with_nul();
    let Some(equals) = bytes.iter().position(|byte| *byte == b'=') else {
        return mount::fs_set_flag(context, option);
    };
    let mut key = [0u8; NAME_BYTES + 1];
    key.get_mut(..equals)
        .filter(|place| place.len() < NAME_BYTES)
        .ok_or(Errno::EINVAL)?
        .copy_from_slice(&bytes[..equals]);
    let key = CStr::from_bytes_until_nul(&key).map_err(|_| Errno::EINVAL)?;
    let value = CStr::from_bytes_with_nul(&bytes[equals + 1..]).map_err(|_| Errno::EINVAL)?;
    mount::fs_set(context, key, value)
}

struct Naming<'a>(&'a Mount<'a>);

impl fmt::Display for Naming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", ShowC(self.0.kind), ShowC(self.0.destination))
    }
}
