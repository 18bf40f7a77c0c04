//! Disk files with a file system, made without mounts and without root.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;

use super::tool;

const MIB: u64 = 1 << 20;

/// A file of this many MiB, all holes; what it held is gone.
pub fn blank(file: &Path, mebibytes: u64) {
    let made = OpenOptions::new().create(true).write(true).truncate(true).open(file);
    made.and_then(|made| made.set_len(mebibytes * MIB))
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
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

/// A FAT file system holding a directory's content; `extra` are words of mkfs (`-n LABEL`, `-i
/// SERIAL`).
pub fn vfat(file: &Path, mebibytes: u64, content: &Path, extra: &[&str]) {
    blank(file, mebibytes);
    tool(Command::new("/usr/sbin/mkfs.vfat").args(extra).arg(file));
    for entry in std::fs::read_dir(content).expect("content") {
        tool(
            Command::new("mcopy")
                .args(["-s", "-i"])
                .arg(file)
                .arg(entry.expect("content").path())
                .arg("::"),
        );
    }
}

/// The content of a file on an unmounted ext4, or nothing if it is not there.
pub fn ext4_read(file: &Path, path: &str) -> Vec<u8> {
    tool(Command::new("/usr/sbin/debugfs").args(["-R", &format!("cat {path}")]).arg(file))
}

/// One MBR partition at 1 MiB that holds the bytes of another disk file.
pub fn partitioned(file: &Path, content: &Path) {
    let bytes = super::read(content);
    let mut disk = vec![0; MIB as usize];
    let sectors = u32::try_from(bytes.len() / 512).expect("a small disk");
    disk[446 + 4] = 0x83;
    disk[446 + 8..446 + 12].copy_from_slice(&2048u32.to_le_bytes());
    disk[446 + 12..446 + 16].copy_from_slice(&sectors.to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk.extend(bytes);
    super::write(file, disk);
}

/// A GPT of so many empty partitions, eight sectors each.
pub fn many_partitions(file: &Path, count: u64) {
    const ENTRIES: usize = 128;
    assert!(count <= ENTRIES as u64);
    let mut entries = vec![0; ENTRIES * 128];
    for (number, entry) in (0..count).zip(entries.chunks_exact_mut(128)) {
        // Linux file system data; a GUID of its own.
        entry[..16]
            .copy_from_slice(b"\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4");
        entry[16..24].copy_from_slice(&(number + 1).to_le_bytes());
        entry[32..40].copy_from_slice(&(64 + 8 * number).to_le_bytes());
        entry[40..48].copy_from_slice(&(64 + 8 * number + 7).to_le_bytes());
    }
    let sectors = 64 + 8 * count + 64;
    let mut header = vec![0; 92];
    header[..8].copy_from_slice(b"EFI PART");
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(8, &0x0001_0000u32.to_le_bytes());
    put(12, &92u32.to_le_bytes());
    for (at, number) in [(24, 1), (32, sectors - 1), (40, 34), (48, sectors - 34), (56, 7), (72, 2)]
    {
        put(at, &u64::to_le_bytes(number));
    }
    put(80, &(ENTRIES as u32).to_le_bytes());
    put(84, &128u32.to_le_bytes());
    put(88, &crc32(&entries).to_le_bytes());
    let sum = crc32(&header);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    let mut disk = vec![0; sectors as usize * 512];
    disk[446 + 4] = 0xee;
    disk[446 + 8..446 + 12].copy_from_slice(&1u32.to_le_bytes());
    disk[446 + 12..446 + 16].copy_from_slice(&(sectors as u32 - 1).to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk[512..512 + 92].copy_from_slice(&header);
    disk[1024..1024 + entries.len()].copy_from_slice(&entries);
    super::write(file, disk);
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 }
        })
    })
}

/// Carries out one command of debugfs(8) that changes the file system.
pub fn ext4_change(file: &Path, request: &str) {
    tool(Command::new("/usr/sbin/debugfs").args(["-w", "-R", request]).arg(file));
}
