//! Changes the limits of a running container.

use super::{EngineMemory, pause};
use crate::container::state::{Id, Root, Status};
use crate::io::document;
use crate::limits::DOCUMENT_BYTES;
use crate::spec::limit::LIMITS;
use crate::spec::{self, Limit, Resources, SpecMemory};
use crate::sys::fd::STDIN;
use crate::{Error, Result};
use core::ffi::CStr;

/// The new limits. All others stay as they are.
pub struct Update<'a> {
    /// A document like `linux.resources` that has them.
    pub document: Option<Document<'a>>,
    /// They themselves, if there is no document.
    pub limits: heapless::Vec<Limit<'a>, { LIMITS.len() }>,
}

/// The source of a document.
pub enum Document<'a> {
    /// In this file.
    File(&'a CStr),
    /// In standard input.
    StandardInput,
}

/// Sets new limits.
pub fn update(
    root: &Root,
    id: Id<'_>,
    wanted: &Update<'_>,
    memory: &mut EngineMemory,
) -> Result<()> {
    let EngineMemory { container, config, strings, lists, .. } = memory;
    let mut directory = root.container(id)?;
    directory.lock()?;
    let state = directory.read(&mut container.state)?;
    if matches!(directory.status(&state), Status::Stopped | Status::Creating) {
        return Err(Error::new(format_args!("container not running: {}", directory.id())));
    }
    let buffer = &mut config[..DOCUMENT_BYTES];
    let text = match wanted.document {
        Some(Document::File(path)) => document::read_named(path, buffer)?,
        Some(Document::StandardInput) => document::read_open(STDIN, c"standard input", buffer)?,
        None => &mut [],
    };
    let mut room = SpecMemory::new(strings, lists);
    let Resources { limits, device_rules } = match wanted.document {
        Some(_) => spec::read_limits(text, &mut room)?,
        None => Resources { limits: &wanted.limits, device_rules: &[] },
    };
    pause::group(&directory, &state)?.update(limits, device_rules, state.rootless)
}
