//! The buffers for starting a container.

use super::{seccomp, state};
use crate::limits::PROCESS_STRINGS_MAX;

/// Pointers to strings for execve(2).
pub type Pointers = [usize; PROCESS_STRINGS_MAX];

/// The buffers for starting a container.
pub struct ContainerMemory {
    /// Pointers to arguments and environment for execve(2).
    pub pointers: Pointers,
    /// For reading a container's state.
    pub state: state::StateMemory,
    /// The seccomp filter.
    pub seccomp: seccomp::Program,
}

impl ContainerMemory {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: ContainerMemory = ContainerMemory {
        pointers: [0; PROCESS_STRINGS_MAX],
        state: state::StateMemory::EMPTY,
        seccomp: seccomp::Program::EMPTY,
    };
}
