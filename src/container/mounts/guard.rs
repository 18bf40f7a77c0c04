//! Restrictions on mount points. /proc, /sys and /dev are later resolved by name, and written to as
//! root. So they are never behind a link of the image (CVE-2019-19921, CVE-2023-27561,
//! CVE-2023-28642, CVE-2026-41579). Only a procfs may be /proc, and no mount may hide its files
//! (CVE-2019-16884).

use crate::container::procfs;
use crate::error::{Context, Error, Result};
use crate::io::path::PathBuf;
use crate::io::text::words;
use crate::spec::Mount;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::{self, Errno, fs};

/// Files of /proc that may be hidden, for lxcfs and others.
const PROC_FILES: &str = "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo net/dev sys/kernel/ns_last_pid \
    sys/crypto/fips_enabled";

/// One mount's destination, as a path without `.`, `..` and doubled slashes.
pub struct Guard {
    path: PathBuf,
    straight: bool,
    is_procfs: bool,
}

impl Guard {
    /// Returns the guard of a mount.
    pub fn of(one: &Mount<'_>, is_bind: bool) -> Result<Guard> {
        let mut path = PathBuf::new();
        let components = one.destination.to_bytes().split(|byte| *byte == b'/');
        for component in components.filter(|component| !component.is_empty() && *component != b".")
        {
            if component == b".." {
                let end = path.as_bytes().iter().rposition(|byte| *byte == b'/');
                path.truncate(end.unwrap_or(0));
            } else {
                path.push_bytes(b"/")
                    .and_then(|()| path.push_bytes(component))
                    .doing("destination")?;
            }
        }
        if path.as_bytes().is_empty() {
            return Err(Error::new(format_args!("the whole root cannot be hidden by a mount")));
        }
        let is_procfs = !is_bind && one.kind == c"proc";
        let straight = is_procfs || !is_bind && one.kind == c"sysfs" || path.as_bytes() == b"/dev";
        Ok(Guard { path, straight, is_procfs })
    }

    /// Returns whether it is /proc.
    pub fn is_proc(&self) -> bool {
        self.path.as_bytes() == b"/proc"
    }

    /// Returns whether it is /dev.
    pub fn is_dev(&self) -> bool {
        self.path.as_bytes() == b"/dev"
    }

    /// Returns the `RESOLVE_*` flags for opening its place.
    pub fn resolve(&self) -> u64 {
        if self.straight || self.is_proc() { fs::RESOLVE_NO_SYMLINKS } else { 0 }
    }

    /// Returns its place, or the error if it cannot be opened.
    pub fn place(&self, opened: sys::Result<Fd>) -> Result<Fd> {
        match opened {
            Err(Errno::ELOOP) if self.resolve() != 0 => Err(Error::with_errno(
                format_args!(
                    "must be mounted on ordinary directory, and the image has a symbolic link there"
                ),
                Errno::ELOOP,
            )),
            opened => opened.doing("open its place"),
        }
    }

    /// Returns an error if a mount may not hide this place, whose name may have been a link into a
    /// procfs.
    pub fn check_place(&self, place: FdRef<'_>) -> Result<()> {
        let in_proc = self.path.as_bytes().strip_prefix(b"/proc/");
        let allowed = match in_proc {
            Some(file) => words(PROC_FILES).any(|known| known == file),
            None => self.is_proc() || !procfs::is_procfs(place),
        };
        match allowed {
            true => Ok(()),
            false => Err(Error::new(format_args!("it would hide what is in /proc"))),
        }
    }

    /// Returns an error if this tree may not be mounted there.
    pub fn check_tree(&self, tree: FdRef<'_>) -> Result<()> {
        match self.is_proc() && !self.is_procfs && !procfs::is_procfs(tree) {
            true => Err(Error::new(format_args!("it is not procfs"))),
            false => Ok(()),
        }
    }
}
