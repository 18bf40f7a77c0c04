//! A path in a fixed buffer, always NUL-terminated.

use crate::limits::PATH_BYTES;
use crate::sys::Errno;
use core::ffi::CStr;
use core::fmt;

/// At most `PATH_BYTES - 1` bytes and a NUL.
#[derive(Clone)]
pub struct PathBuf {
    bytes: [u8; PATH_BYTES],
    len: usize,
}

impl PathBuf {
    /// Returns the empty path.
    pub const fn new() -> PathBuf {
        PathBuf { bytes: [0; PATH_BYTES], len: 0 }
    }

    /// Returns a path of these bytes. ENAMETOOLONG if they do not fit, EINVAL if one is a NUL.
    pub fn from_bytes(bytes: &[u8]) -> Result<PathBuf, Errno> {
        let mut path = PathBuf::new();
        path.push_bytes(bytes)?;
        Ok(path)
    }

    /// Returns a path from a format: `PathBuf::format(format_args!("/proc/{pid}/ns"))`.
    pub fn format(text: fmt::Arguments<'_>) -> Result<PathBuf, Errno> {
        let mut path = PathBuf::new();
        path.set(text)?;
        Ok(path)
    }

    /// Replaces the path by a format's text, in place.
    pub fn set(&mut self, text: fmt::Arguments<'_>) -> Result<(), Errno> {
        self.truncate(0);
        fmt::write(self, text).map_err(|_| Errno::ENAMETOOLONG)
    }

    /// Appends bytes unchanged.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.contains(&0) {
            return Err(Errno::EINVAL);
        }
        let end = self.len + bytes.len();
        if end >= PATH_BYTES {
            return Err(Errno::ENAMETOOLONG);
        }
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.bytes[end] = 0;
        self.len = end;
        Ok(())
    }

    /// Appends a component, after a `/` if the path does not end in one.
    pub fn push(&mut self, component: &[u8]) -> Result<(), Errno> {
        if self.len > 0 && self.bytes[self.len - 1] != b'/' {
            self.push_bytes(b"/")?;
        }
        self.push_bytes(component)
    }

    /// Shortens the path to `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.bytes[self.len] = 0;
    }

    /// Returns the bytes without the NUL.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Returns the path for a system call.
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_with_nul(&self.bytes[..=self.len]).unwrap_or(c"")
    }
}

impl Default for PathBuf {
    fn default() -> PathBuf {
        PathBuf::new()
    }
}

impl fmt::Write for PathBuf {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_bytes(text.as_bytes()).map_err(|_| fmt::Error)
    }
}
