//! Owners by another mapping (mount_setattr(2), "ID-mapped mounts"). The mapping is a user
//! namespace's. An idle process makes it, and the parent writes its maps, because that needs
//! capabilities outside.

use crate::error::{Context, Error, Result};
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::spec::options::{Options, flag};
use crate::spec::{IdMapping, Mount, Spec, TAKES_CONFIGS};
use crate::sys::clone::{self, CLONE_NEWUSER, Side};
use crate::sys::fd::{self, CWD, Fd, FdRef};
use crate::sys::process;
use crate::sys::{fs, signal};
use crate::watch::children;
use core::fmt::Write;

/// The source of a mapping.
#[derive(Clone, Copy)]
pub enum Mapping<'m> {
    /// The container's user namespace.
    Container,
    /// The mount's own: users, groups.
    Own(&'m [IdMapping], &'m [IdMapping]),
}

/// Returns the mapping that the mount asks for.
pub fn wanted<'m>(one: &Mount<'m>, options: &Options) -> Result<Option<Mapping<'m>>> {
    if !TAKES_CONFIGS {
        return Ok(None);
    }
    let mapping = match (one.uid_mappings, one.gid_mappings) {
        ([], []) if options.has(flag::IDMAP) => Mapping::Container,
        ([], []) => return Ok(None),
        (users @ [_, ..], groups @ [_, ..]) => Mapping::Own(users, groups),
        _ => return Err(Error::new(format_args!("uidMappings and gidMappings come together"))),
    };
    match options.has(flag::BIND) {
        true => Ok(Some(mapping)),
        false => Err(Error::new(format_args!("only binds map owners"))),
    }
}

/// Returns an error if its mappings are missing, as far as that is known without a namespace.
pub fn check(spec: &Spec<'_>, mapping: Mapping<'_>) -> Result<()> {
    match mapping {
        Mapping::Own(..) => Ok(()),
        Mapping::Container if spec.has_users() => Ok(()),
        Mapping::Container => Err(Error::new(format_args!(
            "idmap needs uidMappings and gidMappings, or a user namespace"
        ))),
    }
}

/// The user namespaces of the mappings so far.
#[derive(Default)]
pub struct Namespaces {
    container: Option<Fd>,
    own: Option<Fd>,
}

impl Namespaces {
    /// Returns the user namespace of this mapping.
    pub fn get(&mut self, spec: &Spec<'_>, mapping: Mapping<'_>) -> Result<FdRef<'_>> {
        let place = match mapping {
            Mapping::Own(users, groups) => self.own.insert(make(users, groups)?),
            Mapping::Container => match &mut self.container {
                Some(known) => known,
                place => place.insert(of_container(spec)?),
            },
        };
        Ok(place.by_ref())
    }
}

fn of_container(spec: &Spec<'_>) -> Result<Fd> {
    if let Some(joined) = spec.joined().iter().find(|one| one.kind == CLONE_NEWUSER) {
        return fs::open(CWD, joined.path, fs::O_RDONLY, 0).on("open", joined.path);
    }
    check(spec, Mapping::Container)?;
    make(spec.uid_mappings, spec.gid_mappings)
}

/// Makes a user namespace with these maps, which lasts as long as its fd.
fn make(users: &[IdMapping], groups: &[IdMapping]) -> Result<Fd> {
    let (end, other_end) = fd::pipe().doing("make a pipe")?;
    match clone::fork(CLONE_NEWUSER, None).doing("make a user namespace")? {
        Side::Child => {
            // It waits to be killed, because it has the other end itself.
            let _ = process::set_parent_death_signal(signal::SIGKILL);
            let _ = fs::read(end.by_ref(), &mut [0]);
            drop(other_end);
            process::exit(0)
        }
        Side::Parent(pid, pidfd) => {
            let mapped =
                write_map(pid, "uid_map", users).and_then(|()| write_map(pid, "gid_map", groups));
            let namespace = mapped.and_then(|()| open_file(pid, "ns/user", fs::O_RDONLY));
            let _ = process::kill_pidfd(pidfd.by_ref(), signal::SIGKILL);
            let _ = children::await_end(pidfd.by_ref());
            namespace
        }
    }
}

fn write_map(pid: i32, name: &str, mappings: &[IdMapping]) -> Result<()> {
    let mut text = PathBuf::new();
    for mapping in mappings {
        let IdMapping { container, host, size } = mapping;
        let line = writeln!(text, "{container} {host} {size}");
        line.map_err(|_| Error::new(format_args!("too many mappings of ids")))?;
    }
    let file = open_file(pid, name, fs::O_WRONLY)?;
    // One write, as the kernel requires.
    fs::write(file.by_ref(), text.as_bytes()).context("write", &name).map(|_| ())
}

fn open_file(pid: i32, name: &str, flags: i32) -> Result<Fd> {
    let path = PathBuf::format(format_args!("/proc/{pid}/{name}")).doing("map ids")?;
    fs::open(CWD, path.as_c_str(), flags, 0).on("open", path.as_c_str())
}
