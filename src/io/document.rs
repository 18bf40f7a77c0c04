//! A small whole file beneath a directory: config.json, process.json, a state.

use super::lossy::{LossyC, On};
use crate::error::{Error, Result};
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// Reads `path` beneath `directory` into `buffer`. An absolute path leaves the directory. Returns
/// the content.
///
/// The file must be a regular one, so that a FIFO or a device cannot block. A file larger than
/// `buffer` is an error that names the limit.
pub fn read<'b>(directory: FdRef<'_>, path: &CStr, buffer: &'b mut [u8]) -> Result<&'b mut [u8]> {
    let flags = fs::O_RDONLY | fs::O_NONBLOCK | fs::O_NOCTTY;
    let file: Fd = fs::open(directory, path, flags, 0).on("open", path)?;
    let stat = fs::stat(file.by_ref(), c"").on("stat", path)?;
    if stat.kind() != fs::S_IFREG {
        return Err(Error::new(format_args!("{}: not a regular file", LossyC(path))));
    }
    read_open(file.by_ref(), path, buffer)
}

/// Reads the file that the user named on the command line. Returns the content. The file may be a
/// FIFO, such as a shell's `<(...)`: the user wants to wait for it.
pub fn read_named<'b>(path: &CStr, buffer: &'b mut [u8]) -> Result<&'b mut [u8]> {
    let file = fs::open(CWD, path, fs::O_RDONLY | fs::O_NOCTTY, 0).on("open", path)?;
    read_open(file.by_ref(), path, buffer)
}

/// Reads an open file or pipe up to its end. Returns the content.
pub fn read_open<'b>(file: FdRef<'_>, name: &CStr, buffer: &'b mut [u8]) -> Result<&'b mut [u8]> {
    let mut len = 0;
    loop {
        let room = buffer.get_mut(len..).unwrap_or(&mut []);
        if room.is_empty() {
            let (name, limit) = (LossyC(name), len - 1);
            return Err(Error::with_errno(
                format_args!("{name}: more than {limit} bytes"),
                Errno::EFBIG,
            ));
        }
        match fs::read(file, room).on("read", name)? {
            0 => return Ok(buffer.get_mut(..len).unwrap_or(&mut [])),
            count => len += count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd::CWD;
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_small_regular_file_is_read_and_nothing_else() {
        let place = std::env::temp_dir().join(format!("ocinit-document-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        let path = |name: &str| CString::new(place.join(name).as_os_str().as_bytes()).unwrap();
        let read_it = |name: &str, room: usize| {
            let mut buffer = vec![0; room];
            let bytes = read(CWD, &path(name), &mut buffer).map(|bytes| bytes.to_vec());
            bytes.map_err(|error| error.to_string().replace(&format!("{}/", place.display()), ""))
        };
        std::fs::write(place.join("a"), "0123456789").unwrap();
        std::fs::write(place.join("empty"), "").unwrap();
        std::process::Command::new("mkfifo").arg(place.join("fifo")).status().unwrap();
        std::os::unix::fs::symlink("a", place.join("link")).unwrap();
        std::os::unix::fs::symlink("loop", place.join("loop")).unwrap();
        assert_eq!(read_it("a", 11), Ok(b"0123456789".to_vec()));
        assert_eq!(read_it("link", 4096), Ok(b"0123456789".to_vec()));
        assert_eq!(read_it("empty", 1), Ok(Vec::new()));
        for (name, room, said) in [
            ("a", 10, "a: more than 9 bytes"),
            ("a", 1, "a: more than 0 bytes"),
            ("absent", 9, "open absent: no such file or directory"),
            (".", 9, ".: not a regular file"),
            ("fifo", 9, "fifo: not a regular file"),
            ("loop", 9, "open loop: too many levels of symbolic links"),
        ] {
            assert_eq!(read_it(name, room), Err(said.into()));
        }
        std::fs::remove_dir_all(&place).unwrap();
    }
}
