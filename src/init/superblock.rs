//! The file system of a disk, with its label and UUID as blkid(8) prints them.

use core::fmt::Write;

/// A label. It is bytes, because some programs write Latin-1.
pub type Label = heapless::Vec<u8, 64>;
/// A UUID as text.
pub type Uuid = heapless::String<36>;

/// A recognized file system.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Superblock {
    /// Its name for mount(2).
    pub kind: &'static str,
    /// Its label, or empty.
    pub label: Label,
    /// Its UUID, or empty.
    pub uuid: Uuid,
    /// ext4 was not unmounted, so its journal needs a replay.
    pub dirty: bool,
}

/// Reads at an offset of the disk. Returns the number of bytes.
pub type ReadAt<'a> = &'a dyn Fn(u64, &mut [u8]) -> crate::Result<usize>;

/// Fills in a found file system. Returns whether it found one.
type Probe = fn(ReadAt<'_>, &mut Superblock) -> crate::Result<bool>;

/// In this order: vfat comes last, because its mark is the weakest.
static PROBES: [Probe; 5] = [squashfs, ext4, erofs, iso9660, vfat];

/// Returns the first file system whose mark matches.
pub fn probe(read: ReadAt<'_>) -> crate::Result<Option<Superblock>> {
    let mut found = Superblock::default();
    for probe in &PROBES {
        if probe(read, &mut found)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Returns `N` bytes from `offset`. Bytes beyond the disk's end read as zeros.
fn bytes<const N: usize>(read: ReadAt<'_>, offset: u64) -> crate::Result<[u8; N]> {
    let mut buffer = [0; N];
    fill(read, offset, &mut buffer)?;
    Ok(buffer)
}

fn fill(read: ReadAt<'_>, mut offset: u64, mut buffer: &mut [u8]) -> crate::Result<()> {
    while !buffer.is_empty() {
        let n = read(offset, buffer)?;
        if n == 0 {
            break;
        }
        (offset, buffer) = (offset + n as u64, &mut buffer[n..]);
    }
    Ok(())
}

fn u16_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(bytes[at]) | u32::from(bytes[at + 1]) << 8
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u16_at(bytes, at) | u16_at(bytes, at + 2) << 16
}

impl Superblock {
    fn set(&mut self, kind: &'static str, label: &[u8], uuid: &[u8]) {
        self.kind = kind;
        let end = label.iter().position(|&byte| byte == 0).unwrap_or(label.len());
        let label = label[..end].trim_ascii_end();
        let _ = self.label.extend_from_slice(&label[..label.len().min(self.label.capacity())]);
        if uuid.iter().any(|&byte| byte != 0) {
            for (index, byte) in uuid.iter().enumerate() {
                let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
                let _ = write!(self.uuid, "{dash}{byte:02x}");
            }
        }
    }
}

/// ext2, ext3 and ext4 (Documentation/filesystems/ext4/super.rst); the ext4 driver mounts all
/// three.
fn ext4(read: ReadAt<'_>, found: &mut Superblock) -> crate::Result<bool> {
    let block: [u8; 136] = bytes(read, 1024)?;
    if block[56..58] != [0x53, 0xef] {
        return Ok(false);
    }
    const INCOMPAT_RECOVER: u32 = 4;
    found.set("ext4", &block[120..136], &block[104..120]);
    found.dirty = u32_at(&block, 96) & INCOMPAT_RECOVER != 0;
    Ok(true)
}

/// squashfs 4 has neither label nor UUID.
fn squashfs(read: ReadAt<'_>, found: &mut Superblock) -> crate::Result<bool> {
    let block: [u8; 32] = bytes(read, 0)?;
    let is = block[..4] == *b"hsqs" && u16_at(&block, 28) == 4;
    if is {
        found.set("squashfs", b"", b"");
    }
    Ok(is)
}

/// erofs (fs/erofs/erofs_fs.h).
fn erofs(read: ReadAt<'_>, found: &mut Superblock) -> crate::Result<bool> {
    let block: [u8; 80] = bytes(read, 1024)?;
    let is = block[..4] == [0xe2, 0xe1, 0xf5, 0xe0];
    if is {
        found.set("erofs", &block[64..80], &block[48..64]);
    }
    Ok(is)
}

/// iso9660 (ECMA-119 8.4): the primary volume descriptor. Its modification date, or its creation
/// date, serves as UUID.
fn iso9660(read: ReadAt<'_>, found: &mut Superblock) -> crate::Result<bool> {
    let block: [u8; 847] = bytes(read, 0x8000)?;
    if block[..7] != *b"\x01CD001\x01" {
        return Ok(false);
    }
    found.set("iso9660", &block[40..72], b"");
    let date = |at: usize| &block[at..at + 16];
    let set = |date: &&[u8]| date.iter().any(|&digit| digit != b'0' && digit != 0);
    if let Some(date) = [date(830), date(813)].into_iter().find(set) {
        for (index, &digit) in date.iter().enumerate() {
            if index >= 4 && index % 2 == 0 {
                let _ = found.uuid.push('-');
            }
            let _ = found.uuid.push(char::from(digit));
        }
    }
    Ok(true)
}

/// vfat (Microsoft's FAT specification 1.03). The label is the root directory's volume entry, as in
/// blkid. The one in the boot sector goes stale when a disk is renamed.
fn vfat(read: ReadAt<'_>, found: &mut Superblock) -> crate::Result<bool> {
    let boot: [u8; 512] = bytes(read, 0)?;
    let (sector, cluster) = (u16_at(&boot, 11), u32::from(boot[13]));
    let fat32 = boot[82..90] == *b"FAT32   ";
    let fat16 = boot[54..59] == *b"FAT12" || boot[54..59] == *b"FAT16";
    let sane = boot[510..] == [0x55, 0xaa]
        && matches!(sector, 512 | 1024 | 2048 | 4096)
        && cluster.is_power_of_two();
    if !sane || !(fat32 || fat16) {
        return Ok(false);
    }
    let fats = u32::from(boot[16]);
    let fat_sectors = if fat32 { u32_at(&boot, 36) } else { u16_at(&boot, 22) };
    let data = u64::from(u16_at(&boot, 14)) + u64::from(fats) * u64::from(fat_sectors);
    let root_cluster = if fat32 { u64::from(u32_at(&boot, 44).max(2)) - 2 } else { 0 };
    let root = (data + root_cluster * u64::from(cluster)) * u64::from(sector);
    let length = if fat32 { cluster * sector } else { u16_at(&boot, 17) * 32 };

    let serial = u32_at(&boot, if fat32 { 67 } else { 39 });
    found.set("vfat", &volume_label(read, root, length)?, b"");
    for nibble in (0..8).rev() {
        let _ = found
            .uuid
            .push(char::from(b"0123456789ABCDEF"[(serial >> (4 * nibble) & 15) as usize]));
        if nibble == 4 {
            let _ = found.uuid.push('-');
        }
    }
    Ok(true)
}

/// Returns the volume entry's name from the root directory's first cluster.
fn volume_label(read: ReadAt<'_>, root: u64, length: u32) -> crate::Result<[u8; 11]> {
    const VOLUME: u8 = 0x08;
    const LONG_NAME: u8 = 0x0f;
    for offset in (0..length).step_by(512) {
        let sector: [u8; 512] = bytes(read, root + u64::from(offset))?;
        for entry in sector.chunks_exact(32) {
            let attributes = entry[11] & 0x3f;
            match entry[0] {
                0 => return Ok([0; 11]),
                // 0xe5: a deleted entry.
                0xe5 => {}
                _ if attributes & VOLUME != 0 && attributes != LONG_NAME => {
                    return Ok(entry[..11].try_into().unwrap_or_default());
                }
                _ => {}
            }
        }
    }
    Ok([0; 11])
}
