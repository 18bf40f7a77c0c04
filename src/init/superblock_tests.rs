//! Superblocks of today's mkfs programs, and other bytes.

use super::superblock::{Superblock, probe};
use std::path::PathBuf;
use std::process::Command;

fn probe_bytes(disk: &[u8]) -> Option<Superblock> {
    let read = |offset: u64, buffer: &mut [u8]| {
        let rest = disk.get(offset as usize..).unwrap_or(&[]);
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    };
    probe(&read).unwrap()
}

/// A disk made by `program ARGS… FILE`; `None` if the program is not installed.
fn made(name: &str, size: u64, program: &str, args: &[&str]) -> Option<(PathBuf, Vec<u8>)> {
    let path = std::env::temp_dir().join(format!("ocinit-{name}-{}", std::process::id()));
    std::fs::File::create(&path).unwrap().set_len(size).unwrap();
    let status = Command::new(program).args(args).arg(&path).output().ok()?.status;
    assert!(status.success(), "{program}");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    Some((path, bytes))
}

fn check(made: Option<(PathBuf, Vec<u8>)>, kind: &str, label: &str, uuid: &str) {
    let Some((_, disk)) = made else { return };
    let found = probe_bytes(&disk).unwrap();
    assert_eq!((found.kind, &found.label[..], found.uuid.as_str()), (kind, label.as_bytes(), uuid));
    assert!(!found.dirty);
}

const UUID: &str = "01234567-89ab-cdef-0123-456789abcdef";

#[test]
fn file_systems_are_known_by_their_superblocks() {
    let ext = |name, kind| {
        made(name, 4 << 20, "mkfs.ext4", &["-q", "-t", kind, "-L", "my label", "-U", UUID])
    };
    check(ext("ext2", "ext2"), "ext4", "my label", UUID);
    check(ext("ext4", "ext4"), "ext4", "my label", UUID);
    let vfat = |name, size, bits| {
        made(name, size, "mkfs.vfat", &["-F", bits, "-n", "A LABEL", "-i", "1234abcd"])
    };
    check(vfat("fat12", 1 << 20, "12"), "vfat", "A LABEL", "1234-ABCD");
    check(vfat("fat16", 16 << 20, "16"), "vfat", "A LABEL", "1234-ABCD");
    check(vfat("fat32", 64 << 20, "32"), "vfat", "A LABEL", "1234-ABCD");
}

#[test]
fn a_journal_to_replay_is_seen() {
    let mut disk = vec![0; 4096];
    disk[1024 + 56..1024 + 58].copy_from_slice(&[0x53, 0xef]);
    disk[1024 + 96] = 4;
    assert!(probe_bytes(&disk).unwrap().dirty);
}

#[test]
fn an_iso_has_its_date_for_a_uuid() {
    let mut disk = vec![0; 0x9000];
    disk[0x8000..0x8007].copy_from_slice(b"\x01CD001\x01");
    disk[0x8000 + 40..0x8000 + 72].copy_from_slice(b"OCI IMAGE                       ");
    disk[0x8000 + 813..0x8000 + 829].copy_from_slice(b"2026112402400099");
    disk[0x8000 + 830..0x8000 + 846].copy_from_slice(b"0000000000000000");
    let found = probe_bytes(&disk).unwrap();
    assert_eq!(
        (&found.label[..], found.uuid.as_str()),
        (&b"OCI IMAGE"[..], "2026-11-24-02-40-00-99")
    );
}

#[test]
fn what_is_no_file_system_is_not_taken_for_one() {
    assert_eq!(probe_bytes(&[]), None);
    assert_eq!(probe_bytes(&[0; 70_000]), None);
    assert_eq!(probe_bytes(&[0xff; 70_000]), None);
    // A bare partition table has the boot sector's mark, too.
    let mut table = vec![0; 1024];
    table[510..512].copy_from_slice(&[0x55, 0xaa]);
    assert_eq!(probe_bytes(&table), None);
}
