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
    /// The empty path.
    pub const fn new() -> PathBuf {
        PathBuf { bytes: [0; PATH_BYTES], len: 0 }
    }

    /// A path of these bytes. ENAMETOOLONG where they do not fit, EINVAL where there is a NUL among
    /// them.
    pub fn from_bytes(bytes: &[u8]) -> Result<PathBuf, Errno> {
        let mut path = PathBuf::new();
        path.push_bytes(bytes)?;
        Ok(path)
    }

    /// A path from a format: `PathBuf::format(format_args!("/proc/{pid}/ns"))`.
    pub fn format(text: fmt::Arguments<'_>) -> Result<PathBuf, Errno> {
        let mut path = PathBuf::new();
        path.set(text)?;
        Ok(path)
    }

    /// Becomes the path that a format makes, where it stands.
    pub fn set(&mut self, text: fmt::Arguments<'_>) -> Result<(), Errno> {
        self.truncate(0);
        fmt::write(self, text).map_err(|_| Errno::ENAMETOOLONG)
    }

    /// Appends bytes as they are.
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

    /// Appends a component, with a `/` before it where there is none.
    pub fn push(&mut self, component: &[u8]) -> Result<(), Errno> {
        if self.len > 0 && self.bytes[self.len - 1] != b'/' {
            self.push_bytes(b"/")?;
        }
        self.push_bytes(component)
    }

    /// Cuts it back to `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.bytes[self.len] = 0;
    }

    /// The bytes without the NUL.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// For a system call.
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
