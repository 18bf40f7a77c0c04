//! The memory that starting a container borrows.

use super::{seccomp, state};
use crate::limits::PROCESS_STRINGS_MAX;

/// Pointers to strings, as execve(2) takes them.
pub type Pointers = [usize; PROCESS_STRINGS_MAX];

/// What starting a container borrows.
pub struct ContainerMemory {
    /// Pointers to arguments and environment, as execve(2) takes them.
    pub pointers: Pointers,
    /// A container's state that was read.
    pub state: state::StateMemory,
    /// The seccomp filter.
    pub seccomp: seccomp::Program,
}

impl ContainerMemory {
    /// All zeros.
    pub const EMPTY: ContainerMemory = ContainerMemory {
        pointers: [0; PROCESS_STRINGS_MAX],
        state: state::StateMemory::EMPTY,
        seccomp: seccomp::Program::EMPTY,
    };
}
