//! A file system, configured but not attached.

use super::attributes::change;
use super::long::{self, ShowOption};
use super::sources::Sources;
use super::{cgroup, copy, lent};
use crate::container::{procfs, procfs_maker};
use crate::error::{Context, Error, Result};
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::limits::NAME_BYTES;
use crate::spec::options::{self, Options, flag};
use crate::spec::{Mount, Spec, TAKES_CONFIGS};
use crate::sys::clone::{CLONE_NEWNET, CLONE_NEWPID};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::mount::{self, attr};
use crate::sys::{Errno, fd, fs};
use core::ffi::CStr;

/// Makes it for `place`, which it will hide. `existed` means that `place` was there before this
/// mount.
pub fn make(
    spec: &Spec<'_>,
    one: &Mount<'_>,
    options: &Options,
    sources: Sources<'_>,
    (place, existed): (FdRef<'_>, bool),
) -> Result<Fd> {
    let made = match sources.prepared {
        Some(tree) => Some(fd::duplicate(tree, 3).doing("duplicate a descriptor")?),
        // If this fails, we make it, and report our error.
        None if lent::is_overlay(spec, one, options) => sources.borrow().and_then(Result::ok),
        None => None,
    };
    if let Some(tree) = made {
        change(tree.by_ref(), options)?;
        return Ok(tree);
    }
    let hidden = existed.then_some(place);
    let made = match long::is_needed(one) {
        true => long::make(spec, one, options, place),
        false => new(spec, one, options, hidden),
    };
    match made {
        Ok(tree) => {
            if cgroup::is_kind(one.kind) && sources.from.prepared.shows_cgroups {
                mount::set_attributes(tree.by_ref(), mount::Reach::Tree, attr::RDONLY, 0, 0)
                    .doing("make it read-only")?;
            }
            if let (true, Some(hidden)) = (options.has(flag::COPY_UP), hidden) {
                copy::directory(hidden, tree.by_ref())?;
            }
            if !options.all.is_empty() {
                change(tree.by_ref(), options)?;
            }
            Ok(tree)
        }
        Err(error) => match instead(spec, one, error.errno()) {
            Some(path) => {
                let tree = mount::clone_tree(CWD, path, mount::Reach::Tree).on("open", path)?;
                change(tree.by_ref(), options)?;
                // All of it, because nothing in it is the container's own.
                mount::set_attributes(tree.by_ref(), mount::Reach::Tree, attr::RDONLY, 0, 0)
                    .doing("make it read-only")?;
                Ok(tree)
            }
            None if cgroup::is_kind(one.kind) => cgroup::instead(options, error),
            None => Err(error),
        },
    }
}

/// Returns the part of the host to show if the kernel refuses a new file system to a user
/// namespace. It refuses one that would show the host.
fn instead(spec: &Spec<'_>, one: &Mount<'_>, errno: Errno) -> Option<&'static CStr> {
    let (kind, namespace, path) = match one.kind {
        kind if kind == c"sysfs" => (kind, CLONE_NEWNET, c"/sys"),
        kind => (kind, CLONE_NEWPID, c"/proc"),
    };
    let shows = kind == c"sysfs" || kind == c"proc";
    (TAKES_CONFIGS && shows && errno == Errno::EPERM && !spec.joins_or_makes(namespace))
        .then_some(path)
}

