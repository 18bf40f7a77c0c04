//! A control group of cgroup2 (being written: these are the signatures).

use crate::spec::Resources;
use crate::sys::fd::{Fd, FdRef};
use crate::{Error, Result};
use core::ffi::CStr;

/// A group, made for one container.
pub struct Cgroup {
    directory: Fd,
}

impl Cgroup {
    /// Makes the group `name` (one component) in the hierarchy mounted at `hierarchy`, enables the controllers it needs, and writes its limits.
    pub fn create(_hierarchy: FdRef<'_>, _name: &CStr, _resources: &Resources) -> Result<Cgroup> {
        Err(Error::new(format_args!("being written")))
    }

    /// Its directory.
    pub fn directory(&self) -> FdRef<'_> {
        self.directory.by_ref()
    }

    /// Kills what is left in it and removes it.
    pub fn remove(self) -> Result<()> {
        Ok(())
    }
}
