//! The attributes and the propagation of a mount.

use crate::error::{Context, Result};
use crate::spec::Mount;
use crate::spec::options::{self, Options, flag};
use crate::sys::fd::FdRef;
use crate::sys::mount::{self, MS_REC};

/// Changes the attributes of a mount, and of those beneath it.
pub fn change(tree: FdRef<'_>, options: &Options) -> Result<()> {
    for (recursive, change) in [(false, options.own), (true, options.all)] {
        if !change.is_empty() {
            mount::set_attributes(
                tree,
                mount::Reach::tree_if(recursive),
                change.set,
                change.clear,
                0,
            )
            .doing("change its attributes")?;
        }
    }
    Ok(())
}

/// Sets the propagation options in order: `slave` and then `shared` is both.
pub fn set_propagation(tree: FdRef<'_>, one: &Mount<'_>, options: &Options) -> Result<()> {
    if !options.has(flag::PROPAGATION) {
        return Ok(());
    }
    for bits in options::each(one.options).filter_map(options::propagation) {
        mount::set_attributes(
            tree,
            mount::Reach::tree_if(bits & MS_REC != 0),
            0,
            0,
            bits & !MS_REC,
        )
        .doing("set its propagation")?;
    }
    Ok(())
}
