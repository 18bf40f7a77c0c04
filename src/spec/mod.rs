//! The runtime-spec's config for the container core: plain data, with text in blocks that live for
//! `'m`.
//!
//! This room does not know images. It makes no system calls but for the memory of its lists.
//! [`defaults`] has docker's defaults.

pub mod attributes;
pub mod capability;
pub mod defaults;
mod device_rule;
mod hook;
pub mod limit;
pub mod memory;
pub mod options;
mod process;
mod read;
mod rlimit;
pub mod schema;
pub mod seccomp;
pub mod settings;
pub mod syscalls;
mod write;

pub use device_rule::{DeviceKind, DeviceRule};
pub use hook::{Hook, HookKind, Hooks};
pub use limit::{Limit, LimitKey};
pub use memory::SpecMemory;
pub use process::{Capabilities, Process, User};
pub use read::{
    Resources, read, read_annotations, read_docker_seccomp, read_limits, read_namespaces, read_new,
    read_process, read_seccomp,
};
#[cfg(test)]
pub use read::{leaked, leaked_linux};
pub use rlimit::Rlimit;
pub use write::{write, write_config, write_device_rules, write_rest};

use core::ffi::CStr;

/// Users' configs are accepted. Without the feature `runtime` there is only PID 1's config, so the
/// code for joined namespaces, user namespaces and hooks is not linked.
pub const TAKES_CONFIGS: bool = cfg!(any(feature = "runtime", test));

use crate::io::strings::PackedStrings;
use crate::sys::clone::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME,
    CLONE_NEWUSER, CLONE_NEWUTS,
};
use crate::sys::mount::MS_PRIVATE;
use crate::sys::signal;
use attributes::{ClockOffset, IntelRdt, MemoryPolicy, NetDevice};
use syscalls::Seccomp;

/// The specification's version in states.
pub const VERSION: &CStr = c"1.3.0";

/// The configuration of a container.
pub struct Spec<'m> {
    /// Its process.
    pub process: Process<'m>,
    /// The root directory and its mount flags.
    pub root: Root<'m>,
    /// The host name in its own UTS namespace.
    pub hostname: Option<&'m CStr>,
    /// The NIS domain name in its own UTS namespace.
    pub domainname: Option<&'m CStr>,
    /// Mounts beneath the root, in order.
    pub mounts: &'m [Mount<'m>],
    /// Device nodes to make.
    pub devices: &'m [Device<'m>],
    /// The namespaces to make, as `CLONE_NEW*`. It shares all others with the caller.
    pub namespaces: i32,
    /// Existing namespaces that it joins.
    pub joined: &'m [Joined<'m>],
    /// Paths that are hidden in the container.
    pub masked_paths: PackedStrings<'m>,
    /// Paths that are read-only in the container.
    pub readonly_paths: PackedStrings<'m>,
    /// The mappings of users in its own user namespace.
    pub uid_mappings: &'m [IdMapping],
    /// The mappings of groups in its own user namespace.
    pub gid_mappings: &'m [IdMapping],
    /// Annotations: a key, its value, the next key. The container core ignores them.
    pub annotations: PackedStrings<'m>,
    /// The signal that asks it to end (annotation `org.opencontainers.image.stopSignal`).
    pub stop_signal: i32,
    /// Use docker's default seccomp profile for its bounding set ([`mod@seccomp`]), if it has no
    /// other.
    pub default_seccomp: bool,
    /// Sysctls of its namespaces: name, value, next name.
    pub sysctls: PackedStrings<'m>,
    /// The SELinux label of its file systems.
    pub mount_label: Option<&'m CStr>,
    /// The path of its cgroup.
    pub cgroup_path: Option<&'m CStr>,
    /// Limits of its cgroup, in the order of [`limit::LIMITS`].
    pub limits: &'m [Limit<'m>],
    /// Which devices it may use beside those that every container has. The last rule that matches
    /// counts.
    pub device_rules: &'m [DeviceRule],
    /// Programs for the stages of its life.
    pub hooks: Hooks<'m>,
    /// Its filter of system calls.
    pub seccomp: Option<Seccomp<'m>>,
    /// The offsets of [`attributes::CLOCKS`] from the host's.
    pub clocks: [Option<ClockOffset>; 2],
    /// The argument of personality(2).
    pub personality: Option<u32>,
    /// The memory nodes of its pages.
    pub memory_policy: Option<MemoryPolicy>,
    /// Its group of resctrl.
    pub intel_rdt: Option<IntelRdt<'m>>,
    /// Network devices that move from the host to it.
    pub net_devices: &'m [NetDevice<'m>],
    /// Our reaping and forwarding init is PID 1 of the namespace, and the process its child
    /// (docker's `--init`).
    pub init: bool,
    /// The checked text of its config.json, for later commands. Empty if it was not read from one.
    pub source: &'m [u8],
}

