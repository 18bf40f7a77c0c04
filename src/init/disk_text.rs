//! Disks in messages: a disk's content, the user's choice, the rejected disks.

use super::block::{Content, Disk};
use super::options::DiskSelector;
use crate::limits::DISK_NOTES_BYTES;
use core::fmt::{self, Display, Write};

/// A disk and its content, for the user's choice.
pub struct Shown<'a>(pub &'a Disk, pub &'a Content);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Content::Archive => write!(f, "a tar"),
            Content::Unknown => write!(f, "no tar and no known file system"),
            Content::Partitions => write!(f, "a partition table"),
            Content::FileSystem(found) => {
                write!(f, "{}", found.kind)?;
                if !found.label.is_empty() {
                    write!(f, " {}", crate::io::lossy::Lossy(&found.label))?;
                }
                Ok(())
            }
        }?;
        match self.0.size {
            size if size >= 10 << 20 => write!(f, " in {} MiB", size >> 20),
            size => write!(f, " in {} KiB", size >> 10),
        }
    }
}

impl Display for DiskSelector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskSelector::Auto => write!(f, "auto"),
            DiskSelector::Device(name) => write!(f, "/dev/{name}"),
            DiskSelector::Label(label) => write!(f, "LABEL={label}"),
            DiskSelector::Uuid(uuid) => write!(f, "UUID={uuid}"),
            DiskSelector::Serial(serial) => write!(f, "SERIAL={serial}"),
        }
    }
}

/// The rejected disks and the reasons, in one line.
#[derive(Default)]
pub struct Notes {
    text: heapless::String<DISK_NOTES_BYTES>,
    more: u32,
}

impl Notes {
    /// Adds a disk and its reason.
    pub fn add(&mut self, name: &str, reason: &dyn Display) {
        let before = self.text.len();
        let gap = if before == 0 { "" } else { "; " };
        if self.more > 0 || write!(self.text, "{gap}/dev/{name}: {reason}").is_err() {
            self.text.truncate(before);
            self.more += 1;
        }
    }
}

impl Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.text.is_empty(), self.more) {
            (true, 0) => {
                f.write_str("there is no disk at all; drivers beside the kernel's own: ")?;
                write_modules(f)
            }
            (_, 0) => f.write_str(&self.text),
            (_, more) => write!(f, "{}; and {more} more", self.text),
        }
    }
}

/// Writes the names of the loaded modules, because a missing one may hide a disk.
fn write_modules(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut buffer = [0; 4096];
    let text = super::sysfs::read(format_args!("/proc/modules"), &mut buffer).unwrap_or("");
    let mut names = text
        .as_bytes()
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').next());
    let first = names.next().filter(|name| !name.is_empty()).unwrap_or(b"none");
    write!(f, "{}", crate::io::lossy::Lossy(first))?;
    names.try_for_each(|name| write!(f, " {}", crate::io::lossy::Lossy(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_told_of_in_one_line_of_bounded_length() {
        let mut notes = Notes::default();
        assert!(
            notes
                .to_string()
                .starts_with("there is no disk at all; drivers beside the kernel's own: ")
        );
        notes.add("vda", &"a tar");
        notes.add("vdb", &"empty");
        assert_eq!(notes.to_string(), "/dev/vda: a tar; /dev/vdb: empty");
        for _ in 0..100 {
            notes.add("vdc", &"x".repeat(50));
        }
        let text = notes.to_string();
        assert!(text.ends_with(" more") && text.len() < DISK_NOTES_BYTES + 20, "{text}");
    }
}
