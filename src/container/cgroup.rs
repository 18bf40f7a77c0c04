//! A control group of cgroup2, made before its first process and removed after its last.

use super::write_file;
use crate::error::{Context, Error, Result};
use crate::io::show::{On, Show, ShowC};
use crate::limits::NAME_BYTES;
use crate::spec::{CPU_PERIOD_US, Resources};
use crate::sys::fd::{self, Fd, FdRef};
use crate::sys::{Errno, event, fs, time};
use core::ffi::CStr;

/// How long a killed group may take to become empty, in milliseconds. Processes in the middle of a long write end late.
const EMPTY_MS: u64 = 10_000;

/// A group, made for one container.
pub struct Cgroup<'n> {
    parent: Fd,
    name: &'n CStr,
    directory: Fd,
}

/// One file that holds a limit.
struct Setting {
    controller: &'static str,
    file: &'static CStr,
    value: Option<u64>,
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    Number,
    /// A number in each [`CPU_PERIOD_US`].
    Quota,
    /// A number; not every kernel with the controller has this file.
    Optional,
}

/// What follows a quota.
const PERIOD: &str = " 100000";
const _: () = assert!(CPU_PERIOD_US == 100_000);

/// What there is to limit.
const SETTINGS: [Setting; 4] = [
    setting("memory", c"memory.max", Kind::Number),
    // As much swap again: what `docker run --memory` gives. Kernels without swap have no such file.
    setting("memory", c"memory.swap.max", Kind::Optional),
    setting("cpu", c"cpu.max", Kind::Quota),
    setting("pids", c"pids.max", Kind::Number),
];

const fn setting(controller: &'static str, file: &'static CStr, kind: Kind) -> Setting {
    Setting { controller, file, value: None, kind }
}

impl<'n> Cgroup<'n> {
    /// Makes the group `name` (one component) in the group whose directory is `parent`, enables the controllers that
    /// its limits need, and writes them.
    ///
    /// A group with processes of its own cannot give controllers to others, the hierarchy's root excepted.
    pub fn create(parent: FdRef<'_>, name: &'n CStr, resources: &Resources) -> Result<Cgroup<'n>> {
        const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;
        let (magic, ..) = fs::statfs(parent).doing("stat the cgroup hierarchy")?;
        if magic != CGROUP2_SUPER_MAGIC {
            return Err(Error::new(format_args!("cgroup {}: its parent is not on cgroup2", ShowC(name))));
        }
        let bytes = name.to_bytes();
        if bytes.is_empty() || bytes.len() > NAME_BYTES || bytes.contains(&b'/') || bytes == b"." || bytes == b".." {
            return Err(Error::new(format_args!("cgroup {}: not a name", ShowC(name))));
        }
        let parent = fd::duplicate(parent, 3).doing("duplicate a descriptor")?;

        let Resources { memory, cpu_quota_us, pids } = *resources;
        let mut settings = SETTINGS;
        for (setting, value) in settings.iter_mut().zip([memory, memory, cpu_quota_us, pids]) {
            setting.value = value;
        }
        enable(parent.by_ref(), &settings)?;
        fs::mkdir(parent.by_ref(), name, 0o755).on("make cgroup", name)?;
        let directory = fs::open(parent.by_ref(), name, fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0);
        let written = directory.on("open cgroup", name).and_then(|directory| {
            settings.iter().try_for_each(|setting| setting.write(directory.by_ref())).map(|()| directory)
        });
        match written {
            Ok(directory) => Ok(Cgroup { parent, name, directory }),
            Err(error) => {
                let _ = fs::rmdir(parent.by_ref(), name);
                Err(error)
            }
        }
    }

    /// Its directory.
    pub fn directory(&self) -> FdRef<'_> {
        self.directory.by_ref()
    }

    /// Kills what is left in it and removes it.
    pub fn remove(self) -> Result<()> {
        let name = self.name;
        // A group that is empty already goes at once, and on kernels before 5.14, without cgroup.kill, only that.
        if self.rmdir(name) == Err(Errno::EBUSY) {
            match write_file(self.directory(), c"cgroup.kill", format_args!("1")) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno).on("kill cgroup", name),
            }
            let events = fs::open(self.directory(), c"cgroup.events", fs::O_RDONLY, 0).on("watch cgroup", name)?;
            let deadline = time::monotonic_us() + EMPTY_MS * 1000;
            while self.rmdir(name) == Err(Errno::EBUSY) {
                let left_ms = deadline.saturating_sub(time::monotonic_us()) / 1000;
                if left_ms == 0 {
                    return Err(Errno::EBUSY).on("remove cgroup", name);
                }
                // Told when `populated` changes; read first, so that a change in between is not missed; and looked
                // at again soon, because the last process leaves a moment before its group can be removed.
                let mut content = [0; 64];
                fs::read_at(events.by_ref(), &mut content, 0).on("watch cgroup", name)?;
                let populated = content.starts_with(b"populated 1");
                let patience_ms = if populated { left_ms } else { left_ms.min(5) };
                event::poll_one(events.by_ref(), libc::POLLPRI, patience_ms as i32).doing("watch cgroup")?;
            }
        }
        match fs::stat(self.parent.by_ref(), name) {
            Err(Errno::ENOENT) => Ok(()),
            _ => self.rmdir(name).on("remove cgroup", name),
        }
    }

    fn rmdir(&self, name: &CStr) -> crate::sys::Result<()> {
        fs::rmdir(self.parent.by_ref(), name)
    }
}

impl Setting {
    fn write(&self, group: FdRef<'_>) -> Result<()> {
        let Some(value) = self.value else { return Ok(()) };
        let period = if self.kind == Kind::Quota { PERIOD } else { "" };
        match write_file(group, self.file, format_args!("{value}{period}")) {
            Err(Errno::ENOENT) if self.kind == Kind::Optional => Ok(()),
            written => written.context("write", &format_args!("{value}{period} to {}", ShowC(self.file))),
        }
    }
}

/// Has `parent` hand on the controllers of all limits that are set.
fn enable(parent: FdRef<'_>, settings: &[Setting]) -> Result<()> {
    let mut buffer = [0; 256];
    let available = read(parent, c"cgroup.controllers", &mut buffer).doing("read cgroup.controllers")?;
    for setting in settings.iter().filter(|setting| setting.value.is_some() && setting.kind != Kind::Optional) {
        let controller = setting.controller;
        if !available.split(u8::is_ascii_whitespace).any(|word| word == controller.as_bytes()) {
            let there = Show(available.trim_ascii());
            let text = format_args!("a limit on {controller}: cgroup2 has no such controller here, only \"{there}\"");
            return Err(Error::new(text));
        }
        let enabled = write_file(parent, c"cgroup.subtree_control", format_args!("+{controller}"));
        enabled.context("enable controller", &controller)?;
    }
    Ok(())
}

fn read<'b>(group: FdRef<'_>, file: &CStr, buffer: &'b mut [u8]) -> crate::sys::Result<&'b [u8]> {
    let file = fs::open(group, file, fs::O_RDONLY | fs::O_NOFOLLOW, 0)?;
    let length = fs::read(file.by_ref(), buffer)?;
    Ok(&buffer[..length])
}
