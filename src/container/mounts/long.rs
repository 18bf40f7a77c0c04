//! File systems with options that fsconfig(2) refuses. It takes values of at most 255 bytes, and
//! for a file system of the old interface (overlay before 6.5) no commas in them. mount(2) takes
//! one page for all options. For longer ones only overlay has a way: layer by layer (6.8).

use super::filesystem::{self, set_source};
use crate::error::{Context, Error, Result};
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::limits::PATH_BYTES;
use crate::spec::options::{self, Options};
use crate::spec::{Mount, Spec, TAKES_CONFIGS};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::fs::{self, O_DIRECTORY, O_PATH};
use crate::sys::mount::{self, MNT_DETACH, attr};
use crate::sys::{self, Errno};
use core::ffi::CStr;

/// The longest value of fsconfig(2), in bytes.
const VALUE_BYTES: usize = 255;
/// The longest option text of mount(2), in bytes: a page with its NUL. A `PathBuf` holds as much.
const DATA_BYTES: usize = PATH_BYTES - 1;

/// Returns whether fsconfig(2) would refuse one of the options.
pub fn is_needed(one: &Mount<'_>) -> bool {
    TAKES_CONFIGS
        && options::each(one.options).any(|option| {
            let value = option.splitn(2, |byte| *byte == b'=').nth(1).unwrap_or(option);
            value.len() > VALUE_BYTES || option.windows(2).any(|pair| pair == b"\\,")
        })
}

/// Makes it, detached. `place` is its mount point.
pub fn make(spec: &Spec<'_>, one: &Mount<'_>, wanted: &Options, place: FdRef<'_>) -> Result<Fd> {
    let mut data = PathBuf::new();
    let mut flags = 0;
    if let Some(label) = filesystem::label(spec, one.kind) {
        data.push_bytes(b"context=\"")
            .and_then(|()| data.push_bytes(label.to_bytes()))
            .doing("mountLabel")?;
        data.push_bytes(b"\"").doing("mountLabel")?;
    }
    let mut known = Options::default();
    for option in options::each(one.options) {
        if known.add(option) {
            continue;
        }
        if let Some(flag) = options::flag_of_mount(option) {
            flags |= flag;
            continue;
        }
        let comma = if data.as_bytes().is_empty() { &b""[..] } else { b"," };
        if data.push_bytes(comma).and_then(|()| data.push_bytes(option)).is_err() {
            return by_layers(spec, one, wanted);
        }
    }
    if filesystem::is_of_device(one) && wanted.own.set & attr::RDONLY != 0 {
        flags |= mount::MS_RDONLY;
    }
    let tree = mount_aside(place, one, flags, data.as_c_str()).doing("make the file system")?;
    if wanted.own.set != 0 {
        mount::set_attributes(
            tree.by_ref(),
            mount::Reach::Mount,
            wanted.own.set,
            wanted.own.clear & attr::ATIME_MASK,
            0,
        )
        .doing("change its attributes")?;
    }
    Ok(tree)
}

/// Uses mount(2), which needs a path: our empty tmpfs, mounted on `place` meanwhile.
fn mount_aside(place: FdRef<'_>, one: &Mount<'_>, flags: u64, data: &CStr) -> sys::Result<Fd> {
    let context = mount::fs_open(c"tmpfs")?;
    mount::fs_set(context.by_ref(), c"mode", c"700")?;
    let aside = mount::fs_mount(context.by_ref(), attr::NOSUID | attr::NODEV | attr::NOEXEC)?;
    fs::mkdir(aside.by_ref(), c"m", 0o700)?;
    mount::attach(aside.by_ref(), place)?;
    let back = fs::open(CWD, c".", O_PATH | O_DIRECTORY, 0)?;
    mount::chdir_fd(aside.by_ref())?;
    let made = mount::mount(one.source, c"m", one.kind, flags, data).and_then(|()| {
        let made = fs::open(CWD, c"m", O_PATH | O_DIRECTORY, 0)?;
        mount::clone_tree(made.by_ref(), c"", mount::Reach::Mount)
    });
    // This unmounts the tmpfs, with the new mount on it; `made` is a copy of that.
    let gone = mount::unmount(c".", MNT_DETACH);
    mount::chdir_fd(back.by_ref())?;
    gone.and(made)
}

/// Makes an overlay with an option for each layer.
fn by_layers(spec: &Spec<'_>, one: &Mount<'_>, wanted: &Options) -> Result<Fd> {
    let too_long = || {
        Err(Error::with_errno(
            format_args!("options: more than {DATA_BYTES} bytes, which is all that mount(2) takes"),
            Errno::E2BIG,
        ))
    };
    if one.kind != c"overlay" {
        return too_long();
    }
    let context = mount::fs_open(one.kind).doing("open the file system")?;
    let context = context.by_ref();
    set_source(context, one)?;
    filesystem::set_label(context, spec, one.kind)?;
    let mut known = Options::default();
    for option in options::each(one.options) {
        if known.add(option) {
            continue;
        }
        let Some(layers) =
            option.strip_prefix(b"lowerdir=").filter(|layers| !layers.contains(&b'\\'))
        else {
            filesystem::configure(context, option)
                .on("option", ShowOption(option).text().as_c_str())?;
            continue;
        };
        let mut is_data = false;
        for layer in layers.split(|byte| *byte == b':') {
            // `::` separates data-only layers.
            if layer.is_empty() {
                is_data = true;
                continue;
            }
            let key = if is_data { c"datadir+" } else { c"lowerdir+" };
            let layer = PathBuf::from_bytes(layer).doing("lowerdir")?;
            mount::fs_set(context, key, layer.as_c_str())
                .on("option lowerdir", layer.as_c_str())?;
        }
    }
    // Kernels before 6.8 refuse the option only here.
    match mount::fs_mount(context, wanted.own.set) {
        Err(Errno::EINVAL) => too_long(),
        made => made.doing("make the file system"),
    }
}

/// An option, as shown in errors.
pub struct ShowOption<'a>(pub &'a [u8]);

impl ShowOption<'_> {
    /// Returns its text, cut to a path's length.
    pub fn text(&self) -> PathBuf {
        PathBuf::from_bytes(&self.0[..self.0.len().min(DATA_BYTES)]).unwrap_or_default()
    }
}
