//! The receivers of a container's process: the console socket, the pidfd socket, the pid file.

use super::Attach;
use crate::container::{Running, Stdio};
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::io::unique;
use crate::spec::Process;
use crate::sys::fd::{CWD, Fd, FdRef, STDERR, STDIN, STDOUT};
use crate::sys::{fs, socket, tty};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// The receivers of a container's process, by the user's names.
#[derive(Clone, Copy, Default)]
pub struct Listeners<'a> {
    /// A socket that gets the master of its terminal.
    pub console: Option<&'a CStr>,
    /// A socket that gets a pidfd of it.
    pub pidfd: Option<&'a CStr>,
    /// A file that gets its pid.
    pub pid_file: Option<&'a CStr>,
}

/// The socket for a container's terminal, and the receivers of its process. Relative paths are
/// resolved before the bundle becomes the current directory.
pub struct Notify<'a> {
    console: Option<Fd>,
    pidfd: Option<Fd>,
    pid_file: Option<&'a CStr>,
    directory: Fd,
}

impl<'a> Notify<'a> {
    /// Connects to the two sockets, and opens the file's directory.
    pub fn connect(listeners: &Listeners<'a>) -> Result<Notify<'a>> {
        let Listeners { console, pidfd, pid_file } = *listeners;
        let connect = |what: &str, path: Option<&CStr>| {
            path.map(|path| socket::connect(path, libc::SOCK_STREAM).on(what, path)).transpose()
        };
        Ok(Notify {
            console: connect("console-socket", console)?,
            pidfd: connect("pidfd-socket", pidfd)?,
            pid_file,
            directory: fs::open(CWD, c".", fs::O_PATH, 0).doing("open the current directory")?,
        })
    }

    /// Returns the standard streams of a process, with or without a terminal, attended or detached.
    pub fn stdio(
        &self,
        process: &Process<'_>,
        terminal: bool,
        attach: Attach,
    ) -> Result<Stdio<'static>> {
        match (terminal, &self.console) {
            (true, None) if attach == Attach::No => Err(Error::new(format_args!(
                "cannot allocate tty if ocinit will detach without setting console socket"
            ))),
            (false, Some(_)) => Err(Error::new(format_args!(
                "cannot use console socket if ocinit will not detach or allocate tty"
            ))),
            (true, _) => Ok(Stdio::Terminal(process.console_size.or_else(|| tty::size(STDIN)))),
            (false, None) => Ok(Stdio::Files([STDIN, STDOUT, STDERR])),
        }
    }

    /// Sends the process to all receivers.
    pub fn send(&self, running: &Running) -> Result<()> {
        if let (Some(console), Some(master)) = (&self.console, &running.terminal) {
            let send = socket::send(console.by_ref(), b"/dev/ptmx", Some(master.by_ref()));
            send.doing("send the terminal to the console socket")?;
        }
        if let Some(pidfd) = &self.pidfd {
            let send = socket::send(pidfd.by_ref(), b"pidfd", Some(running.pidfd.by_ref()));
            send.doing("send the pidfd")?;
        }
        match self.pid_file {
            Some(path) => {
                write_pid(self.directory.by_ref(), path, running.pid).on("write the pid file", path)
            }
            None => Ok(()),
        }
    }
}

/// Writes the pid file completely, or not at all.
fn write_pid(directory: FdRef<'_>, path: &CStr, pid: i32) -> crate::sys::Result<()> {
    let mut partial = PathBuf::from_bytes(path.to_bytes())?;
    partial.push_bytes(b".partial-")?;
    // A new name avoids another user's link and another file of the caller.
    let file = unique::file(directory, &mut partial, 0o666)?;
    let mut text = PathBuf::new();
    text.set(format_args!("{pid}"))?;
    let written = fs::write_all(file.by_ref(), text.as_bytes());
    let named =
        written.and_then(|()| fs::rename(directory, partial.as_c_str(), directory, path, 0));
    if named.is_err() {
        let _ = fs::unlink(directory, partial.as_c_str());
    }
    named
}
