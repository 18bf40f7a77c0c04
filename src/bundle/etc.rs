//! The files of /etc that a container expects from its runtime.
//!
//! docker mounts its own over the image's. Our root belongs to one container, so we write to it. A
//! bundle gets new files ([`replace_etc`]), because the image's describe the machine that built it.
//! PID 1 only fills in missing or empty ones ([`complete_etc`]). It writes no /etc/resolv.conf,
//! because it knows no name server.

use crate::error::{Context, Result};
use crate::io::lossy::{LossyC, On};
use crate::io::path::PathBuf;
use crate::io::{document, in_root};
use crate::limits::RESOLV_CONF_BYTES;
use crate::sys::fd::{CWD, FdRef};
use crate::sys::{Errno, fs};
use core::ffi::CStr;
use core::fmt::Write;

/// Replaces /etc/hosts, /etc/hostname and /etc/resolv.conf in `root`. A directory of such a name
/// stays. If /etc is not a directory, or inaccessible, the image's files stay, with a warning.
/// `has_network` means that the container shares the caller's network, and so its name servers.
pub fn replace_etc(root: FdRef<'_>, hostname: &CStr, has_network: bool) -> Result<()> {
    let etc = match in_root::make_directories(root, c"/etc", 0) {
        Ok(etc) => etc,
        Err(errno @ (Errno::ENOTDIR | Errno::ELOOP | Errno::EACCES | Errno::EPERM)) => {
            keeps(c"/etc", errno);
            return Ok(());
        }
        Err(errno) => return Err(errno).doing("make /etc"),
    };
    let name = LossyC(hostname);
    let mut servers = [0; RESOLV_CONF_BYTES];
    let servers: &[u8] = match document::read(CWD, c"/etc/resolv.conf", &mut servers) {
        Ok(servers) if has_network => servers,
        _ => b"# There is no network, so there is no name server.\n",
    };
    let mut text = heapless::String::<512>::new();
    // A host name has at most 64 bytes, so the text fits.
    let _ = write!(text, "127.0.0.1\tlocalhost {name}\n{IPV6_HOSTS}");
    let hosts = replace(etc.by_ref(), c"hosts", text.as_bytes());
    text.clear();
    let _ = writeln!(text, "{name}");
    let hostname = replace(etc.by_ref(), c"hostname", text.as_bytes());
    let servers = replace(etc.by_ref(), c"resolv.conf", servers);
    for (result, path) in
        [(hosts, c"/etc/hosts"), (hostname, c"/etc/hostname"), (servers, c"/etc/resolv.conf")]
    {
        match result {
            Err(errno @ (Errno::EACCES | Errno::EPERM)) => keeps(path, errno),
            result => result.on("write", path)?,
        }
    }
    Ok(())
}

#[cold]
fn keeps(path: &CStr, errno: Errno) {
    crate::warning!("{} is not written for the container: {errno}", LossyC(path));
}

/// The lines that docker writes after the first one.
const IPV6_HOSTS: &str = "::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\n\
    ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// Replaces a file or link by a new file. It changes neither a link's target nor other hard links.
fn replace(etc: FdRef<'_>, name: &CStr, text: &[u8]) -> crate::sys::Result<()> {
    match fs::unlink(etc, name) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(Errno::EISDIR) => return Ok(()),
        Err(errno) => return Err(errno),
    }
    let file = fs::open(etc, name, fs::O_WRONLY | fs::O_CREAT | fs::O_EXCL, 0o644)?;
    fs::write_all(file.by_ref(), text)
}

/// Writes /etc/hosts and /etc/hostname in `root` if they are missing or empty. Ignores a read-only
/// root.
pub fn complete_etc(root: FdRef<'_>, hostname: &CStr) -> Result<()> {
    let name = LossyC(hostname);
    match fs::mkdir(root, c"etc", 0o755) {
        Ok(()) | Err(Errno::EEXIST | Errno::EROFS) => {}
        Err(errno) => return Err(errno).doing("make /etc"),
    }
    let hosts =
        format_args!("127.0.0.1\tlocalhost {name}\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for (path, text) in [(c"/etc/hosts", hosts), (c"/etc/hostname", format_args!("{name}\n"))] {
        PathBuf::format(text)
            .and_then(|text| fill(root, path, text.as_bytes()))
            .on("write", path)?;
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
        // O_EXCL: a dangling link of the image stays.
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
