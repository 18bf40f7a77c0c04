//! Puts image, root file system and runtime config together (`spec_from_image` follows image::Config).

use core::ffi::CStr;

use crate::spec::Resources;

/// What the caller of an image wants otherwise than the image says.
#[derive(Default)]
pub struct Overrides<'a> {
    /// Instead of the image's `Cmd`; `Entrypoint` stays, as with `docker run IMAGE ARG…`.
    pub args: Option<&'a mut dyn Iterator<Item = &'a [u8]>>,
    /// `NAME=VALUE` each; they replace the image's by name, a later one an earlier one.
    pub env: Option<&'a mut dyn Iterator<Item = &'a [u8]>>,
    /// Instead of the image's `User`.
    pub user: Option<&'a str>,
    /// Instead of the image's `WorkingDir`; absolute.
    pub workdir: Option<&'a CStr>,
    /// At most 64 bytes.
    pub hostname: Option<&'a CStr>,
    /// The process gets a pseudo-terminal: `TERM` is set where the image does not.
    pub terminal: bool,
    /// It gets a network namespace of its own, with nothing but loopback.
    pub no_network: bool,
    /// It is the child of a reaping, forwarding init of ours.
    pub init: bool,
    /// It is PID 1 of the machine: no namespaces, all privileges, nothing hidden (for [`crate::container::become_process`]).
    pub machine: bool,
    /// What it may use.
    pub resources: Resources,
}
