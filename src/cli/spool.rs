//! An archive from standard input: read as it is where it is a file, kept in a nameless one where it is a pipe.

use crate::io::show::ShowC;
use crate::limits::SPOOL_BYTES;
use crate::sys::fd::{CWD, Fd, STDIN, duplicate};
use crate::sys::{Errno, fs, process, tty};
use crate::{Context, Error, Result};

/// Standard input as a file.
pub fn spool() -> Result<Fd> {
    let stat = fs::stat(STDIN, c"").doing("standard input")?;
    let is_whole = stat.kind() == fs::S_IFREG && fs::seek(STDIN, 0, fs::SEEK_CUR) == Ok(0);
    if is_whole || stat.kind() == fs::S_IFBLK {
        return duplicate(STDIN, 3).doing("standard input");
    }
    if tty::is_terminal(STDIN) {
        return Err(Error::new(format_args!("standard input is a terminal, and no archive")));
    }
    let file = nameless()?;
    let mut buffer = [0; SPOOL_BYTES];
    loop {
        match fs::read(STDIN, &mut buffer).doing("read standard input")? {
            0 => return Ok(file),
            count => fs::write_all(file.by_ref(), &buffer[..count]).doing("keep standard input")?,
        }
    }
}

/// A file that has no name, where there is room for such.
fn nameless() -> Result<Fd> {
    let told = process::variable(b"TMPDIR").filter(|path| !path.is_empty());
    let mut why = (c"/tmp", Errno::ENOENT);
    for place in told.into_iter().chain([c"/var/tmp", c"/tmp"]) {
        match fs::open(CWD, place, fs::O_RDWR | fs::O_TMPFILE, 0o600) {
            Ok(file) => return Ok(file),
            Err(errno) => why = (place, errno),
        }
    }
    Err(why.1).context("keep standard input in", &ShowC(why.0))
}
