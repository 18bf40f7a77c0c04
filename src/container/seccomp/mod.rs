//! seccomp: the `linux.seccomp` of a config, compiled to the classic BPF that the kernel takes.
//!
//! ```text
//! profile.rs    spec -> what becomes of each system call     parent
//! program.rs    what becomes of each call -> instructions
//! mod.rs        instructions -> the kernel                   child
//! marked.rs     the same in a pid namespace of others        intermediate process
//! confine.rs    a filter for a helper of ours               helper
//! listener.rs   what notifies -> who listens                 parent
//! ```
//! A filter does what the one does that runc has libseccomp make, and is smaller: a binary tree
//! over ranges of system calls with the same verdict. `tests/all/seccomp.rs` compares both over every
//! number. What runc decides, and so do we:
//!
//! - x86_64 is always part of a filter, x86 and x32 where `architectures` has them; a call of any
//!   other is killed.
//! - A rule with the default action is no rule. A rule without conditions stands for itself,
//!   whatever else is said of its calls; the first of several counts. Of rules with conditions the
//!   first that holds counts.
//! - Conditions of one rule must all hold. Where two are about the same argument, each is a rule of
//!   its own.
//! - Names that nobody knows are passed over. Where the default is to refuse, a system call above
//!   all that the profile knows fails with ENOSYS: programs try new ones, and fall back.
//! - i386 and x32 have arguments of 32 bits: the lower half is compared. Where i386 makes calls of
//!   sockets and of System V IPC through socketcall(2) and ipc(2) as well, a rule goes for both
//!   ways.

mod confine;
mod listener;
mod marked;
mod profile;
mod program;

use crate::spec::{Spec, TAKES_CONFIGS};
use crate::sys::fd::Fd;
use crate::sys::seccomp;
use crate::{Context, Result};

pub use confine::confine;
pub use listener::Sending;
pub use profile::{compile, compile_default};
pub use program::Program;

/// Returns a container's filter: its config.json's, or the default one if it asks for that.
pub fn of<'p>(spec: &Spec<'_>, program: &'p mut Program) -> Result<Option<Filter<'p>>> {
    match &spec.seccomp {
        Some(profile) if TAKES_CONFIGS => compile(profile, program).map(Some),
        _ if spec.default_seccomp => {
            compile_default(spec.process.capabilities.bounding, program).map(Some)
        }
        _ => Ok(None),
    }
}

/// A filter, ready to be loaded.
#[derive(Clone, Copy)]
pub struct Filter<'p> {
    program: &'p [u64],
    flags: u32,
}

impl<'p> Filter<'p> {
    /// Its instructions, each a `struct sock_filter` as one number.
    pub fn program(&self) -> &'p [u64] {
        self.program
    }

    /// The flags of seccomp(2) that it is loaded with.
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// Loading it gives a listener, which somebody waits for: [`Sending`].
    pub fn notifies(&self) -> bool {
        self.flags & seccomp::FLAG_NEW_LISTENER != 0
    }

    /// Returns the same filter without a listener: calls that would notify fail with ENOSYS.
    pub fn without_listener(&self) -> Filter<'p> {
        let flags = self.flags & !(seccomp::FLAG_NEW_LISTENER | seccomp::FLAG_WAIT_KILLABLE_RECV);
        Filter { flags, ..*self }
    }

    /// Puts this process under the filter, for ever: what comes next must be allowed. Takes
    /// CAP_SYS_ADMIN in the user namespace, or no_new_privs. The listener, where the filter
    /// notifies.
    pub fn load(&self) -> Result<Option<Fd>> {
        seccomp::set_filter(self.flags, self.program).doing("load the seccomp filter")
    }
}

#[cfg(test)]
mod tests;
