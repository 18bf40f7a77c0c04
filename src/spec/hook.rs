//! Programs of the config for the stages of a container's life.

use crate::io::strings::PackedStrings;
use core::ffi::CStr;

/// A stage of a container's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HookKind {
    /// Deprecated: like [`HookKind::CreateRuntime`], and before it.
    Prestart,
    /// On the host, when the namespaces and mounts are made.
    CreateRuntime,
    /// In the container's namespaces, before the pivot.
    CreateContainer,
    /// In the container, before its program.
    StartContainer,
    /// On the host, when the program is executed.
    Poststart,
    /// On the host, when the container is deleted.
    Poststop,
}

impl HookKind {
    /// All kinds, in the order of a container's life.
    pub const ALL: [HookKind; 6] = [
        HookKind::Prestart,
        HookKind::CreateRuntime,
        HookKind::CreateContainer,
        HookKind::StartContainer,
        HookKind::Poststart,
        HookKind::Poststop,
    ];

    /// Returns the member of `hooks`.
    pub const fn name(self) -> &'static str {
        match self {
            HookKind::Prestart => "prestart",
            HookKind::CreateRuntime => "createRuntime",
            HookKind::CreateContainer => "createContainer",
            HookKind::StartContainer => "startContainer",
            HookKind::Poststart => "poststart",
            HookKind::Poststop => "poststop",
        }
    }
}

/// One program.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hook<'m> {
    /// Its file, absolute.
    pub path: &'m CStr,
    /// Its arguments from `argv[0]`. If None, the path alone.
    pub args: PackedStrings<'m>,
    /// Its own environment, `NAME=VALUE` each.
    pub env: Option<PackedStrings<'m>>,
    /// Seconds after which it is killed.
    pub timeout_s: Option<u32>,
}

/// The hooks of all kinds.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Hooks<'m> {
    all: &'m [Hook<'m>],
    /// End of each kind in the list.
    ends: [u16; HookKind::ALL.len()],
}

impl<'m> Hooks<'m> {
    /// No hook.
    pub const NONE: Hooks<'static> = Hooks { all: &[], ends: [0; HookKind::ALL.len()] };

    /// Returns hooks of a list, in the order of their kinds. `ends` has the end of each kind.
    pub(super) fn new(all: &'m [Hook<'m>], ends: [u16; HookKind::ALL.len()]) -> Hooks<'m> {
        Hooks { all, ends }
    }

    /// Returns the hooks of one kind, in order.
    pub fn of(&self, kind: HookKind) -> &'m [Hook<'m>] {
        let number = kind as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.all.get(start.into()..self.ends[number].into()).unwrap_or(&[])
    }

    /// Returns the hooks of all kinds.
    pub fn all(&self) -> &'m [Hook<'m>] {
        self.all
    }
}
