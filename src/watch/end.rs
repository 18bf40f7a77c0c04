//! One end of a pump: a fd that is read or written without blocking.
//!
//! `O_NONBLOCK` belongs to the open file description, which our caller and others share. So it
//! stays unchanged on every fd that we were given. A pipe or a terminal is opened again, which
//! gives our own description. A socket cannot be opened, but takes a flag with each call.
//!
//! If opening fails (another user's terminal, no /proc), and for all other files, poll(2) comes
//! before each call. A write is then at most `PIPE_BUF` bytes, which a pipe that polls as writable
//! takes at once. (`RWF_NOWAIT` works for pipes only since Linux 6.5, and never for terminals.)

use crate::io::path::PathBuf;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::fs::{self, O_NOCTTY, O_NONBLOCK, O_WRONLY};
use crate::sys::{self, Errno, event, socket, tty};

/// One end; see the module.
pub enum End {
    /// Our own description, which never blocks.
    Own(Fd),
    /// A description that others share, and that may block.
    Shared(FdRef<'static>),
    /// A socket that others share.
    Socket(FdRef<'static>),
}

impl From<Fd> for End {
    /// Returns the end of a fd of ours, which is non-blocking.
    fn from(fd: Fd) -> End {
        End::Own(fd)
    }
}

impl End {
    /// Returns the end that writes to a fd that we were given.
    pub fn output(fd: FdRef<'static>) -> End {
        let kind = fs::stat(fd, c"").map_or(0, |stat| stat.kind());
        if kind == fs::S_IFSOCK {
            return End::Socket(fd);
        }
        if kind == fs::S_IFIFO || tty::is_terminal(fd) {
            let path = PathBuf::format(format_args!("/proc/self/fd/{}", fd.raw() as u32));
            let flags = O_WRONLY | O_NONBLOCK | O_NOCTTY;
            if let Ok(own) = path.and_then(|path| fs::open(CWD, path.as_c_str(), flags, 0)) {
                return End::Own(own);
            }
        }
        End::Shared(fd)
    }

    /// Returns the end that reads a fd that we were given.
    pub fn input(fd: FdRef<'static>) -> End {
        End::Shared(fd)
    }

    /// Returns the fd to wait for.
    pub fn by_ref(&self) -> FdRef<'_> {
        match self {
            End::Own(fd) => fd.by_ref(),
            End::Shared(fd) | End::Socket(fd) => *fd,
        }
    }

    /// read(2). EAGAIN if there are no bytes now.
    pub(super) fn read(&self, buffer: &mut [u8]) -> sys::Result<usize> {
        if let End::Shared(fd) = self {
            ask(*fd, libc::POLLIN)?;
        }
        fs::read(self.by_ref(), buffer)
    }

    /// write(2) of some of `bytes`. EAGAIN if there is no room now.
    pub(super) fn write(&self, bytes: &[u8]) -> sys::Result<usize> {
        match self {
            End::Own(fd) => fs::write(fd.by_ref(), bytes),
            End::Socket(fd) => socket::send_now(*fd, bytes),
            End::Shared(fd) => {
                ask(*fd, libc::POLLOUT)?;
                fs::write(*fd, &bytes[..bytes.len().min(libc::PIPE_BUF)])
            }
        }
    }
}

fn ask(fd: FdRef<'_>, what: i16) -> sys::Result<()> {
    if event::poll_one(fd, what, 0)? == 0 { Err(Errno::EAGAIN) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd;

    fn flags(fd: FdRef<'_>) -> i32 {
        // SAFETY: no memory is passed.
        unsafe { libc::fcntl(fd.raw(), libc::F_GETFL) }
    }

    /// Writes until there is no room. Returns the number of bytes.
    fn fill(end: &End) -> usize {
        let mut taken = 0;
        loop {
            match end.write(&[b'x'; 4096]) {
                Ok(n) => taken += n,
                Err(errno) => {
                    assert_eq!(errno, Errno::EAGAIN);
                    return taken;
                }
            }
        }
    }

    #[test]
    fn an_end_that_is_full_says_so_and_its_fd_keeps_its_flags() {
        let (heard, said) = fd::pipe().unwrap();
        let said = said.leak();
        let before = flags(said);
        for (end, is_own) in [(End::output(said), true), (End::Shared(said), false)] {
            assert_eq!(matches!(end, End::Own(_)), is_own);
            assert_eq!(fill(&end), 64 << 10);
            fs::read(heard.by_ref(), &mut vec![0; 64 << 10]).unwrap();
        }
        assert_eq!(flags(said), before);
        assert_eq!(before & libc::O_NONBLOCK, 0);
        let (ours, _theirs) = fd::socketpair(libc::SOCK_STREAM).unwrap();
        let ours = ours.leak();
        let end = End::output(ours);
        assert!(matches!(end, End::Socket(_)) && fill(&end) > 0);
        assert_eq!(flags(ours) & libc::O_NONBLOCK, 0);
    }

    #[test]
    fn an_end_without_a_word_says_so() {
        let (heard, said) = fd::pipe().unwrap();
        let heard = heard.leak();
        let end = End::input(heard);
        assert_eq!(end.read(&mut [0; 8]), Err(Errno::EAGAIN));
        fs::write_all(said.by_ref(), b"word").unwrap();
        assert_eq!(end.read(&mut [0; 8]), Ok(4));
        drop(said);
        assert_eq!(end.read(&mut [0; 8]), Ok(0));
    }

    #[test]
    fn a_pipe_without_a_reader_is_closed() {
        let (heard, said) = fd::pipe().unwrap();
        let end = End::output(said.leak());
        drop(heard);
        assert_eq!(end.write(b"x"), Err(Errno::EPIPE));
    }
}
