//! One entry: what it is, and what pax records say of it.

use super::pax::Records;
use super::sparse::Segment;

/// What an entry is.
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
    /// What it is.
    pub kind: Kind,
    /// Its name as it is written: may be absolute, hold `.` and `..`, end in a slash, or be empty.
    pub name: &'m [u8],
    /// The target of a link.
    pub link: &'m [u8],
    /// Permissions with setuid, setgid and sticky bits.
    pub mode: u32,
    /// Owner; may be more than Linux can hold.
    pub uid: u64,
    /// Group; may be more than Linux can hold.
    pub gid: u64,
    /// Length of the file, with its holes.
    pub size: u64,
    /// Modification time: seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
    /// Major and minor number of a device; may be more than Linux can hold.
    pub device: (u64, u64),
    /// Where the stored bytes of a sparse file belong.
    pub sparse: Option<&'m [Segment]>,
    /// pax records for all entries and for this one.
    pub(super) globals: &'m [u8],
    pub(super) records: &'m [u8],
}

/// An extended attribute.
pub enum Xattr<'m> {
    /// Name and value as they are (`SCHILY.xattr.`).
    Plain(&'m [u8], &'m [u8]),
    /// Name for [`pax::unescape`], value for [`pax::base64`] (`LIBARCHIVE.xattr.`).
    Encoded(&'m [u8], &'m [u8]),
}

impl<'m> Entry<'m> {
    /// Whether there is any extended attribute.
    pub fn has_xattrs(&self) -> bool {
        self.xattrs().next().is_some()
    }

    /// The extended attributes. Of two with the same name the later one counts: plain ones come last.
    pub fn xattrs(&self) -> impl Iterator<Item = Xattr<'m>> + use<'m> {
        let all = Records(self.globals).chain(Records(self.records));
        let encoded =
            all.clone().filter_map(|(key, value)| Some(Xattr::Encoded(key.strip_prefix(b"LIBARCHIVE.xattr.")?, value)));
        encoded.chain(all.filter_map(|(key, value)| Some(Xattr::Plain(key.strip_prefix(b"SCHILY.xattr.")?, value))))
    }
}

/// What pax records say, where they say something.
#[derive(Default)]
pub(super) struct Overrides<'m> {
    pub(super) path: Option<&'m [u8]>,
    pub(super) link: Option<&'m [u8]>,
    pub(super) size: Option<&'m [u8]>,
    pub(super) uid: Option<&'m [u8]>,
    pub(super) gid: Option<&'m [u8]>,
    pub(super) mtime: Option<&'m [u8]>,
    pub(super) major: Option<&'m [u8]>,
    pub(super) minor: Option<&'m [u8]>,
    pub(super) sparse_name: Option<&'m [u8]>,
    pub(super) sparse_size: Option<&'m [u8]>,
    pub(super) sparse_map: Option<&'m [u8]>,
    pub(super) sparse_major: Option<&'m [u8]>,
}

impl<'m> Overrides<'m> {
    /// An empty value takes back what was said before.
    // A frame of its own: 0.2 KB.
    #[inline(never)]
    pub(super) fn read(records: impl Iterator<Item = (&'m [u8], &'m [u8])>) -> Overrides<'m> {
        let mut all = Overrides::default();
        for (key, value) in records {
            if let Some(place) = all.place(key) {
                *place = Some(value).filter(|value| !value.is_empty() || key == b"GNU.sparse.map");
            }
        }
        all
    }

    fn place(&mut self, key: &[u8]) -> Option<&mut Option<&'m [u8]>> {
        Some(match key {
            b"path" => &mut self.path,
            b"linkpath" => &mut self.link,
            b"size" => &mut self.size,
            b"uid" => &mut self.uid,
            b"gid" => &mut self.gid,
            b"mtime" => &mut self.mtime,
            b"SCHILY.devmajor" => &mut self.major,
            b"SCHILY.devminor" => &mut self.minor,
            b"GNU.sparse.name" => &mut self.sparse_name,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => &mut self.sparse_size,
            b"GNU.sparse.map" => &mut self.sparse_map,
            b"GNU.sparse.major" => &mut self.sparse_major,
            _ => return None,
        })
    }
}

/// Whether a record means something here; git and others write global comments, which need no place.
pub(super) fn matters(key: &[u8]) -> bool {
    Overrides::default().place(key).is_some()
        || key.starts_with(b"SCHILY.xattr.")
        || key.starts_with(b"LIBARCHIVE.xattr.")
}
