//! Reports of a process under its filter to its parent, through shared memory, because the filter
//! may forbid every system call.
//!
//! ```text
//!  process                                       parent
//!  program and interpreter, for an error's text
//!  seccomp(2)
//!    listener's number -----------------------> pidfd_getfd(2)
//!    spins <----------------------------------- TAKEN, or SEND: over the channel
//!  execve(2)
//!    errno, then a fault that kills ----------> end of file on the channel, then the errno
//! ```
//!
//! The parent trusts none of these numbers and texts, because any process of the container may
//! write them.

use super::execute;
use crate::error::{Context, Error, Result};
use crate::io::lossy::Lossy;
use crate::io::path::PathBuf;
use crate::sys::fd::{Fd, FdRef};
use crate::sys::vm::Shared;
use crate::sys::{Errno, fs};
use crate::sys::{death, process};
use core::sync::atomic::{AtomicU32, Ordering};

/// Indexes of the words.
const ERRNO: usize = 0;
const LISTENER: usize = 1;
const ANSWER: usize = 2;
const PATH_LENGTH: usize = 3;
const INTERPRETER_LENGTH: usize = 4;
/// An exit status; not 0 if the text is a whole error.
const STATUS: usize = 5;
/// The kernel's mark that the parent has died.
const PARENT: usize = 6;
/// Start of the text, four bytes a word.
const TEXT: usize = 8;

/// The parent's answers about a listener.
const TAKEN: u32 = 1;
const SEND: u32 = 2;

/// The longest shown part of a program's path, in bytes.
const PATH_BYTES: usize = 4096;
const _: () = assert!(TEXT * 4 + PATH_BYTES + execute::INTERPRETER_BYTES <= Shared::WORDS * 4);

/// The memory.
pub struct Report(Shared);

impl Report {
    /// Returns a report for a process that this one makes.
    pub fn new() -> Result<Report> {
        Shared::new().map(Report).doing("map a page")
    }

    /// Returns a report for an existing process, and the file to send it ([`Report::adopt`]).
    pub fn with_file() -> Result<(Report, Fd)> {
        let file = fs::memory_file(c"report").doing("make a file in memory")?;
        fs::truncate(file.by_ref(), Shared::BYTES as u64).doing("make a file in memory")?;
        // If the process could shorten the file, our next access would be a SIGBUS.
        fs::seal_size(file.by_ref()).doing("make a file in memory")?;
        Ok((Report::adopt(file.by_ref())?, file))
    }

    /// Returns the report in this file.
    pub fn adopt(file: FdRef<'_>) -> Result<Report> {
        Shared::of_file(file).map(Report).doing("map a page")
    }

    fn word(&self, place: usize) -> &AtomicU32 {
        &self.0.words()[place]
    }

    /// Parent: lets the kernel tell a process that offers a listener if this one dies.
    pub fn tell_of_death(&self) {
        // A kernel without futexes: the process is not told.
        let _ = death::tell_by(self.word(PARENT));
    }

    /// Process: stores the program that it is about to execute.
    pub fn about_to_execute(&self, path: &[u8], interpreter: Option<&[u8]>) {
        self.put(PATH_LENGTH, 0, path, PATH_BYTES);
        if let Some(interpreter) = interpreter {
            self.put(INTERPRETER_LENGTH, PATH_BYTES, interpreter, execute::INTERPRETER_BYTES);
        }
    }

    fn put(&self, length: usize, at: usize, text: &[u8], most: usize) {
        let text = &text[..text.len().min(most)];
        for (word, bytes) in self.0.words()[TEXT + at / 4..].iter().zip(text.chunks(4)) {
            let mut four = [0; 4];
            four[..bytes.len()].copy_from_slice(bytes);
            word.store(u32::from_ne_bytes(four), Ordering::Relaxed);
        }
        self.word(length).store(text.len() as u32, Ordering::Relaxed);
    }

