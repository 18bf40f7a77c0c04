//! Runs the config's programs for the stages of a container's life (runtime-spec, "POSIX-platform
//! Hooks").
//!
//! Each gets the container's state on stdin from a memfd, so a hook that never reads cannot block
//! us. Its output goes to another memfd, and an error shows the end of it. So a process that it
//! leaves behind, with all its fds, cannot block us either.

mod inside;
mod process;
mod series;

pub use inside::{Inside, run_inside};
pub use series::Series;

use super::state::{Id, State, Status};
use crate::codec::json::Writer;
use crate::error::{Context, Error, Result};
use crate::io::output::Output;
use crate::spec::{HookKind, Spec};
use crate::sys::fd::Fd;
use crate::sys::fs;
use crate::sys::signal::SignalSet;
use crate::watch::Loop;

/// The container and the stage of hooks.
#[derive(Clone, Copy)]
pub struct HookContext<'a> {
    /// The config.
    pub spec: &'a Spec<'a>,
    /// The container.
    pub id: Id<'a>,
    /// Its state. The pid is the one that the hook would see.
    pub state: State<'a>,
    /// Its status.
    pub status: Status,
}

impl HookContext<'_> {
    /// Writes the container's state in the runtime-spec's form.
    pub fn describe(&self, json: &mut Writer<'_>) {
        self.state.describe(self.id, json, self.status, None, self.spec.annotations);
    }

    /// Returns a file with that state, for hooks.
    fn file(&self) -> Result<Fd> {
        let file = fs::memory_file(c"state").doing("write the state for hooks")?;
        let mut output = Output::new(file.by_ref());
        self.describe(&mut Writer::with_indent(&mut output, ""));
        output.finish().doing("write the state for hooks")?;
        Ok(file)
    }
}

/// Runs the hooks of one kind in order. Returns the first failure; for poststop, which runs every
/// hook, all failures. The caller does nothing else meanwhile.
pub fn run(context: &HookContext<'_>, kind: HookKind) -> Result<()> {
    if context.spec.hooks.of(kind).is_empty() {
        return Ok(());
    }
    let mut events = Loop::new(SignalSet::NONE)?;
    match Series::begin(*context, kind, &mut events)? {
        Some(series) => series.finish(&mut events),
        None => Ok(()),
    }
}

/// Adds the hook's kind and number.
fn of_hook(kind: HookKind, n: usize, error: Error) -> Error {
    error.within(format_args!("error running {} hook #{n}", kind.name()))
}

#[cfg(test)]
mod tests;
