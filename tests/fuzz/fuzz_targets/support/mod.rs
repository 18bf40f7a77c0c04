//! A tar in a file, and the memory to read it with.
#![allow(dead_code)]

use ocinit::image::{ArchiveMemory, ImageMemory};
use ocinit::sync::{TryGuard, TryLock};
use ocinit::sys::fd::Fd;
use std::os::fd::IntoRawFd;

static MEMORIES: TryLock<(ImageMemory, ArchiveMemory)> =
    TryLock::new((ImageMemory::EMPTY, ArchiveMemory::EMPTY));

pub fn memories() -> TryGuard<'static, (ImageMemory, ArchiveMemory)> {
    MEMORIES.try_lock().expect("one thread")
}

/// A file of these bytes that has no name any more.
pub fn file(bytes: &[u8]) -> Fd {
    let path = std::path::Path::new("/dev/shm").join(format!("ocinit-fuzz-{}", std::process::id()));
    std::fs::write(&path, bytes).expect("write");
    let file = std::fs::File::open(&path).expect("open");
    std::fs::remove_file(&path).expect("remove");
    // SAFETY: `into_raw_fd` gives the ownership.
    unsafe { Fd::from_raw(file.into_raw_fd()) }
}

/// A root directory with these files in its `etc` and nothing else; the one before is gone.
pub fn root(files: &[(&str, &[u8])]) -> Fd {
    let path =
        std::path::Path::new("/dev/shm").join(format!("ocinit-fuzz-root-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(path.join("etc")).expect("make");
    for (name, bytes) in files {
        std::fs::write(path.join("etc").join(name), bytes).expect("write");
    }
    // SAFETY: `into_raw_fd` gives the ownership.
    unsafe { Fd::from_raw(std::fs::File::open(&path).expect("open").into_raw_fd()) }
}

pub fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

pub fn append(tar: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let mut block = [0u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
    block[156] = b'0';
    seal(&mut block);
    tar.extend_from_slice(&block);
    tar.extend_from_slice(bytes);
    tar.resize(tar.len().next_multiple_of(512), 0);
}
