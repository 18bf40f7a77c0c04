//! Starts containers. Knows nothing of images and of PID 1: a [`Spec`] and a root directory are all
//! it takes.

pub mod attributes;
pub mod cgroup;
mod child;
pub mod create;
mod devices;
pub mod execute;
mod handshake;
mod home;
pub mod hooks;
mod init;
pub mod intel_rdt;
pub mod intermediate;
mod last_steps;
pub mod launch;
mod mounts;
pub mod net_devices;
pub mod notify;
pub mod own_file;
mod privileges;
pub mod procfs;
mod procfs_maker;
mod protect;
pub mod report;
mod root;
mod route;
pub mod seccomp;
mod set_up_root;
pub mod start_socket;
pub mod state;
mod sysctl;
pub mod talk;
mod time_offsets;
mod unmask;
pub mod userns;

use crate::io::path::PathBuf;
use crate::limits::PROCESS_STRINGS_MAX;
use crate::spec::Spec;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::process::{self, Whom};
use crate::sys::{fs, signal};
use crate::{Error, Result};
pub use cgroup::{Cgroup, MachineGroup};
use core::ffi::CStr;

/// Standard input, output and error of the container's process.
pub enum Stdio<'a> {
    /// These descriptors become 0, 1 and 2.
    Files([FdRef<'a>; 3]),
    /// A pseudo-terminal of the container's own /dev/pts, of this size (rows, columns); its master
    /// is `Running::terminal`.
    Terminal(Option<(u16, u16)>),
}

/// A container whose process has been executed.
pub struct Running {
    /// Its pid, as we see it.
    pub pid: i32,
    /// Readable when it ends.
    pub pidfd: Fd,
    /// The master of its terminal, where it has one.
    pub terminal: Option<Fd>,
}

impl Running {
    /// Kills it and collects it, where it is our child.
    pub fn kill(&self) {
        let _ = process::kill_pidfd(self.pidfd.by_ref(), signal::SIGKILL);
        let _ = process::wait(Whom::Pidfd(self.pidfd.by_ref()), true);
    }
}

/// Pointers to strings, as execve(2) takes them.
pub type Pointers = [usize; PROCESS_STRINGS_MAX];

/// What starting a container borrows.
pub struct ContainerMemory {
    /// Pointers to arguments and environment, as execve(2) takes them.
    pub pointers: Pointers,
    /// A container's state that was read.
    pub state: state::StateMemory,
    /// The seccomp filter.
    pub seccomp: seccomp::Program,
}

impl ContainerMemory {
    /// All zeros.
    pub const EMPTY: ContainerMemory = ContainerMemory {
        pointers: [0; PROCESS_STRINGS_MAX],
        state: state::StateMemory::EMPTY,
        seccomp: seccomp::Program::EMPTY,
    };
}

/// Starts a container on the directory `root`, born in `cgroup`. Returns when its process has been
/// executed; on failure nothing of it is left, and the error's status is 126 or 127 where the
/// command is at fault.
///
/// The calling process must have one thread, and nobody else may collect its children meanwhile.
/// `root` must have been opened in its mount namespace, which must have a root that can be pivoted
/// away from.
pub fn start(
    spec: &Spec<'_>,
    root: FdRef<'_>,
    stdio: Stdio<'_>,
    cgroup: Option<FdRef<'_>>,
    memory: &mut ContainerMemory,
) -> Result<Running> {
    let ContainerMemory { pointers, seccomp, .. } = memory;
    let filter = seccomp::of(spec, seccomp)?;
    launch::launch(&alone(spec, root, stdio, cgroup, filter), pointers)
}

/// Turns this process into the spec's: pivots to `root` and executes. Returns only to say why not;
/// the root is then the new one or the old one. Of the namespaces only those of
/// [`Spec::namespaces`] that unshare(2) makes are made.
pub fn become_process(
    spec: &Spec<'_>,
    root: FdRef<'_>,
    stdio: Stdio<'_>,
    memory: &mut ContainerMemory,
) -> Error {
    let ContainerMemory { pointers, seccomp, .. } = memory;
    let filter = match seccomp::of(spec, seccomp) {
        Ok(filter) => filter,
        Err(error) => return error,
    };
    match launch::plan(&alone(spec, root, stdio, None, filter), None, false, pointers) {
        Ok(mut plan) => {
            plan.depart();
            child::run(&plan)
        }
        Err(error) => error,
    }
}

/// A start with nothing else about it.
fn alone<'a>(
    spec: &'a Spec<'a>,
    root: FdRef<'a>,
    stdio: Stdio<'a>,
    cgroup: Option<FdRef<'a>>,
    filter: Option<seccomp::Filter<'a>>,
) -> launch::Launch<'a> {
    launch::Launch {
        spec,
        root: Some(root),
        stdio,
        cgroup,
        gate: None,
        enters: None,
        rootless: false,
        no_pivot: false,
        preserved: 0,
        keeps_keyring: false,
        shows_terminal: false,
        about: None,
        filter,
        host: &launch::Idle,
    }
}

/// Writes a line into a file of the kernel's that is there.
fn write_file(
    directory: FdRef<'_>,
    path: &CStr,
    text: core::fmt::Arguments<'_>,
) -> crate::sys::Result<()> {
    let mut line = PathBuf::new();
    line.set(text)?;
    let file = fs::open(directory, path, fs::O_WRONLY | fs::O_NOFOLLOW, 0)?;
    fs::write_all(file.by_ref(), line.as_bytes())
}

#[cfg(test)]
mod tests;
