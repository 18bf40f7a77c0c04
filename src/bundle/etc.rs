//! The files of /etc that a container expects of whoever runs it.
//!
//! docker lays its own over whatever the image has; here only what is missing or empty is written, because the root
//! is the container's alone. /etc/resolv.conf is left: nobody here knows a name server.

use crate::error::{Context, Result};
use crate::io::path::PathBuf;
use crate::io::show::{On, ShowC};
use crate::sys::fd::FdRef;
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// Writes /etc/hosts and /etc/hostname in `root` where they are missing or empty. On a read-only root nothing happens.
pub fn complete_etc(root: FdRef<'_>, hostname: &CStr) -> Result<()> {
    let name = ShowC(hostname);
    match fs::mkdir(root, c"etc", 0o755) {
        Ok(()) | Err(Errno::EEXIST | Errno::EROFS) => {}
        Err(errno) => return Err(errno).doing("make /etc"),
    }
    let hosts = format_args!("127.0.0.1\tlocalhost {name}\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for (path, text) in [(c"/etc/hosts", hosts), (c"/etc/hostname", format_args!("{name}\n"))] {
        PathBuf::format(text).and_then(|text| fill(root, path, text.as_bytes())).on("write", path)?;
    }
    Ok(())
}

fn fill(root: FdRef<'_>, path: &CStr, text: &[u8]) -> crate::sys::Result<()> {
    let resolve = fs::RESOLVE_IN_ROOT | fs::RESOLVE_NO_MAGICLINKS;
    let file = match fs::open_resolved(root, path, fs::O_PATH, 0, resolve) {
        Ok(there) => {
            let stat = fs::stat(there.by_ref(), c"")?;
            if stat.kind() != fs::S_IFREG || stat.size > 0 {
                return Ok(());
            }
            fs::open_resolved(root, path, fs::O_WRONLY | fs::O_NONBLOCK, 0, resolve)
        }
        // O_EXCL: a link to nothing is the image's business.
        Err(Errno::ENOENT) => {
            let flags = fs::O_WRONLY | fs::O_CREAT | fs::O_EXCL;
            fs::open_resolved(root, path, flags, 0o644, resolve)
        }
        Err(errno) => Err(errno),
    };
    match file {
        Ok(file) => fs::write_all(file.by_ref(), text),
        Err(Errno::EROFS | Errno::EEXIST | Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(()),
        Err(errno) => Err(errno),
    }
}
