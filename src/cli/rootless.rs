//! `--rootless`: what an ordinary user can make of an image, and what not.

use super::arguments::Arguments;
use crate::Error;
use crate::container::userns::{self, Ids};
use crate::log::{self, Level};
use crate::rootfs::{Applied, Privilege};
use crate::sys::{Errno, process};

/// What may be done to files, by the option. This process is in a user namespace with these ids
/// afterwards, where there can be one.
pub(super) fn powers(arguments: &Arguments<'_>, ids: &mut Ids) -> Privilege {
    if !is_wanted(arguments) {
        return Privilege::Root;
    }
    match userns::enter(ids) {
        Ok(()) => Privilege::Namespace,
        Err(error) => {
            crate::warning!("{error}: every file will be the caller's");
            Privilege::User
        }
    }
}

/// Among the options of all commands it has a value.
fn is_wanted(arguments: &Arguments<'_>) -> bool {
    arguments.has("rootless") && arguments.value("rootless") != Some(c"false")
}

/// What only root may do, and somebody else tried, has another way.
pub(super) fn advise(error: Error, arguments: &Arguments<'_>) -> Error {
    match error.errno() == Errno::EPERM && process::effective_uid() != 0 && !is_wanted(arguments) {
        true => Error::with_errno(format_args!("{error}: see --rootless"), Errno::EPERM),
        false => error,
    }
}

/// Reports what could not be made, at `level`: for a container it is what every rootless runtime
/// lacks.
pub(super) fn report(level: Level, Applied { losses, skipped_xattrs, .. }: &Applied) {
    if !losses.is_empty() {
        log::line(level, format_args!("what could not be made without root: {losses}"));
    }
    if *skipped_xattrs > 0 {
        log::line(level, format_args!("{skipped_xattrs} extended attributes were skipped"));
    }
}
