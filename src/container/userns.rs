//! Moves this process into a user namespace in which a non-root user is root (user_namespaces(7)).
//!
//! ```text
//!  this process                   helpers, one for each map, if the user has ranges of ids
//!  fork ------------------------>   |
//!  unshare(CLONE_NEWUSER)           |
//!    |  ------ a byte ----------> execve newuidmap, newgidmap: 0 is the user, 1 and up the ranges
//!    |  <----- exit status -------  x
//!  a map that is still missing: 0 is the user, and no other id exists
//! ```
//!
//! The helpers are made first, because set-user-ID has no effect inside the namespace.

mod mapping;

pub use mapping::Mapping;

use super::execute;
use crate::io::lossy::LossyC;
use crate::io::passwd::{End, Field, FieldKind, Table};
use crate::io::path::PathBuf;
use crate::io::strings::{Builder, PackedStrings, StringBlock};
use crate::limits::SUBID_RANGES_MAX;
use crate::spec::IdMapping;
use crate::sys::fd::{self, CWD, Fd};
use crate::sys::process::{self, Ended, StringVector};
use crate::sys::{self, Errno, clone, fs};
use crate::watch::children;
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// The caller's own ID, and ranges.
const MAPPINGS: usize = 1 + SUBID_RANGES_MAX;
/// Words of a helper: its name, a pid, the mappings.
const WORDS: usize = 2 + MAPPINGS * 3;
/// A number of ten digits with its NUL; the name is shorter.
const WORD_BYTES: usize = 11;

/// One of the two maps.
struct Map {
    file: &'static CStr,
    /// The kernel requires `deny` in setgroups before an unprivileged gid_map (user_namespaces(7)),
    /// because dropping a group could grant access.
    before: Option<&'static CStr>,
    ranges: &'static CStr,
    program: &'static [u8],
}

const MAPS: [Map; 2] = [
    Map {
        file: c"/proc/self/uid_map",
        before: None,
        ranges: c"/etc/subuid",
        program: b"newuidmap",
    },
    Map {
        file: c"/proc/self/gid_map",
        before: Some(c"/proc/self/setgroups"),
        ranges: c"/etc/subgid",
        program: b"newgidmap",
    },
];

/// Settings that may forbid user namespaces: path, the start of a value that does, and a value that
/// does not.
const SWITCHES: [(&CStr, u8, &str); 3] = [
    (c"/proc/sys/kernel/unprivileged_userns_clone", b'0', "1"),
    (c"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", b'1', "0"),
    (c"/proc/sys/user/max_user_namespaces", b'0', "1000"),
];

/// The mappings of the namespace's users and groups to the host's.
pub struct Ids([Mappings; 2]);

type Mappings = heapless::Vec<IdMapping, MAPPINGS>;

impl Ids {
    /// Returns mappings of 0 to the caller, and no others.
    pub fn of_caller() -> Ids {
        Ids([process::effective_uid(), process::effective_gid()].map(|host| {
            let mut mappings = Mappings::new();
            let _ = mappings.push(IdMapping { container: 0, host, size: 1 });
            mappings
        }))
    }

    /// Returns the users' mappings.
    pub fn uids(&self) -> &[IdMapping] {
        &self.0[0]
    }

    /// Returns the groups' mappings.
    pub fn gids(&self) -> &[IdMapping] {
        &self.0[1]
    }
}

/// Returns whether this process is in a user namespace other than the host's: not all IDs are
/// mapped.
pub fn is_in_one() -> bool {
    let mut map = [0; 64];
    let read = fs::open(CWD, c"/proc/self/uid_map", fs::O_RDONLY, 0)
        .and_then(|file| fs::read(file.by_ref(), &mut map));
    read.is_ok() && !map.windows(10).any(|digits| digits == b"4294967295")
}