/// Makes it by fsopen(2).
pub fn new(
    spec: &Spec<'_>,
    one: &Mount<'_>,
    options: &Options,
    hidden: Option<FdRef<'_>>,
) -> Result<Fd> {
    let context = match one.kind {
        kind if kind == c"proc" => procfs_maker::context(),
        kind if cgroup::is_kind(kind) => mount::fs_open(c"cgroup2"),
        kind => mount::fs_open(kind),
    };
    // The kernel's bare answer decides whether the mount is optional.
    let context = context.doing("open the file system")?;
    let context = context.by_ref();
    set_source(context, one)?;
    set_label(context, spec, one.kind)?;
    let copies = options.has(flag::COPY_UP);
    let has_mode = || options::each(one.options).any(|option| option.starts_with(b"mode="));
    if let Some(hidden) = hidden
        && one.kind == c"tmpfs"
        && (copies || !has_mode())
    {
        // Take mode (and for a copy the owner) from the hidden directory; options of the config
        // override them.
        let stat = fs::stat(hidden, c"").doing("stat what it hides")?;
        let mut text = PathBuf::new();
        for (key, number) in [(c"uid", stat.uid), (c"gid", stat.gid)].into_iter().filter(|_| copies)
        {
            text.set(format_args!("{number}")).doing("set its owner")?;
            // If the owner is not mapped in this user namespace, it stays root's.
            let _ = mount::fs_set(context, key, text.as_c_str());
        }
        text.set(format_args!("{:o}", stat.mode & 0o7777)).doing("set its mode")?;
        mount::fs_set(context, c"mode", text.as_c_str()).doing("set its mode")?;
    }
    configure_all(context, one, options)?;
    let tree = mount::fs_mount(context, options.own.set).doing("make the file system")?;
    if one.kind == c"proc" && procfs_maker::is_there() && !procfs::is_procfs(tree.by_ref()) {
        return Err(Error::new(format_args!(
            "another process of the pid namespace has made it something else"
        )));
    }
    Ok(tree)
}

/// Sets the source, unless it is empty.
pub fn set_source(context: FdRef<'_>, one: &Mount<'_>) -> Result<()> {
    match one.source.is_empty() {
        true => Ok(()),
        false => mount::fs_set(context, c"source", one.source).on("set its source", one.source),
    }
}

/// Returns `linux.mountLabel` for file systems that SELinux does not label itself. As in crun,
/// there is no label if the kernel runs without SELinux, because it does not know the option.
pub fn label<'m>(spec: &Spec<'m>, kind: &CStr) -> Option<&'m CStr> {
    let label = spec.mount_label.filter(|_| TAKES_CONFIGS)?;
    let is_labelled =
        kind == c"proc" || kind == c"sysfs" || kind == c"mqueue" || cgroup::is_kind(kind);
    let is_left_out = is_labelled || matches!(mount::fs_open(c"selinuxfs"), Err(Errno::ENODEV));
    (!is_left_out).then_some(label)
}

/// Sets that label.
pub fn set_label(context: FdRef<'_>, spec: &Spec<'_>, kind: &CStr) -> Result<()> {
    match label(spec, kind) {
        Some(label) => mount::fs_set(context, c"context", label).on("set its SELinux label", label),
        None => Ok(()),
    }
}

/// Returns whether its source is a device, not only a name.
pub fn is_of_device(one: &Mount<'_>) -> bool {
    one.source.to_bytes().starts_with(b"/")
}

/// Passes the file system its options.
pub fn configure_all(context: FdRef<'_>, one: &Mount<'_>, options: &Options) -> Result<()> {
    let mut known = Options::default();
    for option in options::each(one.options) {
        if known.add(option) {
            continue;
        }
        match configure(context, option) {
            // The group (5, for terminals) is not mapped in the user namespace: then they are
            // root's.
            Err(Errno::EINVAL) if one.kind == c"devpts" && option.starts_with(b"gid=") => {}
            done => done.on("option", ShowOption(option).text().as_c_str())?,
        }
    }
    // A read-only device is not opened for writing. A remount concerns the file system, too.
    let whole = is_of_device(one) || options.has(flag::REMOUNT);
    for (bits, word) in [(options.own.set, c"ro"), (options.own.clear, c"rw")] {
        if whole && bits & attr::RDONLY != 0 {
            mount::fs_set_flag(context, word).on("option", word)?;
        }
    }
    Ok(())
}

/// Passes `key=value` or `flag` to the file system.
pub fn configure(context: FdRef<'_>, option: &[u8]) -> crate::sys::Result<()> {
    let Some(equals) = option.iter().position(|byte| *byte == b'=') else {
        return mount::fs_set_flag(context, PathBuf::from_bytes(option)?.as_c_str());
    };
    let mut key = [0u8; NAME_BYTES + 1];
    key.get_mut(..equals)
        .filter(|place| place.len() < NAME_BYTES)
        .ok_or(Errno::EINVAL)?
        .copy_from_slice(&option[..equals]);
    let key = CStr::from_bytes_until_nul(&key).map_err(|_| Errno::EINVAL)?;
    let value = &option[equals + 1..];
    // The quotes only protect commas in the list of options.
    let value =
        value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    mount::fs_set(context, key, PathBuf::from_bytes(value)?.as_c_str())
}
