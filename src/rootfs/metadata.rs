//! Owner, mode, extended attributes and times, in the order in which the kernel lets them stand:
//! chown clears setuid and capabilities, chmod an access control list's mask, everything the time.

use super::Applied;
use super::powers::{self, Loss, Privilege};
use crate::codec::tar::{Entry, Kind, Xattr, pax};
use crate::io::lossy::{Elided, On};
use crate::limits::NAME_BYTES;
use crate::sys::fd::{CWD, FdRef};
use crate::sys::fs::Time;
use crate::sys::{self, Errno, fs, mount, process, xattr};
use crate::{Context, Error, Result};
use core::ffi::CStr;

const ACLS: [&CStr; 2] = [c"system.posix_acl_access", c"system.posix_acl_default"];

/// What an entry says about its file, checked.
#[derive(Clone, Copy)]
pub struct Attributes {
    /// Owner and group.
    pub owner: (u32, u32),
    /// Permissions.
    pub mode: u32,
    /// Modification time.
    pub time: Time,
}

impl Attributes {
    /// Those of `entry`; numbers that Linux cannot hold are refused, as cut off they would be
    /// somebody else's.
    pub fn of(entry: &Entry<'_>) -> Result<Attributes> {
        let id = |value: u64, what: &str| {
            let id = u32::try_from(value).ok().filter(|id| *id != u32::MAX);
            id.ok_or_else(|| Error::new(format_args!("{what} {value} is more than 4294967294")))
        };
        Ok(Attributes {
            owner: (id(entry.uid, "uid")?, id(entry.gid, "gid")?),
            mode: entry.mode,
            time: Time { seconds: entry.mtime.0, nanoseconds: entry.mtime.1 },
        })
    }
}

/// The device number of an entry, within what the kernel has bits for.
pub fn device(entry: &Entry<'_>) -> Result<u64> {
    match entry.device {
        (major @ 0..=0xfff, minor @ 0..=0xf_ffff) => Ok(fs::makedev(major as u32, minor as u32)),
        (major, minor) => {
            Err(Error::new(format_args!("device number {major}:{minor} is out of range")))
        }
    }
}

/// Something to set attributes of: an open file, or a name in a directory.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// A regular file or a directory.
    Open(FdRef<'a>),
    /// Anything, by directory and name; a link itself, not what it points to.
    Named(FdRef<'a>, &'a CStr),
}

impl Target<'_> {
    fn chown(self, (uid, gid): (u32, u32)) -> sys::Result<()> {
        match self {
            Target::Open(fd) => fs::chown(fd, c"", uid, gid),
            Target::Named(directory, name) => fs::chown(directory, name, uid, gid),
        }
    }

    fn chmod(self, mode: u32) -> sys::Result<()> {
        match self {
            Target::Open(fd) => fs::chmod_fd(fd, mode),
            Target::Named(directory, name) => fs::chmod(directory, name, mode),
        }
    }

    fn set_time(self, time: Time) -> sys::Result<()> {
        match self {
            Target::Open(fd) => fs::set_times(fd, c"", time),
            Target::Named(directory, name) => fs::set_times(directory, name, time),
        }
    }

    fn set_xattr(self, key: &CStr, value: &[u8]) -> sys::Result<()> {
        match self {
            Target::Open(fd) => xattr::set_fd(fd, key, value),
            Target::Named(directory, name) => {
                in_directory(directory, || xattr::set(name, key, value))
            }
        }
    }

    fn remove_xattr(self, key: &CStr) -> sys::Result<()> {
        let result = match self {
            Target::Open(fd) => xattr::remove_fd(fd, key),
            Target::Named(directory, name) => in_directory(directory, || xattr::remove(name, key)),
        };
        match result {
            Err(Errno::ENODATA | Errno::EOPNOTSUPP) => Ok(()),
            result => result,
        }
    }
}

/// Calls that take no descriptor (those for attributes of links and devices) get a name in the
/// current directory.
fn in_directory(directory: FdRef<'_>, call: impl FnOnce() -> sys::Result<()>) -> sys::Result<()> {
    let former = fs::open(CWD, c".", fs::O_PATH | fs::O_DIRECTORY, 0)?;
    mount::chdir_fd(directory)?;
    let result = call();
    mount::chdir_fd(former.by_ref())?;
    result
}

