//! Starts by PID 1: a container without a state directory, or PID 1 itself as the process.

use super::memory::ContainerMemory;
use super::running::{Running, Stdio};
use super::{child, launch, seccomp};
use crate::spec::Spec;
use crate::sys::fd::FdRef;
use crate::{Error, Result};

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
