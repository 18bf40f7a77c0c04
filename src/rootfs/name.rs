//! The meaning of an entry's name: a path beneath the root, or a whiteout.

use crate::limits::PATH_BYTES;
use core::ffi::CStr;

/// A safe name: components between single slashes, none of them empty, `.` or `..`.
///
/// The last component is stored apart, so that it and its parent are each ready for a system call.
pub struct Name {
    /// `parent NUL last NUL`, or `last NUL` for a file directly in the root.
    bytes: [u8; PATH_BYTES + 1],
    length: usize,
    /// Start of the last component.
    last: usize,
}

/// The action of an entry (image-spec layer.md, "Whiteouts").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhiteoutKind {
    /// Make the file.
    Make,
    /// Hide the lower layers' file of the name after `.wh.`.
    Whiteout,
    /// Hide all files of lower layers in the parent.
    Opaque,
    /// Ignore: AUFS's own records.
    Nothing,
}

impl Name {
    /// The root. Zeros, so that it lies in `.bss`.
    pub const EMPTY: Name = Name { bytes: [0; PATH_BYTES + 1], length: 0, last: 0 };

    /// Sets a name from an archive or a link, absolute or not. Returns the reason if it is invalid.
    pub fn set(&mut self, written: &[u8]) -> Result<(), &'static str> {
        (self.length, self.last) = (0, 0);
        if written.is_empty() {
            return Err("an empty name");
        }
        for component in written.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => self.drop_last()?,
                component => self.push(component)?,
            }
        }
        self.bytes[self.length] = 0;
        if self.last > 0 {
            self.bytes[self.last - 1] = 0;
        }
        Ok(())
    }

    fn push(&mut self, component: &[u8]) -> Result<(), &'static str> {
        let start = if self.length == 0 { 0 } else { self.length + 1 };
        let end = start + component.len();
        if end >= PATH_BYTES {
            return Err("a name longer than PATH_MAX");
        }
        if component.contains(&0) {
            return Err("a name with a NUL byte");
        }
        if start > 0 {
            self.bytes[start - 1] = b'/';
        }
        self.bytes[start..end].copy_from_slice(component);
        (self.length, self.last) = (end, start);
        Ok(())
    }

    fn drop_last(&mut self) -> Result<(), &'static str> {
        if self.length == 0 {
            return Err("a name that leaves the root");
        }
        self.length = self.last.saturating_sub(1);
        self.last = self.bytes[..self.length]
            .iter()
            .rposition(|&byte| byte == b'/')
            .map_or(0, |slash| slash + 1);
        Ok(())
    }

    /// Returns whether it is the root itself.
    pub fn is_root(&self) -> bool {
        self.length == 0
    }

    /// Returns the path of its directory; empty for the root.
    pub fn parent(&self) -> &[u8] {
        &self.bytes[..self.last.saturating_sub(1)]
    }

    /// Returns its last component, for a system call.
    pub fn last(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes[self.last..=self.length]).unwrap_or(c"")
    }

    /// Returns the name's action, or the reason why it is invalid. It removes a whiteout's prefix:
    /// [`Name::last`] is then the file to hide.
    pub fn interpret(&mut self) -> Result<WhiteoutKind, &'static str> {
        const MARK: &[u8] = b".wh.";
        const AUFS_MARK: &[u8] = b".wh..wh.";
        const OPAQUE: &[u8] = b".wh..wh..opq";
        let parents = self.parent().split(|&byte| byte == b'/');
        if let Some(parent) = parents.into_iter().find(|parent| parent.starts_with(MARK)) {
            let aufs = parent.starts_with(AUFS_MARK);
            return if aufs { Ok(WhiteoutKind::Nothing) } else { Err("a name inside a whiteout") };
        }
        let last = self.last().to_bytes();
        let Some(hidden) = last.strip_prefix(MARK) else { return Ok(WhiteoutKind::Make) };
        match hidden {
            _ if last == OPAQUE => Ok(WhiteoutKind::Opaque),
            _ if last.starts_with(AUFS_MARK) => Ok(WhiteoutKind::Nothing),
            b"" | b"." | b".." => Err("a whiteout of nothing that can have a name"),
            _ => {
                let (start, end) = (self.last + MARK.len(), self.length);
                self.bytes.copy_within(start..=end, self.last);
                self.length -= MARK.len();
                Ok(WhiteoutKind::Whiteout)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_safe() {
        for (written, parent, last) in [
            ("a", "", "a"),
            ("/a", "", "a"),
            ("./a/", "", "a"),
            ("a/b", "a", "b"),
            ("//a/.//bc/./d//", "a/bc", "d"),
            ("a/../b", "", "b"),
            ("a/b/../../c/d", "c", "d"),
            ("a/b/..", "", "a"),
            ("./", "", ""),
            ("/", "", ""),
            ("a/..", "", ""),
            ("...", "", "..."),
        ] {
            let mut name = Name::EMPTY;
            name.set(b"some/longer/name/before").unwrap();
            name.set(written.as_bytes()).unwrap();
            assert_eq!(
                (name.parent(), name.last().to_bytes()),
                (parent.as_bytes(), last.as_bytes()),
                "{written}"
            );
            assert_eq!(name.is_root(), last.is_empty());
        }
    }

    #[test]
    fn names_that_leave_the_root_are_refused() {
        let long = "x/".repeat(PATH_BYTES / 2) + "y";
        for written in ["", "..", "../a", "/../a", "a/../../b", "./..", "a\0b", &long] {
            let mut name = Name::EMPTY;
            assert!(name.set(written.as_bytes()).is_err(), "{written}");
        }
        let mut name = Name::EMPTY;
        assert!(name.set(&long.as_bytes()[..PATH_BYTES - 1]).is_ok());
    }

    #[test]
    fn whiteouts_are_recognised() {
        for (written, meaning, last) in [
            ("a/b", Ok(WhiteoutKind::Make), "b"),
            ("a/.wh.b", Ok(WhiteoutKind::Whiteout), "b"),
            (".wh.b", Ok(WhiteoutKind::Whiteout), "b"),
            ("a/.wh..b", Ok(WhiteoutKind::Whiteout), ".b"),
            ("a/.wh..wh..opq", Ok(WhiteoutKind::Opaque), ".wh..wh..opq"),
            ("a/.wh..wh.aufs", Ok(WhiteoutKind::Nothing), ".wh..wh.aufs"),
            (".wh..wh.plnk/1.2", Ok(WhiteoutKind::Nothing), "1.2"),
            ("a/.wh.", Err(()), ""),
            ("a/.wh..", Err(()), ""),
            ("a/.wh...", Err(()), ""),
            ("a/.wh.b/c", Err(()), ""),
        ] {
            let mut name = Name::EMPTY;
            name.set(written.as_bytes()).unwrap();
            let found = name.interpret();
            assert_eq!(found.map_err(drop), meaning, "{written}");
            if found.is_ok() {
                assert_eq!(name.last().to_bytes(), last.as_bytes());
            }
        }
    }
}
