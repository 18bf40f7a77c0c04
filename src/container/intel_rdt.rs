//! `linux.intelRdt`: a group of resctrl, in which the kernel deals out cache and memory bandwidth (kernel: resctrl.rst).
//!
//! Without a `closID` the group is the container's, with its name, and is removed with it.

use super::state::Id;
use super::write_file;
use crate::codec::json::Value;
use crate::error::{Context, Error, Result};
use crate::io::path::PathBuf;
use crate::spec::Spec;
use crate::sys::fd::{CWD, Fd};
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// Where it is mounted, by everybody's agreement.
const PLACE: &CStr = c"/sys/fs/resctrl";
/// What statfs(2) says of it.
const RDTGROUP_SUPER_MAGIC: i64 = 0x0765_5821;

/// Checks that there is a resctrl, where one is wanted, and the name of the group.
pub fn check(spec: &Spec<'_>) -> Result<()> {
    let Some(wanted) = spec.linux("intelRdt") else { return Ok(()) };
    open()?;
    match wanted.text("closID")?.map(|name| name.as_escaped().as_bytes()) {
        Some(b"" | b"." | b"..") => Err(wanted.fault_of("closID", "not a name")),
        Some(name) if name != b"/" && name.contains(&b'/') => Err(wanted.fault_of("closID", "not a name")),
        _ => Ok(()),
    }
}

/// Puts a process into its group, which is made where it is missing.
pub fn join(document: Option<Value<'_>>, id: Id<'_>, pid: i32) -> Result<()> {
    let Some(wanted) = wanted(document) else { return Ok(()) };
    let place = open()?;
    let mut name = PathBuf::new();
    match wanted.text("closID")? {
        Some(group) => name.set(format_args!("./{group}")),
        None => name.set(format_args!("./{id}")),
    }
    .doing("resctrl group")?;
    match fs::mkdir(place.by_ref(), name.as_c_str(), 0o755) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno).doing("make the resctrl group"),
    }
    let group = fs::open(place.by_ref(), name.as_c_str(), fs::O_RDONLY | fs::O_DIRECTORY, 0);
    let group = group.doing("open the resctrl group")?;
    for key in ["l3CacheSchema", "memBwSchema"] {
        if let Some(schema) = wanted.text(key)? {
            write_file(group.by_ref(), c"schemata", format_args!("{schema}\n")).context("linux.intelRdt:", &key)?;
        }
    }
    for schema in wanted.list_or_none("schemata") {
        let line = schema.as_text()?;
        write_file(group.by_ref(), c"schemata", format_args!("{line}\n")).doing("linux.intelRdt: schemata")?;
    }
    write_file(group.by_ref(), c"tasks", format_args!("{pid}\n")).doing("join the resctrl group")
}

/// Removes the group that was the container's alone.
pub fn remove(document: Option<Value<'_>>, id: Id<'_>) {
    if wanted(document).is_some_and(|wanted| wanted.member("closID").is_none())
        && let Ok(place) = open()
    {
        let _ = fs::rmdir(place.by_ref(), id.as_c_str());
    }
}

fn wanted(document: Option<Value<'_>>) -> Option<Value<'_>> {
    document?.member("linux")?.member("intelRdt")
}

fn open() -> Result<Fd> {
    let place = fs::open(CWD, PLACE, fs::O_RDONLY | fs::O_DIRECTORY, 0);
    match place.and_then(|place| Ok((fs::statfs(place.by_ref())?.0, place))) {
        Ok((RDTGROUP_SUPER_MAGIC, place)) => Ok(place),
        _ => Err(Error::new(format_args!("linux.intelRdt: no resctrl is mounted at /sys/fs/resctrl"))),
    }
}
