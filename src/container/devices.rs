//! The nodes and links of the container's /dev, and its terminal.

use super::{mounts, root};
use crate::error::{Context, Error, Result};
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::spec::{Device, Spec, TAKES_CONFIGS, User};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::fs::{
    self, O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_RDWR, O_WRONLY, S_IFCHR, S_IFMT,
};
use crate::sys::{Errno, mount, tty};
use core::ffi::CStr;

/// The links of /dev: name and target. Links into /proc are made if /proc/self/fd exists.
const LINKS: [(&CStr, &CStr); 6] = [
    (c"ptmx", c"pts/ptmx"),
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
    (c"core", c"/proc/kcore"),
];

/// Makes the container's devices, and the links beside them. If the config binds /dev, it makes
/// neither.
pub fn make_all(root: FdRef<'_>, spec: &Spec<'_>) -> Result<()> {
    if mounts::binds_dev(spec) {
        return Ok(());
    }
    let dev = match spec.devices {
        // A machine may have no devices.
        [] => root::open(root, c"/dev", O_DIRECTORY),
        _ => root::make_directories(root, c"/dev", 0),
    };
    let dev = match dev {
        Err(Errno::ENOENT) => return Ok(()),
        dev => dev.doing("open /dev")?,
    };
    for device in spec.devices {
        make(root, dev.by_ref(), device).on("make device", device.path)?;
    }
    link(root, dev.by_ref())
}

/// Makes a node; `dev` is /dev. An existing file must be the same device.
fn make(root: FdRef<'_>, dev: FdRef<'_>, device: &Device<'_>) -> crate::sys::Result<()> {
    let mut path = PathBuf::from_bytes(device.path.to_bytes())?;
    let end = path.as_bytes().iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    path.truncate(end);
    let path = path.as_c_str();
    let in_dev =
        path.to_bytes_with_nul().strip_prefix(b"/dev/").filter(|name| !name.contains(&b'/'));
    if let Some(Ok(name)) = in_dev.map(CStr::from_bytes_with_nul) {
        return make_node(dev, name, device);
    }
    let (directory, name) = match root::open_parent(root, path, false) {
        Err(Errno::ENOENT) => root::open_parent(root, path, true)?,
        found => found?,
    };
    make_node(directory.by_ref(), name, device)
}

fn make_node(directory: FdRef<'_>, name: &CStr, device: &Device<'_>) -> crate::sys::Result<()> {
    match fs::mknod(directory, name, device.mode, fs::makedev(device.major, device.minor)) {
        Ok(()) if device.uid | device.gid == 0 => Ok(()),
        Ok(()) => fs::chown(directory, name, device.uid, device.gid),
        // A user namespace cannot make devices, so it binds the host's.
        Err(Errno::EPERM) if TAKES_CONFIGS => {
            match fs::mknod(directory, name, fs::S_IFREG | 0o666, 0) {
                Ok(()) | Err(Errno::EEXIST) => bind_node(directory, name, device),
                Err(errno) => Err(errno),
            }
        }
        Err(Errno::EEXIST) => {
            let there = fs::stat(directory, name)?;
            match there.kind() {
                _ if is_it(&there, device) => Ok(()),
                // The mount point of such a bind, from an earlier run.
                fs::S_IFREG if TAKES_CONFIGS && there.size == 0 && in_user_namespace() => {
                    bind_node(directory, name, device)
                }
                _ => Err(Errno::EEXIST),
            }
        }
        Err(errno) => Err(errno),
    }
}

fn is_it(stat: &fs::Stat, device: &Device<'_>) -> bool {
    let numbers = device.mode & S_IFMT == fs::S_IFIFO || stat.rdev == (device.major, device.minor);
    stat.kind() == device.mode & S_IFMT && numbers
}

/// Binds the host's node of this path, if it has the right device number.
fn bind_node(directory: FdRef<'_>, name: &CStr, device: &Device<'_>) -> crate::sys::Result<()> {
    let tree = mount::clone_tree(CWD, device.path, mount::Reach::Mount)?;
    if !is_it(&fs::stat(tree.by_ref(), c"")?, device) {
        return Err(Errno::ENXIO);
    }
    let place = root::open_exactly(directory, name)?;
    mount::attach(tree.by_ref(), place.by_ref())
}

