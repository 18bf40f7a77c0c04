//! Disk files with a file system in them, made without mounting and without root.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;

use super::tool;

const MIB: u64 = 1 << 20;

/// A file of this many MiB, all holes; what it held is gone.
pub fn blank(file: &Path, mebibytes: u64) {
    let made = OpenOptions::new().create(true).write(true).truncate(true).open(file);
    made.and_then(|made| made.set_len(mebibytes * MIB)).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// An ext4 file system holding a directory's content; `extra` are words of mkfs (`-L label`).
pub fn ext4(file: &Path, mebibytes: u64, content: Option<&Path>, extra: &[&str]) {
    blank(file, mebibytes);
    let mut command = Command::new("/usr/sbin/mkfs.ext4");
    command.args(["-q", "-F"]).args(extra);
    if let Some(content) = content {
        command.arg("-d").arg(content);
    }
    tool(command.arg(file));
}

/// A FAT file system holding a directory's content; `extra` are words of mkfs (`-n LABEL`, `-i SERIAL`).
pub fn vfat(file: &Path, mebibytes: u64, content: &Path, extra: &[&str]) {
    blank(file, mebibytes);
    tool(Command::new("/usr/sbin/mkfs.vfat").args(extra).arg(file));
    for entry in std::fs::read_dir(content).expect("content") {
        tool(Command::new("mcopy").args(["-s", "-i"]).arg(file).arg(entry.expect("content").path()).arg("::"));
    }
}

/// The content of a file on an unmounted ext4, or nothing if it is not there.
pub fn ext4_read(file: &Path, path: &str) -> Vec<u8> {
    tool(Command::new("/usr/sbin/debugfs").args(["-R", &format!("cat {path}")]).arg(file))
}
