//! seccomp: the `linux.seccomp` of a config, compiled to the kernel's classic BPF.
//!
//! ```text
//! profile.rs    spec -> action for each system call        parent
//! program.rs    actions -> instructions
//! mod.rs        instructions -> the kernel                 child
//! marked.rs     the same in a pid namespace of others      intermediate process
//! confine.rs    a filter for a helper of ours              helper
//! listener.rs   the filter's listener -> its receiver      parent
//! ```
//!
//! A filter acts like runc's from libseccomp, and is smaller: a binary tree over ranges of system
//! calls with one verdict. `tests/all/seccomp.rs` compares both for every number. As in runc:
//!
//! - x86_64 is always part of a filter, x86 and x32 if `architectures` has them; a system call of
//!   another architecture kills.
//! - A rule with the default action is ignored. A rule without conditions overrides all others for
//!   its system calls; the first of several wins. Of rules with conditions the first match wins.
//! - All conditions of one rule must hold. If two are on the same argument, each is a rule of its
//!   own.
//! - Unknown names are ignored. If the default denies, a system call above all numbers of the
//!   profile fails with ENOSYS: programs then fall back to older ones.
//! - i386 and x32 have arguments of 32 bits, so only the lower half is compared. i386 can make
//!   calls for sockets and System V IPC also through socketcall(2) and ipc(2); a rule covers both
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

/// A filter, ready to load.
#[derive(Clone, Copy)]
pub struct Filter<'p> {
    program: &'p [u64],
    flags: u32,
}

impl<'p> Filter<'p> {
    /// Returns its instructions, each a `struct sock_filter` as one number.
    pub fn program(&self) -> &'p [u64] {
        self.program
    }

    /// Returns its flags for seccomp(2).
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// Returns whether it has a listener, which [`Sending`] sends.
    pub fn notifies(&self) -> bool {
        self.flags & seccomp::FLAG_NEW_LISTENER != 0
    }

    /// Returns the same filter without a listener: system calls that would notify fail with ENOSYS.
    pub fn without_listener(&self) -> Filter<'p> {
        let flags = self.flags & !(seccomp::FLAG_NEW_LISTENER | seccomp::FLAG_WAIT_KILLABLE_RECV);
        Filter { flags, ..*self }
    }

    /// Puts this process under the filter for ever, so it must allow the next steps. Needs
    /// CAP_SYS_ADMIN in the user namespace, or no_new_privs. Returns the listener, if the filter
    /// notifies.
    pub fn load(&self) -> Result<Option<Fd>> {
        seccomp::set_filter(self.flags, self.program).doing("load the seccomp filter")
    }
}

#[cfg(test)]
mod tests;
