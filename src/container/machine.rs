//! Starts for PID 1: a container without a state directory, or PID 1 itself as the process.

use super::due::Due;
use super::launch::Launch;
use super::memory::{ContainerMemory, Pointers};
use super::running::{Running, Stdio};
use super::starting::Starting;
use super::{child, launch, seccomp};
use crate::io::strings::PackedStrings;
use crate::spec::Spec;
use crate::sys::fd::FdRef;
use crate::watch::Loop;
use crate::{Error, Result};

/// Starts containers of one configuration on the directory `root`, created in `cgroup`.
///
/// The calling process must have one thread. `root` must have been opened in its mount namespace,
/// whose root pivot_root(2) must be able to leave.
pub struct Starter<'a> {
    /// The configuration.
    pub spec: &'a Spec<'a>,
    root: FdRef<'a>,
    cgroup: Option<FdRef<'a>>,
    filter: Option<seccomp::Filter<'a>>,
    pointers: &'a mut Pointers,
}

impl<'a> Starter<'a> {
    /// Compiles the seccomp profile.
    pub fn new(
        spec: &'a Spec<'a>,
        root: FdRef<'a>,
        cgroup: Option<FdRef<'a>>,
        memory: &'a mut ContainerMemory,
    ) -> Result<Starter<'a>> {
        let ContainerMemory { pointers, seccomp, .. } = memory;
        let filter = seccomp::of(spec, seccomp)?;
        Ok(Starter { spec, root, cgroup, filter, pointers })
    }

    /// Starts the configuration's program. Returns after execve(2). A failure leaves nothing
    /// behind; its status is 126 or 127 if the command is at fault. No other code may collect our
    /// children meanwhile.
    pub fn start(&mut self, stdio: Stdio<'_>) -> Result<Running> {
        let launch = alone(self.spec, self.root, stdio, self.cgroup, self.filter);
        launch::launch(&launch, self.pointers)
    }

    /// Returns the part that [`Starter::begin`] keeps.
    pub fn like(&self) -> Launch<'a> {
        alone(self.spec, self.root, Stdio::Terminal(None), self.cgroup, self.filter)
    }

    /// Begins the start of the configuration's program, or of another one.
    pub fn begin<'b>(
        &mut self,
        like: &'b Launch<'b>,
        args: Option<PackedStrings<'_>>,
        stdio: Stdio<'_>,
        events: &mut Loop,
    ) -> Result<Starting<'b>> {
        let launch = alone(self.spec, self.root, stdio, self.cgroup, self.filter);
        launch::begin(&Launch { args, ..launch }, like, events, self.pointers)
    }
}

/// Turns this process into the spec's: pivots to `root` and executes the program. Returns only an
/// error; the root is then the new one or the old one. It makes the namespaces of
/// [`Spec::namespaces`] that unshare(2) can make.
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
            child::run(&plan, None)
        }
        Err(error) => error,
    }
}

/// Returns a start with nothing but these arguments.
fn alone<'a>(
    spec: &'a Spec<'a>,
    root: FdRef<'a>,
    stdio: Stdio<'a>,
    cgroup: Option<FdRef<'a>>,
    filter: Option<seccomp::Filter<'a>>,
) -> launch::Launch<'a> {
    launch::Launch {
        spec,
        args: None,
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
        due: Due::NOTHING,
    }
}
