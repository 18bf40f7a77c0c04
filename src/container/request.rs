//! What is started, and how.

use super::due::Due;
use super::running::Stdio;
use super::seccomp::Filter;
use super::start_socket::StartSocket;
use super::state::{Id, State};
use crate::io::strings::PackedStrings;
use crate::spec::{self, HookKind, Spec};
use crate::sys::clone::{CLONE_NEWPID, CLONE_NEWUSER};
use crate::sys::fd::FdRef;

/// What is started, and how.
pub struct Launch<'a> {
    /// What is wanted.
    pub spec: &'a Spec<'a>,
    /// Its program and arguments, instead of the spec's.
    pub args: Option<PackedStrings<'a>>,
    /// The root directory, opened in our mount namespace; None for exec in a container.
    pub root: Option<FdRef<'a>>,
    /// We are not the machine's root: the child makes mounts that we may not make.
    pub rootless: bool,
    /// What becomes 0, 1 and 2.
    pub stdio: Stdio<'a>,
    /// The control group that it is born in.
    pub cgroup: Option<FdRef<'a>>,
    /// Where it waits before it executes; it does not wait where there is none.
    pub gate: Option<StartSocket>,
    /// The process joins the namespaces (`CLONE_NEW*`) of this one, and nothing is set up: exec.
    pub enters: Option<(FdRef<'a>, i32)>,
    /// The old root stays below the new one (an initramfs cannot be taken away).
    pub no_pivot: bool,
    /// Descriptors from 3 up that it keeps.
    pub preserved: u32,
    /// It keeps our session keyring.
    pub keeps_keyring: bool,
    /// We copy its terminal's output to our terminal, which turns LF into CR LF itself.
    pub shows_terminal: bool,
    /// The container, for its hooks: its name, and what is known of it.
    pub about: Option<(Id<'a>, State<'a>)>,
    /// What system calls it may make.
    pub filter: Option<Filter<'a>>,
    /// What the host's side has to do meanwhile.
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

    /// Returns whether the filter is loaded before the gate and the hooks. It is if loading it
    /// needs a capability that is gone later, or if a listener is told during `create`, or if
    /// other processes see this one. If not, only execve(2) follows it.
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

/// Whether the process is root of a user namespace that is made for it.
pub(super) fn creates_userns(launch: &Launch<'_>) -> bool {
    spec::TAKES_CONFIGS && launch.spec.namespaces & CLONE_NEWUSER != 0
}
