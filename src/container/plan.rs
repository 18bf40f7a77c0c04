//! The plan of a container, decided before any effect.
//!
//! [`create`](super::create::create) carries out the same [`Plan`] that a dry run prints.

mod cgroup;
mod lines;
mod text;
mod write;

use super::create::Request;
use super::seccomp::{self, Filter, Program};
use super::{intel_rdt, mounts, sysctl};
use crate::cgroup::CgroupPath;
use crate::error::{Context, Error, Result};
use crate::io::lossy::LossyC;
use crate::spec::Spec;
use crate::sys::clone::{CLONE_NEWNS, CLONE_NEWTIME};
use crate::sys::fd::{CWD, Fd};
use crate::sys::fs;
use core::ffi::CStr;
use core::fmt::Display;

/// The steps for a container.
pub struct Plan<'a> {
    /// Its name and paths.
    pub request: Request<'a>,
    /// Its namespaces, mounts, devices, hooks and process.
    pub spec: &'a Spec<'a>,
    /// Its filter of system calls.
    pub filter: Option<Filter<'a>>,
}

/// The printed part of a plan.
pub struct Shown<'a> {
    /// The container's name; PID 1's has none.
    pub id: Option<&'a CStr>,
    /// Its bundle; PID 1's has none.
    pub bundle: Option<&'a CStr>,
    /// The image that is unpacked to the root directory first.
    pub unpacked: Option<Unpacked<'a>>,
    /// The root directory.
    pub root: &'a CStr,
    /// The old root stays below the new one.
    pub no_pivot: bool,
    /// Its namespaces, mounts, devices, hooks and process.
    pub spec: &'a Spec<'a>,
    /// Its filter of system calls.
    pub filter: Option<Filter<'a>>,
    /// Its cgroup.
    pub cgroup: Option<&'a CgroupPath>,
}

/// An image whose layers become the root directory. Until then the users and groups that its own
/// files name are unknown.
#[derive(Clone, Copy)]
pub struct Unpacked<'a> {
    /// The digest of its manifest.
    pub manifest: &'a dyn Display,
    /// Number of its layers.
    pub layers: usize,
    /// Their bytes as they are stored.
    pub bytes: u64,
    /// The user as it is written.
    pub user: &'a CStr,
}

impl Shown<'_> {
    /// Returns whether an intermediate process joins namespaces for it.
    pub fn has_intermediate(&self) -> bool {
        let spec = self.spec;
        !spec.joined().is_empty()
            || spec.namespaces & CLONE_NEWTIME != 0
            || !spec.net_devices.is_empty()
    }
}

impl<'a> Plan<'a> {
    /// Decides all that does not depend on other containers. Makes nothing.
    pub fn decide(
        request: Request<'a>,
        spec: &'a Spec<'a>,
        program: &'a mut Program,
    ) -> Result<Plan<'a>> {
        intel_rdt::check(spec).doing("config.json")?;
        let filter = seccomp::of(spec, program).doing("config.json")?;
        Ok(Plan { request, spec, filter })
    }

    /// Returns the path of its cgroup, or None without one. Checks its limits, too.
    pub fn cgroup(&self) -> Result<Option<CgroupPath>> {
        let Request { manager, id, .. } = self.request;
        manager.find(self.spec, id.as_c_str().to_bytes()).doing("config.json")
    }

    /// Returns what is shown of it.
    pub fn shown<'s>(&'s self, cgroup: Option<&'s CgroupPath>) -> Shown<'s> {
        let request = &self.request;
        Shown {
            id: Some(request.id.as_c_str()),
            bundle: Some(request.bundle),
            unpacked: None,
            root: request.rootfs,
            no_pivot: request.no_pivot,
            spec: self.spec,
            filter: self.filter,
            cgroup,
        }
    }

    /// Opens the root directory. If only root of a new user namespace may open it, that does it
    /// itself.
    pub fn open_root(&self) -> Result<Fd> {
        let path = self.request.rootfs;
        fs::open(CWD, path, fs::O_PATH | fs::O_DIRECTORY, 0).map_err(|errno| {
            let path = LossyC(path);
            Error::with_errno(format_args!("config.json: root.path: {path}: {errno}"), errno)
        })
    }

    /// Makes the checks that a start makes before it clones.
    pub fn check_start(&self) -> Result<()> {
        sysctl::check(self.spec).doing("config.json")?;
        match self.spec.joins_or_makes(CLONE_NEWNS) {
            true => Ok(()),
            false => mounts::check_without_namespace(self.spec, self.request.no_pivot)
                .doing("config.json"),
        }
    }
}

#[cfg(test)]
mod field_tests;
#[cfg(test)]
mod tests;
