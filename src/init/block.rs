//! The kernel's block devices, and how to wait for more.

use super::options::DiskSelector;
use super::superblock::{self, Superblock};
use super::sysfs::{self, Name};
use crate::image::looks_like_archive;
use crate::io::section::Section;
use crate::io::stored::Stored;
use crate::limits::DISKS_AT_ONCE;
use crate::sys::fd::{CWD, Fd};
use crate::sys::fs::{self, O_RDONLY};
use crate::sys::{Errno, event, net, time};
use crate::{Context, Result};

/// A disk or a partition.
#[derive(Clone)]
pub struct Disk {
    /// The kernel's name without `/dev/`.
    pub name: Name,
    /// The disk of a partition.
    pub parent: Option<Name>,
    /// Size in bytes.
    pub size: u64,
    /// The kernel refuses writes.
    pub read_only: bool,
}

/// Names of the next disks, sorted.
pub type Disks = heapless::Vec<Name, DISKS_AT_ONCE>;

/// The content of a disk.
#[derive(Clone)]
pub enum Content {
    /// A tar, directly on the device.
    Archive,
    /// A file system.
    FileSystem(Superblock),
    /// Only a boot sector's mark: file systems are on its partitions.
    Partitions,
    /// Unknown content.
    Unknown,
}

/// Returns the first disk whose name comes after `last`, and sets `last` to it. A disk comes before
/// its partitions. `next` holds names found ahead, so that few walks of the directory suffice.
pub fn after(last: &mut Name, next: &mut Disks) -> Result<Option<Disk>> {
    loop {
        if next.first().is_none_or(|name| name <= last) {
            names_after(last, next)?;
        }
        let Some(name) = next.first().cloned() else { return Ok(None) };
        next.remove(0);
        last.clone_from(&name);
        // A drive without a medium, or a loop device without a file.
        let sectors = sysfs::number(format_args!("/sys/class/block/{name}/size")).unwrap_or(0);
        if sectors > 0 {
            let read_only = sysfs::number(format_args!("/sys/class/block/{name}/ro")) == Some(1);
            return Ok(Some(Disk {
                parent: parent(&name),
                name,
                size: sectors.saturating_mul(512),
                read_only,
            }));
        }
    }
}

/// Fills `next` with the first names after `last`.
fn names_after(last: &Name, next: &mut Disks) -> Result<()> {
    next.clear();
    sysfs::each_entry(c"/sys/class/block", &mut |name| {
        // Skip RAM disks, and floppy drives, which take seconds to report that they are empty.
        if !["ram", "zram", "fd"].iter().any(|prefix| name.starts_with(prefix))
            && name > last.as_str()
        {
            keep_first(next, sysfs::name(name).context("disk", &name)?);
        }
        Ok(())
    })
}

/// Inserts a name in order. If the list is full, the last name is dropped.
fn keep_first(names: &mut Disks, name: Name) {
    let at = names.iter().position(|other| name < *other).unwrap_or(names.len());
    if names.is_full() && at < names.len() {
        names.pop();
    }
    // An error means that the list is full and the name comes later: the next walk finds it.
    let _ = names.insert(at, name);
}

/// Returns the disk of a partition: `/sys/class/block/vda1` leads to `…/block/vda/vda1`.
fn parent(name: &str) -> Option<Name> {
    sysfs::number(format_args!("/sys/class/block/{name}/partition"))?;
    let path = crate::io::path::PathBuf::format(format_args!("/sys/class/block/{name}")).ok()?;
    let mut buffer = [0; 512];
    let target = fs::readlink(CWD, path.as_c_str(), &mut buffer).ok()?;
    let disk = target.rsplit(|&byte| byte == b'/').nth(1)?;
    sysfs::name(core::str::from_utf8(disk).ok()?).ok()
}

