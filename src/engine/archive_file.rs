//! An unnamed file for an archive that cannot be read in place: from a pipe, or compressed.

use crate::image::{Compression, sniff};
use crate::io::lossy::LossyC;
use crate::io::observer::Observer;
use crate::io::section::Section;
use crate::limits::SPOOL_BYTES;
use crate::rootfs::{self, UnpackMemory};
use crate::sys::fd::{CWD, Fd, FdRef, STDIN, duplicate};
use crate::sys::{Errno, fs, process, tty};
use crate::{Context, Error, Result};

/// Returns standard input as a file.
pub fn spool() -> Result<Fd> {
    let stat = fs::stat(STDIN, c"").doing("standard input")?;
    let is_whole = stat.kind() == fs::S_IFREG && fs::seek(STDIN, 0, fs::SEEK_CUR) == Ok(0);
    if is_whole || stat.kind() == fs::S_IFBLK {
        return duplicate(STDIN, 3).doing("standard input");
    }
    if tty::is_terminal(STDIN) {
        return Err(Error::new(format_args!("standard input is a terminal, and no archive")));
    }
    keep(STDIN).doing("standard input")
}

/// Returns a file with all bytes of a pipe or socket.
pub fn keep(from: FdRef<'_>) -> Result<Fd> {
    let file = nameless()?;
    let mut buffer = [0; SPOOL_BYTES];
    loop {
        match fs::read(from, &mut buffer).doing("read")? {
            0 => return Ok(file),
            count => fs::write_all(file.by_ref(), &buffer[..count]).doing("keep")?,
        }
    }
}

/// Returns the tar inside a compressed file. Checks its checksums, because no digest is known.
pub fn inflated(
    file: &Section,
    watch: &dyn Observer,
    unpack: &mut UnpackMemory,
) -> Result<Option<Fd>> {
    if sniff(file)? == Compression::None {
        return Ok(None);
    }
    let to = nameless()?;
    let layer = rootfs::Layer { blob: file, digest: None, diff_id: None, watch };
    rootfs::read(&layer, unpack, &mut |tar| {
        loop {
            let bytes = tar.peek()?;
            let count = bytes.len();
            if count == 0 {
                return Ok(());
            }
            fs::write_all(to.by_ref(), bytes).doing("keep what it holds")?;
            tar.consume(count);
        }
    })?;
    Ok(Some(to))
}

/// Makes an unnamed file in a directory with enough space.
fn nameless() -> Result<Fd> {
    let told = process::variable(b"TMPDIR").filter(|path| !path.is_empty());
    let mut why = (c"/tmp", Errno::ENOENT);
    for place in told.into_iter().chain([c"/var/tmp", c"/tmp"]) {
        match fs::open(CWD, place, fs::O_RDWR | fs::O_TMPFILE, 0o600) {
            Ok(file) => return Ok(file),
            Err(errno) => why = (place, errno),
        }
    }
    Err(why.1).context("keep an archive in", &LossyC(why.0))
}
