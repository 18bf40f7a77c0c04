//! What a container may do, where its caller wants it otherwise than docker's defaults have it.

use super::caller;
use crate::codec::json::Value;
use crate::spec::{Limit, capability};

/// What a caller wants.
#[derive(Clone, Copy, Default)]
pub struct Security {
    /// All capabilities and devices, nothing filtered, hidden or read-only (docker's `--privileged`).
    pub privileged: bool,
    /// An exec never gives more privileges.
    pub no_new_privileges: bool,
    /// It may make all system calls.
    pub unconfined: bool,
    /// Nothing of /proc and /sys is hidden or read-only (docker's `systempaths=unconfined`).
    pub shows_all: bool,
}

impl Security {
    /// The bounding set of a process that has all that this allows.
    pub fn bounding(&self) -> u64 {
        if self.privileged { caller::capabilities() } else { capability::DEFAULT }
    }
}

/// What a caller wants in a config besides.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    /// A seccomp profile of the runtime-spec's form instead of docker's.
    pub profile: Option<Value<'a>>,
    /// Limits beside the default ones, or instead of them.
    pub limits: &'a [Limit],
}
