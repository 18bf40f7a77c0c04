//! The parts of an image that a non-root user can make.

use super::{Notice, Notices};
use crate::Error;
use crate::container::userns::{self, Ids};
use crate::rootfs::{Applied, Privilege};
use crate::sys::{Errno, process};

/// Returns the privilege to change files. If `is_rootless`, moves this process to a user namespace
/// with these ids, if that is possible.
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

/// Sends notices about the parts that could not be made.
pub(super) fn report(Applied { losses, skipped_xattrs, .. }: &Applied, notices: Notices<'_>) {
    if !losses.is_empty() {
        notices(&Notice::Losses(losses));
    }
    if *skipped_xattrs > 0 {
        notices(&Notice::SkippedXattrs(*skipped_xattrs));
    }
}
