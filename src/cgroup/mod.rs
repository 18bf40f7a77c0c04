//! A cgroup of cgroup2 (cgroups(7)). It exists before its first process, which is created in it,
//! and is removed after its last process.
//!
//! ```text
//! find       checks the path and that the limits can be set           makes nothing
//! create     directories, controllers, limits, devices, owner         undone if one of them fails
//! open       the cgroup of a running container: freeze, signal, read, change, remove
//! ```
//! If /sys/fs/cgroup is not cgroup2, containers run without a cgroup, and limits are refused.

mod apply;
mod awaited;
pub mod devices;
mod join;
mod lifting;
mod lines;
mod machine;
mod manager;
mod place;
mod processes;
mod undo;
mod walk;
mod weight;

use crate::error::{Context, Error, Result};
use crate::io::lossy::{Lossy, LossyC, On};
use crate::io::path::PathBuf;
use crate::limits::CGROUP_FILE_BYTES;
use crate::spec::{DeviceRule, Limit, Spec, options};
use crate::sys::clone::CLONE_NEWCGROUP;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::{self, Errno, fs};
use core::ffi::CStr;
#[cfg(fuzzing)]
pub use devices::device_program;
pub use join::{Instead, Joined, explain};
pub use lines::{Facts, Line, Out};
pub use machine::MachineGroup;
pub use manager::Manager;
use undo::Undo;

/// The mount point of cgroup2.
const MOUNT: &CStr = c"/sys/fs/cgroup";
/// The cgroup of one container.
pub struct Cgroup {
    path: PathBuf,
    /// Bytes of the path's prefix that existed before.
    kept: usize,
    directory: Fd,
}

/// The path of a container's cgroup, before it is made.
pub struct CgroupPath {
    path: PathBuf,
    /// The config names the path.
    is_wanted: bool,
    /// Facts about the machine on which limits depend.
    pub facts: Facts,
}

impl CgroupPath {
    /// Returns the path that the config of the container `id` asks for; None without cgroup2. It
    /// makes nothing. It checks the values, the controllers, and that the cgroup has no process.
    pub fn find(spec: &Spec<'_>, id: &[u8]) -> Result<Option<CgroupPath>> {
        let root = hierarchy();
        let mut buffer = [0; CGROUP_FILE_BYTES];
        let controllers = match &root {
            Ok(root) if !spec.limits.is_empty() => {
                Some(read(root.by_ref(), c"cgroup.controllers", &mut buffer).on("read", MOUNT)?)
            }
            _ => None,
        };
        apply::check_machine(spec.limits, controllers).map_err(in_config)?;
        if !spec.device_rules.is_empty() {
            devices::check(spec.device_rules)?;
        }
        if root.is_err() {
            return Ok(None);
        }
        let path = place::path(spec.cgroup_path, id)?;
        if let Some(group) = Cgroup::open(path.as_c_str())? {
            let mut count = 0;
            group.each_process(&mut |_| count += 1)?;
            if count > 0 {
                return Err(Error::new(format_args!(
                    "container's cgroup is not empty: {count} process(es) found"
                )));
            }
            if group.is_frozen() {
                return Err(Error::new(format_args!("container's cgroup unexpectedly frozen")));
            }
        }
        Ok(Some(CgroupPath { path, is_wanted: spec.cgroup_path.is_some(), facts: Facts::NEW }))
    }

    /// Returns the absolute path of the cgroup to make.
    pub fn path(&self) -> &CStr {
        self.path.as_c_str()
    }

    /// Returns this path without any check.
    pub fn at(path: &CStr) -> CgroupPath {
        let path = PathBuf::from_bytes(path.to_bytes()).unwrap_or_default();
        CgroupPath { path, is_wanted: true, facts: Facts::NEW }
    }

    /// Calls `out` with each file to write and its value, as far as the facts are known.
    pub fn lines(&self, spec: &Spec<'_>, out: Out<'_>) -> Result<()> {
        lines::lines(spec.limits, &self.facts, out)
    }

