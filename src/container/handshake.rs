//! The messages between the new process and its parent.
//!
//! ```text
//!  parent                                   child
//!  clone3, into the cgroup ---------------> (an intermediate process, if namespaces are joined:
//!    |                                       it says Map and Born)
//!    |  <------ Map ----------------------- in a user namespace without ids
//!    |  ------- Go -----------------------> own session, namespaces, mounts, devices
//!    |  <------ Source, a mount's number -- (each source that it cannot open: mounts/lent.rs)
//!    |  ------- Lent + tree, or Failed --->
//!    |  <------ Terminal + master --------- (if it gets a terminal)
//!    |  <------ Hooks --------------------- (if the config has some for the host now)
//!    |  ------- Go -----------------------> root, masks, limits, privileges, working directory
//!    |  <------ Listener + fd ------------- (if a seccomp filter notifies)
//!    |  <------ Ready -------------------- the next call is execve, or it waits at start_socket.rs
//!    |  ------- Go -----------------------> it survives its parent from now on
//!    |  <------ end of file --------------- executed: the socket was close-on-exec
//!    |
//!    |  <------ Failed: status, errno, text if any step failed; then the child exits
//!    |  <------ end of file before Ready -- it was killed on the way
//!    x  parent dies ----------------------> so does the child, until the last Go
//! ```
//!
//! The process of `exec`, and of a container that joins a pid namespace, is made beside other
//! processes, which may have CAP_SYS_PTRACE. So the intermediate process does all of the above up
//! to Ready. For a new container it first says Placed, and hooks get its pid. It then says Clones,
//! closes everything else, and makes the process last. From then on the others may forge messages.
//!
//! If there is a filter, the intermediate process loads it before, and the process first waits for
//! a Go. It then executes without Ready, unless it waits at its start socket or runs hooks.
//!
//! With `--init`, the init's child says Ready and Failed. A created container has this conversation
//! with `create` up to Ready, and the rest with `start`. One message is one packet: kind, status,
//! errno (two bytes), then text or a number.

use crate::error::{Context, Error, Result};
use crate::io::path::PathBuf;
use crate::limits::ERROR_TEXT_BYTES;
use crate::sys::fd::{self, Fd, FdRef};
use crate::sys::marked::Mark;
use crate::sys::{Errno, fs, socket};

const TERMINAL: u8 = 1;
const READY: u8 = 2;
const FAILED: u8 = 3;
const MAP: u8 = 4;
const BORN: u8 = 5;
const HOOKS: u8 = 6;
const LISTENER: u8 = 7;
const GO: u8 = 8;
const CLONES: u8 = 9;
const PLACED: u8 = 10;
const SOURCE: u8 = 11;
const LENT: u8 = 12;
const HEADER_BYTES: usize = 4;

/// A message to the parent, or (`Lent`, `Failed`) to a child that asked for a source.
pub enum Message {
    /// The master of the container's terminal.
    Terminal(Fd),
    /// It waits for its user namespace's maps.
    Map,
    /// The intermediate process has made the container's process: its pid in our namespace, and a
    /// pidfd.
    Born(i32, Fd),
    /// The intermediate process is in all of the container's namespaces but its pid namespace, and
    /// has done nothing visible there. It waits.
    Placed,
    /// The last message of the intermediate process, which waits. It will make the container's
    /// process in a pid namespace with other processes. Those may forge all later messages.
    Clones,
    /// It waits for the source of the mount of this number.
    Source(usize),
    /// That source.
    Lent(Fd),
    /// Its mounts are made and hooks on the host may run. It waits.
    Hooks,
    /// The listener of its seccomp filter.
    Listener(Fd),
    /// Its next step is execve(2), or the wait at its start socket. It waits.
    Ready,
    /// It gives up.
    Failed(Error),
    /// It has executed the program, or is dead.
    End,
}

impl Message {
    /// Returns whether the process of PID 1's own container may send it. That has no hooks, no
    /// intermediate process, no listener, and no users or sources of its own.
    pub fn is_of_machine(&self) -> bool {
        matches!(self, Message::Terminal(_) | Message::Ready | Message::Failed(_) | Message::End)
    }
}

/// The first byte from a `start`. For a process that waits for [`GO`] it means that its parent has
/// died.
pub const START: u8 = b'!';

