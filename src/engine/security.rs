//! The restrictions of an image's container that the caller chose.

use crate::bundle::{Given, Security};
use crate::codec::json::{self, Writer};
use crate::container::seccomp::{self, Program};
use crate::io::document;
use crate::io::lossy::LossyC;
use crate::io::output::InMemory;
use crate::spec::{self, Limit};
use crate::{Context, Result};
use core::ffi::CStr;

/// Limits of a process, one of each kind.
pub type Limits = heapless::Vec<Limit, { Limit::KINDS }>;

/// Restrictions beside docker's default ones.
#[derive(Default)]
pub struct Restrictions<'a> {
    /// What is lifted or added.
    pub security: Security,
    /// A file with a seccomp profile.
    pub profile: Option<&'a CStr>,
    /// Limits of the process.
    pub limits: Limits,
}

/// Reads the seccomp profile to the first buffer and resolves it to the second. It is compiled once
/// here, so that its errors come before anything is made.
pub fn read<'m>(
    wanted: &'m Restrictions<'_>,
    [text, resolved]: [&'m mut [u8]; 2],
    program: &mut Program,
) -> Result<Given<'m>> {
    let mut given = Given { limits: &wanted.limits, ..Given::default() };
    if let Some(path) = wanted.profile {
        let place = LossyC(path);
        let read = document::read_named(path, text).and_then(json::check);
        let profile = read.context("--security-opt seccomp", &place)?;
        let mut sink = InMemory::new(resolved);
        let bounding = wanted.security.bounding();
        let mut json = Writer::with_indent(&mut sink, "");
        spec::seccomp::resolve(profile, bounding, &mut json)
            .context("--security-opt seccomp", &place)?;
        let profile =
            sink.finish().and_then(json::check).context("--security-opt seccomp", &place)?;
        seccomp::compile(profile, program).context("--security-opt seccomp", &place)?;
        given.profile = Some(profile);
    }
    Ok(given)
}
