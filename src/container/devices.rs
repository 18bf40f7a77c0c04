//! The nodes and links of the container's /dev, and its terminal.

use super::root;
use crate::error::{Context, Error, Result};
use crate::io::show::On;
use crate::spec::{Device, User};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::fs::{self, O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_RDWR, O_WRONLY, S_IFCHR, S_IFMT};
use crate::sys::{Errno, mount, tty};
use core::ffi::CStr;

/// The links of /dev: name and target. Those into /proc are made where /proc/self/fd is.
const LINKS: [(&CStr, &CStr); 6] = [
    (c"ptmx", c"pts/ptmx"),
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
    (c"core", c"/proc/kcore"),
];

/// Makes a node. What is there already must be that very device.
pub fn make(root: FdRef<'_>, device: &Device<'_>) -> Result<()> {
    make_node(root, device).on("make device", device.path)
}

fn make_node(root: FdRef<'_>, device: &Device<'_>) -> crate::sys::Result<()> {
    let (directory, name) = root::open_parent(root, device.path)?;
    match fs::mknod(directory.by_ref(), name, device.mode, fs::makedev(device.major, device.minor)) {
        Err(Errno::EEXIST) => {}
        made => return made,
    }
    let there = fs::stat(directory.by_ref(), name)?;
    let same = there.kind() == device.mode & S_IFMT && there.rdev == (device.major, device.minor);
    same.then_some(()).ok_or(Errno::EEXIST)
}

/// Makes the links. One that is there already stays.
pub fn link(root: FdRef<'_>) -> Result<()> {
    let Ok(directory) = root::open(root, c"/dev", O_DIRECTORY) else { return Ok(()) };
    let proc = root::open(root, c"/proc/self/fd", O_DIRECTORY).is_ok();
    for (name, target) in LINKS {
        if proc || name == c"ptmx" {
            match fs::symlink(target, directory.by_ref(), name) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno).on("link /dev/", name),
            }
        }
    }
    Ok(())
}

/// The null device of the container, by its number and not by its name (CVE-2025-31133).
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

/// A terminal as [`terminal`] makes it, which is the container's console, too.
pub fn console(root: FdRef<'_>, size: Option<(u16, u16)>, user: &User) -> Result<(Fd, Fd)> {
    let (master, peer) = terminal(root, size, user)?;
    bind_console(root, peer.by_ref()).doing("bind the terminal to /dev/console")?;
    Ok((master, peer))
}

/// A terminal of the container's own /dev/pts: (master, the end that it uses). It is the user's.
pub fn terminal(root: FdRef<'_>, size: Option<(u16, u16)>, user: &User) -> Result<(Fd, Fd)> {
    const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;
    let pts = root::open(root, c"/dev/pts", O_DIRECTORY).doing("open /dev/pts")?;
    let (magic, ..) = fs::statfs(pts.by_ref()).doing("stat /dev/pts")?;
    if magic != DEVPTS_SUPER_MAGIC {
        return Err(Error::new(format_args!("a terminal needs devpts at /dev/pts")));
    }
    let master = fs::open(pts.by_ref(), c"ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, 0).doing("open /dev/pts/ptmx")?;
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
    match fs::open(directory.by_ref(), c"console", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600) {
        Ok(_) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    let place = root::open_exactly(directory.by_ref(), c"console")?;
    if fs::stat(place.by_ref(), c"")?.kind() == fs::S_IFLNK {
        return Err(Errno::ELOOP);
    }
    let tree = mount::clone_tree(terminal, c"", false)?;
    mount::attach(tree.by_ref(), place.by_ref())
}
