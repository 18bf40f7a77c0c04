//! The options for a registry.

use crate::codec::transport;
use core::ffi::CStr;

pub use transport::MIRRORS_MAX;

/// The options for a registry. A path is as it was typed, for the current directory.
#[derive(Clone, Copy, Default)]
pub struct Settings<'a> {
    /// Takes any certificate, and http if the host has no TLS.
    pub is_insecure: bool,
    /// The one file with credentials that is read.
    pub authfile: Option<&'a CStr>,
    /// A file with one line, `USER:PASSWORD`.
    pub creds_file: Option<&'a CStr>,
    /// A directory with certificates.
    pub cert_dir: Option<&'a CStr>,
    /// Hosts that are asked before the named one, in order.
    pub mirrors: [Option<&'a CStr>; MIRRORS_MAX],
}
