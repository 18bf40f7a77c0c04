//! `ocinit unpack` on an image made for one case.

use super::images::Layer;
use super::{Image, Tar, scratch};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A case in a directory of its own: an image of these layers, and where it is unpacked.
pub struct Case {
    pub directory: PathBuf,
}

/// What came out.
pub struct Unpacked {
    pub status: i32,
    pub line: String,
    pub root: PathBuf,
}

impl Case {
    /// An image of these layers.
    pub fn new(name: &str, layers: Vec<Layer>) -> Case {
        let directory = scratch(&format!("unpack-{name}"));
        let image = Image {
            architecture: "amd64".into(),
            os: "linux".into(),
            config: String::new(),
            layers,
        };
        image.write(&directory.join("image"));
        std::fs::write(directory.join("outside"), "untouched").unwrap();
        Case { directory }
    }

    /// Of these tars, every other one packed with gzip.
    pub fn tars(name: &str, layers: impl IntoIterator<Item = Tar>) -> Case {
        let pack = |(n, tar)| if n % 2 == 0 { Layer::gzip(tar) } else { Layer::plain(tar) };
        Case::new(name, layers.into_iter().enumerate().map(pack).collect())
    }

    /// Unpacks it, and looks that nothing beside the root was touched.
    pub fn run(&self) -> Unpacked {
        let root = self.directory.join("rootfs");
        let mut command = Command::new(super::ocinit());
        let output =
            command.arg("unpack").arg(self.directory.join("image")).arg(&root).output().unwrap();
        assert!(output.stdout.is_empty());
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(std::fs::read(self.directory.join("outside")).unwrap(), b"untouched");
        let mut names: Vec<_> =
            std::fs::read_dir(&self.directory).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.retain(|name| name != "rootfs");
        assert_eq!(names.len(), 2, "nothing is left beside the root");
        Unpacked { status: output.status.code().unwrap(), line, root }
    }

    /// Unpacks and compares the names, directories with a slash at the end.
    pub fn gives(&self, expected: &[&str]) -> PathBuf {
        let unpacked = self.run();
        assert_eq!((unpacked.status, unpacked.line.as_str()), (0, ""));
        let mut found = Vec::new();
        walk(&unpacked.root, &unpacked.root, &mut found);
        found.sort();
        assert_eq!(found, expected);
        unpacked.root
    }

    /// Unpacking fails with one line that holds `why`, and leaves no root.
    pub fn refuses(&self, why: &str) {
        let unpacked = self.run();
        assert_eq!(unpacked.status, 125, "{why}: {}", unpacked.line);
        assert!(unpacked.line.starts_with("ocinit: layer "), "{}", unpacked.line);
        assert!(
            unpacked.line.contains(why) && unpacked.line.lines().count() == 1,
            "{why}: {}",
            unpacked.line
        );
        assert!(!unpacked.root.exists(), "a half root is left");
    }
}

fn walk(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
        if path.symlink_metadata().unwrap().is_dir() {
            found.push(name + "/");
            walk(root, &path, found);
        } else {
            found.push(name);
        }
    }
}
