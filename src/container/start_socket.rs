//! The socket in its state directory at which a created container waits for its start.
//!
//! The container's process listens there while it waits. So a connection proves that the container
//! is created and not started. A peer that sends nothing only checks that. A peer that sends
//! [`START`] begins the conversation of `handshake.rs`, up to execve(2).
//!
//! A filter may forbid accept(2): such a process only listens, and uses two FIFOs for the
//! conversation. If the process dies, nothing is left to clean up, because connections are refused.

use super::handshake::{Channel, START};
use crate::io::path::PathBuf;
use crate::sys::fd::{self, Fd, FdRef};
use crate::sys::{self, Errno, fs, signal, socket};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// The socket's name.
const NAME: &str = "start.sock";
/// The FIFOs' names: to the process, and from it.
const PIPES: [&CStr; 2] = [c"start.in", c"start.out"];
/// The socket's backlog.
const WAITING: u32 = 128;

/// Signals that do not end a process by default.
const HARMLESS: [i32; 9] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGCHLD,
    libc::SIGCONT,
    libc::SIGURG,
    libc::SIGWINCH,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

/// The start socket. None of its fds is 0, 1 or 2, which are open when it is made.
pub struct StartSocket {
    listener: Fd,
    /// The FIFOs of a process that waits under a filter: it needs only read(2) and write(2). They
    /// stay open until execve(2).
    pipes: Option<[FdRef<'static>; 2]>,
}

impl StartSocket {
    /// Makes the socket in a state directory.
    pub fn make(directory: FdRef<'_>, filtered: bool) -> Result<StartSocket> {
        let pipe = |name: &CStr| {
            fs::mknod(directory, name, fs::S_IFIFO | 0o600, 0)?;
            // O_RDWR: opening does not wait for the other end, and a read gets no end of file.
            fs::open(directory, name, fs::O_RDWR | fs::O_NOFOLLOW, 0)
        };
        let pipes = match filtered {
            true => Some([
                pipe(PIPES[0]).doing("make the gate")?.leak(),
                pipe(PIPES[1]).doing("make the gate")?.leak(),
            ]),
            false => None,
        };
        let listener = path(directory).and_then(|path| socket::listen(path.as_c_str(), WAITING));
        Ok(StartSocket { listener: listener.doing("make the gate")?, pipes })
    }

    /// Returns the fds that the process keeps open.
    pub fn descriptors(&self) -> [Option<FdRef<'_>>; 3] {
        let [first, second] = self.pipes.map_or([None; 2], |pipes| pipes.map(Some));
        [Some(self.listener.by_ref()), first, second]
    }

    /// Waits in the container for a start. Returns the channel to it, and the file that it sent.
    /// FIFOs carry no file.
    pub fn wait(&self) -> Result<(Channel, Option<Fd>)> {
        let mut word = [0];
        if let Some([heard, said]) = &self.pipes {
            while fs::read(*heard, &mut word).doing("wait at the gate")? != 1 || word[0] != START {}
            // They stay open until execve(2).
            return Ok((Channel::over_pipes(*heard, *said), None));
        }
        loop {
            let connection = match socket::accept(self.listener.by_ref()) {
                Err(Errno::EINTR) => continue,
                // Even EMFILE of the process's own limit is final: it would fail again.
                connection => connection.doing("accept at the gate")?,
            };
            if let Ok((1, file)) = socket::receive(connection.by_ref(), &mut word)
                && word[0] == START
            {
                return Ok((Channel::over(connection), file));
            }
        }
    }
}

/// Returns whether a process waits there: asks by a connection without a message.
pub fn listens(directory: FdRef<'_>) -> bool {
    // EAGAIN: the backlog is full, so the container is listening.
    matches!(connect(directory, libc::SOCK_NONBLOCK), Ok(_) | Err(Errno::EAGAIN))
}

/// Starts the waiting process, and sends it this file, if any. Returns the channel to it, or None
/// if no process waits.
pub fn release(directory: FdRef<'_>, report: Option<FdRef<'_>>) -> Result<Option<Channel>> {
    match open_pipes(directory) {
        Err(Errno::ENOENT) => {}
        channel => return channel.doing("open the gate").map(Some),
    }
    let connection = match connect(directory, 0) {
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => return Ok(None),
        connection => connection.doing("open the gate")?,
    };
    socket::send(connection.by_ref(), &[START], report).doing("open the gate")?;
    Ok(Some(Channel::over(connection)))
}

/// Does the same for a process that waits under a filter.
fn open_pipes(directory: FdRef<'_>) -> sys::Result<Channel> {
    let open = |name, flags| fs::open(directory, name, flags | fs::O_NOFOLLOW, 0);
    // O_RDWR: without a reader O_WRONLY would fail.
    let (heard, said) =
        (open(PIPES[0], fs::O_RDWR)?, open(PIPES[1], fs::O_RDONLY | fs::O_NONBLOCK)?);
    // Drop messages to an earlier `start` that has died.
    while fs::read(said.by_ref(), &mut [0; 64]).is_ok_and(|length| length > 0) {}
    fd::set_nonblocking(said.by_ref(), false)?;
    fs::write(heard.by_ref(), &[START])?;
    // They stay open until `start` ends.
    Ok(Channel::over_pipes(said.leak(), heard.leak()))
}

fn connect(directory: FdRef<'_>, flags: i32) -> sys::Result<Fd> {
    socket::connect(path(directory)?.as_c_str(), libc::SOCK_SEQPACKET | flags)
}

/// Returns the socket's path. It leads through the directory's fd, because a socket's path has at
/// most 108 bytes.
fn path(directory: FdRef<'_>) -> sys::Result<PathBuf> {
    PathBuf::format(format_args!("/proc/self/fd/{}/{NAME}", directory.raw() as u32))
}

/// Lets signals end this waiting process even if it is PID 1.
pub fn end_on_signals() {
    for number in 1..=signal::SIGNAL_MAX {
        match HARMLESS.contains(&number) {
            true => signal::reset(number),
            false => signal::end_on(number),
        }
    }
}

/// Returns the error of a start that comes too late.
pub fn nobody_waits() -> Error {
    Error::new(format_args!("cannot start a container that has stopped or is running already"))
}
