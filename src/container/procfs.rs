//! Files of /proc that are certainly the kernel's: neither a mount over one of them, nor another
//! file system at /proc (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881).

use crate::error::{Context, Result};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::fs::{self, O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_TRUNC, O_WRONLY};
use crate::sys::{self, mount};
use core::ffi::CStr;

/// statfs(2)'s type of a procfs.
pub const PROC_SUPER_MAGIC: i64 = 0x9fa0;
/// The inode of its root; no other directory of it has this number.
const PROC_ROOT_INO: u64 = 1;

/// The root of a procfs.
pub struct Procfs(Fd);

impl Procfs {
    /// Opens the host's procfs. Callers do that before the pivot, or before they join a container's
    /// mount namespace. It stays usable afterwards, and its `self` is the process that asks. If
    /// /proc is missing, makes a new detached one.
    pub fn open() -> Result<Procfs> {
        match fs::open(CWD, c"/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0) {
            Ok(proc) if is_root(proc.by_ref()) => Ok(Procfs(proc)),
            _ => Procfs::detached().doing("there is no procfs at /proc"),
        }
    }

    /// Makes a detached one of our pid namespace: no mount can hide its files.
    pub fn detached() -> sys::Result<Procfs> {
        let context = mount::fs_open(c"proc")?;
        mount::fs_mount(
            context.by_ref(),
            mount::attr::NOSUID | mount::attr::NODEV | mount::attr::NOEXEC,
        )
        .map(Procfs)
    }

    /// Opens `path`, relative to /proc. It follows `self`; a mount, a link out of any root, or a
    /// way out is an error.
    pub fn file(&self, path: &CStr, flags: i32) -> sys::Result<Fd> {
        let resolve = fs::RESOLVE_BENEATH | fs::RESOLVE_NO_XDEV | fs::RESOLVE_NO_MAGICLINKS;
        fs::open_resolved(
            self.0.by_ref(),
            path,
            flags & !(O_CREAT | O_TRUNC) | O_NOFOLLOW,
            0,
            resolve,
        )
    }

    /// Writes `value` to the file `path` with one write(2), as the kernel's files require.
    pub fn write(&self, path: &CStr, value: &[u8]) -> sys::Result<()> {
        let file = self.file(path, O_WRONLY)?;
        match fs::write(file.by_ref(), value)? == value.len() {
            true => Ok(()),
            false => Err(sys::Errno::EIO),
        }
    }

    /// Does the same past a mount in the way (over /proc/sys, as in a container).
    pub fn write_past(&self, path: &CStr, value: &[u8]) -> sys::Result<()> {
        match self.write(path, value) {
            Err(sys::Errno::EXDEV) => Procfs::detached()?.write(path, value),
            written => written,
        }
    }
}

/// Returns whether this directory is the root of a procfs.
fn is_root(directory: FdRef<'_>) -> bool {
    is_procfs(directory) && fs::stat(directory, c"").is_ok_and(|stat| stat.inode == PROC_ROOT_INO)
}

/// Returns whether this file is on a procfs.
pub fn is_procfs(file: FdRef<'_>) -> bool {
    fs::statfs(file).is_ok_and(|(magic, ..)| magic == PROC_SUPER_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Errno, clone, process};

    /// Runs this in a child with its own mounts.
    fn alone(run: impl FnOnce() -> bool) {
        if process::effective_uid() != 0 {
            return eprintln!("skipped: needs root");
        }
        match clone::fork(clone::CLONE_NEWNS, None).unwrap() {
            clone::Side::Child => {
                let private = mount::set_propagation(c"/", mount::MS_REC | mount::MS_PRIVATE);
                process::exit(i32::from(!(private.is_ok() && run())))
            }
            clone::Side::Parent(_, pidfd) => {
                let (_, ended) =
                    process::wait(process::Whom::Pidfd(pidfd.by_ref()), true).unwrap().unwrap();
                assert_eq!(ended.status(), 0);
            }
        }
    }

    #[test]
    fn what_is_mounted_over_a_file_is_not_written() {
        alone(|| {
            let proc = Procfs::open().unwrap();
            let before = proc.write(c"self/oom_score_adj", b"1");
            mount::bind(c"/dev/null", c"/proc/self/oom_score_adj", mount::Reach::Mount).unwrap();
            let after = proc.write(c"self/oom_score_adj", b"2");
            let past = proc.write_past(c"self/oom_score_adj", b"3");
            (before, after, past) == (Ok(()), Err(Errno::EXDEV), Ok(()))
        });
    }

    #[test]
    fn what_calls_itself_proc_is_not_believed() {
        alone(|| {
            mount::mount(c"tmpfs", c"/proc", c"tmpfs", 0, c"").unwrap();
            fs::mkdir(CWD, c"/proc/self", 0o755).unwrap();
            let made =
                fs::open(CWD, c"/proc/self/oom_score_adj", O_WRONLY | O_CREAT, 0o644).unwrap();
            let proc = Procfs::open().unwrap();
            proc.write(c"self/oom_score_adj", b"1") == Ok(())
                && fs::stat(made.by_ref(), c"").unwrap().size == 0
        });
        alone(|| {
            // Nor a subdirectory of a procfs, which has the same type.
            mount::bind(c"/proc/sys", c"/proc", mount::Reach::Mount).unwrap();
            Procfs::open().unwrap().write(c"self/oom_score_adj", b"1") == Ok(())
        });
    }

    #[test]
    fn no_way_leads_out() {
        let proc = Procfs::open().unwrap();
        for path in
            [c"../etc/passwd", c"/etc/passwd", c"self/root/etc/passwd", c"self/exe", c"self/fd/0"]
        {
            assert!(proc.file(path, fs::O_RDONLY).is_err(), "{path:?}");
        }
        assert!(proc.file(c"self/status", fs::O_RDONLY).is_ok());
        assert!(
            is_procfs(proc.0.by_ref())
                && !is_procfs(fs::open(CWD, c"/", O_PATH, 0).unwrap().by_ref())
        );
    }
}
