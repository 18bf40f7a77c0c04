//! Error numbers, and their texts. A newtype, not an enum, because the kernel may return an unknown
//! number.

use core::fmt;
use core::num::NonZeroI64;

/// An error number of errno(3), never 0, so that a `Result<(), Errno>` is one number, too. It is as
/// wide as a system call's result. So a `Result` of either is two registers, and avoids memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(NonZeroI64);

impl Errno {
    /// No error number: the failure was not a system call's. It is the kernel's largest, which the
    /// kernel does not use.
    pub const NONE: Errno = Errno(NonZeroI64::new(4095).unwrap());

    /// Returns an error number; 0 is [`Errno::NONE`].
    pub const fn new(number: i32) -> Errno {
        match NonZeroI64::new(number as i64) {
            Some(number) => Errno(number),
            None => Errno::NONE,
        }
    }

    /// Returns the error number of a system call's result that is not above 0, or None for 0.
    pub(super) fn of_answer(answer: isize) -> Option<Errno> {
        NonZeroI64::new(-answer as i64).map(Errno)
    }

    /// Returns the number.
    pub const fn number(self) -> i32 {
        self.0.get() as i32
    }
}

macro_rules! errnos {
    ($($name:ident $text:literal)*) => {
        #[allow(missing_docs)]
        impl Errno {
            $(pub const $name: Errno = Errno::new(libc::$name);)*
        }

        $(const _: () = assert!(libc::$name < 256);)*
        /// The numbers that have a text.
        const NUMBERS: &[u8] = &[$(libc::$name as u8),*];
        /// Their texts in the same order, each ended by a line feed.
        const TEXTS: &str = concat!($($text, "\n"),*);
    };
}

// Go's texts if its syscall package has one: docker and podman look for them in a runtime's errors.
errnos! {
    EPERM "operation not permitted"
    ENOENT "no such file or directory"
    ESRCH "no such process"
    EINTR "interrupted system call"
    EIO "input/output error"
    ENXIO "no such device or address"
    E2BIG "argument list too long"
    ENOEXEC "exec format error"
    EBADF "bad file descriptor"
    ECHILD "no child processes"
    EAGAIN "resource temporarily unavailable"
    ENOMEM "cannot allocate memory"
    EACCES "permission denied"
    EFAULT "bad address"
    ENOTBLK "block device required"
    EBUSY "device or resource busy"
    EEXIST "file exists"
    EXDEV "invalid cross-device link"
    ENODEV "no such device"
    ENOTDIR "not a directory"
    EISDIR "is a directory"
    EINVAL "invalid argument"
    ENFILE "too many open files in system"
    EMFILE "too many open files"
    ENOTTY "inappropriate ioctl for device"
    ETXTBSY "text file busy"
    EFBIG "file too large"
    ENOSPC "no space left on device"
    ESPIPE "illegal seek"
    EROFS "read-only file system"
    EMLINK "too many links"
    EPIPE "broken pipe"
    ECONNRESET "connection reset by peer"
    ERANGE "numerical result out of range"
    EDEADLK "resource deadlock avoided"
    ENAMETOOLONG "file name too long"
    ENOLCK "no locks available"
    ENOSYS "function not implemented"
    ENOTEMPTY "directory not empty"
    ELOOP "too many levels of symbolic links"
    ENODATA "no data available"
    ETIME "timer expired"
    EOVERFLOW "value too large for defined data type"
    EILSEQ "invalid or incomplete multibyte or wide character"
    EUSERS "too many users"
    EOPNOTSUPP "operation not supported"
    ETIMEDOUT "connection timed out"
    ECONNREFUSED "connection refused"
    ESTALE "stale file handle"
    EUCLEAN "structure needs cleaning"
    EDQUOT "disk quota exceeded"
    ENOMEDIUM "no medium found"
    EKEYREJECTED "key was rejected by service"
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = NUMBERS.iter().position(|&number| i32::from(number) == self.number());
        match index.and_then(|index| TEXTS.as_bytes().split(|&byte| byte == b'\n').nth(index)) {
            Some(text) => f.write_str(core::str::from_utf8(text).unwrap_or_default()),
            None => write!(f, "error {}", self.number()),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_texts() {
        for (errno, text) in [
            (Errno::EPERM, "operation not permitted"),
            (Errno::ENOMEDIUM, "no medium found"),
            (Errno::EKEYREJECTED, "key was rejected by service"),
            (Errno::new(4000), "error 4000"),
            (Errno::new(0), "error 4095"),
        ] {
            assert_eq!(errno.to_string(), text);
        }
        assert_eq!(NUMBERS.len(), TEXTS.lines().count());
    }
}
