//! The arguments of a command on one container.

use super::arguments::Arguments;
use crate::Result;
use crate::container::state::Id;
use crate::engine::state_root::StateRoot;

/// A container by its name.
pub(super) struct Container<'a> {
    pub root: StateRoot<'a>,
    pub id: Id<'a>,
}

/// Returns the container that the first word names.
pub(super) fn parse<'a>(arguments: &Arguments<'a>) -> Result<Container<'a>> {
    Ok(Container { root: parse_root(arguments), id: Id::check(arguments.word(0))? })
}

/// Returns the state root.
pub(super) fn parse_root<'a>(arguments: &Arguments<'a>) -> StateRoot<'a> {
    StateRoot { given: arguments.value("root") }
}
