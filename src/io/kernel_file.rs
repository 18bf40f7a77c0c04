//! Files of the kernel: cgroupfs, procfs, resctrl.

use crate::io::path::PathBuf;
use crate::sys::fd::FdRef;
use crate::sys::fs;
use core::ffi::CStr;

/// Writes a line into a file of the kernel, which must exist.
pub fn write_file(
    directory: FdRef<'_>,
    path: &CStr,
    text: core::fmt::Arguments<'_>,
) -> crate::sys::Result<()> {
    let mut line = PathBuf::new();
    line.set(text)?;
    let file = fs::open(directory, path, fs::O_WRONLY | fs::O_NOFOLLOW, 0)?;
    fs::write_all(file.by_ref(), line.as_bytes())
}
