//! The runtime-spec's config as the container core takes it: plain data, its text in blocks that
//! live for `'m`.
//!
//! Knows nothing of images, and makes no system call but for the memory of its lists. [`defaults`]
//! has docker's defaults.

pub mod attributes;
pub mod capability;
pub mod defaults;
mod device_rule;
mod hook;
pub mod limit;
pub mod memory;
pub mod options;
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
pub use read::{
    Resources, read, read_annotations, read_docker_seccomp, read_limits, read_namespaces, read_new,
    read_process, read_seccomp,
};
#[cfg(test)]
pub use read::{leaked, leaked_linux};
pub use rlimit::Rlimit;
pub use write::{write, write_config, write_device_rules, write_rest};

use core::ffi::CStr;

/// Whether configs of others are carried out. Without the feature `runtime` there is PID 1's config
/// alone, which joins no namespace and has neither hooks nor a user namespace: the code for those is
/// not linked.
pub const TAKES_CONFIGS: bool = cfg!(any(feature = "runtime", test));

use crate::io::strings::PackedStrings;
use crate::limits::GROUPS_MAX;
use crate::sys::clone::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME,
    CLONE_NEWUSER, CLONE_NEWUTS,
};
use crate::sys::mount::MS_PRIVATE;
use crate::sys::signal;
use crate::sys::vm::MappedVec;
use attributes::{ClockOffset, IntelRdt, MemoryPolicy, NetDevice, NumberSet, Scheduler};
use syscalls::Seccomp;

/// The specification's version that states say they keep to.
pub const VERSION: &CStr = c"1.3.0";

/// Everything a container is started from.
pub struct Spec<'m> {
    /// What is executed, and as whom.
    pub process: Process<'m>,
    /// The root directory, and how it is mounted.
    pub root: Root<'m>,
    /// Its name in a UTS namespace of its own.
    pub hostname: Option<&'m CStr>,
    /// The name of its NIS domain there.
    pub domainname: Option<&'m CStr>,
    /// What is mounted beneath the root, in this order.
    pub mounts: &'m [Mount<'m>],
    /// The nodes that are made in it.
    pub devices: &'m [Device<'m>],
    /// The namespaces that are made for it, as `CLONE_NEW*`; those not named here are the
    /// caller's.
    pub namespaces: i32,
    /// The namespaces that are there already, and that it joins.
    pub joined: &'m [Joined<'m>],
    /// What nobody in the container shall see.
    pub masked_paths: PackedStrings<'m>,
    /// What nobody in the container shall write.
    pub readonly_paths: PackedStrings<'m>,
    /// Which users of the host the container's are, in a user namespace of its own.
    pub uid_mappings: &'m [IdMapping],
    /// The same for groups.
    pub gid_mappings: &'m [IdMapping],
    /// What its makers and users say of it: a key, its value, the next key. The container core
    /// does not look at it.
    pub annotations: PackedStrings<'m>,
    /// The signal that asks it to end (the annotation `org.opencontainers.image.stopSignal`).
    pub stop_signal: i32,
    /// docker's default seccomp profile for its bounding set ([`mod@seccomp`]), if it has none of
    /// its own.
    pub default_seccomp: bool,
    /// Sysctls of its namespaces: name, value, next name.
    pub sysctls: PackedStrings<'m>,
    /// The SELinux label of its file systems.
    pub mount_label: Option<&'m CStr>,
    /// Where its cgroup is wanted.
    pub cgroup_path: Option<&'m CStr>,
    /// Limits of its cgroup, in the order of [`limit::LIMITS`].
    pub limits: &'m [Limit<'m>],
    /// Which devices it may use beside those that every container has. The last rule that matches
    /// counts.
    pub device_rules: &'m [DeviceRule],
    /// Programs that are run with it.
    pub hooks: Hooks<'m>,
    /// Which system calls it may make.
    pub seccomp: Option<Seccomp<'m>>,
    /// How far the clocks of [`attributes::CLOCKS`] are from the host's.
    pub clocks: [Option<ClockOffset>; 2],
    /// What personality(2) takes.
    pub personality: Option<u32>,
    /// On which memory nodes its pages are.
    pub memory_policy: Option<MemoryPolicy>,
    /// Its group of resctrl.
    pub intel_rdt: Option<IntelRdt<'m>>,
    /// Network devices of the host that become its own.
    pub net_devices: &'m [NetDevice<'m>],
    /// A reaping, forwarding init of ours is PID 1 of the namespace, and the process its child
    /// (docker's `--init`).
    pub init: bool,
    /// The checked text of the config.json that it was read from, for later commands. Empty if it
    /// was not read.
    pub source: &'m [u8],
}