/// Makes this process root of a new user namespace with these ids and the caller's ranges, which it
/// adds to `ids`. Root stays in its namespace.
///
/// The process must have one thread. After an error it has no privilege, and its ids may be
/// unmapped.
pub fn enter(ids: &mut Ids) -> Result<()> {
    let entered = if ids.0[0][0].host == 0 { Ok(()) } else { try_enter(ids) };
    if entered.is_err() {
        ids.0.iter_mut().for_each(|mappings| mappings.truncate(1));
    }
    entered
}

// A frame of its own, because it is large.
#[inline(never)]
fn try_enter(Ids(ids): &mut Ids) -> Result<()> {
    let uid = ids[0][0].host;
    let mut login = Field::new();
    find_login(uid, &mut login)?;
    let (wait, go) = fd::pipe().doing("start a helper")?;
    let mut gate = StartSocket { wait, go: Some(go) };
    let mut helpers = [const { None }; 2];
    for n in 0..2 {
        add_ranges(&MAPS[n], uid, &login, &mut ids[n])?;
        helpers[n] = start_helper(&MAPS[n], &ids[n], process::getpid(), Some(&mut gate))?;
    }
    let unshared = clone::unshare(clone::CLONE_NEWUSER);
    if let Some(go) = gate.go.take()
        && unshared.is_ok()
    {
        fs::write(go.by_ref(), &[0; 2]).doing("start a helper")?;
    }
    for n in 0..2 {
        // newuidmap and newgidmap print their own reasons.
        let mapped = helpers[n].as_ref().is_some_and(|(_, helper)| {
            matches!(children::await_end(helper.by_ref()), Ok(Some(Ended::Exited(0))))
        });
        if unshared.is_ok() && !mapped {
            ids[n].truncate(1);
            map_alone(&MAPS[n], ids[n][0].host).map_err(unavailable)?;
        }
    }
    // AppArmor may allow the namespace but no capabilities in it. No capability has this number,
    // which the kernel checks second.
    match unshared.and_then(|()| process::drop_bounding(u32::MAX)) {
        Err(Errno::EINVAL) => Ok(()),
        answer => Err(unavailable(answer.err().unwrap_or(Errno::NONE))),
    }
}

#[cold]
fn unavailable(errno: Errno) -> Error {
    let mut value = [0];
    let set = SWITCHES.iter().find(|(path, off, _)| {
        let file = fs::open(CWD, path, fs::O_RDONLY, 0);
        file.is_ok_and(|file| fs::read(file.by_ref(), &mut value).is_ok() && value[0] == *off)
    });
    match set {
        Some((path, _, value)) => {
            let path = LossyC(path);
            Error::with_errno(
                format_args!("no user namespace: {errno} ({value} in {path} allows them)"),
                errno,
            )
        }
        None => Error::with_errno(format_args!("no user namespace: {errno}"), errno),
    }
}

/// Maps only the user's own ID, to 0.
fn map_alone(map: &Map, id: u32) -> sys::Result<()> {
    if let Some(path) = map.before {
        write_file(path, b"deny")?;
    }
    let mut text = PathBuf::new();
    text.set(format_args!("0 {id} 1"))?;
    write_file(map.file, text.as_bytes())
}

/// Writes a file of /proc, which takes its content in one write.
fn write_file(path: &CStr, bytes: &[u8]) -> sys::Result<()> {
    let file = fs::open(CWD, path, fs::O_WRONLY, 0)?;
    fs::write(file.by_ref(), bytes).map(|_| ())
}

/// Finds the user's login name in /etc/passwd or, for users of a directory service, in the
/// environment of the login.
fn find_login(uid: u32, login: &mut Field) -> Result<()> {
    login.set(process::variable(b"USER").unwrap_or_default().to_bytes());
    let mut found = false;
    each_line(c"/etc/passwd", &mut |name, [_, number]| {
        // The first of several with one ID, as in getpwuid(3).
        if !found && number == Some(uid) {
            login.copy(name);
            found = true;
        }
        Ok(())
    })
}

