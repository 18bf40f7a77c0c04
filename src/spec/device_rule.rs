//! Which devices a container may use: a rule of `linux.resources.devices`.

use core::fmt::{self, Display, Write};

/// A kind of device, as the kernel's `BPF_DEVCG_DEV_*` number it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum DeviceKind {
    /// Either kind.
    Any = 0,
    /// A block device.
    Block = 1,
    /// A character device.
    Character = 2,
}

/// One rule. Of all rules that match a device, the last one counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceRule {
    /// It allows; if not, it denies.
    pub allow: bool,
    /// Of which kind.
    pub kind: DeviceKind,
    /// Which major number; -1 for all.
    pub major: i32,
    /// Which minor number; -1 for all.
    pub minor: i32,
    /// The accesses: [`MKNOD`](DeviceRule::MKNOD) and the like.
    pub access: u8,
}

impl DeviceRule {
    /// Make a node (`BPF_DEVCG_ACC_MKNOD`).
    pub const MKNOD: u8 = 1;
    /// Read.
    pub const READ: u8 = 2;
    /// Write.
    pub const WRITE: u8 = 4;
    /// All of it.
    pub const ALL: u8 = 7;
    /// Every number.
    pub const ANY: i32 = -1;

    /// Letters of accesses, and their bits.
    pub const LETTERS: [(u8, u8); 3] =
        [(b'r', DeviceRule::READ), (b'w', DeviceRule::WRITE), (b'm', DeviceRule::MKNOD)];

    /// No device may be used but those that every container has: neither one that the image
    /// brings, nor one that its root makes.
    pub const DENY_ALL: DeviceRule = DeviceRule::of_all(false);
    /// Every device may be used.
    pub const ALLOW_ALL: DeviceRule = DeviceRule::of_all(true);

    /// Shows what is done with the device: `rwm`.
    pub fn letters(&self) -> impl Display {
        let access = self.access;
        fmt::from_fn(move |f| {
            let held = DeviceRule::LETTERS.iter().filter(|(_, bit)| access & bit != 0);
            held.copied().try_for_each(|(letter, _)| f.write_char(letter.into()))
        })
    }

    const fn of_all(allow: bool) -> DeviceRule {
        let any = DeviceRule::ANY;
        DeviceRule { allow, kind: DeviceKind::Any, major: any, minor: any, access: DeviceRule::ALL }
    }
}

/// Shows a rule as version 1 of cgroups wrote it: `deny b 8:* rw`.
impl Display for DeviceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.allow { "allow" } else { "deny" };
        let kind = match self.kind {
            DeviceKind::Any => 'a',
            DeviceKind::Block => 'b',
            DeviceKind::Character => 'c',
        };
        write!(f, "{verb} {kind} ")?;
        for (number, after) in [(self.major, ':'), (self.minor, ' ')] {
            match number {
                DeviceRule::ANY => write!(f, "*{after}")?,
                number => write!(f, "{number}{after}")?,
            }
        }
        self.letters().fmt(f)
    }
}