impl Disk {
    /// Opens it for reading. Returns `None` if the drive has no medium.
    pub fn open(&self) -> Result<Option<Fd>> {
        let open =
            || fs::open(CWD, sysfs::device_node("block", &self.name)?.as_c_str(), O_RDONLY, 0);
        match open() {
            Err(Errno::ENOMEDIUM) => Ok(None),
            opened => opened.map(Some).doing("open"),
        }
    }

    /// Returns its content.
    pub fn content(&self) -> Result<Content> {
        let Some(file) = self.open()? else { return Ok(Content::Unknown) };
        let section = Section { file, offset: 0, size: self.size };
        let mut first = [0; 512];
        let length = section.read_full_at(&mut first, 0)?;
        if looks_like_archive(&first[..length]) {
            return Ok(Content::Archive);
        }
        let found = superblock::probe(&|offset, buffer| section.read_at(buffer, offset))?;
        let otherwise =
            if first[510..] == [0x55, 0xaa] { Content::Partitions } else { Content::Unknown };
        Ok(found.map_or(otherwise, Content::FileSystem))
    }

    /// Returns whether `which` names it. `content` is its content, if readable.
    pub fn is(&self, which: DiskSelector<'_>, content: &Content) -> bool {
        let on_it = |test: &dyn Fn(&Superblock) -> bool| match content {
            Content::FileSystem(superblock) => test(superblock),
            _ => false,
        };
        match which {
            DiskSelector::Auto => true,
            DiskSelector::Device(name) => self.name == name,
            DiskSelector::Serial(serial) => self.has_serial(serial),
            DiskSelector::Label(label) => on_it(&|found| found.label == label.as_bytes()),
            DiskSelector::Uuid(uuid) => on_it(&|found| found.uuid.eq_ignore_ascii_case(uuid)),
        }
    }

    /// Returns the serial number; a partition has its disk's. virtio has it at the disk, NVMe at
    /// the controller.
    fn has_serial(&self, serial: &str) -> bool {
        let mut buffer = [0; 128];
        let name = self.parent.as_ref().unwrap_or(&self.name);
        sysfs::read(format_args!("/sys/class/block/{name}/serial"), &mut buffer) == Ok(serial)
            || sysfs::read(format_args!("/sys/class/block/{name}/device/serial"), &mut buffer)
                == Ok(serial)
    }
}

/// The kernel's messages about new and changed devices.
pub struct Uevents {
    socket: Fd,
}

impl Uevents {
    /// Opens the socket. Callers do that before they list devices, so that no event is lost.
    pub fn open() -> Result<Uevents> {
        net::open_uevents().map(|socket| Uevents { socket }).doing("open netlink socket")
    }

    /// Waits until a device changed. Returns false at the deadline, in microseconds of the
    /// monotonic clock.
    pub fn wait(&self, deadline_us: u64) -> Result<bool> {
        loop {
            let left_us = deadline_us.saturating_sub(time::monotonic_us());
            if left_us == 0 {
                return Ok(false);
            }
            let left_ms = i32::try_from(left_us.div_ceil(1000)).unwrap_or(i32::MAX);
            if event::poll_one(self.socket.by_ref(), libc::POLLIN, left_ms)
                .doing("wait for devices")?
                != 0
            {
                self.drain();
                return Ok(true);
            }
        }
    }

    /// Reads and drops all messages. An overflow (ENOBUFS) means that there were some.
    fn drain(&self) {
        let mut buffer = [0; 512];
        while !matches!(fs::read(self.socket.by_ref(), &mut buffer), Err(Errno::EAGAIN) | Ok(0)) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_names_are_kept_in_their_order() {
        let mut names = Disks::new();
        for number in (0..1000u32).rev() {
            keep_first(&mut names, sysfs::name(&format!("vd{number:04}")).unwrap());
        }
        let expected: Vec<String> =
            (0..DISKS_AT_ONCE).map(|number| format!("vd{number:04}")).collect();
        assert_eq!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), expected);
        keep_first(&mut names, sysfs::name("vd9").unwrap());
        assert_eq!(names.len(), DISKS_AT_ONCE);
    }
}
