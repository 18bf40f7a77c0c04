//! A request to start a process: its program, and its options.

use super::due::Due;
use super::running::Stdio;
use super::seccomp::Filter;
use super::start_socket::StartSocket;
use super::state::{Id, State};
use crate::io::strings::PackedStrings;
use crate::spec::{self, HookKind, Spec};
use crate::sys::clone::{CLONE_NEWPID, CLONE_NEWUSER};
use crate::sys::fd::FdRef;

/// A start.
pub struct Launch<'a> {
    /// The container's configuration.
    pub spec: &'a Spec<'a>,
    /// Its program and arguments, instead of the spec's.
    pub args: Option<PackedStrings<'a>>,
    /// The root directory, opened in our mount namespace; None for exec in a container.
    pub root: Option<FdRef<'a>>,
    /// We are not the machine's root: the child makes mounts that we may not make.
    pub rootless: bool,
    /// The sources of fds 0, 1 and 2.
    pub stdio: Stdio<'a>,
    /// The cgroup in which it is created.
    pub cgroup: Option<FdRef<'a>>,
    /// The socket at which it waits before execve(2). If None, it does not wait.
    pub gate: Option<StartSocket>,
    /// exec: the process joins the namespaces (`CLONE_NEW*`) of this one, and sets nothing up.
    pub enters: Option<(FdRef<'a>, i32)>,
    /// Leaves the old root beneath the new one (an initramfs cannot be detached).
    pub no_pivot: bool,
    /// Number of fds from 3 up that it keeps.
    pub preserved: u32,
    /// It keeps the caller's session keyring.
    pub keeps_keyring: bool,
    /// We relay its terminal to our terminal, which turns LF into CR LF itself.
    pub shows_terminal: bool,
    /// The container's name and state, for its hooks.
    pub about: Option<(Id<'a>, State<'a>)>,
    /// Its filter of system calls.
    pub filter: Option<Filter<'a>>,
    /// The host's part.
    pub due: Due<'a>,
}

impl Launch<'_> {
    /// Returns the program and its arguments.
    pub fn args(&self) -> PackedStrings<'_> {
        self.args.unwrap_or(self.spec.process.args)
    }

    /// Returns whether the process is made in a pid namespace with other processes.
    pub fn is_made_apart(&self) -> bool {
        spec::TAKES_CONFIGS
            && (self.enters.is_some()
                || self.spec.joined().iter().any(|one| one.kind == CLONE_NEWPID))
    }

    /// Returns whether the filter is loaded before the start socket and the hooks. It is if loading
    /// needs a capability that is dropped later, if `create` sends a listener, or if other
    /// processes see this one. If not, only execve(2) follows it.
    pub(super) fn filters_early(&self) -> bool {
        self.filter.is_some_and(|filter| {
            let waits = self.gate.is_some();
            let has_power = waits && !self.spec.process.no_new_privileges;
            has_power
                || filter.notifies() && (waits || self.has_hooks_inside())
                || self.is_made_apart()
        })
    }

    pub(super) fn has_hooks_inside(&self) -> bool {
        spec::TAKES_CONFIGS
            && self.about.is_some()
            && !self.spec.hooks.of(HookKind::StartContainer).is_empty()
    }
}

/// Returns whether the process is root of a user namespace that is made for it.
pub(super) fn creates_userns(launch: &Launch<'_>) -> bool {
    spec::TAKES_CONFIGS && launch.spec.namespaces & CLONE_NEWUSER != 0
}
