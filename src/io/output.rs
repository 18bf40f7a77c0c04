//! Sinks for bytes: the trait that encoders write to, and a buffered file.

use crate::error::{Error, Result};
use crate::limits::OUTPUT_BYTES;
use crate::sys::fd::FdRef;
use crate::sys::{self, Errno, fs};
use core::fmt;

/// Takes bytes. It keeps a failure until it is finished, so an encoder need not check each piece.
pub trait Sink {
    /// Takes all of these bytes.
    fn put(&mut self, bytes: &[u8]);
}

/// A file, pipe or terminal, written in large pieces.
///
/// ```text
/// let mut output = Output::new(STDOUT);
/// // Or output.put(bytes), or json::Writer::new(&mut output).
/// let _ = write!(output, "{} layers\n", 3);
/// output.finish().doing("write standard output")?;
/// ```
pub struct Output<'f> {
    fd: FdRef<'f>,
    buffer: [u8; OUTPUT_BYTES],
    len: usize,
    /// Bytes that were put so far.
    total: u64,
    failed: Option<Errno>,
}

impl<'f> Output<'f> {
    /// Returns an empty output. It writes when its buffer is full, and in [`Output::finish`].
    pub const fn new(fd: FdRef<'f>) -> Output<'f> {
        Output { fd, buffer: [0; OUTPUT_BYTES], len: 0, total: 0, failed: None }
    }

    /// Returns how many bytes were put so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Writes the rest. Returns the first failure of any write.
    pub fn finish(mut self) -> sys::Result<()> {
        self.flush();
        self.failed.map_or(Ok(()), Err)
    }

    fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = fs::write_all(self.fd, &self.buffer[..self.len]).err();
        }
        self.len = 0;
    }
}

impl Sink for Output<'_> {
    fn put(&mut self, mut bytes: &[u8]) {
        self.total += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.len == OUTPUT_BYTES {
                self.flush();
            }
            let room = &mut self.buffer[self.len..];
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            self.len += now.len();
            bytes = later;
        }
    }
}

impl fmt::Write for Output<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// A document in memory.
pub struct InMemory<'b> {
    buffer: &'b mut [u8],
    /// Length of the document. It may exceed the buffer's.
    len: usize,
}

impl<'b> InMemory<'b> {
    /// Begins a document in `buffer`.
    pub fn new(buffer: &'b mut [u8]) -> InMemory<'b> {
        InMemory { buffer, len: 0 }
    }

    /// Returns the document, or an error if it is longer than the buffer.
    pub fn finish(self) -> Result<&'b mut [u8]> {
        let room = self.buffer.len();
        self.buffer
            .get_mut(..self.len)
            .ok_or_else(|| Error::new(format_args!("more than {room} bytes")))
    }
}

impl Sink for InMemory<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.buffer.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.len += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd::CWD;

    #[test]
    fn everything_arrives_in_order() {
        let path = std::env::temp_dir().join(format!("ocinit-output-{}", std::process::id()));
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        let file = fs::open(CWD, &name, fs::O_WRONLY | fs::O_CREAT | fs::O_TRUNC, 0o600).unwrap();
        let mut output = Output::new(file.by_ref());
        let mut wanted = Vec::new();
        for n in 0..2 * OUTPUT_BYTES {
            let piece = n.to_string();
            output.put(piece.as_bytes());
            wanted.extend_from_slice(piece.as_bytes());
        }
        output.finish().unwrap();
        assert!(std::fs::read(&path).unwrap() == wanted);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_document_in_memory_is_whole_or_an_error() {
        let mut buffer = [0; 4];
        for (pieces, wanted) in
            [(["ab", "cd"], Ok("abcd")), (["abc", "de"], Err("more than 4 bytes"))]
        {
            let mut document = InMemory::new(&mut buffer);
            pieces.iter().for_each(|piece| document.put(piece.as_bytes()));
            match document.finish() {
                Ok(whole) => assert_eq!(Ok(&*whole), wanted.map(str::as_bytes)),
                Err(error) => assert_eq!(Err(error.to_string().as_str()), wanted),
            }
        }
    }

    #[test]
    fn a_failure_is_kept() {
        let full = fs::open(CWD, c"/dev/full", fs::O_WRONLY, 0).unwrap();
        let mut output = Output::new(full.by_ref());
        output.put(&[b'x'; 2 * OUTPUT_BYTES]);
        output.put(b"more");
        assert_eq!(output.finish(), Err(Errno::ENOSPC));
    }
}
