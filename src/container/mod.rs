//! Starts containers from a [`Spec`](crate::spec::Spec) and a root directory. This room knows
//! neither images nor PID 1.

pub mod attributes;
mod child;
pub mod create;
mod devices;
mod due;
mod empty;
pub mod execute;
mod handshake;
mod home;
pub mod hooks;
mod init;
pub mod intel_rdt;
pub mod intermediate;
mod last_steps;
pub mod launch;
mod machine;
mod memory;
mod mounts;
pub mod net_devices;
pub mod notify;
pub mod own_file;
pub mod plan;
mod prepared;
mod privileges;
pub mod procfs;
mod procfs_maker;
mod protect;
pub mod report;
mod request;
mod root;
mod route;
mod running;
pub mod seccomp;
mod set_up_root;
pub mod start_socket;
pub mod starting;
pub mod state;
mod sysctl;
mod time_offsets;
mod unmask;
pub mod userns;

pub use due::Due;
pub use launch::Launch;
pub use machine::{Starter, become_process};
pub use memory::{ContainerMemory, Pointers};
pub use running::{Running, Stdio};

#[cfg(test)]
mod tests;
