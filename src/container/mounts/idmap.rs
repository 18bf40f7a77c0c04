//! Owners shown by another mapping (mount_setattr(2), "ID-mapped mounts"). The mapping is a user
//! namespace's, which a process that does nothing else makes; the parent writes its maps, as only
//! who has powers outside can.

use crate::codec::json::Value;
use crate::error::{Context, Error, Result};
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::spec::options::{Options, flag};
use crate::spec::{IdMapping, Mount, Spec};
use crate::sys::clone::{self, CLONE_NEWUSER, Side};
use crate::sys::fd::{self, CWD, Fd, FdRef};
use crate::sys::process::{self, Whom};
use crate::sys::{fs, signal};
use core::fmt::Write;

/// Where a mapping comes from.
#[derive(Clone, Copy)]
pub enum Mapping<'m> {
    /// The container's user namespace.
    Container,
    /// The mount's own: users, groups.
    Own(Value<'m>, Value<'m>),
}

/// What the mount asks for.
pub fn wanted<'m>(one: &Mount<'m>, options: &Options) -> Result<Option<Mapping<'m>>> {
    let list = |key| {
        let list = one.document.and_then(|document| document.member(key));
        list.filter(|list| list.items().is_ok_and(|mut items| items.next().is_some()))
    };
    let mapping = match (list("uidMappings"), list("gidMappings")) {
        (Some(users), Some(groups)) => Mapping::Own(users, groups),
        (None, None) if options.has(flag::IDMAP) => Mapping::Container,
        (None, None) => return Ok(None),
        _ => return Err(Error::new(format_args!("uidMappings and gidMappings come together"))),
    };
    match options.has(flag::BIND) {
        true => Ok(Some(mapping)),
        false => Err(Error::new(format_args!("only binds map owners"))),
    }
}

/// Whether there are mappings for it, as far as that can be told without a namespace.
pub fn check(spec: &Spec<'_>, mapping: Mapping<'_>) -> Result<()> {
    match mapping {
        Mapping::Own(users, groups) => {
            users.items()?.chain(groups.items()?).try_for_each(|mapping| read(mapping).map(drop))
        }
        Mapping::Container if spec.joins_or_makes(CLONE_NEWUSER) => Ok(()),
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
    /// The one of this mapping.
    pub fn get(&mut self, spec: &Spec<'_>, mapping: Mapping<'_>) -> Result<FdRef<'_>> {
        let place = match mapping {
            Mapping::Own(users, groups) => {
                let (users, groups) =
                    (&mut users.items()?.map(read), &mut groups.items()?.map(read));
                self.own.insert(make(users, groups)?)
            }
            Mapping::Container => match &mut self.container {
                Some(known) => known,
                place => place.insert(of_container(spec)?),
            },
        };
        Ok(place.by_ref())
    }
}

fn of_container(spec: &Spec<'_>) -> Result<Fd> {
    if let Some(joined) = spec.joined.iter().find(|one| one.kind == CLONE_NEWUSER) {
        return fs::open(CWD, joined.path, fs::O_RDONLY, 0).on("open", joined.path);
    }
    check(spec, Mapping::Container)?;
    make(
        &mut spec.uid_mappings.iter().copied().map(Ok),
        &mut spec.gid_mappings.iter().copied().map(Ok),
    )
}

fn read(mapping: Value<'_>) -> Result<IdMapping> {
    let number = |key| {
        let number = u32::try_from(mapping.require_u64(key)?);
        number.map_err(|_| mapping.error_in(key, "more than 4294967295"))
    };
    Ok(IdMapping {
        container: number("containerID")?,
        host: number("hostID")?,
        size: number("size")?,
    })
}

type Mappings<'i> = &'i mut dyn Iterator<Item = Result<IdMapping>>;

/// A user namespace with these maps, which lasts as long as its descriptor.
fn make(users: Mappings<'_>, groups: Mappings<'_>) -> Result<Fd> {
    let (end, other_end) = fd::pipe().doing("make a pipe")?;
    match clone::fork(CLONE_NEWUSER, None).doing("make a user namespace")? {
        Side::Child => {
            // Until it is killed: it has the other end itself.
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
            let _ = process::wait(Whom::Pidfd(pidfd.by_ref()), true);
            namespace
        }
    }
}

fn write_map(pid: i32, name: &str, mappings: Mappings<'_>) -> Result<()> {
    let mut text = PathBuf::new();
    for mapping in mappings {
        let IdMapping { container, host, size } = mapping?;
        let line = writeln!(text, "{container} {host} {size}");
        line.map_err(|_| Error::new(format_args!("too many mappings of ids")))?;
    }
    let file = open_file(pid, name, fs::O_WRONLY)?;
    // One write, as the kernel wants it.
    fs::write(file.by_ref(), text.as_bytes()).context("write", &name).map(|_| ())
}

fn open_file(pid: i32, name: &str, flags: i32) -> Result<Fd> {
    let path = PathBuf::format(format_args!("/proc/{pid}/{name}")).doing("map ids")?;
    fs::open(CWD, path.as_c_str(), flags, 0).on("open", path.as_c_str())
}
