//! Lists containers.

use super::{Notice, Notices};
use crate::Result;
use crate::container::state::{Directory, Id, Root, State, StateMemory};
use crate::io::passwd::{End, Field, FieldKind, Table};
use crate::sys::{Errno, process};
use core::fmt::Write;

/// Calls `see` with each container. An unreadable one is a notice; one that disappears meanwhile is
/// skipped.
pub fn each(
    root: &Root,
    space: &mut StateMemory,
    notices: Notices<'_>,
    see: &mut dyn FnMut(&Directory<'_>, &State<'_>) -> Result<()>,
) -> Result<()> {
    root.each(&mut |id: Id<'_>| {
        let directory = root.container(id);
        let read = match &directory {
            Ok(directory) => directory.read(space).map(|state| (directory, state)),
            Err(error) => Err(error.clone()),
        };
        match read {
            Ok((directory, state)) => see(directory, &state),
            Err(error) if error.errno() == Errno::ENOENT => Ok(()),
            Err(error) => {
                notices(&Notice::Failed(&error));
                Ok(())
            }
        }
    })
}

/// Returns the owner's name, or `#` and its ID. It is the caller, because we read no other user's
/// state.
pub fn owner() -> Result<Field> {
    let uid = process::effective_uid();
    let mut table = Table::open_on_host(c"/etc/passwd")?;
    let (mut name, mut field, mut column) = (Field::new(), Field::new(), 0);
    while let Some(end) = table.field(&mut field, FieldKind::Whole)? {
        match column {
            0 => name.copy(&field),
            2 if field.number() == Some(uid) => return Ok(name),
            _ => {}
        }
        column = if end == End::Line { 0 } else { column + 1 };
    }
    let mut text: heapless::String<16> = heapless::String::new();
    let _ = write!(text, "#{uid}");
    name.set(text.as_bytes());
    Ok(name)
}