/// What something new gets from the directory it is made in.
#[derive(Clone, Copy)]
pub struct Inherited {
    /// The directory's group, and in a directory its setgid bit.
    pub setgid: bool,
    /// An access control list.
    pub default_acl: bool,
}

/// Sets what differs from what a new file has by itself.
pub struct Setter<'a> {
    powers: Privilege,
    /// The ids that new files get.
    ids: (u32, u32),
    scratch: &'a mut [u8],
    /// What all entries came to.
    pub applied: &'a mut Applied,
}

impl<'a> Setter<'a> {
    /// `scratch` is for extended attributes.
    pub fn new(powers: Privilege, scratch: &'a mut [u8], applied: &'a mut Applied) -> Setter<'a> {
        let ids = match powers {
            Privilege::User => (0, 0),
            _ => (process::effective_uid(), process::effective_gid()),
        };
        Setter { powers, ids, scratch, applied }
    }

    /// What of these attributes can be: without privileges we could not enter a directory that is
    /// closed to its owner.
    pub fn possible(&mut self, entry: &Entry<'_>, mut attributes: Attributes) -> Attributes {
        const OPEN: u32 = 0o700;
        if self.powers == Privilege::User
            && entry.kind == Kind::Directory
            && attributes.mode & OPEN != OPEN
        {
            attributes.mode |= OPEN;
            self.applied.losses.count(Loss::Mode);
        }
        attributes
    }

    /// Whether devices are made here, and not empty files in their place.
    pub fn makes_device(&mut self) -> bool {
        if self.powers != Privilege::Root {
            self.applied.losses.count(Loss::Device);
        }
        self.powers == Privilege::Root
    }

    /// The attributes of something that was just made with the entry's permissions under a umask of
    /// 0.
    pub fn set_new(
        &mut self,
        target: Target<'_>,
        entry: &Entry<'_>,
        attributes: &Attributes,
        inherited: Inherited,
    ) -> Result<()> {
        let link = entry.kind == Kind::Symlink;
        if self.ids != attributes.owner || inherited.setgid {
            self.set_owner(target, entry, attributes)?;
        }
        if inherited.default_acl && !link {
            ACLS.iter()
                .try_for_each(|acl| target.remove_xattr(acl))
                .doing("remove an inherited ACL")?;
        }
        if !link && (attributes.mode & 0o7000 != 0 || inherited.setgid || inherited.default_acl) {
            target.chmod(attributes.mode).doing("change the mode")?;
        }
        self.set_xattrs(target, entry, attributes)?;
        target.set_time(attributes.time).doing("set the time")
    }

    /// The attributes of a directory that was there before, but for its time: none of the former
    /// ones stay.
    pub fn replace(
        &mut self,
        directory: FdRef<'_>,
        entry: &Entry<'_>,
        attributes: &Attributes,
    ) -> Result<()> {
        let target = Target::Open(directory);
        let names = match xattr::list_fd(directory, self.scratch) {
            Err(Errno::EOPNOTSUPP) => &[],
            names => names.doing("list extended attributes")?,
        };
        let names = names
            .split_inclusive(|&byte| byte == 0)
            .filter_map(|name| CStr::from_bytes_with_nul(name).ok());
        for name in names.filter(|name| !is_foreign(name)) {
            target.remove_xattr(name).on("remove extended attribute", name)?;
        }
        self.set_owner(target, entry, attributes)?;
        target.chmod(attributes.mode).doing("change the mode")?;
        self.set_xattrs(target, entry, attributes)
    }

    /// The owner; or, where it cannot be that one, the caller, and a record of it.
    fn set_owner(
        &mut self,
        target: Target<'_>,
        entry: &Entry<'_>,
        attributes: &Attributes,
    ) -> Result<()> {
        if self.powers != Privilege::User {
            match target.chown(attributes.owner) {
                // Not mapped; or the file system (NFS) knows nothing of namespaces.
                Err(Errno::EINVAL | Errno::EPERM) if self.powers == Privilege::Namespace => {}
                changed => return changed.doing("change the owner"),
            }
            // Not what it was before, or what its directory gave it.
            target.chown((0, 0)).doing("change the owner")?;
        }
        if attributes.owner == (0, 0) {
            return Ok(());
        }
        let mut record = [0; 12];
        let record = powers::owner_record(attributes.owner, &mut record);
        match set_xattr(target, powers::OWNER, record, self.mode_to_restore(entry, attributes)) {
            Err(Errno::EPERM | Errno::EOPNOTSUPP) => self.applied.losses.count(Loss::Owner),
            result => {
                result.doing("record the owner")?;
                self.applied.losses.count(Loss::Recorded);
            }
        }
        Ok(())
    }

    /// The mode that a file has again after an attribute was set, where its owner may have to be
    /// let in for that.
    fn mode_to_restore(&self, entry: &Entry<'_>, attributes: &Attributes) -> Option<u32> {
        (self.powers == Privilege::User && entry.kind != Kind::Symlink).then_some(attributes.mode)
    }

    fn set_xattrs(
        &mut self,
        target: Target<'_>,
        entry: &Entry<'_>,
        attributes: &Attributes,
    ) -> Result<()> {
        let mode = self.mode_to_restore(entry, attributes);
        for xattr in entry.xattrs() {
            let mut key = [0; NAME_BYTES + 1];
            let (Xattr::Plain(written, mut value) | Xattr::Encoded(written, mut value)) = xattr;
            let fault = |why: &str| {
                Error::new(format_args!("extended attribute {}: {why}", Elided(written)))
            };
            if let Xattr::Encoded(..) = xattr {
                let name = pax::unescape(written, &mut key[..NAME_BYTES])
                    .ok_or_else(|| fault("name too long"))?;
                if name.contains(&0) {
                    return Err(fault("a name with a NUL byte"));
                }
                value = pax::base64(value, self.scratch).map_err(fault)?;
            } else {
                let place = key[..NAME_BYTES]
                    .get_mut(..written.len())
                    .ok_or_else(|| fault("name too long"))?;
                place.copy_from_slice(written);
            }
            let name = CStr::from_bytes_until_nul(&key).unwrap_or(c"");
            let user = name.to_bytes().starts_with(b"user.");
            let settable = self.powers == Privilege::Root
                || name != powers::OWNER && (user || self.powers == Privilege::Namespace);
            if is_foreign(name) || !settable {
                self.applied.skipped_xattrs += 1;
                continue;
            }
            match set_xattr(target, name, value, mode) {
                Err(Errno::EOPNOTSUPP) if user => self.applied.skipped_xattrs += 1,
                // Links and devices cannot have them.
                Err(Errno::EPERM) if user && matches!(target, Target::Named(..)) => {
                    self.applied.skipped_xattrs += 1
                }
                // trusted.*; ids in capabilities and access control lists that are not mapped.
                Err(Errno::EPERM | Errno::EINVAL)
                    if !user && self.powers == Privilege::Namespace =>
                {
                    self.applied.skipped_xattrs += 1
                }
                result => result.on("set extended attribute", name)?,
            }
        }
        Ok(())
    }
}

/// Sets an attribute. An ordinary user can set none of a file that he may not write: with a `mode`
/// to restore he may.
fn set_xattr(target: Target<'_>, name: &CStr, value: &[u8], mode: Option<u32>) -> sys::Result<()> {
    let mut let_in = false;
    loop {
        let result = target.set_xattr(name, value);
        match mode {
            Some(mode) if result == Err(Errno::EACCES) && !let_in => target.chmod(mode | 0o200)?,
            Some(mode) if let_in => return target.chmod(mode).and(result),
            _ => return result,
        }
        let_in = true;
    }
}

/// Attributes that speak of the machine where the layer was made: its security labels, its
/// overlay's books; and those of other systems (`com.apple.provenance`), whose names are of none of
/// Linux's classes.
fn is_foreign(name: &CStr) -> bool {
    let is_of = |class: &[u8]| name.to_bytes().starts_with(class);
    let is_linux =
        [&b"user."[..], b"security.", b"trusted.", b"system."].iter().any(|class| is_of(class));
    !is_linux || name == c"security.selinux" || is_of(b"trusted.overlay.")
}
