//! The plan of a container, decided before any effect.
//!
//! [`create`](super::create::create) carries out the same [`Plan`] that a dry run prints.

mod cgroup;
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

/// The steps for a container.
pub struct Plan<'a> {
    /// Its name and paths.
    pub request: Request<'a>,
    /// Its namespaces, mounts, devices, hooks and process.
    pub spec: &'a Spec<'a>,
    /// Its filter of system calls.
    pub filter: Option<Filter<'a>>,
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

    /// Opens the root directory. If only root of a new user namespace may open it, that does it
    /// itself.
    pub fn open_root(&self) -> Result<Fd> {
        let path = self.request.rootfs;
        fs::open(CWD, path, fs::O_PATH | fs::O_DIRECTORY, 0).map_err(|errno| {
            let path = LossyC(path);
            Error::with_errno(format_args!("config.json: root.path: {path}: {errno}"), errno)
        })
    }

    /// Returns whether an intermediate process joins namespaces for it.
    pub fn has_intermediate(&self) -> bool {
        let spec = self.spec;
        !spec.joined().is_empty()
            || spec.namespaces & CLONE_NEWTIME != 0
            || !spec.net_devices.is_empty()
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
mod tests;
