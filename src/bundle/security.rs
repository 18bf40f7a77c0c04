//! The caller's changes to docker's default restrictions.

use super::caller;
use crate::spec::settings::{Draft, Filter, TAKES_OPTIONS};
use crate::spec::syscalls::Seccomp;
use crate::spec::{Rlimit, capability};

/// Restrictions that the user lifts or adds.
#[derive(Clone, Copy, Default)]
pub struct Security {
    /// All capabilities and devices; nothing is filtered, hidden or read-only (docker's
    /// `--privileged`).
    pub privileged: bool,
    /// execve(2) grants no privileges (docker's `no-new-privileges`).
    pub no_new_privileges: bool,
    /// No seccomp profile: all system calls are allowed.
    pub unconfined: bool,
    /// No path of /proc and /sys is hidden or read-only (docker's `systempaths=unconfined`).
    pub shows_all: bool,
    /// Capabilities in addition, and without; [`u64::MAX`] for all.
    pub cap_add: u64,
    /// Capabilities that are left out; [`u64::MAX`] for all but those added.
    pub cap_drop: u64,
}

impl Security {
    /// Returns the restrictions in the draft.
    pub fn of(draft: &Draft<'_>) -> Security {
        Security {
            privileged: draft.privileged,
            no_new_privileges: draft.no_new_privileges,
            unconfined: draft.filter == Some(Filter::Unconfined),
            shows_all: draft.shows_all,
            cap_add: draft.cap_add,
            cap_drop: draft.cap_drop,
        }
    }

    /// Returns the largest bounding set that the restrictions allow.
    pub fn bounding(&self) -> u64 {
        match (self.cap_add, self.cap_drop) {
            _ if self.privileged => caller::capabilities(),
            _ if !TAKES_OPTIONS => capability::DEFAULT,
            (u64::MAX, u64::MAX) => caller::capabilities(),
            (u64::MAX, drop) => caller::capabilities() & !drop,
            (add, u64::MAX) => add,
            (add, drop) => capability::DEFAULT & !drop | add,
        }
    }
}

/// Further settings of the user for a config.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    /// A seccomp profile instead of docker's.
    pub profile: Option<Seccomp<'a>>,
    /// Limits in addition to the default ones. They win over defaults of the same kind.
    pub rlimits: &'a [Rlimit],
    /// Additions of the user to the image and the defaults.
    pub draft: Option<&'a Draft<'a>>,
}
