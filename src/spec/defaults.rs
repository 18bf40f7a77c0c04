//! docker's defaults: mounts, devices, masked and read-only paths.

use super::{Device, Mount, Rlimit};
use crate::io::strings::PackedStrings;
use crate::sys::fs::S_IFCHR;
use core::ffi::CStr;

const fn mount(
    destination: &'static CStr,
    kind: &'static CStr,
    options: &'static [u8],
) -> Mount<'static> {
    Mount {
        destination,
        kind,
        source: kind,
        options: PackedStrings::new(options),
        optional: false,
        uid_mappings: &[],
        gid_mappings: &[],
    }
}

const fn optional(mount: Mount<'static>) -> Mount<'static> {
    Mount { optional: true, ..mount }
}

/// The file systems of a container.
pub const MOUNTS: &[Mount<'static>] = &[
    mount(c"/proc", c"proc", b"nosuid\0noexec\0nodev\0"),
    mount(c"/dev", c"tmpfs", b"nosuid\0strictatime\0mode=755\0size=65536k\0"),
    mount(
        c"/dev/pts",
        c"devpts",
        b"nosuid\0noexec\0newinstance\0ptmxmode=0666\0mode=0620\0gid=5\0",
    ),
    mount(c"/sys", c"sysfs", b"nosuid\0noexec\0nodev\0ro\0"),
    optional(mount(c"/sys/fs/cgroup", c"cgroup2", b"ro\0nosuid\0noexec\0nodev\0")),
    optional(mount(c"/dev/mqueue", c"mqueue", b"nosuid\0noexec\0nodev\0")),
    Mount {
        source: c"shm",
        ..mount(c"/dev/shm", c"tmpfs", b"nosuid\0noexec\0nodev\0mode=1777\0size=65536k\0")
    },
];

/// The mounts of a privileged container, which may write in /sys and in its cgroups.
pub const PRIVILEGED_MOUNTS: &[Mount<'static>] = &[
    MOUNTS[0],
    MOUNTS[1],
    MOUNTS[2],
    mount(c"/sys", c"sysfs", b"nosuid\0noexec\0nodev\0"),
    optional(mount(c"/sys/fs/cgroup", c"cgroup2", b"nosuid\0noexec\0nodev\0")),
    MOUNTS[5],
    MOUNTS[6],
];

/// The file systems of a machine whose PID 1 comes from the image. No path is hidden, and PID 1
/// mounts cgroups itself.
pub const MACHINE_MOUNTS: &[Mount<'static>] = &[
    mount(c"/proc", c"proc", b"nosuid\0noexec\0nodev\0"),
    mount(c"/sys", c"sysfs", b"nosuid\0noexec\0nodev\0"),
    mount(c"/dev", c"devtmpfs", b"nosuid\0mode=755\0"),
    mount(c"/dev/pts", c"devpts", b"nosuid\0noexec\0ptmxmode=0666\0mode=0620\0gid=5\0"),
    mount(c"/dev/shm", c"tmpfs", b"nosuid\0nodev\0mode=1777\0"),
];

const fn device(path: &'static CStr, major: u32, minor: u32) -> Device<'static> {
    Device { path, mode: S_IFCHR | 0o666, major, minor, uid: 0, gid: 0 }
}

/// The runtime-spec's default nodes of /dev. console and ptmx are made with their terminal.
pub const DEVICES: &[Device<'static>] = &[
    device(c"/dev/null", 1, 3),
    device(c"/dev/zero", 1, 5),
    device(c"/dev/full", 1, 7),
    device(c"/dev/random", 1, 8),
    device(c"/dev/urandom", 1, 9),
    device(c"/dev/tty", 5, 0),
];

/// Paths that are masked. docker also masks each CPU's thermal_throttle, if the machine has it.
pub const MASKED_PATHS: PackedStrings<'static> = PackedStrings::new(
    b"/proc/asound\0/proc/acpi\0/proc/interrupts\0/proc/kcore\0/proc/keys\0/proc/latency_stats\0\
    /proc/timer_list\0/proc/timer_stats\0/proc/sched_debug\0/proc/scsi\0/sys/firmware\0\
    /sys/devices/virtual/powercap\0",
);

/// Paths that are read-only in a container.
pub const READONLY_PATHS: PackedStrings<'static> =
    PackedStrings::new(b"/proc/bus\0/proc/fs\0/proc/irq\0/proc/sys\0/proc/sysrq-trigger\0");

/// docker's limits (its containerd's, since 2.1.5). The soft limit is low because old programs
/// close every possible fd; others raise it themselves.
pub const RLIMITS: [Rlimit; 2] = [
    Rlimit { resource: libc::RLIMIT_NOFILE as u32, soft: 1024, hard: 524_288 },
    Rlimit {
        resource: libc::RLIMIT_NPROC as u32,
        soft: libc::RLIM_INFINITY,
        hard: libc::RLIM_INFINITY,
    },
];

/// Sysctl of its own network namespace: every user may bind low ports.
pub const PORT_START: (&CStr, &CStr) = (c"net.ipv4.ip_unprivileged_port_start", c"0");
/// Sysctl of its own network namespace: every group may send ping. The last group follows.
pub const PING_GROUPS: &CStr = c"net.ipv4.ping_group_range";
/// The largest group of [`PING_GROUPS`].
pub const PING_GROUP_MAX: u32 = i32::MAX as u32;

/// PATH if the image sets none.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
