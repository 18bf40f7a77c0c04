//! Names in an archive's table of contents: normalized, then only their hash is kept.
//!
//! Two names of one hash count as one file. A forged collision gains nothing, because the digests
//! still verify each file.

use crate::limits::ARCHIVE_NAME_BYTES;
use core::fmt;

/// FNV-1a of 64 bits.
pub struct Hash(pub u64);

impl Hash {
    /// The hash of no bytes.
    pub const NEW: Hash = Hash(0xcbf2_9ce4_8422_2325);

    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

/// A path in an archive, without empty, `.` and `..` components; it cannot leave the archive.
pub struct Name(heapless::Vec<u8, ARCHIVE_NAME_BYTES>);

impl Name {
    /// The archive's top.
    pub const TOP: Name = Name(heapless::Vec::new());

    /// Becomes this path from the top. A path that is too long is cut and matches nothing.
    pub fn set(&mut self, path: &[u8]) {
        self.0.clear();
        self.follow(path);
    }

    /// Becomes the target of a symlink at this name.
    pub fn follow_link(&mut self, target: &[u8]) {
        match target.first() {
            Some(b'/') => self.0.clear(),
            _ => self.pop(),
        }
        self.follow(target);
    }

    fn follow(&mut self, path: &[u8]) {
        for part in path.split(|&byte| byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => self.pop(),
                _ => {
                    if !self.0.is_empty() {
                        let _ = self.0.push(b'/');
                    }
                    let room = ARCHIVE_NAME_BYTES - self.0.len();
                    let _ = self.0.extend_from_slice(&part[..part.len().min(room)]);
                }
            }
        }
    }

    fn pop(&mut self) {
        let end = self.0.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        self.0.truncate(end);
    }

    /// Returns its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns its key in the table.
    pub fn key(&self) -> u64 {
        key(&self.0)
    }
}

/// Returns the key of a normalized path.
pub fn key(path: &[u8]) -> u64 {
    let mut hash = Hash::NEW;
    hash.add(path);
    hash.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form_and_stay_inside() {
        let mut name = Name::TOP;
        for (path, form) in [
            ("a/b", "a/b"),
            ("./a//b/", "a/b"),
            ("/a/../b/./c", "b/c"),
            ("../../a", "a"),
            ("a/..", ""),
            ("..", ""),
            ("", ""),
        ] {
            name.set(path.as_bytes());
            assert_eq!(name.as_bytes(), form.as_bytes(), "{path}");
        }
        for (link, target, place) in [
            ("x/layer.tar", "../y/layer.tar", "y/layer.tar"),
            ("x/layer.tar", "other.tar", "x/other.tar"),
            ("x/layer.tar", "/y.tar", "y.tar"),
            ("layer.tar", "../../../etc/passwd", "etc/passwd"),
        ] {
            name.set(link.as_bytes());
            name.follow_link(target.as_bytes());
            assert_eq!(name.as_bytes(), place.as_bytes(), "{link} -> {target}");
        }
        name.set(&[b'x'; 2 * ARCHIVE_NAME_BYTES]);
        assert_eq!(name.as_bytes().len(), ARCHIVE_NAME_BYTES);
    }
}
