//! What an ordinary user can make of an image, and what not.

use super::{Notice, Notices};
use crate::Error;
use crate::container::userns::{self, Ids};
use crate::rootfs::{Applied, Privilege};
use crate::sys::{Errno, process};

/// Returns what may be done to files. If `is_rootless`, this process is in a user namespace with
/// these ids afterwards, if there can be one.
pub(super) fn enter(is_rootless: bool, ids: &mut Ids, notices: Notices<'_>) -> Privilege {
    if !is_rootless {
        return Privilege::Root;
    }
    match userns::enter(ids) {
        Ok(()) => Privilege::Namespace,
        Err(error) => {
            notices(&Notice::NoNamespace(&error));
            Privilege::User
        }
    }
}

/// On EPERM for a non-root user, suggests --rootless.
pub fn advise(error: Error) -> Error {
    match error.errno() == Errno::EPERM && process::effective_uid() != 0 {
        true => Error::with_errno(format_args!("{error}: see --rootless"), Errno::EPERM),
        false => error,
    }
}

/// Gives notice of what could not be made.
pub(super) fn report(Applied { losses, skipped_xattrs, .. }: &Applied, notices: Notices<'_>) {
    if !losses.is_empty() {
        notices(&Notice::Losses(losses));
    }
    if *skipped_xattrs > 0 {
        notices(&Notice::SkippedXattrs(*skipped_xattrs));
    }
}
