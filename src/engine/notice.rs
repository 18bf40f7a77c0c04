//! Notices to the user while a use case goes on. The front door prints them.

use crate::Error;
use crate::io::lossy::LossyC;
use crate::rootfs::Downgrades;
use crate::sys::Errno;
use core::ffi::CStr;
use core::fmt::{self, Display};

/// A notice to the user. The use case goes on.
pub enum Notice<'a> {
    /// A step failed, and the use case goes on without it.
    Failed(&'a Error),
    /// The kernel killed a process for lack of memory.
    OutOfMemory {
        /// It was the container's own process.
        is_own: bool,
        /// memory.max, in bytes.
        limit: Option<u64>,
    },
    /// Processes could not be made.
    TooManyProcesses {
        /// Their number.
        failed: u64,
        /// pids.max.
        limit: Option<u64>,
    },
    /// The bundle's directory is not the container's, so it is not removed.
    OtherBundle(&'a CStr),
    /// The cleanup after a failure is incomplete.
    NotRemoved(Errno),
    /// Text for config.json was not UTF-8, which JSON requires.
    Replaced,
    /// The process could not join the container's cgroup: it is in the caller's.
    CgroupOfCaller(Errno),
    /// The container can write its own limits.
    LiftableLimits,
    /// The machine has no cgroup for the container, which has no limits.
    NoCgroup(&'a Error),
    /// The kernel has no device rules, so the container's root directory has no devices.
    NoDeviceRules(&'a Error),
    /// The target layout cannot be locked.
    NotLocked(Errno),
    /// Another copy has locked the layout.
    WaitsForCopy,
    /// A capability's name is unknown.
    NoSuchCapability(&'a CStr),
    /// A user namespace for unpacking is not possible.
    NoNamespace(&'a Error),
    /// The parts of an image that are not possible without root.
    Losses(&'a Downgrades),
    /// Number of skipped extended attributes.
    SkippedXattrs(u64),
}

/// Receives notices.
pub type Notices<'n> = &'n dyn Fn(&Notice<'_>);

impl Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Notice::Failed(error) => write!(f, "{error}"),
            Notice::OutOfMemory { is_own, limit } => {
                let who = if is_own { "the container" } else { "a process of the container" };
                write!(f, "out of memory: {who} was killed")?;
                limit.map_or(Ok(()), |limit| write!(f, " (limit {})", Bytes(limit)))
            }
            Notice::TooManyProcesses { failed, limit } => {
                write!(f, "too many processes: {failed} could not be made")?;
                limit.map_or(Ok(()), |limit| write!(f, " (limit {limit})"))
            }
            Notice::OtherBundle(path) => {
                write!(f, "{}: not the bundle that was made: it stays", LossyC(path))
            }
            Notice::NotRemoved(errno) => {
                write!(f, "not everything that was made could be removed: {errno}")
            }
            Notice::Replaced => f.write_str(
                "config.json: text that is not UTF-8 was replaced, because JSON requires UTF-8",
            ),
            Notice::CgroupOfCaller(errno) => write!(
                f,
                "the process is in your cgroup, without the container's limits: to join it: {errno}"
            ),
            Notice::LiftableLimits => f.write_str(
                "/sys/fs/cgroup is mounted without nsdelegate: the container can lift its limits \
                 (mount -o remount,nsdelegate /sys/fs/cgroup)",
            ),
            Notice::NoCgroup(error) => write!(f, "no cgroup: {error}"),
            Notice::NoDeviceRules(error) => {
                write!(f, "no device rules, so the root has no devices at all: {error}")
            }
            Notice::NotLocked(errno) => write!(
                f,
                "the layout cannot be locked ({errno}): another copy into it may lose its tag"
            ),
            Notice::WaitsForCopy => f.write_str("waiting for another copy into the same layout"),
            Notice::NoSuchCapability(name) => {
                write!(f, "--cap {}: unknown capability: left out", LossyC(name))
            }
            Notice::NoNamespace(error) => write!(f, "{error}: every file will be the caller's"),
            Notice::Losses(losses) => {
                write!(f, "not possible without root: {losses}")
            }
            Notice::SkippedXattrs(count) => write!(f, "{count} extended attributes were skipped"),
        }
    }
}

/// Bytes, in the largest unit that divides them.
struct Bytes(u64);

impl Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if self.0 > 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{} {unit}", self.0 >> shift);
            }
        }
        write!(f, "{} bytes", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_exactly() {
        for (bytes, text) in [
            (32 << 20, "32 MiB"),
            (1 << 30, "1 GiB"),
            (1536 << 20, "1536 MiB"),
            (4096, "4 KiB"),
            (1001, "1001 bytes"),
            (0, "0 bytes"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }

    #[test]
    fn limits_are_named_where_they_are_known() {
        for (notice, text) in [
            (
                Notice::OutOfMemory { is_own: true, limit: Some(32 << 20) },
                "out of memory: the container was killed (limit 32 MiB)",
            ),
            (
                Notice::OutOfMemory { is_own: false, limit: None },
                "out of memory: a process of the container was killed",
            ),
            (
                Notice::TooManyProcesses { failed: 3, limit: Some(9) },
                "too many processes: 3 could not be made (limit 9)",
            ),
        ] {
            assert_eq!(notice.to_string(), text);
        }
    }
}
