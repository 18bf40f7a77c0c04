//! Starts containers. Knows nothing of images and of PID 1: a [`Spec`] and a root directory are all it takes.

pub mod cgroup;

use crate::spec::Spec;
use crate::sys::fd::{Fd, FdRef};
use crate::{Error, Result};
pub use cgroup::Cgroup;

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
    pub pointers: [usize; crate::limits::PROCESS_STRINGS_MAX],
}

impl ContainerMemory {
    /// All zeros.
    pub const EMPTY: ContainerMemory = ContainerMemory { pointers: [0; crate::limits::PROCESS_STRINGS_MAX] };
}

/// Starts a container on the directory `root`, born in `cgroup`. Returns when its process has been executed;
/// on failure nothing of it is left, and the error's status is 126 or 127 where the command is at fault.
///
/// The calling process must have one thread, and nobody else may collect its children meanwhile.
pub fn start(
    _spec: &Spec<'_>,
    _root: FdRef<'_>,
    _stdio: Stdio<'_>,
    _cgroup: Option<&Cgroup>,
    _memory: &mut ContainerMemory,
) -> Result<Running> {
    Err(Error::new(format_args!("being written")))
}

/// Turns this process into the spec's: pivots to `root` and executes. Returns only to say why not.
pub fn become_process(_spec: &Spec<'_>, _root: FdRef<'_>, _stdio: Stdio<'_>, _memory: &mut ContainerMemory) -> Error {
    Error::new(format_args!("being written"))
}