    /// Makes the cgroup, enables the available controllers, and sets its limits, its devices and
    /// its owner. A failure leaves nothing of it.
    ///
    /// Returns None if a `rootless` caller (not root, or in a user namespace) may not make cgroups,
    /// and the config has neither limits nor a path. The container is then in its caller's cgroup.
    pub fn create(&self, spec: &Spec<'_>, rootless: bool) -> Result<Option<Cgroup>> {
        let group = match Cgroup::make(&self.path) {
            Err(error) if rootless && !self.is_wanted && place::is_forbidden(error.errno()) => {
                return match lines::are_asked_for(spec.limits).map_err(in_config)? {
                    false => Ok(None),
                    true => Err(error.within(format_args!("limits need a control group"))),
                };
            }
            made => made?,
        };
        let done = group.set_up(spec, rootless);
        group.or_undo(done).map(Some)
    }
}

impl Cgroup {
    fn set_up(&self, spec: &Spec<'_>, rootless: bool) -> Result<()> {
        apply::set(spec.limits, self.directory()).map_err(in_config)?;
        match devices::restrict(spec.device_rules, self.directory()) {
            // As in runc: a non-root caller may not load the rules, and cannot make devices.
            Err(_) if rootless => {}
            answer => answer?,
        }
        self.give_to_container(spec, rootless)
    }

