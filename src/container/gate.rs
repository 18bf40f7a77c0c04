//! Where a created container waits for its start: a socket in its state directory.
//!
//! The container's process listens there as long as it waits, so a connection says that it is created and not started.
//! One that sends nothing was somebody who wanted to know; one that sends [`START`] becomes the conversation of
//! `handshake.rs`, up to the exec. A process that is under its filter already may not be allowed to accept: it only listens,
//! and hears and says the same over two pipes with names. Nothing is left to clean up when the process dies: nobody listens any more.

use super::handshake::{Channel, START};
use crate::io::path::PathBuf;
use crate::sys::fd::{self, Fd, FdRef};
use crate::sys::{self, Errno, fs, signal, socket};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// The socket's name.
const NAME: &str = "start.sock";
/// The pipes' names: what the process hears, and what it says.
const PIPES: [&CStr; 2] = [c"start.in", c"start.out"];
/// Those who may ask at once.
const WAITING: u32 = 128;

/// Signals that do not end a program.
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

/// Where a process waits. None of its descriptors is 0, 1 or 2, which are open when it is made.
pub struct Gate {
    listener: Fd,
    /// For one that waits under a filter: read(2) and write(2) are all that it needs.
    pipes: Option<[Fd; 2]>,
}

impl Gate {
    /// Makes it in a state directory.
    pub fn make(directory: FdRef<'_>, filtered: bool) -> Result<Gate> {
        let pipe = |name: &CStr| {
            fs::mknod(directory, name, fs::S_IFIFO | 0o600, 0)?;
            // Both ends: it can be opened before there is another, and never ends.
            fs::open(directory, name, fs::O_RDWR | fs::O_NOFOLLOW, 0)
        };
        let pipes = match filtered {
            true => Some([pipe(PIPES[0]).doing("make the gate")?, pipe(PIPES[1]).doing("make the gate")?]),
            false => None,
        };
        let listener = path(directory).and_then(|path| socket::listen(path.as_c_str(), WAITING));
        Ok(Gate { listener: listener.doing("make the gate")?, pipes })
    }

    /// What the process keeps open.
    pub fn descriptors(&self) -> impl Iterator<Item = FdRef<'_>> {
        core::iter::once(&self.listener).chain(self.pipes.iter().flatten()).map(Fd::by_ref)
    }

    /// Waits in the container until somebody opens it; the conversation with it, and the file that came with it, which pipes
    /// do not carry.
    pub fn wait(&self) -> Result<(Channel, Option<Fd>)> {
        let mut word = [0];
        if let Some([heard, said]) = &self.pipes {
            while fs::read(heard.by_ref(), &mut word).doing("wait at the gate")? != 1 || word[0] != START {}
            // They stay open until the exec.
            return Ok((Channel::over_pipes(Fd::from_raw(heard.raw()), Fd::from_raw(said.raw())), None));
        }
        loop {
            let connection = match socket::accept(self.listener.by_ref()) {
                Err(Errno::EINTR) => continue,
                // Among others EMFILE, by a limit of the process's own: it would be so the next time, too.
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

/// Whether somebody waits there: asked by a connection on which nothing is said.
pub fn listens(directory: FdRef<'_>) -> bool {
    // EAGAIN: he does, and others have asked before he looked.
    matches!(connect(directory, libc::SOCK_NONBLOCK), Ok(_) | Err(Errno::EAGAIN))
}

/// Starts what waits there, which gets this file, if any; what it says from now on. `None` where nobody waits.
pub fn open(directory: FdRef<'_>, report: Option<FdRef<'_>>) -> Result<Option<Channel>> {
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

/// The same of one that waits under a filter.
fn open_pipes(directory: FdRef<'_>) -> sys::Result<Channel> {
    let open = |name, flags| fs::open(directory, name, flags | fs::O_NOFOLLOW, 0);
    // For reading, too: then it is no error if nobody reads.
    let (heard, said) = (open(PIPES[0], fs::O_RDWR)?, open(PIPES[1], fs::O_RDONLY | fs::O_NONBLOCK)?);
    // What was said to one that has died since.
    while fs::read(said.by_ref(), &mut [0; 64]).is_ok_and(|length| length > 0) {}
    fd::set_nonblocking(said.by_ref(), false)?;
    fs::write(heard.by_ref(), &[START])?;
    Ok(Channel::over_pipes(said, heard))
}

fn connect(directory: FdRef<'_>, flags: i32) -> sys::Result<Fd> {
    socket::connect(path(directory)?.as_c_str(), libc::SOCK_SEQPACKET | flags)
}

/// A path of a socket has 108 bytes: through the directory's descriptor it is short.
fn path(directory: FdRef<'_>) -> sys::Result<PathBuf> {
    PathBuf::format(format_args!("/proc/self/fd/{}/{NAME}", directory.raw() as u32))
}

/// Has signals that would end a program end this process, which waits: it may be PID 1.
pub fn end_on_signals() {
    signal::reset_all();
    (1..=signal::SIGNAL_MAX).filter(|number| !HARMLESS.contains(number)).for_each(signal::end_on);
}

/// The error of a start that comes too late.
pub fn nobody_waits() -> Error {
    Error::new(format_args!("cannot start a container that has stopped or is running already"))
}