impl Spec<'_> {
    /// A container that has nothing of its own.
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

    /// Returns whether the container has a namespace of this kind (`CLONE_NEW*`) that is not the
    /// caller's.
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

    /// Returns the devices that are not the default ones behind them.
    pub fn own_devices(&self) -> &[Device<'_>] {
        let is_own = |device: &Device<'_>| !defaults::DEVICES.contains(device);
        let count = self.devices.iter().rposition(is_own).map_or(0, |last| last + 1);
        &self.devices[..count]
    }

    /// Returns whether every device may be used.
    pub fn allows_all_devices(&self) -> bool {
        self.device_rules == [DeviceRule::ALLOW_ALL]
    }

    /// Returns whether a filter of system calls is asked for.
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

/// A namespace that is joined.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Joined<'m> {
    /// `CLONE_NEW*`.
    pub kind: i32,
    /// A file of /proc/PID/ns, or one that such a file is bound to.
    pub path: &'m CStr,
}

/// The process.
pub struct Process<'m> {
    /// Whoever runs it gives it a pseudo-terminal. The container core is told by its caller.
    pub terminal: bool,
    /// Program and arguments. No word at all: the container is made, and cannot be started.
    pub args: PackedStrings<'m>,
    /// `NAME=VALUE` each.
    pub env: PackedStrings<'m>,
    /// The directory it starts in, absolute; made where it is missing.
    pub cwd: &'m CStr,
    /// As whom.
    pub user: User,
    /// With which privileges.
    pub capabilities: Capabilities,
    /// An exec never gives it more privileges than it has.
    pub no_new_privileges: bool,
    /// Limits that differ from the caller's.
    pub rlimits: &'m [Rlimit],
    /// -1000 to 1000; the caller's where there is none.
    pub oom_score_adj: Option<i16>,
    /// Its AppArmor profile.
    pub apparmor: Option<&'m CStr>,
    /// Its SELinux label.
    pub selinux: Option<&'m CStr>,
    /// Rows and columns of its terminal.
    pub console_size: Option<(u16, u16)>,
    /// How the kernel schedules it.
    pub scheduler: Option<Scheduler>,
    /// Class and priority of its input and output, as ioprio_set(2) takes them.
    pub io_priority: Option<u32>,
    /// The CPUs of an added process until it is in the container's cgroup.
    pub cpus_initial: Option<NumberSet>,
    /// The CPUs of an added process from then on.
    pub cpus_final: Option<NumberSet>,
}

impl Process<'_> {
    /// None: the container is made, and cannot be started.
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

/// Whom a process runs as.
pub struct User {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// Supplementary groups, all of them.
    pub additional_gids: MappedVec<u32>,
    /// The bits that its new files do not get; 0022 where there are none.
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
    /// What it can ever have again.
    pub bounding: u64,
    /// What system calls are checked against.
    pub effective: u64,
    /// What may become effective.
    pub permitted: u64,
    /// What an exec may keep. Empty by default in every runtime since 2022 (CVE-2022-29162 and its
    /// like).
    pub inheritable: u64,
    /// What an exec keeps without the file's consent.
    pub ambient: u64,
}

impl Capabilities {
    /// As root has them: bounding, effective and permitted alike, and nothing to inherit.
    pub const fn all(set: u64) -> Capabilities {
        Capabilities { bounding: set, effective: set, permitted: set, inheritable: 0, ambient: 0 }
    }
}

/// Users or groups of a container, and those of the host that they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdMapping {
    /// The first in the container.
    pub container: u32,
    /// The first on the host.
    pub host: u32,
    /// How many.
    pub size: u32,
}

impl IdMapping {
    /// Whether this number of the container is among them.
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

/// The root directory, and how it is mounted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Root<'m> {
    /// Where it is: absolute, or relative to the bundle. Empty where whoever starts the container
    /// has it open.
    pub path: &'m CStr,
    /// Nothing on it can be written.
    pub readonly: bool,
    /// `MS_PRIVATE`, `MS_SLAVE`, …: how mounts travel between it and where it came from, if that
    /// is said.
    pub propagation: Option<u64>,
}

impl Root<'_> {
    /// Returns how mounts travel. The default is the kernel's for new mounts, and `pivot_root`
    /// needs it.
    pub fn propagation(&self) -> u64 {
        self.propagation.unwrap_or(MS_PRIVATE)
    }
}

/// One mount.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Mount<'m> {
    /// Where, absolute, as seen in the container.
    pub destination: &'m CStr,
    /// The file system's type.
    pub kind: &'m CStr,
    /// What it shows; for most types a mere name.
    pub source: &'m CStr,
    /// Options by name: those of [`options`] concern the mount, the others are the file system's.
    pub options: PackedStrings<'m>,
    /// Left out where the kernel does not have this type.
    pub optional: bool,
    /// Whom its users are shown as, in place of the container's own mapping.
    pub uid_mappings: &'m [IdMapping],
    /// The same for groups.
    pub gid_mappings: &'m [IdMapping],
}

/// One device node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Device<'m> {
    /// Where, absolute, as seen in the container.
    pub path: &'m CStr,
    /// `S_IFCHR`, `S_IFBLK` or `S_IFIFO`, and the permissions.
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

/// The period that a CPU quota is counted in, in microseconds (the kernel's default, and docker's).
pub const CPU_PERIOD_US: u64 = 100_000;