    /// Returns the cgroup at a path from [`Cgroup::path`]; None if it no longer exists.
    pub fn open(path: &CStr) -> Result<Option<Cgroup>> {
        let whole = PathBuf::from_bytes(path.to_bytes()).on("cgroup", path)?;
        let kept = path.to_bytes().len();
        match fs::open(CWD, path, fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0) {
            Ok(directory) => Ok(Some(Cgroup { path: whole, kept, directory })),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno).on("open cgroup", path),
        }
    }

    /// Returns its directory, for `CLONE_INTO_CGROUP`.
    pub fn directory(&self) -> FdRef<'_> {
        self.directory.by_ref()
    }

    /// Returns its absolute path, for [`Cgroup::open`].
    pub fn path(&self) -> &CStr {
        self.path.as_c_str()
    }

    /// Changes these limits. It checks all of them before it writes one. If the kernel refuses one,
    /// it restores all. Device rules replace all earlier ones; a `rootless` caller sets none.
    pub fn update(&self, limits: &[Limit<'_>], rules: &[DeviceRule], rootless: bool) -> Result<()> {
        if !rules.is_empty() {
            devices::check(rules)?;
        }
        let mut undo = Undo::new();
        apply::update(limits, self.directory(), &mut undo)
            .and_then(|()| match rules {
                [] => Ok(()),
                rules => {
                    devices::restrict(rules, self.directory()).or_else(|error| match rootless {
                        true => Ok(()),
                        false => Err(error),
                    })
                }
            })
            .map_err(|error| undo.restore(self.directory(), error))
            .doing("update")
    }

    /// Returns the first bytes of one of its files.
    pub fn read<'b>(&self, file: &CStr, buffer: &'b mut [u8]) -> sys::Result<&'b [u8]> {
        read(self.directory(), file, buffer)
    }

    /// Makes the directories of a path. Each enables its controllers for the next.
    fn make(path: &PathBuf) -> Result<Cgroup> {
        let mut done = PathBuf::from_bytes(MOUNT.to_bytes()).doing("cgroup")?;
        let mut kept = None;
        let mut make = |name: &[u8]| {
            place::enable(done.as_c_str());
            let before = done.as_bytes().len();
            done.push(name).doing("cgroup")?;
            match fs::mkdir(CWD, done.as_c_str(), 0o755) {
                Ok(()) => kept = kept.or(Some(before)),
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno).on("make cgroup", done.as_c_str()),
            }
            place::make_threaded(done.as_c_str());
            Ok(())
        };
        let mut names =
            path.as_bytes()[MOUNT.to_bytes().len()..].split(|byte| *byte == b'/').skip(1);
        let made = names.try_for_each(&mut make).and_then(|()| {
            let directory =
                fs::open(CWD, path.as_c_str(), fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0);
            directory.on("open cgroup", path.as_c_str())
        });
        let kept = kept.unwrap_or(done.as_bytes().len());
        match made {
            Ok(directory) => Ok(Cgroup { path: path.clone(), kept, directory }),
            Err(error) => {
                place::remove_empty(&mut done, kept);
                Err(error)
            }
        }
    }

    /// Returns the cgroup if `done` succeeded. Otherwise it removes the cgroup and returns the
    /// error.
    fn or_undo(self, done: Result<()>) -> Result<Cgroup> {
        match done {
            Ok(()) => Ok(self),
            Err(error) => {
                self.undo();
                Err(error)
            }
        }
    }

    /// Removes the directories that [`CgroupPath::create`] made, because the container could not
    /// start. Older directories stay.
    pub fn undo(mut self) {
        if self.kept < self.path.as_bytes().len() {
            let _ = self.empty();
            place::remove_empty(&mut self.path, self.kept);
        }
    }

    /// Gives the cgroup to the container's root (runtime-spec, "cgroup ownership"): a container
    /// with its own writable cgroup may make cgroups in it.
    fn give_to_container(&self, spec: &Spec<'_>, rootless: bool) -> Result<()> {
        let own = spec.namespaces & CLONE_NEWCGROUP != 0
            && spec.mounts.iter().any(|mount| {
                mount.destination == MOUNT
                    && matches!(mount.kind.to_bytes(), b"cgroup" | b"cgroup2")
                    && !options::are_readonly(mount.options)
            });
        let uid = spec.process.user.uid;
        let Some(map) = spec.uid_mappings.iter().find(|map| own && map.holds(uid)) else {
            return Ok(());
        };
        let owner = uid - map.container + map.host;
        let mut buffer = [0; CGROUP_FILE_BYTES];
        let list = fs::open(CWD, c"/sys/kernel/cgroup/delegate", fs::O_RDONLY, 0)
            .and_then(|file| fs::read(file.by_ref(), &mut buffer));
        let files = match list {
            Ok(length) => &buffer[..length],
            Err(_) => b"cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n",
        };
        let mut name = PathBuf::new();
        // The empty piece after the last line stands for the directory itself.
        for file in files.split(|byte| *byte == b'\n') {
            name.truncate(0);
            let given = name.push_bytes(file).and_then(|()| {
                let everyone = u32::MAX;
                fs::chown(self.directory(), name.as_c_str(), owner, everyone)
            });
            match given {
                Err(Errno::ENOENT) => {}
                Err(_) if rootless => {}
                given => given.context("give to the container", &Lossy(file))?,
            }
        }
        Ok(())
    }
}

/// Returns the error with the config's member before it.
#[cold]
fn in_config(error: Error) -> Error {
    let text = format_args!("linux.resources.{error}");
    Error::with_errno(text, error.errno()).with_status(error.status())
}

/// Returns the root of the hierarchy.
fn hierarchy() -> Result<Fd> {
    const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;
    let root = fs::open(CWD, MOUNT, fs::O_RDONLY | fs::O_DIRECTORY, 0).on("open", MOUNT)?;
    match fs::statfs(root.by_ref()) {
        Ok((CGROUP2_SUPER_MAGIC, ..)) => Ok(root),
        _ => Err(Error::new(format_args!("{} is not cgroup2", LossyC(MOUNT)))),
    }
}

fn read<'b>(group: FdRef<'_>, file: &CStr, buffer: &'b mut [u8]) -> sys::Result<&'b [u8]> {
    let file = fs::open(group, file, fs::O_RDONLY | fs::O_NOFOLLOW, 0)?;
    let length = fs::read(file.by_ref(), buffer)?;
    Ok(&buffer[..length])
}

#[cfg(test)]
pub(super) mod tests;
