//! Properties of a config's mounts, before any of them is made.

use super::guard::Guard;
use crate::error::{Error, Result};
use crate::spec::options::{Options, flag};
use crate::spec::{Mount, Spec};
use crate::sys::clone::CLONE_NEWNS;
use core::ffi::CStr;

/// Returns whether the parent opens sources on request, in the container's mount namespace.
/// Otherwise it opens them before the clone, in its own.
pub fn are_lent(spec: &Spec<'_>) -> bool {
    spec.namespaces & CLONE_NEWNS != 0
}

/// Returns whether the config bind-mounts /dev; then no devices are made in it.
pub fn binds_dev(spec: &Spec<'_>) -> bool {
    let at_dev = |one: &Mount<'_>| Guard::of(one, true).is_ok_and(|guard| guard.is_dev());
    spec.mounts.iter().any(|one| at_dev(one) && Options::of(one.options).has(flag::BIND))
}

/// Returns whether the source of a bind is relative to the bundle.
pub fn has_relative_source(spec: &Spec<'_>) -> bool {
    let is_relative =
        |one: &Mount<'_>| Options::of(one.options).has(flag::BIND) && !is_absolute(one.source);
    spec.mounts.iter().any(is_relative)
}

pub fn is_absolute(path: &CStr) -> bool {
    path.to_bytes().starts_with(b"/")
}

/// Returns an error if a container in the caller's mount namespace would change that.
pub fn check_without_namespace(spec: &Spec<'_>, no_pivot: bool) -> Result<()> {
    let protects = spec.masked_paths.first().is_some() || spec.readonly_paths.first().is_some();
    // Listed devices, not the default ones.
    let makes_devices = !spec.own_devices().is_empty();
    let reasons = [
        // runc's words.
        (protects, "unable to restrict sys entries without a private MNT namespace"),
        (!spec.mounts.is_empty(), "mounts: need a mount namespace of the container's own"),
        (makes_devices, "linux.devices: need a mount namespace of the container's own"),
        (spec.root.readonly, "root.readonly: needs a mount namespace of the container's own"),
        (
            spec.root.propagation.is_some(),
            "linux.rootfsPropagation: needs a mount namespace of the container's own",
        ),
        (no_pivot, "--no-pivot: needs a mount namespace of the container's own"),
    ];
    match reasons.iter().find(|(is_wanted, _)| *is_wanted) {
        Some((_, why)) => Err(Error::new(format_args!("{why}"))),
        None => Ok(()),
    }
}
