//! Starts containers. Knows nothing of images and of PID 1: a [`Spec`] and a root directory are all it takes.

pub mod cgroup;
mod child;
mod devices;
mod execute;
mod handshake;
mod init;
mod mounts;
mod privileges;
pub mod procfs;
mod protect;
mod root;
pub mod userns;

use crate::io::path::PathBuf;
use crate::limits::PROCESS_STRINGS_MAX;
use crate::spec::Spec;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::process::{self, StringVector, Whom};
use crate::sys::{Errno, clone, fs, mount, signal};
use crate::{Context, Error, Result};
pub use cgroup::Cgroup;
use core::ffi::CStr;
use handshake::{Channel, Message};

/// Standard input, output and error of the container's process.
pub enum Stdio<'a> {
    /// These descriptors become 0, 1 and 2.
    Files([FdRef<'a>; 3]),
    /// A pseudo-terminal of the container's own /dev/pts, of this size (rows, columns); its master is `Running::terminal`.
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

/// What starting a container borrows.
pub struct ContainerMemory {
    /// Pointers to arguments and environment, as execve(2) takes them.
    pub pointers: [usize; PROCESS_STRINGS_MAX],
}

impl ContainerMemory {
    /// All zeros.
    pub const EMPTY: ContainerMemory = ContainerMemory { pointers: [0; PROCESS_STRINGS_MAX] };
}

/// Starts a container on the directory `root`, born in `cgroup`. Returns when its process has been executed;
/// on failure nothing of it is left, and the error's status is 126 or 127 where the command is at fault.
///
/// The calling process must have one thread, and nobody else may collect its children meanwhile. `root` must have been
/// opened in its mount namespace, which must have a root that can be pivoted away from.
pub fn start(
    spec: &Spec<'_>,
    root: FdRef<'_>,
    stdio: Stdio<'_>,
    cgroup: Option<&Cgroup<'_>>,
    memory: &mut ContainerMemory,
) -> Result<Running> {
    if spec.namespaces & clone::CLONE_NEWNS == 0 {
        // Its mounts and its pivot would be the caller's.
        return Err(Error::new(format_args!("a container needs a mount namespace of its own")));
    }
    let (ours, theirs) = handshake::pair()?;
    let prepared = mounts::prepare(spec, cgroup.map(Cgroup::directory))?;
    let plan = plan(spec, root, stdio, Some(theirs), prepared, memory)?;
    // The cgroup namespace is made by the child; see there.
    let namespaces = spec.namespaces & !clone::CLONE_NEWCGROUP;
    match clone::fork(namespaces, cgroup.map(Cgroup::directory)).doing("clone the container's process")? {
        clone::Side::Child => {
            drop(ours);
            child::live(&plan)
        }
        clone::Side::Parent(pid, pidfd) => {
            // Its channel, too: only the child's copy keeps the conversation open.
            drop(plan);
            match listen(&ours, &pidfd) {
                Ok(terminal) => Ok(Running { pid, pidfd, terminal }),
                Err(error) => {
                    let _ = process::kill_pidfd(pidfd.by_ref(), signal::SIGKILL);
                    let _ = process::wait(Whom::Pidfd(pidfd.by_ref()), true);
                    Err(error)
                }
            }
        }
    }
}

/// Turns this process into the spec's: pivots to `root` and executes. Returns only to say why not; the root is then
/// the new one or the old one. Of the namespaces only those of [`Spec::namespaces`] that unshare(2) makes are made.
pub fn become_process(spec: &Spec<'_>, root: FdRef<'_>, stdio: Stdio<'_>, memory: &mut ContainerMemory) -> Error {
    match plan(spec, root, stdio, None, mounts::Prepared::NONE, memory) {
        Ok(plan) => child::run(&plan),
        Err(error) => error,
    }
}

/// All that can be done before there is a child.
fn plan<'a>(
    spec: &'a Spec<'a>,
    root: FdRef<'_>,
    stdio: Stdio<'a>,
    channel: Option<Channel>,
    prepared: mounts::Prepared,
    memory: &'a mut ContainerMemory,
) -> Result<child::Plan<'a>> {
    let (args, env) = (spec.process.args, spec.process.env);
    let split = (args.iter().count() + 1).min(PROCESS_STRINGS_MAX);
    let (for_args, for_env) = memory.pointers.split_at_mut(split);
    let too_many = |_| {
        let limit = PROCESS_STRINGS_MAX - 2;
        Error::with_errno(format_args!("more than {limit} arguments and environment variables"), Errno::E2BIG)
    };
    let args = StringVector::new(for_args, args.iter()).map_err(too_many)?;
    let env = StringVector::new(for_env, env.iter()).map_err(too_many)?;
    // Here and not in the child: its mount namespace does not hold the mount that this descriptor knows.
    let tree = mount::clone_tree(root, c"", true).doing("copy the mount of the root directory")?;
    Ok(child::Plan { spec, tree, no_pivot: false, prepared, stdio, channel, args, env })
}

/// Writes a line into a file of the kernel's that is there.
fn write_file(directory: FdRef<'_>, path: &CStr, text: core::fmt::Arguments<'_>) -> crate::sys::Result<()> {
    let mut line = PathBuf::new();
    line.set(text)?;
    let file = fs::open(directory, path, fs::O_WRONLY | fs::O_NOFOLLOW, 0)?;
    fs::write_all(file.by_ref(), line.as_bytes())
}

/// Hears the child out, up to its exec; the master of its terminal.
fn listen(channel: &Channel, pidfd: &Fd) -> Result<Option<Fd>> {
    let (mut terminal, mut ready) = (None, false);
    loop {
        match channel.receive()? {
            Message::Terminal(master) => terminal = Some(master),
            Message::Ready => ready = true,
            Message::Failed(error) => return Err(error),
            Message::End if ready => return Ok(terminal),
            Message::End => {
                let ended = process::wait(Whom::Pidfd(pidfd.by_ref()), true).ok().flatten();
                let ended = ended.map_or(0, |(_, ended)| u32::from(ended.status()));
                let hint = if ended == 128 + signal::SIGKILL as u32 { " (too little memory?)" } else { "" };
                return Err(Error::new(format_args!(
                    "the container's process died before its exec, status {ended}{hint}"
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests;