    fn text<'b>(&self, length: usize, at: usize, buffer: &'b mut [u8]) -> &'b [u8] {
        let length = (self.word(length).load(Ordering::Relaxed) as usize).min(buffer.len());
        for (bytes, word) in buffer.chunks_mut(4).zip(&self.0.words()[TEXT + at / 4..]) {
            let four = word.load(Ordering::Relaxed).to_ne_bytes();
            bytes.copy_from_slice(&four[..bytes.len()]);
        }
        &buffer[..length]
    }

    /// Process: reports that execve(2) failed. Ends this process by a fault, because exit_group(2)
    /// may be forbidden.
    pub fn not_executed(&self, errno: Errno) -> ! {
        self.word(ERRNO).store(errno.number() as u32, Ordering::Release);
        process::halt()
    }

    /// Process: stores its final error. It may still try to send it.
    pub fn failed(&self, error: &Error) {
        let text = PathBuf::format(format_args!("{error}")).unwrap_or_default();
        self.put(PATH_LENGTH, 0, text.as_bytes(), PATH_BYTES);
        self.word(ERRNO).store(error.errno().number() as u32, Ordering::Relaxed);
        self.word(STATUS).store(error.status().into(), Ordering::Release);
    }

    /// Parent, after the channel's end: returns the error of execve(2), if it failed.
    pub fn failure(&self) -> Option<Error> {
        let status = self.word(STATUS).load(Ordering::Acquire);
        let number = self.word(ERRNO).load(Ordering::Acquire);
        if status == 0 && number == 0 {
            return None;
        }
        let errno = Errno::new((number & 0xfff) as i32);
        let (mut path, mut interpreter) = ([0; PATH_BYTES], [0; execute::INTERPRETER_BYTES]);
        let path = self.text(PATH_LENGTH, 0, &mut path);
        if status != 0 {
            return Some(
                Error::with_errno(format_args!("{}", Lossy(path)), errno).with_status(status as u8),
            );
        }
        let interpreter = self.text(INTERPRETER_LENGTH, PATH_BYTES, &mut interpreter);
        Some(execute::failure(path, Some(interpreter).filter(|name| !name.is_empty()), errno))
    }

    /// Process: offers this fd, and waits until the parent has taken it. Returns false if it must
    /// be sent.
    pub fn offer(&self, listener: FdRef<'_>) -> bool {
        self.word(LISTENER).store(listener.raw() as u32 + 1, Ordering::Release);
        loop {
            match self.word(ANSWER).load(Ordering::Acquire) {
                // The parent was killed while the listener's receiver kept it waiting.
                0 if self.word(PARENT).load(Ordering::Relaxed) & death::DIED != 0 => {
                    process::halt()
                }
                // futex(2) may be forbidden.
                0 => core::hint::spin_loop(),
                answer => return answer == TAKEN,
            }
        }
    }

    /// Parent: takes the fd that the process offers, once. The process waits for [`Report::go_on`].
    /// Returns None if it offers none, or if we may not take it: then the process sends it.
    pub fn take(&self, process: FdRef<'_>) -> Option<Fd> {
        let number = self.word(LISTENER).swap(0, Ordering::Acquire).checked_sub(1)?;
        let taken = process::take_descriptor(process, number as i32);
        if taken.is_err() {
            self.word(ANSWER).store(SEND, Ordering::Release);
        }
        taken.ok()
    }

    /// Parent: lets the process go on.
    pub fn go_on(&self) {
        self.word(ANSWER).store(TAKEN, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_what_is_read() {
        let (report, file) = Report::with_file().unwrap();
        assert!(report.failure().is_none());
        report.about_to_execute(b"/bin/odd", Some(b"/lib/none"));
        report.word(ERRNO).store(Errno::ENOENT.number() as u32, Ordering::Release);
        let other = Report::adopt(file.by_ref()).unwrap();
        let error = other.failure().unwrap();
        let text = "exec /bin/odd: its interpreter /lib/none: no such file or directory";
        assert_eq!((error.to_string().as_str(), error.status()), (text, 127));
        report.failed(&Error::with_errno(format_args!("odd"), Errno::EPERM));
        assert_eq!(
            (other.failure().unwrap().to_string().as_str(), other.failure().unwrap().status()),
            ("odd", 125)
        );
        report.word(STATUS).store(0, Ordering::Relaxed);
        report.about_to_execute(b"/bin/odd", None);
        // Lengths may be forged.
        report.word(PATH_LENGTH).store(u32::MAX, Ordering::Relaxed);
        report.word(INTERPRETER_LENGTH).store(u32::MAX, Ordering::Relaxed);
        report.word(ERRNO).store(u32::MAX, Ordering::Relaxed);
        assert!(other.failure().unwrap().to_string().starts_with("exec /bin/odd"));
    }
}
