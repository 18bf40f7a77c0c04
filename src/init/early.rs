//! The first steps: fds, a root that pivot_root(2) can leave, the kernel's file systems, the log.

use super::sysfs;
use crate::io::lossy::On;
use crate::limits::COMMAND_LINE_BYTES;
use crate::log::Level;
use crate::sys::Errno;
use crate::sys::fd::{self, CWD};
use crate::sys::fs::{self, O_DIRECTORY, O_NOCTTY, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_WRONLY};
use crate::sys::mount::{self, MS_NODEV, MS_NOEXEC, MS_NOSUID};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{event, system, time, tty, vm};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// Opens fds 0 to 2. Without /dev/console in the initramfs the kernel leaves them closed, and the
/// first opened file would become standard input.
pub fn secure_standard_streams() {
    while let Ok(file) = fs::open(CWD, c"/", O_PATH, 0) {
        if file.raw() > 2 {
            break;
        }
        file.leak();
    }
}

/// Prepares the process of PID 1: all signals wait for the loop's signalfd, except for our own
/// faults.
pub fn prepare_process() {
    fs::umask(0);
    let _ = signal::set_mask(signals());
    // Ctrl-Alt-Del then asks for a stop instead of a reset.
    let _ = system::disable_ctrl_alt_del();
}

/// Returns every signal but the faults, which the kernel delivers even if they are blocked.
pub fn signals() -> SignalSet {
    [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
        libc::SIGSYS,
    ]
    .iter()
    .fold(SignalSet::ALL, |set, &signal| set.without(signal))
}

/// Mounts over the root, because pivot_root(2) cannot leave an initramfs (before Linux 7.0).
pub fn make_root_movable() -> Result<()> {
    make_directory(c"/run")?;
    mount::bind(c"/", c"/run", mount::Reach::Mount).doing("bind /")?;
    mount::chdir(c"/run").doing("enter /run")?;
    mount::move_to(c".", c"/").doing("move the root over /")?;
    mount::chroot(c".").doing("chroot")?;
    mount::chdir(c"/").doing("enter /")
}

/// Makes a directory, or accepts an existing one.
pub fn make_directory(path: &CStr) -> Result<()> {
    match fs::mkdir(CWD, path, 0o755) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno).on("make", path),
    }
}

/// A file system of the kernel.
struct Early {
    kind: &'static CStr,
    target: &'static CStr,
    flags: u64,
    data: &'static CStr,
    needed: bool,
}

const STRICT: u64 = MS_NOSUID | MS_NODEV | MS_NOEXEC;

// /dev comes first, so that later failures have a log.
static EARLY: [Early; 5] = [
    Early {
        kind: c"devtmpfs",
        target: c"/dev",
        flags: MS_NOSUID | MS_NOEXEC,
        data: c"mode=0755",
        needed: false,
    },
    Early { kind: c"proc", target: c"/proc", flags: STRICT, data: c"", needed: true },
    Early { kind: c"sysfs", target: c"/sys", flags: STRICT, data: c"", needed: true },
    Early {
        kind: c"tmpfs",
        target: c"/run",
        flags: MS_NOSUID | MS_NODEV,
        data: c"mode=0755",
        needed: true,
    },
    Early {
        kind: c"cgroup2",
        target: c"/sys/fs/cgroup",
        flags: STRICT,
        data: CGROUP_OPTIONS[0],
        needed: false,
    },
];

/// Best first: Linux 5.7 has the second word, 4.15 the first. With `nsdelegate` a process cannot
/// write the limits of its cgroup namespace's root.
const CGROUP_OPTIONS: [&CStr; 3] = [c"nsdelegate,memory_recursiveprot", c"nsdelegate", c""];

