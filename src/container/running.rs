//! A container's running process, and its standard streams.

use crate::sys::fd::{Fd, FdRef};
use crate::sys::process;
use crate::sys::signal;
use crate::watch::children;

/// A container whose process has executed its program.
pub struct Running {
    /// Its pid in our namespace.
    pub pid: i32,
    /// Readable when it ends.
    pub pidfd: Fd,
    /// The master of its terminal, if it has one.
    pub terminal: Option<Fd>,
}

impl Running {
    /// Kills it, and collects it if it is our child.
    pub fn kill(&self) {
        let _ = process::kill_pidfd(self.pidfd.by_ref(), signal::SIGKILL);
        let _ = children::await_end(self.pidfd.by_ref());
    }
}

/// Standard input, output and error of the container's process.
pub enum Stdio<'a> {
    /// These fds become 0, 1 and 2.
    Files([FdRef<'a>; 3]),
    /// A pseudo-terminal of the container's own /dev/pts, of this size (rows, columns). Its master
    /// is `Running::terminal`.
    Terminal(Option<(u16, u16)>),
}
