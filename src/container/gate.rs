//! Where a created container waits for its start: a socket in its state directory.
//!
//! The container's process listens there as long as it waits, so a connection says that it is created and not started.
//! One that sends nothing was somebody who wanted to know; one that sends [`START`] becomes the conversation of
//! `handshake.rs`, up to the exec. Nothing is left to clean up when the process dies: nobody listens any more.

use super::handshake::Channel;
use crate::io::path::PathBuf;
use crate::sys::fd::{self, Fd, FdRef};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{self, Errno, event, process, socket};
use crate::{Context, Error, Result};

/// The socket's name.
const NAME: &str = "start.sock";
/// What a start says first.
const START: u8 = b'!';
/// Those who may ask at once.
const WAITING: u32 = 128;

/// What a gate of ours is for signals: nothing to a process that is stopped, continued, or tells of its children.
const HARMLESS: [i32; 7] =
    [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// Makes the gate in a state directory. The descriptor is none of 0, 1 and 2.
pub fn make(directory: FdRef<'_>) -> Result<Fd> {
    let listener = path(directory).and_then(|path| socket::listen(path.as_c_str(), WAITING)).doing("make the gate")?;
    fd::duplicate(listener.by_ref(), 3).doing("duplicate a descriptor")
}

/// Whether somebody waits there: asked by a connection on which nothing is said.
pub fn listens(directory: FdRef<'_>) -> bool {
    // EAGAIN: he does, and others have asked before he looked.
    matches!(connect(directory, libc::SOCK_NONBLOCK), Ok(_) | Err(Errno::EAGAIN))
}

/// Starts what waits there; what it says from now on. `None` where nobody waits.
pub fn open(directory: FdRef<'_>) -> Result<Option<Channel>> {
    let connection = match connect(directory, 0) {
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => return Ok(None),
        connection => connection.doing("open the gate")?,
    };
    socket::send(connection.by_ref(), &[START], None).doing("open the gate")?;
    Ok(Some(Channel::over(connection)))
}

fn connect(directory: FdRef<'_>, flags: i32) -> sys::Result<Fd> {
    socket::connect(path(directory)?.as_c_str(), libc::SOCK_SEQPACKET | flags)
}

/// A path of a socket has 108 bytes: through the directory's descriptor it is short.
fn path(directory: FdRef<'_>) -> sys::Result<PathBuf> {
    PathBuf::format(format_args!("/proc/self/fd/{}/{NAME}", directory.raw() as u32))
}

/// Waits in the container until somebody opens the gate. A signal that would end a program ends this process: it may be
/// PID 1, whom the kernel keeps from signals that it has no handler for.
pub fn wait(gate: &Fd) -> Result<Channel> {
    signal::set_mask(SignalSet::ALL).doing("block signals")?;
    let signals = signal::open(SignalSet::ALL).doing("watch signals")?;
    loop {
        let either = [Some((gate.by_ref(), libc::POLLIN)), Some((signals.by_ref(), libc::POLLIN))];
        event::poll_some(&either, &mut []).doing("wait at the gate")?;
        while let Some((number, _)) = signal::next(&signals) {
            if !HARMLESS.contains(&number) {
                process::exit(128 + number);
            }
        }
        let connection = match socket::accept(gate.by_ref()) {
            // Nobody is there any more.
            Err(Errno::EAGAIN) => continue,
            // Among others EMFILE, by a limit of the process's own: it would be so the next time, too.
            connection => connection.doing("accept at the gate")?,
        };
        let mut word = [0];
        if matches!(socket::receive(connection.by_ref(), &mut word), Ok((1, None))) && word[0] == START {
            let connection = fd::duplicate(connection.by_ref(), 3).doing("duplicate a descriptor")?;
            return Ok(Channel::over(connection));
        }
    }
}

/// The error of a start that comes too late.
pub fn nobody_waits() -> Error {
    Error::new(format_args!("cannot start a container that has stopped or is running already"))
}
