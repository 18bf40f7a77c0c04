//! What is in a directory, to the letter, however deep: names as escaped text, attributes as text.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{CString, OsStr};
use std::fs::{File, Metadata, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// Content is compared up to this many bytes; longer files are sparse giants.
pub const CONTENT_BYTES: u64 = 64 << 20;

/// One thing in the tree. A path may be longer than PATH_MAX: it is reached through its directory.
pub struct Entry {
    directory: Arc<File>,
    name: Vec<u8>,
    pub metadata: Metadata,
}

/// Bytes as a word: printable ASCII, the rest as `\xNN`.
pub fn escape(bytes: &[u8]) -> String {
    let show = |&byte: &u8| match byte {
        b'!'..=b'~' if byte != b'\\' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    bytes.iter().map(show).collect()
}

/// All that is beneath `root`, and the root itself as `.`; directories end in a slash.
pub fn read(root: &Path) -> BTreeMap<String, Entry> {
    let top = Arc::new(open(root));
    let entry = Entry {
        directory: top.clone(),
        name: b".".to_vec(),
        metadata: top.metadata().expect("stat"),
    };
    let mut found = BTreeMap::from([(".".to_string(), entry)]);
    let mut left = VecDeque::from([(top, String::new())]);
    while let Some((directory, path)) = left.pop_front() {
        for entry in std::fs::read_dir(beneath(&directory, b"")).expect("readable") {
            let name = entry.expect("readable").file_name().as_bytes().to_vec();
            let here = beneath(&directory, &name);
            let metadata = here.symlink_metadata().expect("stat");
            let mut path = format!("{path}{}", escape(&name));
            if metadata.is_dir() {
                path.push('/');
                left.push_back((Arc::new(open(&here)), path.clone()));
            }
            found.insert(path, Entry { directory: directory.clone(), name, metadata });
        }
    }
    found
}

fn open(path: &Path) -> File {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags).open(path).expect("a directory opens")
}

fn beneath(directory: &File, name: &[u8]) -> PathBuf {
    Path::new(&format!("/proc/self/fd/{}", directory.as_raw_fd())).join(OsStr::from_bytes(name))
}

impl Entry {
    fn path(&self) -> PathBuf {
        beneath(&self.directory, &self.name)
    }

    /// `f`, `d`, `l`, `c`, `b` or `p`.
    pub fn kind(&self) -> &'static str {
        match self.metadata.file_type() {
            kind if kind.is_file() => "f",
            kind if kind.is_dir() => "d",
            kind if kind.is_symlink() => "l",
            kind if kind.is_char_device() => "c",
            kind if kind.is_block_device() => "b",
            kind if kind.is_fifo() => "p",
            _ => "?",
        }
    }

    /// The bytes of a file.
    pub fn content(&self) -> Vec<u8> {
        assert!(
            self.kind() == "f" && self.metadata.len() <= CONTENT_BYTES,
            "{}",
            escape(&self.name)
        );
        std::fs::read(self.path()).expect("readable")
    }

    /// The digest of its content.
    pub fn sha256(&self) -> String {
        Sha256::digest(self.content()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The target of a link.
    pub fn link(&self) -> String {
        let target = if self.kind() == "l" {
            std::fs::read_link(self.path()).expect("a link")
        } else {
            PathBuf::new()
        };
        escape(target.as_os_str().as_bytes())
    }

    /// `(major, minor)` of a device.
    pub fn device(&self) -> (u32, u32) {
        (libc::major(self.metadata.rdev()), libc::minor(self.metadata.rdev()))
    }

    /// The value of an extended attribute.
    pub fn xattr(&self, name: &str) -> Option<Vec<u8>> {
        let path = CString::new(self.path().into_os_string().into_encoded_bytes()).expect("no NUL");
        let name = CString::new(name).expect("no NUL");
        let mut value = vec![0_u8; 65_536];
        // SAFETY: both strings end in NUL and live until the call returns, the buffer is as long as
        // it says.
        let length = unsafe {
            libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len())
        };
        value.truncate(usize::try_from(length).ok()?);
        Some(value)
    }

    /// An attribute by its name in a case's list: `mode`, `mtime`, `xattr.user.a`.
    pub fn attribute(&self, key: &str) -> String {
        let stat = &self.metadata;
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match key {
            "type" => self.kind().into(),
            "mode" => format!("{:04o}", stat.mode() & 0o7777),
            "uid" => stat.uid().to_string(),
            "gid" => stat.gid().to_string(),
            "size" => stat.len().to_string(),
            "blocks" => stat.blocks().to_string(),
            "nlink" => stat.nlink().to_string(),
            "mtime" => format!("{}.{:09}", stat.mtime(), stat.mtime_nsec()),
            "link" => self.link(),
            "dev" => format!("{}:{}", self.device().0, self.device().1),
            "content" => escape(&self.content()),
            "sha256" => self.sha256(),
            _ => match key.strip_prefix("xattr.") {
                Some(name) => self.xattr(name).map_or("-".into(), hex),
                None => panic!("no attribute {key}"),
            },
        }
    }

    /// Everything that must not change, in a line; the time of the last change of any attribute is
    /// part of it.
    pub fn record(&self) -> String {
        let stat = &self.metadata;
        let content =
            if self.kind() == "f" && stat.len() < 1 << 20 { self.sha256() } else { String::new() };
        let keys = ["type", "mode", "uid", "gid", "size", "mtime", "link", "dev", "nlink"];
        let known: Vec<_> = keys.iter().map(|key| self.attribute(key)).collect();
        format!(
            "{} {} {}.{} {content}",
            known.join(" "),
            stat.ino(),
            stat.ctime(),
            stat.ctime_nsec()
        )
    }
}

/// Compares with lines of `PATH KEY=VALUE …`: the names exactly (but for `.`), and the attributes
/// that are named.
pub fn check(expected: &str, found: &BTreeMap<String, Entry>) -> Result<(), String> {
    let mut names: Vec<_> =
        expected.lines().map(|line| line.split(' ').next().expect("a path")).collect();
    names.retain(|name| *name != ".");
    names.sort();
    let there: Vec<_> = found.keys().map(String::as_str).filter(|name| *name != ".").collect();
    if names != there {
        let missing: Vec<_> = names.iter().filter(|name| !there.contains(name)).take(3).collect();
        let more: Vec<_> = there.iter().filter(|name| !names.contains(name)).take(3).collect();
        return Err(format!("missing {missing:?}, not expected {more:?}"));
    }
    for line in expected.lines() {
        let mut words = line.split(' ');
        let entry = &found[words.next().expect("a path")];
        for word in words {
            let parts = if word.starts_with("xattr.") {
                word.rsplit_once('=')
            } else {
                word.split_once('=')
            };
            let (key, wanted) = parts.expect("KEY=VALUE");
            let is_right = match key {
                "same" => entry.metadata.ino() == found[wanted].metadata.ino(),
                "sha256" => entry.sha256().starts_with(wanted),
                _ => entry.attribute(key) == wanted,
            };
            if !is_right {
                let there = if key == "same" { String::new() } else { entry.attribute(key) };
                return Err(format!("{line}: {key} is {there}"));
            }
        }
    }
    Ok(())
}