/// Returns whether some of the machine's users are not mapped in this user namespace.
fn in_user_namespace() -> bool {
    let mut map = [0; 64];
    let file = fs::open(CWD, c"/proc/self/uid_map", fs::O_RDONLY, 0);
    let length = file.and_then(|file| fs::read(file.by_ref(), &mut map)).unwrap_or(0);
    let mut words =
        map[..length].split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    !words.by_ref().take(3).eq([&b"0"[..], b"0", b"4294967295"])
}

/// Makes the links. An existing file stays.
fn link(root: FdRef<'_>, directory: FdRef<'_>) -> Result<()> {
    let proc = root::open(root, c"/proc/self/fd", O_DIRECTORY).is_ok();
    for (name, target) in LINKS {
        // Some kernels have no /proc/kcore.
        let is_there = match name.to_bytes() {
            b"ptmx" => true,
            b"core" => root::open(root, target, 0).is_ok(),
            _ => proc,
        };
        if is_there {
            match fs::symlink(target, directory, name) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno).on("link /dev/", name),
            }
        }
    }
    Ok(())
}

/// Returns the container's null device, checked by its number and not its name (CVE-2025-31133).
pub fn null(root: FdRef<'_>) -> Result<Fd> {
    let null = fs::open_resolved(
        root,
        c"/dev/null",
        fs::O_PATH | O_NOFOLLOW,
        0,
        fs::RESOLVE_IN_ROOT | fs::RESOLVE_NO_SYMLINKS,
    )
    .doing("open /dev/null")?;
    let stat = fs::stat(null.by_ref(), c"").doing("stat /dev/null")?;
    if stat.kind() != S_IFCHR || stat.rdev != (1, 3) {
        return Err(Error::new(format_args!("/dev/null of the container is not the null device")));
    }
    Ok(null)
}

/// Opens a terminal like [`terminal`], and makes it the container's console.
pub fn console(root: FdRef<'_>, size: Option<(u16, u16)>, user: &User) -> Result<(Fd, Fd)> {
    let (master, peer) = terminal(root, size, user)?;
    bind_console(root, peer.by_ref()).doing("bind the terminal to /dev/console")?;
    Ok((master, peer))
}

/// Opens a terminal of the container's own /dev/pts, owned by the user. Returns the master and the
/// process's end.
pub fn terminal(root: FdRef<'_>, size: Option<(u16, u16)>, user: &User) -> Result<(Fd, Fd)> {
    const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;
    let pts = root::open(root, c"/dev/pts", O_DIRECTORY).doing("open /dev/pts")?;
    let (magic, ..) = fs::statfs(pts.by_ref()).doing("stat /dev/pts")?;
    if magic != DEVPTS_SUPER_MAGIC {
        return Err(Error::new(format_args!("a terminal needs devpts at /dev/pts")));
    }
    let master = fs::open(pts.by_ref(), c"ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, 0)
        .doing("open /dev/pts/ptmx")?;
    tty::unlock(master.by_ref()).doing("unlock the terminal")?;
    if let Some((rows, columns)) = size {
        tty::set_size(master.by_ref(), rows, columns).doing("set the terminal's size")?;
    }
    // By the master, never by a name in /dev/pts (CVE-2025-52565).
    let peer = tty::open_peer(master.by_ref()).doing("open the terminal")?;
    fs::chown(peer.by_ref(), c"", user.uid, u32::MAX).doing("chown the terminal")?;
    Ok((master, peer))
}

fn bind_console(root: FdRef<'_>, terminal: FdRef<'_>) -> crate::sys::Result<()> {
    let directory = root::open(root, c"/dev", O_DIRECTORY)?;
    match fs::open(directory.by_ref(), c"console", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    {
        Ok(_) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    let place = root::open_exactly(directory.by_ref(), c"console")?;
    if fs::stat(place.by_ref(), c"")?.kind() == fs::S_IFLNK {
        return Err(Errno::ELOOP);
    }
    let tree = mount::clone_tree(terminal, c"", mount::Reach::Mount)?;
    mount::attach(tree.by_ref(), place.by_ref())
}
