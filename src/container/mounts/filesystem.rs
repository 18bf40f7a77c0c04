//! A file system, configured and mounted nowhere yet.

use super::{cgroup, change, copy, joins_or_makes};
use crate::error::{Context, Result};
use crate::io::path::PathBuf;
use crate::io::show::On;
use crate::limits::NAME_BYTES;
use crate::spec::options::{Options, flag};
use crate::spec::{Mount, Spec};
use crate::sys::clone::{CLONE_NEWNET, CLONE_NEWPID};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::mount::{self, attr};
use crate::sys::{Errno, fd, fs};
use core::ffi::CStr;

/// Makes it. `hidden` is the directory that it will hide, where there was one before.
pub fn make(
    spec: &Spec<'_>,
    one: &Mount<'_>,
    options: &Options,
    prepared: Option<FdRef<'_>>,
    hidden: Option<FdRef<'_>>,
) -> Result<Fd> {
    if let Some(tree) = prepared {
        let tree = fd::duplicate(tree, 3).doing("duplicate a descriptor")?;
        change(tree.by_ref(), options)?;
        return Ok(tree);
    }
    match new(spec, one, options, hidden) {
        Ok(tree) => {
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
                let tree = mount::clone_tree(CWD, path, true).on("open", path)?;
                change(tree.by_ref(), options)?;
                // All of it, as nothing in it is the container's own.
                mount::set_attributes(tree.by_ref(), true, attr::RDONLY, 0, 0).doing("make it read-only")?;
                Ok(tree)
            }
            None if cgroup::is_kind(one.kind) => cgroup::instead(options, error),
            None => Err(error),
        },
    }
}

/// What of the host's is shown where the kernel does not let a user namespace have a file system of its own, because what
/// it shows is the host's, too.
fn instead(spec: &Spec<'_>, one: &Mount<'_>, errno: Errno) -> Option<&'static CStr> {
    let (kind, namespace, path) = match one.kind {
        kind if kind == c"sysfs" => (kind, CLONE_NEWNET, c"/sys"),
        kind => (kind, CLONE_NEWPID, c"/proc"),
    };
    let shows = kind == c"sysfs" || kind == c"proc";
    (shows && errno == Errno::EPERM && !joins_or_makes(spec, namespace)).then_some(path)
}

fn new(spec: &Spec<'_>, one: &Mount<'_>, options: &Options, hidden: Option<FdRef<'_>>) -> Result<Fd> {
    let context = mount::fs_open(if cgroup::is_kind(one.kind) { c"cgroup2" } else { one.kind });
    // The kernel's answer alone, which says whether it is to be left out.
    let context = context.doing("open the file system")?;
    let context = context.by_ref();
    if !one.source.is_empty() {
        mount::fs_set(context, c"source", one.source).on("set its source", one.source)?;
    }
    set_label(context, spec, one.kind)?;
    let copies = options.has(flag::COPY_UP);
    let has_mode = || one.options.iter().any(|option| option.to_bytes().starts_with(b"mode="));
    if let Some(hidden) = hidden
        && one.kind == c"tmpfs"
        && (copies || !has_mode())
    {
        // What it hides lends its permissions, and a copy its owner; options of the config override them.
        let stat = fs::stat(hidden, c"").doing("stat what it hides")?;
        let mut text = PathBuf::new();
        for (key, number) in [(c"uid", stat.uid), (c"gid", stat.gid)].into_iter().filter(|_| copies) {
            text.set(format_args!("{number}")).doing("set its owner")?;
            // Nobody's in this user namespace: then it is root's.
            let _ = mount::fs_set(context, key, text.as_c_str());
        }
        text.set(format_args!("{:o}", stat.mode & 0o7777)).doing("set its mode")?;
        mount::fs_set(context, c"mode", text.as_c_str()).doing("set its mode")?;
    }
    configure_all(context, one, options)?;
    mount::fs_mount(context, options.own.set).doing("make the file system")
}

/// `linux.mountLabel`, for what SELinux does not label by itself. A kernel without it does not know the option.
fn set_label(context: FdRef<'_>, spec: &Spec<'_>, kind: &CStr) -> Result<()> {
    let Some(label) = spec.linux("mountLabel").and_then(|label| label.as_text().ok()) else { return Ok(()) };
    let is_labelled = kind == c"proc" || kind == c"sysfs" || kind == c"mqueue" || cgroup::is_kind(kind);
    if is_labelled || label.is_empty() {
        return Ok(());
    }
    let text = PathBuf::format(format_args!("{label}")).doing("mountLabel")?;
    mount::fs_set(context, c"context", text.as_c_str()).on("set its SELinux label", text.as_c_str())
}

/// The options that are the file system's.
pub fn configure_all(context: FdRef<'_>, one: &Mount<'_>, options: &Options) -> Result<()> {
    let mut known = Options::default();
    for option in one.options.iter() {
        if known.add(option.to_bytes()) {
            continue;
        }
        match configure(context, option) {
            // A group that the user namespace does not have (5, for terminals): they are root's then.
            Err(Errno::EINVAL) if one.kind == c"devpts" && option.to_bytes().starts_with(b"gid=") => {}
            done => done.on("option", option)?,
        }
    }
    // A device that cannot be written is not opened for writing; and a remount means the file system, too.
    let whole = one.source.to_bytes().starts_with(b"/") || options.has(flag::REMOUNT);
    for (bits, word) in [(options.own.set, c"ro"), (options.own.clear, c"rw")] {
        if whole && bits & attr::RDONLY != 0 {
            mount::fs_set_flag(context, word).on("option", word)?;
        }
    }
    Ok(())
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
