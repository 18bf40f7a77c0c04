//! Starts containers (being written: these are the signatures the rest builds on).

use crate::sys::fd::{Fd, FdRef};

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
pub struct ContainerMemory {}

impl ContainerMemory {
    /// All zeros.
    pub const EMPTY: ContainerMemory = ContainerMemory {};
}
