//! The privilege to change files, and the handling of entries that exceed it.
//!
//! ```text
//!            owner                               device         other attributes
//! Root       set                                 made           set
//! Namespace  set; recorded if not mapped         an empty file  set, unless the kernel refuses
//! User       0:0 is the caller, others recorded  an empty file  of user.* only; a directory stays
//!                                                               open to its owner
//! ```
//!
//! Owners are recorded as in umoci, in an attribute that PRoot and umoci read
//! (<https://github.com/rootless-containers/proto>).

use core::ffi::CStr;
use core::fmt::{self, Display};

/// The privilege to change files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Privilege {
    /// Real root: everything that a layer asks for.
    Root,
    /// Root of a user namespace: its mapped ids are real.
    Namespace,
    /// An ordinary user.
    User,
}

/// A property of a layer that could not be made for lack of privilege.
#[derive(Clone, Copy)]
pub enum Loss {
    /// An owner, which is recorded in [`OWNER`].
    Recorded,
    /// The owner of a file that cannot have the attribute: a link, a pipe, a file on a file system
    /// without xattrs.
    Owner,
    /// A device node.
    Device,
    /// The mode of a directory that is closed to its owner.
    Mode,
}

/// Number of occurrences of each [`Loss`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Downgrades([u64; 4]);

impl Downgrades {
    /// Counts one occurrence.
    pub fn count(&mut self, loss: Loss) {
        self.0[loss as usize] += 1;
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Downgrades) {
        (0..self.0.len()).for_each(|n| self.0[n] += other.0[n]);
    }

    /// Returns true if all counts are 0.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }
}

impl Display for Downgrades {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const TEXTS: [&str; 4] = [
            "owners (recorded in user.rootlesscontainers)",
            "owners of links and pipes (lost)",
            "devices (empty files instead)",
            "directories closed to their owner (left open)",
        ];
        let mut separator = "";
        for (n, text) in TEXTS.iter().enumerate() {
            if self.0[n] > 0 {
                write!(f, "{separator}{} {text}", self.0[n])?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// The extended attribute that records a file's owner.
pub const OWNER: &CStr = c"user.rootlesscontainers";

/// Returns the value of [`OWNER`]: protobuf's `message Resource { uint32 uid = 1; uint32 gid = 2;
/// }`. An id of 0 is the caller's own. It is written as 4294967295, "unchanged", because protobuf
/// omits 0.
pub fn owner_record((uid, gid): (u32, u32), buffer: &mut [u8; 12]) -> &[u8] {
    let mut len = 0;
    let mut put = |byte: u8| {
        buffer[len] = byte;
        len += 1;
    };
    for (tag, id) in [(0x08, uid), (0x10, gid)] {
        put(tag);
        let mut rest = if id == 0 { u32::MAX } else { id };
        while rest >= 0x80 {
            put(rest as u8 | 0x80);
            rest >>= 7;
        }
        put(rest as u8);
    }
    &buffer[..len]
}

#[cfg(test)]
mod tests {
    use super::owner_record;

    #[test]
    fn an_owner_is_recorded_as_protobuf() {
        let record = |owner| owner_record(owner, &mut [0; 12]).to_vec();
        assert_eq!(record((5, 300)), [0x08, 5, 0x10, 0xac, 0x02]);
        assert_eq!(record((0, 127)), [0x08, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x10, 0x7f]);
        assert_eq!(record((128, 0)), [0x08, 0x80, 0x01, 0x10, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(record((u32::MAX - 1, u32::MAX - 1)).len(), 12);
    }
}
