//! Small files of /sys and /proc.

use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::io::text::{decimal, split_once};
use crate::limits::DEVICE_NAME_BYTES;
use crate::sys::Errno;
use crate::sys::fd::CWD;
use crate::sys::fs::{self, O_DIRECTORY, O_RDONLY, O_WRONLY};
use core::ffi::CStr;
use core::fmt;

/// A kernel's device name.
pub type Name = heapless::String<DEVICE_NAME_BYTES>;

/// Returns a copy of `text`, or ENAMETOOLONG.
pub fn name(text: &str) -> Result<Name, Errno> {
    Name::try_from(text).map_err(|_| Errno::ENAMETOOLONG)
}

/// Returns the file's text without surrounding white space and NULs, as much as `buffer` holds.
/// Text that is not UTF-8 reads as empty.
pub fn read<'b>(path: fmt::Arguments<'_>, buffer: &'b mut [u8]) -> Result<&'b str, Errno> {
    let path = PathBuf::format(path)?;
    let file = fs::open(CWD, path.as_c_str(), O_RDONLY, 0)?;
    let n = fs::read(file.by_ref(), buffer)?;
    let mut text = &buffer[..n];
    while let [b'\0'..=b' ', rest @ ..] | [rest @ .., b'\0'..=b' '] = text {
        text = rest;
    }
    Ok(core::str::from_utf8(text).unwrap_or(""))
}

/// Returns the file's number, or `None` if the file or the number is missing.
pub fn number(path: fmt::Arguments<'_>) -> Option<u64> {
    decimal(read(path, &mut [0; 32]).ok()?.as_bytes())
}

/// Returns the number after a word and white space at the start of a line (`MemAvailable:  123
/// kB`). The file may have any length.
pub fn line(path: &CStr, key: &str) -> Option<u64> {
    let file = fs::open(CWD, path, O_RDONLY, 0).ok()?;
    let mut buffer = [0; 512];
    let mut kept = 0;
    loop {
        let count = fs::read(file.by_ref(), &mut buffer[kept..]).ok().filter(|count| *count > 0)?;
        let filled = kept + count;
        let mut start = 0;
        while let Some(length) = buffer[start..filled].iter().position(|&byte| byte == b'\n') {
            let words = buffer[start..start + length].split(u8::is_ascii_whitespace);
            let mut words = words.filter(|word| !word.is_empty());
            if words.next() == Some(key.as_bytes()) {
                return decimal(words.next()?);
            }
            start += length + 1;
        }
        // Keep an unfinished line. Skip one that is longer than the buffer, because no wanted line
        // is.
        kept = if start == 0 && filled == buffer.len() { 0 } else { filled - start };
        buffer.copy_within(filled - kept..filled, 0);
    }
}

/// Writes a value to a file that exists.
pub fn write(path: &CStr, value: &[u8]) -> Result<(), Errno> {
    let file = fs::open(CWD, path, O_WRONLY, 0)?;
    fs::write_all(file.by_ref(), value)
}

/// Calls `visit` with the name of each entry of a directory, if that exists.
pub fn each_entry(
    dir: &CStr,
    visit: &mut dyn FnMut(&str) -> crate::Result<()>,
) -> crate::Result<()> {
    let dir_fd = match fs::open(CWD, dir, O_RDONLY | O_DIRECTORY, 0) {
        Err(Errno::ENOENT) => return Ok(()),
        opened => opened.on("open", dir)?,
    };
    let mut buffer = [0; 2048];
    loop {
        let bytes = fs::read_directory(dir_fd.by_ref(), &mut buffer).on("read", dir)?;
        if bytes.is_empty() {
            return Ok(());
        }
        for entry in fs::entries(bytes) {
            if let Ok(name) = entry.name.to_str() {
                visit(name)?;
            }
        }
    }
}

/// Returns the path of a device's node, `/dev/NAME`. If the kernel has not made the node, makes it
/// from its numbers in sysfs.
pub fn device_node(class: &str, name: &str) -> Result<PathBuf, Errno> {
    let mut path = PathBuf::from_bytes(b"/dev")?;
    // sysfs writes a '/' of a name as '!', as in cciss!c0d0.
    for part in name.as_bytes().split(|&byte| byte == b'!') {
        path.push(part)?;
    }
    if fs::stat(CWD, path.as_c_str()).is_ok() {
        return Ok(path);
    }
    let mut buffer = [0; 32];
    let numbers = read(format_args!("/sys/class/{class}/{name}/dev"), &mut buffer)?;
    let (major, minor) = split_once(numbers, b':').ok_or(Errno::EINVAL)?;
    let number = |text: &str| {
        decimal(text.as_bytes()).and_then(|number| u32::try_from(number).ok()).ok_or(Errno::EINVAL)
    };
    let kind = if class == "block" { fs::S_IFBLK } else { fs::S_IFCHR };
    match fs::mknod(CWD, path.as_c_str(), kind | 0o600, fs::makedev(number(major)?, number(minor)?))
    {
        Ok(()) | Err(Errno::EEXIST) => Ok(path),
        Err(errno) => Err(errno),
    }
}
