//! The process of a container: its program, its user, its capabilities.

use super::Rlimit;
use super::attributes::{NumberSet, Scheduler};
use crate::io::strings::PackedStrings;
use crate::limits::GROUPS_MAX;
use crate::sys::vm::MappedVec;
use core::ffi::CStr;

/// The process.
pub struct Process<'m> {
    /// It gets a pseudo-terminal. The container core gets this from its caller.
    pub terminal: bool,
    /// Program and arguments. If empty, the container cannot be started.
    pub args: PackedStrings<'m>,
    /// `NAME=VALUE` each.
    pub env: PackedStrings<'m>,
    /// Its working directory, absolute; made if it is missing.
    pub cwd: &'m CStr,
    /// Its user and groups.
    pub user: User,
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// execve(2) grants it no privileges.
    pub no_new_privileges: bool,
    /// Limits that differ from the caller's.
    pub rlimits: &'m [Rlimit],
    /// From -1000 to 1000; if None, the caller's.
    pub oom_score_adj: Option<i16>,
    /// Its AppArmor profile.
    pub apparmor: Option<&'m CStr>,
    /// Its SELinux label.
    pub selinux: Option<&'m CStr>,
    /// Rows and columns of its terminal.
    pub console_size: Option<(u16, u16)>,
    /// Its scheduling policy and parameters.
    pub scheduler: Option<Scheduler>,
    /// I/O class and priority, as in ioprio_set(2).
    pub io_priority: Option<u32>,
    /// The CPUs of a process of exec until it is in the container's cgroup.
    pub cpus_initial: Option<NumberSet>,
    /// The CPUs of a process of exec from then on.
    pub cpus_final: Option<NumberSet>,
}

impl Process<'_> {
    /// A process that cannot be started.
    pub const NONE: Process<'static> = Process {
        terminal: false,
        args: PackedStrings::new(b""),
        env: PackedStrings::new(b""),
        cwd: c"/",
        user: User::ROOT,
        capabilities: Capabilities::all(0),
        no_new_privileges: false,
        rlimits: &[],
        oom_score_adj: None,
        apparmor: None,
        selinux: None,
        console_size: None,
        scheduler: None,
        io_priority: None,
        cpus_initial: None,
        cpus_final: None,
    };
}

/// The user and groups of a process.
pub struct User {
    /// User ID.
    pub uid: u32,
    /// Group ID.
    pub gid: u32,
    /// All supplementary groups.
    pub additional_gids: MappedVec<u32>,
    /// Mode bits that its new files lack; 0022 if None.
    pub umask: Option<u32>,
}

impl User {
    /// In a plan, a user or group whose name only the image's files explain; no user has it.
    pub const UNKNOWN: u32 = u32::MAX;

    /// Root, without supplementary groups.
    pub const ROOT: User =
        User { uid: 0, gid: 0, additional_gids: MappedVec::new(GROUPS_MAX), umask: None };
}

impl Default for User {
    fn default() -> User {
        User::ROOT
    }
}

/// The five sets, a bit per capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capabilities {
    /// The limit of all that it can gain.
    pub bounding: u64,
    /// The set that system calls check.
    pub effective: u64,
    /// The set that may become effective.
    pub permitted: u64,
    /// The set that execve(2) may keep. Empty by default in every runtime since 2022
    /// (CVE-2022-29162 and others).
    pub inheritable: u64,
    /// The set that execve(2) keeps for any file.
    pub ambient: u64,
}

impl Capabilities {
    /// Returns root's sets: bounding, effective and permitted are equal, the others empty.
    pub const fn all(set: u64) -> Capabilities {
        Capabilities { bounding: set, effective: set, permitted: set, inheritable: 0, ambient: 0 }
    }
}
