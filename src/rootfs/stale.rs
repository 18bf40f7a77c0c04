//! Removes files that killed commands left: names of [`crate::io::unique`] without a lock.

use super::remove;
use crate::io::path::PathBuf;
use crate::io::unique;
use crate::sys::fd::FdRef;
use crate::sys::{self, fs, process};

/// 9p and FUSE (virtiofs): a lock may hold on one machine only, and a command of another may run.
const LOCAL_LOCKS: [i64; 2] = [0x0102_1997, 0x6573_5546];

/// Removes the caller's files named `prefix` and 16 hex digits that no running command uses.
/// Ignores errors, because such a file hinders no other command.
pub fn sweep(directory: FdRef<'_>, prefix: &[u8]) {
    let _ = sweep_all(directory, prefix);
}

fn sweep_all(directory: FdRef<'_>, prefix: &[u8]) -> sys::Result<()> {
    let listed = fs::open(directory, c".", fs::O_RDONLY | fs::O_DIRECTORY, 0)?;
    if LOCAL_LOCKS.contains(&fs::statfs(listed.by_ref())?.0) {
        return Ok(());
    }
    let mut buffer = [0; 4096];
    loop {
        let bytes = fs::read_directory(listed.by_ref(), &mut buffer)?;
        if bytes.is_empty() {
            return Ok(());
        }
        for entry in
            fs::entries(bytes).filter(|entry| unique::is_made(entry.name.to_bytes(), prefix))
        {
            let _ = sweep_one(directory, &PathBuf::from_bytes(entry.name.to_bytes())?);
        }
    }
}

fn sweep_one(directory: FdRef<'_>, name: &PathBuf) -> sys::Result<()> {
    let flags = fs::O_RDONLY | fs::O_NONBLOCK | fs::O_NOFOLLOW | fs::O_NOCTTY;
    let file = fs::open(directory, name.as_c_str(), flags, 0)?;
    let stat = fs::stat(file.by_ref(), c"")?;
    if stat.uid != process::effective_uid() || !matches!(stat.kind(), fs::S_IFREG | fs::S_IFDIR) {
        return Ok(());
    }
    fs::lock(file.by_ref(), libc::LOCK_EX | libc::LOCK_NB)?;
    // Its command may have renamed it to its final name meanwhile.
    match unique::is_named(directory, name, file.by_ref())? {
        true if stat.kind() == fs::S_IFDIR => remove::tree(directory, name.as_c_str()),
        true => fs::unlink(directory, name.as_c_str()),
        false => Ok(()),
    }
}
