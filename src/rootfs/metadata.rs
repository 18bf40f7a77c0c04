//! Owner, mode, extended attributes and times, in this order, because later calls clear earlier
//! results. chown(2) clears setuid and capabilities, chmod(2) changes the ACL mask, and all change
//! the time.

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

/// The checked attributes of an entry.
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
    /// Returns the attributes of `entry`. A number that Linux cannot hold is an error, because the
    /// cut value could be another user.
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

/// Returns the device number of an entry, or an error if the kernel has too few bits for it.
pub fn device(entry: &Entry<'_>) -> Result<u64> {
    match entry.device {
        (major @ 0..=0xfff, minor @ 0..=0xf_ffff) => Ok(fs::makedev(major as u32, minor as u32)),
        (major, minor) => {
            Err(Error::new(format_args!("device number {major}:{minor} is out of range")))
        }
    }
}

/// A file whose attributes are set: open, or a name in a directory.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// A regular file or a directory.
    Open(FdRef<'a>),
    /// Any file, by directory and name. A symlink is not followed.
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

/// Calls `call` in `directory`. Some system calls for links and devices take no directory fd, so
/// they get a name in the current directory.
fn in_directory(directory: FdRef<'_>, call: impl FnOnce() -> sys::Result<()>) -> sys::Result<()> {
    let former = fs::open(CWD, c".", fs::O_PATH | fs::O_DIRECTORY, 0)?;
    mount::chdir_fd(directory)?;
    let result = call();
    mount::chdir_fd(former.by_ref())?;
    result
}

/// The properties that a new file inherits from its directory.
#[derive(Clone, Copy)]
pub struct Inherited {
    /// The directory's group, and for a new directory its setgid bit.
    pub setgid: bool,
    /// An access control list.
    pub default_acl: bool,
}

/// Sets the attributes that differ from a new file's.
pub struct Setter<'a> {
    powers: Privilege,
    /// The owner of new files.
    ids: (u32, u32),
    scratch: &'a mut [u8],
    /// The counts over all entries.
    pub applied: &'a mut Applied,
}

impl<'a> Setter<'a> {
    /// Returns a setter. `scratch` holds extended attributes.
    pub fn new(powers: Privilege, scratch: &'a mut [u8], applied: &'a mut Applied) -> Setter<'a> {
        let ids = match powers {
            Privilege::User => (0, 0),
            _ => (process::effective_uid(), process::effective_gid()),
        };
        Setter { powers, ids, scratch, applied }
    }

    /// Returns the attributes that are possible here. Without privilege we could not enter a
    /// directory that is closed to its owner.
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

    /// Returns true if devices are made, false if empty files replace them.
    pub fn makes_device(&mut self) -> bool {
        if self.powers != Privilege::Root {
            self.applied.losses.count(Loss::Device);
        }
        self.powers == Privilege::Root
    }

    /// Sets the attributes of a new file that was made with the entry's mode and umask 0.
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

    /// Replaces all attributes of an existing directory, except for its time.
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

    /// Sets the owner. If that is not possible, sets the caller and records the owner.
    fn set_owner(
        &mut self,
        target: Target<'_>,
        entry: &Entry<'_>,
        attributes: &Attributes,
    ) -> Result<()> {
        if self.powers != Privilege::User {
            match target.chown(attributes.owner) {
                // The id is not mapped, or the file system (NFS) ignores user namespaces.
                Err(Errno::EINVAL | Errno::EPERM) if self.powers == Privilege::Namespace => {}
                changed => return changed.doing("change the owner"),
            }
            // The former owner, or one inherited from the directory, must not stay.
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

    /// Returns the mode to restore after xattrs are set, if the owner first needs write permission.
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
                // Links and devices cannot have user.* attributes.
                Err(Errno::EPERM) if user && matches!(target, Target::Named(..)) => {
                    self.applied.skipped_xattrs += 1
                }
                // trusted.*, or unmapped ids in capabilities and ACLs.
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

/// Sets an attribute. If there is a `mode` to restore, makes the file writable first: an ordinary
/// user needs that.
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

/// Returns true for attributes of the machine that made the layer (security labels, overlay's
/// records) and of other systems (`com.apple.provenance`). The names of the latter have no Linux
/// namespace prefix.
fn is_foreign(name: &CStr) -> bool {
    let is_of = |class: &[u8]| name.to_bytes().starts_with(class);
    let is_linux =
        [&b"user."[..], b"security.", b"trusted.", b"system."].iter().any(|class| is_of(class));
    !is_linux || name == c"security.selinux" || is_of(b"trusted.overlay.")
}