/// Adds the user's ranges (subuid(5)).
fn add_ranges(map: &Map, uid: u32, login: &Field, mappings: &mut Mappings) -> Result<()> {
    let mut container = 1u32;
    each_line(map.ranges, &mut |user, [host, size]| {
        if user.number() != Some(uid) && (login.bytes().is_empty() || !user.is(login.bytes())) {
            return Ok(());
        }
        let (Some(host), Some(size @ 1..)) = (host, size) else {
            return Err("not a range of ids");
        };
        let full = "more ranges of one user than are taken (SUBID_RANGES_MAX)";
        mappings.push(IdMapping { container, host, size }).map_err(|_| full)?;
        container = container.saturating_add(size);
        Ok(())
    })
}

type SeeLine<'s> =
    &'s mut dyn FnMut(&Field, [Option<u32>; 2]) -> core::result::Result<(), &'static str>;

/// Calls `see` with each line's first field, and the numbers in its second and third.
fn each_line(path: &'static CStr, see: SeeLine<'_>) -> Result<()> {
    let mut table = Table::open_on_host(path)?;
    let (mut first, mut field) = (Field::new(), Field::new());
    let (mut column, mut numbers) = (0, [None; 2]);
    while let Some(end) = table.field(&mut field, FieldKind::Whole)? {
        match column {
            0 => first.copy(&field),
            1 | 2 => numbers[column - 1] = field.number(),
            _ => {}
        }
        column += 1;
        if end == End::Line {
            see(&first, numbers).map_err(|why| table.error(end, why))?;
            (column, numbers) = (0, [None; 2]);
        }
    }
    Ok(())
}

/// The pipe at which helpers wait: each for a byte, or for the end.
struct StartSocket {
    wait: Fd,
    go: Option<Fd>,
}

/// Makes a process that becomes newuidmap or newgidmap for `pid`, once the pipe allows it if there
/// is one. Returns its pid and pidfd; None if the user has no ranges, or the program is missing.
fn start_helper(
    map: &Map,
    mappings: &[IdMapping],
    pid: i32,
    gate: Option<&mut StartSocket>,
) -> Result<Option<(i32, Fd)>> {
    let mut program = PathBuf::new();
    let path = process::variable(b"PATH").unwrap_or_default().to_bytes();
    if is_alone(mappings) || !execute::search(path, map.program, &mut program) {
        return Ok(None);
    }
    let mut memory = [0; WORDS * WORD_BYTES];
    let mut strings = StringBlock::new(&mut memory);
    let mut words = strings.begin();
    words.push(map.program)?;
    words.end_word()?;
    add_number(&mut words, pid as u32)?;
    for IdMapping { container, host, size } in mappings {
        [container, host, size].iter().try_for_each(|number| add_number(&mut words, **number))?;
    }
    fork(program.as_c_str(), words.finish_words(), gate).doing("start a helper").map(Some)
}

/// Returns whether the mappings are only one ID.
fn is_alone(mappings: &[IdMapping]) -> bool {
    matches!(mappings, [IdMapping { size: 1, .. }])
}

fn add_number(words: &mut Builder<'_, '_>, number: u32) -> Result<()> {
    words.push_format(format_args!("{number}"))?;
    words.end_word()
}

fn fork(
    program: &CStr,
    words: PackedStrings<'_>,
    gate: Option<&mut StartSocket>,
) -> sys::Result<(i32, Fd)> {
    let (mut arguments, mut environment) = ([0; WORDS + 1], [0]);
    let arguments = StringVector::new(&mut arguments, words.iter())?;
    let environment = StringVector::new(&mut environment, PackedStrings::default().iter())?;
    match clone::fork(0, None)? {
        clone::Side::Parent(pid, process) => Ok((pid, process)),
        clone::Side::Child => {
            let may_go = gate.is_none_or(|gate| {
                // Close our own copy, or we would wait for our own end.
                gate.go = None;
                fs::read(gate.wait.by_ref(), &mut [0]) == Ok(1)
            });
            if may_go {
                process::execute(program, &arguments, &environment);
            }
            process::exit(crate::error::STATUS_NOT_FOUND.into())
        }
    }
}
