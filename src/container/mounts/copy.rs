//! `tmpcopyup`: a tmpfs begins with a copy of the directory that it hides. It copies every kind of
//! file with owner, mode, time and (for files and directories) extended attributes. Hard links
//! become separate files.
//!
//! Nothing recurses: the path down is a list of open directories, each with its read position. The
//! copy is not attached yet, so no other process can change its `..`.

use crate::error::{Context, Error, Result};
use crate::io::lossy::On;
use crate::limits::{COPY_DEPTH, PATH_BYTES, XATTR_BYTES, XATTR_NAMES_BYTES};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::fs::{
    self, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY, Stat,
};
use crate::sys::{self, Errno, xattr};
use core::ffi::CStr;

/// One directory on the path down.
struct Level {
    source: Fd,
    /// The read position.
    next: i64,
}

/// Copies all files in `source` into the empty directory `target`.
pub fn directory(source: FdRef<'_>, target: FdRef<'_>) -> Result<()> {
    let mut levels = heapless::Vec::<Level, COPY_DEPTH>::new();
    let mut buffer = [0; 2048];
    let mut target = open(target, c".").doing("open the new tmpfs")?;
    let mut level = Level { source: open(source, c".").doing("copy what it hides")?, next: 0 };
    loop {
        if let Some((deeper, its_target)) =
            copy_up_to_directory(&mut level, target.by_ref(), &mut buffer)?
        {
            let upper = core::mem::replace(&mut level, deeper);
            let too_deep = |_| {
                Error::new(format_args!("copy: directories nested more than {COPY_DEPTH} deep"))
            };
            levels.push(upper).map_err(too_deep)?;
            target = its_target;
            continue;
        }
        let Some(upper) = levels.pop() else { return Ok(()) };
        // Its files are complete, so its time can be set.
        let source = level.source.by_ref();
        let copied =
            fs::stat(source, c"").and_then(|stat| set_attributes(source, target.by_ref(), &stat));
        copied.doing("copy a directory")?;
        level = upper;
        target = fs::open(target.by_ref(), c"..", O_RDONLY | O_DIRECTORY, 0)
            .doing("copy a directory")?;
    }
}

fn open(directory: FdRef<'_>, name: &CStr) -> sys::Result<Fd> {
    fs::open(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
}

/// Copies entries up to the next directory. Makes and opens that, and returns it and its copy.
fn copy_up_to_directory(
    level: &mut Level,
    target: FdRef<'_>,
    buffer: &mut [u8],
) -> Result<Option<(Level, Fd)>> {
    let source = level.source.by_ref();
    fs::seek(source, level.next, 0).doing("copy a directory")?;
    loop {
        let bytes = fs::read_directory(source, buffer).doing("copy a directory")?;
        if bytes.is_empty() {
            return Ok(None);
        }
        for entry in fs::entries(bytes) {
            level.next = entry.next;
            if copy(source, target, entry.name).on("copy", entry.name)? {
                let deeper =
                    Level { source: open(source, entry.name).on("copy", entry.name)?, next: 0 };
                return Ok(Some((deeper, open(target, entry.name).on("copy", entry.name)?)));
            }
        }
    }
}

/// Copies one entry. Returns true for a directory, whose files are not copied yet.
fn copy(from: FdRef<'_>, to: FdRef<'_>, name: &CStr) -> sys::Result<bool> {
    let stat = &fs::stat(from, name)?;
    match stat.kind() {
        fs::S_IFDIR => return fs::mkdir(to, name, 0o700).map(|()| true),
        fs::S_IFREG => {
            let source = fs::open(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)?;
            let target = fs::open(to, name, O_WRONLY | O_CREAT | O_EXCL, 0o600)?;
            while fs::send_file(source.by_ref(), target.by_ref(), 1 << 30)? > 0 {}
            return set_attributes(source.by_ref(), target.by_ref(), stat).map(|()| false);
        }
        fs::S_IFLNK => {
            let mut text = [0; PATH_BYTES];
            let length = fs::readlink(from, name, &mut text[..PATH_BYTES - 1])?.len();
            fs::symlink(
                CStr::from_bytes_until_nul(&text[..=length]).map_err(|_| Errno::EINVAL)?,
                to,
                name,
            )?;
        }
        _ => {
            fs::mknod(to, name, stat.mode, fs::makedev(stat.rdev.0, stat.rdev.1))?;
        }
    }
    set_owner(to, name, stat)?;
    if stat.kind() != fs::S_IFLNK {
        fs::chmod(to, name, stat.mode & 0o7777)?;
    }
    fs::set_times(to, name, stat.modified).map(|()| false)
}

/// Sets attributes in this order, because later calls clear earlier results. Both files are open.
fn set_attributes(source: FdRef<'_>, target: FdRef<'_>, stat: &Stat) -> sys::Result<()> {
    set_owner(target, c"", stat)?;
    fs::chmod_fd(target, stat.mode & 0o7777)?;
    copy_xattrs(source, target)?;
    fs::set_times(target, c"", stat.modified)
}

fn set_owner(directory: FdRef<'_>, name: &CStr, stat: &Stat) -> sys::Result<()> {
    match fs::chown(directory, name, stat.uid, stat.gid) {
        // The owner is not mapped in this user namespace, so it stays root's.
        Err(Errno::EINVAL) => Ok(()),
        done => done,
    }
}

fn copy_xattrs(source: FdRef<'_>, target: FdRef<'_>) -> sys::Result<()> {
    let mut names = [0; XATTR_NAMES_BYTES];
    let names = match xattr::list_fd(source, &mut names) {
        Err(Errno::EOPNOTSUPP) => return Ok(()),
        names => names?,
    };
    for name in names
        .split_inclusive(|&byte| byte == 0)
        .filter_map(|name| CStr::from_bytes_with_nul(name).ok())
    {
        let mut value = [0; XATTR_BYTES];
        let value = xattr::get_fd(source, name, &mut value)?;
        match xattr::set_fd(target, name, value) {
            // A tmpfs lacks this class (user.* before Linux 6.6), or we may not set it.
            Err(Errno::EOPNOTSUPP | Errno::EPERM) => {}
            done => done?,
        }
    }
    Ok(())
}
