//! Hooks inside the container, run by its process. It waits by poll(2) and not by the event loop,
//! because its filter may forbid the loop's system calls.

use super::process::spawn;
use super::{HookContext, of_hook};
use crate::container::seccomp::Filter;
use crate::error::{Context, Result};
use crate::io::strings::PackedStrings;
use crate::spec::{self, Hook, HookKind};
use crate::sys::fd::FdRef;
use crate::sys::{event, process, signal};
use crate::watch::children;
use core::ffi::CStr;

/// The context of hooks inside the container.
pub struct Inside<'a> {
    /// The environment of hooks without their own, instead of ours.
    pub env: Option<PackedStrings<'a>>,
    /// A variable to add to it.
    pub home: Option<&'a CStr>,
    /// The filter of the container's process, under which the hooks run.
    pub filter: Option<&'a Filter<'a>>,
    /// The container's process.
    pub process: &'a spec::Process<'a>,
    /// The process is under the filter already.
    pub is_filtered: bool,
}

/// Runs the hooks of one kind in order, up to the first failure.
///
/// `space` holds pointers to the process's environment, which may be large.
pub fn run_inside(
    context: &HookContext<'_>,
    kind: HookKind,
    inside: &Inside<'_>,
    space: &mut [usize],
) -> Result<()> {
    let hooks = context.spec.hooks.of(kind);
    if hooks.is_empty() {
        return Ok(());
    }
    let file = context.file()?;
    hooks.iter().enumerate().try_for_each(|(n, hook)| {
        run_one(hook, file.by_ref(), inside, space).map_err(|error| of_hook(kind, n, error))
    })
}

fn run_one(
    hook: &Hook<'_>,
    state: FdRef<'_>,
    inside: &Inside<'_>,
    space: &mut [usize],
) -> Result<()> {
    let (spawned, pidfd) = spawn(hook, state, Some(inside), space)?;
    let patience = spawned.patience_ms().map_or(-1, |ms| ms.min(i32::MAX as u64) as i32);
    let in_time =
        event::poll_one(pidfd.by_ref(), libc::POLLIN, patience).doing("wait for it")? != 0;
    if !in_time {
        let _ = process::kill_pidfd(pidfd.by_ref(), signal::SIGKILL);
    }
    match children::await_end(pidfd.by_ref()).doing("wait for it")? {
        Some(ended) => spawned.verdict(ended, in_time),
        None => Ok(()),
    }
}
