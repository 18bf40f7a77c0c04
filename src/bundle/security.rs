//! The caller's changes to docker's default restrictions.

use super::caller;
use crate::codec::json::Value;
use crate::spec::settings::{Draft, Filter};
use crate::spec::{Rlimit, capability};

/// Restrictions that the caller lifts or adds.
#[derive(Clone, Copy, Default)]
pub struct Security {
    /// All capabilities and devices, nothing filtered, hidden or read-only (docker's
    /// `--privileged`).
    pub privileged: bool,
    /// An exec never gives more privileges.
    pub no_new_privileges: bool,
    /// No seccomp profile: all system calls are allowed.
    pub unconfined: bool,
    /// Nothing of /proc and /sys is hidden or read-only (docker's `systempaths=unconfined`).
    pub shows_all: bool,
}

impl Security {
    /// Returns what the draft lifts and adds.
    pub fn of(draft: &Draft<'_>) -> Security {
        Security {
            privileged: draft.privileged,
            no_new_privileges: draft.no_new_privileges,
            unconfined: draft.filter == Some(Filter::Unconfined),
            shows_all: draft.shows_all,
        }
    }

    /// Returns the bounding set of a process with all that this allows.
    pub fn bounding(&self) -> u64 {
        if self.privileged { caller::capabilities() } else { capability::DEFAULT }
    }
}

/// Further settings that the caller gives a config.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    /// A seccomp profile of the runtime-spec's form instead of docker's.
    pub profile: Option<Value<'a>>,
    /// Limits in addition to the default ones; of one kind, these count.
    pub rlimits: &'a [Rlimit],
}
