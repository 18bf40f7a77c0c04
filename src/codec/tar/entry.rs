//! One entry: its header, and its pax records.

use super::pax::Records;
use super::sparse::Segment;

/// The type of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A regular file.
    File,
    /// Another name of an earlier file.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    Character,
    /// A block device.
    Block,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

/// One entry.
pub struct Entry<'m> {
    /// Type of the file.
    pub kind: Kind,
    /// Its name, unchanged: may be absolute, hold `.` and `..`, end in a slash, or be empty.
    pub name: &'m [u8],
    /// The target of a link.
    pub link: &'m [u8],
    /// Permissions with setuid, setgid and sticky bits.
    pub mode: u32,
    /// Owner; may exceed Linux's range.
    pub uid: u64,
    /// Group; may exceed Linux's range.
    pub gid: u64,
    /// Length of the file, including its holes.
    pub size: u64,
    /// Modification time: seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
    /// Major and minor number of a device; may exceed Linux's range.
    pub device: (u64, u64),
    /// The positions of a sparse file's stored bytes.
    pub sparse: Option<&'m [Segment]>,
    /// pax records of all entries, and of this one.
    pub(super) globals: &'m [u8],
    pub(super) records: &'m [u8],
}

/// An extended attribute.
pub enum Xattr<'m> {
    /// Plain name and value (`SCHILY.xattr.`).
    Plain(&'m [u8], &'m [u8]),
    /// Name for [`super::pax::unescape`], value for [`super::pax::base64`] (`LIBARCHIVE.xattr.`).
    Encoded(&'m [u8], &'m [u8]),
}

impl<'m> Entry<'m> {
    /// Returns whether there is any extended attribute.
    pub fn has_xattrs(&self) -> bool {
        self.xattrs().next().is_some()
    }

    /// Returns the extended attributes. Of two with one name the later one counts: plain ones come
    /// last.
    pub fn xattrs(&self) -> impl Iterator<Item = Xattr<'m>> + use<'m> {
        let all = Records(self.globals).chain(Records(self.records));
        let encoded = all.clone().filter_map(|(key, value)| {
            Some(Xattr::Encoded(key.strip_prefix(b"LIBARCHIVE.xattr.")?, value))
        });
        encoded.chain(all.filter_map(|(key, value)| {
            Some(Xattr::Plain(key.strip_prefix(b"SCHILY.xattr.")?, value))
        }))
    }
}

/// The pax records that change an entry.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Path,
    Link,
    SparseName,
    Size,
    Uid,
    Gid,
    Mtime,
    Major,
    Minor,
    SparseSize,
    SparseMap,
    SparseMajor,
}

const SPARSE_MAP: &[u8] = b"GNU.sparse.map";
/// The keys in the order of [`Key`]; the last one is another name.
// A table: `match` compares byte by byte in the code, a kilobyte of it.
const KEYS: [&[u8]; 13] = [
    b"path",
    b"linkpath",
    b"GNU.sparse.name",
    b"size",
    b"uid",
    b"gid",
    b"mtime",
    b"SCHILY.devmajor",
    b"SCHILY.devminor",
    b"GNU.sparse.size",
    SPARSE_MAP,
    b"GNU.sparse.major",
    b"GNU.sparse.realsize",
];
const _: () = assert!(KEYS.len() == Key::SparseMajor as usize + 2);

/// Returns the index of a record's key.
#[inline(never)]
fn place(key: &[u8]) -> Option<usize> {
    let at = KEYS.iter().position(|known| *known == key)?;
    Some(if at > Key::SparseMajor as usize { Key::SparseSize as usize } else { at })
}

/// Returns whether a record's value is a name, which cannot have a NUL.
pub(super) fn is_name(key: &[u8]) -> bool {
    place(key).is_some_and(|place| place <= Key::SparseName as usize)
}

/// The values of pax records.
pub(super) struct Overrides<'m>([Option<&'m [u8]>; KEYS.len() - 1]);

impl<'m> Overrides<'m> {
    /// An empty value takes the former value back.
    // A frame of its own: 0.2 KB.
    #[inline(never)]
    pub(super) fn read(records: impl Iterator<Item = (&'m [u8], &'m [u8])>) -> Overrides<'m> {
        let mut all = Overrides([None; KEYS.len() - 1]);
        for (key, value) in records {
            if let Some(place) = place(key) {
                all.0[place] = Some(value).filter(|value| !value.is_empty() || key == SPARSE_MAP);
            }
        }
        all
    }

    /// Returns the last value.
    pub(super) fn of(&self, key: Key) -> Option<&'m [u8]> {
        self.0[key as usize]
    }
}

/// Returns whether a record has a meaning here. Others, such as git's global comments, are not
/// stored.
pub(super) fn matters(key: &[u8]) -> bool {
    place(key).is_some()
        || key.starts_with(b"SCHILY.xattr.")
        || key.starts_with(b"LIBARCHIVE.xattr.")
}