/// Mounts them. A kernel without devtmpfs gets our own /dev.
pub fn mount_kernel_file_systems() -> Result<()> {
    for Early { kind, target, flags, data, needed } in &EARLY {
        // sysfs refuses mkdir(2), and already has the needed directories.
        let _ = fs::mkdir(CWD, target, 0o755);
        let mut mounted = mount::mount(kind, target, kind, *flags, data);
        for options in CGROUP_OPTIONS.iter().skip(1) {
            if mounted == Err(Errno::EINVAL) && *kind == c"cgroup2" {
                mounted = mount::mount(kind, target, kind, *flags, options);
            }
        }
        match mounted {
            Ok(()) => {}
            Err(errno) if *needed => return Err(errno).on("mount", target),
            Err(_) if *target == c"/dev" => make_dev()?,
            Err(errno) => crate::debug!("mount {}: {errno}", crate::io::lossy::LossyC(target)),
        }
    }
    Ok(())
}

/// The nodes of every /dev: name, major, minor, mode.
const NODES: [(&CStr, u32, u32, u32); 9] = [
    (c"/dev/null", 1, 3, 0o666),
    (c"/dev/zero", 1, 5, 0o666),
    (c"/dev/full", 1, 7, 0o666),
    (c"/dev/random", 1, 8, 0o666),
    (c"/dev/urandom", 1, 9, 0o666),
    (c"/dev/kmsg", 1, 11, 0o600),
    (c"/dev/tty", 5, 0, 0o666),
    (c"/dev/console", 5, 1, 0o600),
    (c"/dev/ptmx", 5, 2, 0o666),
];

/// Makes a /dev for a kernel without devtmpfs. Nodes of disks and ports are made on demand
/// (`sysfs::device_node`).
fn make_dev() -> Result<()> {
    mount::mount(c"tmpfs", c"/dev", c"tmpfs", MS_NOSUID | MS_NOEXEC, c"mode=0755")
        .doing("mount /dev")?;
    for (path, major, minor, mode) in NODES {
        let made = fs::mknod(CWD, path, fs::S_IFCHR | mode, fs::makedev(major, minor));
        made.on("make", path)?;
    }
    Ok(())
}

/// Opens the kernel's log for our lines, without a rate limit.
pub fn open_log() {
    let _ = sysfs::write(c"/proc/sys/kernel/printk_devkmsg", b"on\n");
    if let Ok(log) = fs::open(CWD, c"/dev/kmsg", O_WRONLY, 0) {
        crate::log::set_target(log.leak());
        crate::log::set_format(crate::log::Format::Kmsg);
    }
}

/// Sets the log level. Level debug also shows the lines on the console.
pub fn set_log_level(level: Level) {
    crate::log::set_level(level);
    if level == Level::Debug {
        let _ = sysfs::write(c"/proc/sys/kernel/printk", b"8\n");
    }
}