impl Spec<'_> {
    /// The empty configuration.
    pub const NONE: Spec<'static> = Spec {
        process: Process::NONE,
        root: Root { path: c"", readonly: false, propagation: None },
        hostname: None,
        domainname: None,
        mounts: &[],
        devices: &[],
        namespaces: 0,
        joined: &[],
        masked_paths: PackedStrings::new(b""),
        readonly_paths: PackedStrings::new(b""),
        uid_mappings: &[],
        gid_mappings: &[],
        annotations: PackedStrings::new(b""),
        stop_signal: signal::SIGTERM,
        default_seccomp: false,
        sysctls: PackedStrings::new(b""),
        mount_label: None,
        cgroup_path: None,
        limits: &[],
        device_rules: &[],
        hooks: Hooks::NONE,
        seccomp: None,
        clocks: [None; 2],
        personality: None,
        memory_policy: None,
        intel_rdt: None,
        net_devices: &[],
        init: false,
        source: b"",
    };

    /// Returns whether the container joins or makes a namespace of this kind (`CLONE_NEW*`).
    pub fn joins_or_makes(&self, kind: i32) -> bool {
        self.namespaces & kind != 0 || self.joined().iter().any(|one| one.kind == kind)
    }

    /// Returns the namespaces that are joined. Only a config.json has some.
    pub fn joined(&self) -> &[Joined<'_>] {
        if TAKES_CONFIGS { self.joined } else { &[] }
    }

    /// Returns whether the container has a user namespace that is not the caller's. Only a
    /// config.json asks for one.
    pub fn has_users(&self) -> bool {
        TAKES_CONFIGS && self.joins_or_makes(crate::sys::clone::CLONE_NEWUSER)
    }

    /// Returns the devices before the default ones, which come last.
    pub fn own_devices(&self) -> &[Device<'_>] {
        let is_own = |device: &Device<'_>| !defaults::DEVICES.contains(device);
        let count = self.devices.iter().rposition(is_own).map_or(0, |last| last + 1);
        &self.devices[..count]
    }

    /// Returns whether every device may be used.
    pub fn allows_all_devices(&self) -> bool {
        self.device_rules == [DeviceRule::ALLOW_ALL]
    }

    /// Returns whether it has a filter of system calls.
    pub fn is_filtered(&self) -> bool {
        self.seccomp.is_some() || self.default_seccomp
    }

    /// Calls `see` with each text that only the host's side needs: a config's hooks may have
    /// secrets in their environment.
    pub fn each_secret(&self, see: &mut dyn FnMut(&[u8])) {
        see(self.source);
        for hook in self.hooks.all() {
            see(hook.path.to_bytes());
            see(hook.args.as_bytes());
            see(hook.env.unwrap_or_default().as_bytes());
        }
    }
}

/// A namespace to join.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Joined<'m> {
    /// `CLONE_NEW*`.
    pub kind: i32,
    /// A file of /proc/PID/ns, or a bind mount of one.
    pub path: &'m CStr,
}

/// A range of a container's users or groups, and the host's range for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdMapping {
    /// The first ID in the container.
    pub container: u32,
    /// The first ID on the host.
    pub host: u32,
    /// Number of IDs.
    pub size: u32,
}

impl IdMapping {
    /// Returns whether the range includes this ID of the container.
    pub const fn holds(&self, id: u32) -> bool {
        id >= self.container && id - self.container < self.size
    }
}

/// The runtime-spec's names of namespaces, and `CLONE_NEW*`.
pub const NAMESPACES: [(&str, i32); 8] = [
    ("pid", CLONE_NEWPID),
    ("network", CLONE_NEWNET),
    ("ipc", CLONE_NEWIPC),
    ("uts", CLONE_NEWUTS),
    ("mount", CLONE_NEWNS),
    ("cgroup", CLONE_NEWCGROUP),
    ("user", CLONE_NEWUSER),
    ("time", CLONE_NEWTIME),
];

/// The root directory and its mount flags.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Root<'m> {
    /// Its path: absolute, or relative to the bundle. Empty if the caller has it open.
    pub path: &'m CStr,
    /// It is read-only.
    pub readonly: bool,
    /// The propagation between it and its source, if given: `MS_PRIVATE`, `MS_SLAVE`, …
    pub propagation: Option<u64>,
}

impl Root<'_> {
    /// Returns the propagation. The default is the kernel's for new mounts, and `pivot_root` needs
    /// it.
    pub fn propagation(&self) -> u64 {
        self.propagation.unwrap_or(MS_PRIVATE)
    }
}

/// One mount.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Mount<'m> {
    /// Its absolute path in the container.
    pub destination: &'m CStr,
    /// The file system's type.
    pub kind: &'m CStr,
    /// Its source; for most types only a name.
    pub source: &'m CStr,
    /// Options by name: those of [`options`] for the mount, all others for the file system.
    pub options: PackedStrings<'m>,
    /// It is left out if the kernel lacks its type.
    pub optional: bool,
    /// The mapping of its users in place of the container's own.
    pub uid_mappings: &'m [IdMapping],
    /// The mapping of its groups in place of the container's own.
    pub gid_mappings: &'m [IdMapping],
}

/// One device node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Device<'m> {
    /// Its absolute path in the container.
    pub path: &'m CStr,
    /// `S_IFCHR`, `S_IFBLK` or `S_IFIFO`, and the mode.
    pub mode: u32,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Its owner in the container.
    pub uid: u32,
    /// Its group in the container.
    pub gid: u32,
}

/// The period of a CPU quota, in microseconds (the kernel's and docker's default).
pub const CPU_PERIOD_US: u64 = 100_000;
