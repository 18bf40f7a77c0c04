//! The image's `User`, in every form, looked up in the image's own files.
//!
//! ```text
//! user        uid        group and supplementary groups from the files; an unknown uid has group 0
//! user:group  uid:gid  … that group, and no supplementary ones
//! ```
//!
//! Digits alone are an ID, even if a user or group has that name (CVE-2016-3697). An unknown name
//! and a bad number are errors: neither ever becomes 0 (CVE-2024-40635).

use crate::error::{Error, Result};
use crate::io::lossy::Elided;
use crate::io::passwd::{End, Field, FieldKind, Table, number};
use crate::limits::GROUPS_MAX;
use crate::spec::User;
use crate::sys::fd::FdRef;

const PASSWD: &core::ffi::CStr = c"/etc/passwd";
const GROUP: &core::ffi::CStr = c"/etc/group";

/// Returns the user that `wanted` names, or root if it is empty. Sets `home` to the user's home
/// directory, or `/`.
#[inline(never)]
///
/// Without a root, whose files are not there yet, a name other than root stays [`User::UNKNOWN`].
pub fn find(root: Option<FdRef<'_>>, wanted: &[u8], home: &mut Field) -> Result<User> {
    let mut parts = wanted.splitn(2, |byte| *byte == b':');
    let (name, group) = (parts.next().unwrap_or_default(), parts.next());
    if !wanted.is_empty() && name.is_empty() || group.is_some_and(<[u8]>::is_empty) {
        return Err(error("user", wanted, "empty name"));
    }
    let name = if wanted.is_empty() { b"0" } else { name };
    home.set(b"/");
    let mut login = Field::new();
    let mut user = User { uid: parse("user", name)?.unwrap_or(0), ..User::default() };
    let Some(root) = root else {
        let id = |what, name: &[u8]| match name {
            b"root" => Ok(0),
            name => Ok(parse(what, name)?.unwrap_or(User::UNKNOWN)),
        };
        user.uid = id("user", name)?;
        user.gid = group.map_or(Ok(0), |group| id("group", group))?;
        return Ok(user);
    };
    let known = find_user(root, name, &mut user, &mut login, home)?;
    if !known && parse("user", name)?.is_none() {
        return Err(error("user", name, "not in the image's /etc/passwd"));
    }
    match group {
        Some(group) => user.gid = find_group(root, group)?,
        None if known => add_groups(root, &login, &mut user)?,
        None => {}
    }
    // The supplementary groups include the primary one, as in docker and containerd since
    // CVE-2022-2989 and others. Otherwise a set-group-ID program could drop it.
    if !user.additional_gids.contains(&user.gid) {
        push(&mut user, None)?;
    }
    Ok(user)
}

/// Returns the number, if the text is one.
fn parse(what: &str, text: &[u8]) -> Result<Option<u32>> {
    if !text.iter().all(u8::is_ascii_digit) {
        return Ok(None);
    }
    number(text).map(Some).ok_or_else(|| error(what, text, "not a number from 0 to 4294967294"))
}

/// Takes uid, gid, name and home from the first line that matches. Returns whether there is one.
fn find_user(
    root: FdRef<'_>,
    name: &[u8],
    user: &mut User,
    login: &mut Field,
    home: &mut Field,
) -> Result<bool> {
    let uid = parse("user", name)?;
    let mut table = Table::open(root, PASSWD)?;
    let mut field = Field::new();
    // name:password:uid:gid:comment:home:shell
    let (mut column, mut fits) = (0, false);
    while let Some(end) = table.field(&mut field, FieldKind::Whole)? {
        match column {
            0 => {
                fits = uid.is_none() && field.is(name);
                login.copy(&field);
            }
            2 if uid.is_some() => fits = field.number() == uid,
            2 if fits => {
                user.uid =
                    field.number().ok_or_else(|| table.error(end, "the uid is not a number"))?
            }
            3 if fits => {
                user.gid =
                    field.number().ok_or_else(|| table.error(end, "the gid is not a number"))?
            }
            5 if fits && !field.bytes().is_empty() => home.set(field.bytes()),
            _ => {}
        }
        column += 1;
        if end == End::Line {
            if fits && column > 3 {
                return Ok(true);
            }
            if fits {
                return Err(table.error(end, "the line ends before the gid"));
            }
            (column, fits) = (0, false);
        }
    }
    Ok(false)
}

/// Returns the ID of a group given by name or number.
fn find_group(root: FdRef<'_>, name: &[u8]) -> Result<u32> {
    if let Some(gid) = parse("group", name)? {
        return Ok(gid);
    }
    let mut found = None;
    walk_groups(&mut Table::open(root, GROUP)?, &mut |table, end, group, gid, member| {
        if found.is_none() && member.is_none() && group.is(name) {
            found = Some(gid.ok_or_else(|| table.error(end, "the gid is not a number"))?);
        }
        Ok(())
    })?;
    found.ok_or_else(|| error("group", name, "not in the image's /etc/group"))
}

/// Adds every group that has `login` as a member, after the primary one.
fn add_groups(root: FdRef<'_>, login: &Field, user: &mut User) -> Result<()> {
    push(user, None)?;
    // A passwd line may have an empty name, which would match an empty member list.
    if login.bytes().is_empty() || login.is_cut() {
        return Ok(());
    }
    let mut table = Table::open(root, GROUP)?;
    walk_groups(&mut table, &mut |table, end, _, gid, member| {
        if member.is_some_and(|member| member.is(login.bytes())) {
            let gid = gid.ok_or_else(|| table.error(end, "the gid is not a number"))?;
            if !user.additional_gids.contains(&gid) {
                push(user, Some(gid))?;
            }
        }
        Ok(())
    })
}

fn push(user: &mut User, gid: Option<u32>) -> Result<()> {
    let gid = gid.unwrap_or(user.gid);
    user.additional_gids.push(gid).map_err(|_| {
        Error::new(format_args!("user {}: more than {GROUPS_MAX} supplementary groups", user.uid))
    })
}

/// Gets a group: once without a member, when its ID is read, then once for each member.
type Visit<'v> = &'v mut dyn FnMut(&Table, End, &Field, Option<u32>, Option<&Field>) -> Result<()>;

/// Returns how a column of a group is read: the members are a list.
fn kind_of(column: u32) -> FieldKind {
    if column == 3 { FieldKind::List } else { FieldKind::Whole }
}

fn walk_groups(table: &mut Table, visit: Visit<'_>) -> Result<()> {
    let (mut field, mut group) = (Field::new(), Field::new());
    let mut gid = None;
    // name:password:gid:member,member
    let mut column = 0;
    while let Some(end) = table.field(&mut field, kind_of(column))? {
        match column {
            0 => core::mem::swap(&mut group, &mut field),
            2 => {
                gid = field.number();
                visit(table, end, &group, gid, None)?;
            }
            3 => visit(table, end, &group, gid, Some(&field))?,
            _ => {}
        }
        match end {
            End::Field => column += 1,
            End::Word => {}
            End::Line => (column, gid) = (0, None),
        }
    }
    Ok(())
}

#[cold]
fn error(what: &str, name: &[u8], why: &str) -> Error {
    Error::new(format_args!("{what} \"{}\": {why}", Elided(name)))
}