/// Opens the console as fds 0 to 2, or /dev/null if there is none.
pub fn open_console() -> Result<()> {
    // A blocking open of a serial line without a carrier would never return.
    let console = fs::open(CWD, c"/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
    let stream =
        console.or_else(|_| fs::open(CWD, c"/dev/null", O_RDWR, 0)).doing("open /dev/null")?;
    let _ = fd::set_nonblocking(stream.by_ref(), false);
    // The container's own terminal handles lines and ^D, which may be typed ahead.
    let _ = tty::set_raw(stream.by_ref(), true);
    for number in 0..3 {
        fd::duplicate_to(stream.by_ref(), number).context("open standard stream", &number)?;
    }
    Ok(())
}

/// Opens the terminal behind /dev/console, because a controlling terminal must be the real device.
pub fn open_terminal() -> Result<fd::Fd> {
    let mut buffer = [0; 256];
    // The kernel lists its consoles. /dev/console reads from the last one.
    let names =
        sysfs::read(format_args!("/sys/class/tty/console/active"), &mut buffer).unwrap_or("");
    let last = names.as_bytes().rsplit(|&byte| byte == b' ').next().unwrap_or(b"");
    let name = core::str::from_utf8(last).ok().filter(|name| !name.is_empty()).unwrap_or("console");
    let path = sysfs::device_node("tty", name).context("find console", &name)?;
    let opened = fs::open(CWD, path.as_c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
    let terminal = opened
        .or_else(|_| fs::open(CWD, c"/dev/null", O_RDWR, 0))
        .context("open console", &name)?;
    let _ = fd::set_nonblocking(terminal.by_ref(), false);
    Ok(terminal)
}

/// Milliseconds without progress after which the console counts as unread.
pub const CONSOLE_STUCK_MS: u64 = 2000;

/// Writes the last line to the console itself. Through /dev/kmsg it could follow the kernel's
/// message about power off. Waits until the text is sent, as long as the console takes bytes.
pub fn say_last_on_console(line: core::fmt::Arguments<'_>) {
    use core::fmt::Write;
    tty::release(fd::STDOUT);
    let _ = tty::set_raw(fd::STDOUT, false);
    let _ = sysfs::write(c"/proc/sys/kernel/printk", b"0\n");
    let mut text: heapless::String<128> = heapless::String::new();
    let _ = text.write_fmt(line);
    let _ = fd::set_nonblocking(fd::STDOUT, true);
    let mut rest = text.as_bytes();
    let (mut unsent, mut since) = (0, time::monotonic_us());
    loop {
        match fs::write(fd::STDOUT, rest) {
            _ if rest.is_empty() => {}
            Ok(count) => (rest, since) = (&rest[count..], time::monotonic_us()),
            Err(Errno::EAGAIN) => {}
            Err(_) => return,
        }
        let left = tty::unsent(fd::STDOUT).unwrap_or(0);
        if left < unsent {
            since = time::monotonic_us();
        }
        unsent = left;
        if rest.is_empty() && unsent == 0 {
            // The last bytes are in the device, so this wait is short.
            let _ = tty::drain(fd::STDOUT);
            return;
        }
        if time::monotonic_us() - since > CONSOLE_STUCK_MS * 1000 {
            return;
        }
        let _ = event::wait_ms(CONSOLE_TURN_MS);
    }
}

/// Interval of checks of the console, in milliseconds.
const CONSOLE_TURN_MS: i32 = 10;

/// Returns the kernel's command line, without the newline of /proc/cmdline.
#[inline(never)]
pub fn command_line(buffer: &mut [u8; COMMAND_LINE_BYTES + 1]) -> Result<&[u8]> {
    let file = fs::open(CWD, c"/proc/cmdline", O_RDONLY, 0).doing("open /proc/cmdline")?;
    let mut length = 0;
    while length < buffer.len() {
        match fs::read(file.by_ref(), &mut buffer[length..]).doing("read /proc/cmdline")? {
            0 => break,
            n => length += n,
        }
    }
    // The kernel appends a newline, which would join the last word if a quote is open.
    let line = &buffer[..length];
    Ok(line.strip_suffix(b"\n").unwrap_or(line))
}

/// Maps a whole file of the initramfs. Returns an empty slice if it is missing.
#[inline(never)]
pub fn map(path: &CStr) -> Result<&'static [u8]> {
    let shown = crate::io::lossy::LossyC(path);
    let file = match fs::open(CWD, path, O_RDONLY, 0) {
        Err(Errno::ENOENT) => return Ok(&[]),
        opened => opened.context("open", &shown)?,
    };
    let stat = fs::stat(file.by_ref(), c"").context("look at", &shown)?;
    if stat.kind() != fs::S_IFREG {
        return Err(Error::new(format_args!("{shown}: not a regular file")));
    }
    vm::read_file(file.by_ref(), stat.size as usize).context("read", &shown)
}

/// Opens one of our directories.
pub fn open_directory(path: &CStr) -> Result<fd::Fd> {
    fs::open(CWD, path, O_RDONLY | O_DIRECTORY, 0).on("open", path)
}