/// One end of the conversation: a socket, or one pipe to read and one to write.
pub struct Channel {
    socket: Option<Fd>,
    /// The pipe from the other side, and the pipe to it.
    pipes: [FdRef<'static>; 2],
}

/// Returns both ends, the parent's and the child's. Neither is fd 0, 1 or 2, which the child
/// replaces.
pub fn pair() -> Result<(Channel, Channel)> {
    let (ours, theirs) = fd::socketpair(libc::SOCK_SEQPACKET).doing("socketpair")?;
    let theirs = fd::duplicate(theirs.by_ref(), 3).doing("duplicate a descriptor")?;
    Ok((Channel::over(ours), Channel::over(theirs)))
}

impl Channel {
    /// Returns an end that continues over this socket.
    pub fn over(socket: Fd) -> Channel {
        Channel { socket: Some(socket), pipes: [fd::STDIN; 2] }
    }

    /// Returns an end over pipes, which carry no fds.
    pub fn over_pipes(from: FdRef<'static>, to: FdRef<'static>) -> Channel {
        Channel { socket: None, pipes: [from, to] }
    }

    fn from(&self) -> FdRef<'_> {
        self.socket.as_ref().map_or(self.pipes[0], Fd::by_ref)
    }

    fn to(&self) -> FdRef<'_> {
        self.socket.as_ref().map_or(self.pipes[1], Fd::by_ref)
    }

    /// Child: sends the master of its terminal.
    pub fn terminal(&self, master: FdRef<'_>) -> Result<()> {
        self.say(TERMINAL, &[], Some(master))
    }

    /// Child: sends the listener of its filter.
    pub fn listener(&self, listener: FdRef<'_>) -> Result<()> {
        self.say(LISTENER, &[], Some(listener))
    }

    /// Intermediate process: sends the process that it made.
    pub fn process_created(&self, pid: i32, pidfd: FdRef<'_>) -> Result<()> {
        self.say(BORN, &pid.to_le_bytes(), Some(pidfd))
    }

    /// Intermediate process: reports that it is in the container's namespaces. Returns when it may
    /// go on.
    pub fn placed(&self) -> Result<()> {
        self.say(PLACED, &[], None)?;
        self.await_go()
    }

    /// Intermediate process: reports that it will make the container's process. Returns when it
    /// may.
    pub fn clones(&self) -> Result<()> {
        self.say(CLONES, &[], None)?;
        self.await_go()
    }

    /// Child: asks for its maps. Returns when they are written.
    pub fn ask_for_ids(&self) -> Result<()> {
        self.say(MAP, &[], None)?;
        self.await_go()
    }

    /// Child: asks for the source of the mount of this number. Returns it, detached.
    pub fn ask_for_source(&self, index: u32) -> Result<Fd> {
        self.say(SOURCE, &index.to_le_bytes(), None)?;
        match self.receive()? {
            Message::Lent(tree) => Ok(tree),
            Message::Failed(error) => Err(error),
            _ => Err(Error::new(format_args!("the parent has ended"))),
        }
    }

    /// Parent's helper: sends the source.
    pub fn lend(&self, tree: FdRef<'_>) -> Result<()> {
        self.say(LENT, &[], Some(tree))
    }

    /// Child: asks for the hooks on the host. Returns when they have run.
    pub fn ask_for_hooks(&self) -> Result<()> {
        self.say(HOOKS, &[], None)?;
        self.await_go()
    }

    /// Child: reports that it will execute the program. Returns when it may. A dead parent is an
    /// error, because the container must not start without it.
    pub fn ready(&self) -> Result<()> {
        self.say(READY, &[], None)?;
        self.await_go()
    }

    /// Child: waits for the parent's Go.
    pub fn await_go(&self) -> Result<()> {
        let mut kind = [0];
        // Not recvmsg(2), because nearly every filter allows read(2).
        loop {
            match fs::read(self.from(), &mut kind).doing("hear from the parent")? {
                1 if kind[0] == GO => return Ok(()),
                1 if kind[0] == START && self.socket.is_none() => self.say(READY, &[], None)?,
                _ => return Err(Error::new(format_args!("the parent has ended"))),
            }
        }
    }

    /// Child under a filter: waits for the parent's Go, by a `mark`.
    pub fn await_marked(&self, mark: Mark) -> Result<()> {
        match mark.receive_byte(self.from()).doing("hear from the parent")? {
            Some(GO) => Ok(()),
            _ => Err(Error::new(format_args!("the parent has ended"))),
        }
    }

    /// Parent: tells the child to go on.
    pub fn go(&self) -> Result<()> {
        match &self.socket {
            None => fs::write(self.to(), &[GO]).map(drop),
            Some(socket) => socket::send(socket.by_ref(), &[GO], None),
        }
        .doing("tell the container")
    }

    fn say(&self, kind: u8, number: &[u8], fd: Option<FdRef<'_>>) -> Result<()> {
        let mut packet = [kind, 0, 0, 0, 0, 0, 0, 0];
        let length = HEADER_BYTES + number.len();
        packet[HEADER_BYTES..length].copy_from_slice(number);
        match fd {
            Some(fd) => socket::send(self.to(), &packet[..length], Some(fd)),
            None => fs::write(self.to(), &packet[..length]).map(drop),
        }
        .doing("tell the parent")
    }

    /// Child: reports that it gives up. Parent's helper: reports that there is no source.
    pub fn failed(&self, error: &Error) {
        let errno = (error.errno().number() as u16).to_le_bytes();
        let text = PathBuf::format(format_args!("{error}")).unwrap_or_default();
        let mut packet = [0u8; HEADER_BYTES + ERROR_TEXT_BYTES];
        packet[..HEADER_BYTES].copy_from_slice(&[FAILED, error.status(), errno[0], errno[1]]);
        let length = text.as_bytes().len().min(ERROR_TEXT_BYTES);
        packet[HEADER_BYTES..HEADER_BYTES + length].copy_from_slice(&text.as_bytes()[..length]);
        let _ = fs::write(self.to(), &packet[..HEADER_BYTES + length]);
    }

    /// Returns the fd for poll(2): a hang-up means that the other end is gone.
    pub fn descriptor(&self) -> FdRef<'_> {
        self.from()
    }

    /// Parent: returns the next message.
    pub fn receive(&self) -> Result<Message> {
        let mut packet = [0u8; HEADER_BYTES + ERROR_TEXT_BYTES];
        let heard = match self.socket {
            None => fs::read(self.from(), &mut packet).map(|length| (length, None)),
            Some(_) => socket::receive(self.from(), &mut packet),
        };
        let (length, fd) = heard.doing("hear from the container")?;
        let number = u32::from_le_bytes([packet[4], packet[5], packet[6], packet[7]]);
        Ok(match (packet[0], fd) {
            _ if length == 0 => Message::End,
            (TERMINAL, Some(master)) => Message::Terminal(master),
            (LISTENER, Some(listener)) => Message::Listener(listener),
            (BORN, Some(pidfd)) if length == HEADER_BYTES + 4 => {
                Message::Born(number as i32, pidfd)
            }
            (SOURCE, None) if length == HEADER_BYTES + 4 => Message::Source(number as usize),
            (LENT, Some(tree)) => Message::Lent(tree),
            (MAP, None) => Message::Map,
            (HOOKS, None) => Message::Hooks,
            (CLONES, None) => Message::Clones,
            (PLACED, None) => Message::Placed,
            (READY, None) => Message::Ready,
            (FAILED, None) if length >= HEADER_BYTES => {
                let errno = Errno::new(i32::from(u16::from_le_bytes([packet[2], packet[3]])));
                let text = core::str::from_utf8(&packet[HEADER_BYTES..length])
                    .unwrap_or("(unreadable error text)");
                Message::Failed(
                    Error::with_errno(format_args!("{text}"), errno).with_status(packet[1]),
                )
            }
            (kind, _) => {
                let kind = u32::from(kind);
                return Err(Error::new(format_args!(
                    "the container sent message {kind} of {length} bytes"
                )));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_arrives_as_it_left() {
        let (parent, child) = pair().unwrap();
        parent.go().unwrap();
        child.ready().unwrap();
        child
            .failed(&Error::with_errno(format_args!("exec: gone"), Errno::ENOENT).with_status(127));
        drop(child);
        assert!(matches!(parent.receive(), Ok(Message::Ready)));
        let Ok(Message::Failed(error)) = parent.receive() else { panic!("no error arrived") };
        assert_eq!(
            (error.to_string().as_str(), error.errno(), error.status()),
            ("exec: gone", Errno::ENOENT, 127)
        );
        assert!(matches!(parent.receive(), Ok(Message::End)));
    }

    #[test]
    fn a_child_without_its_parent_does_not_go_on() {
        let (parent, child) = pair().unwrap();
        drop(parent);
        assert_eq!(child.ready().unwrap_err().errno(), Errno::EPIPE);
    }
}
