//! A small file beneath a directory, whole: config.json, process.json, a state.

use super::show::{On, ShowC};
use crate::error::{Error, Result};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// Reads `path` beneath `directory` (an absolute path leads anywhere) into `buffer`, and returns what it holds.
///
/// It must be a regular file; neither a FIFO nor a device is waited for. One that has more than `buffer` takes is an
/// error that names the limit.
pub fn read<'b>(directory: FdRef<'_>, path: &CStr, buffer: &'b mut [u8]) -> Result<&'b mut [u8]> {
    let flags = fs::O_RDONLY | fs::O_NONBLOCK | fs::O_NOCTTY;
    let file: Fd = fs::open(directory, path, flags, 0).on("open", path)?;
    let stat = fs::stat(file.by_ref(), c"").on("stat", path)?;
    if stat.kind() != fs::S_IFREG {
        return Err(Error::new(format_args!("{}: not a regular file", ShowC(path))));
    }
    read_open(file.by_ref(), path, buffer)
}

/// The same of a file that is open, or of a pipe, up to its end.
pub fn read_open<'b>(file: FdRef<'_>, name: &CStr, buffer: &'b mut [u8]) -> Result<&'b mut [u8]> {
    let mut len = 0;
    loop {
        let room = buffer.get_mut(len..).unwrap_or(&mut []);
        if room.is_empty() {
            let (name, limit) = (ShowC(name), len - 1);
            return Err(Error::with_errno(format_args!("{name}: more than {limit} bytes"), Errno::EFBIG));
        }
        match fs::read(file, room).on("read", name)? {
            0 => return Ok(buffer.get_mut(..len).unwrap_or(&mut [])),
            count => len += count,
        }
    }
}
