//! A service manager's notifications (sd_notify(3)): the container gets a socket of ours, and its
//! READY=1 is forwarded.
//!
//! It never gets the caller's socket, because with that it could name another main process, or
//! store fds in the manager. As in runc it sees our socket in a read-only mount, and only READY=1
//! is forwarded.

use super::state::Directory;
use crate::io::path::PathBuf;
use crate::sys::fd::{self, CWD, Fd, FdRef};
use crate::sys::signal::SignalSet;
use crate::sys::{self, Errno, fs, process, socket};
use crate::watch::{Happened, Interest, Loop};
use crate::{Context, Result};
use core::cell::OnceCell;
use core::ffi::CStr;

/// The variable that names the manager's socket, and in the container ours.
pub const VARIABLE: &str = "NOTIFY_SOCKET";
/// The mount point of the directory in the container, and the value of its variable.
pub const PLACE: &CStr = c"/run/notify";
/// The path of our socket there.
pub const SOCKET: &str = "/run/notify/notify.sock";
/// The directory's name in the container's state.
pub const DIRECTORY: &CStr = c"notify";
const NAME: &str = "notify.sock";

/// Longest message of a container, in bytes; the same as systemd's.
const MESSAGE_BYTES: usize = 4096;
/// Messages read at once. A socket holds ten.
const MESSAGES_AT_ONCE: usize = 16;
/// Milliseconds for the manager to read our message (as in runc).
const BARRIER_WAIT_MS: u64 = 30_000;

/// The manager, and our socket for the container's messages.
pub struct Relay {
    manager: &'static CStr,
    socket: OnceCell<Fd>,
}

impl Relay {
    /// Returns the relay for the manager in the environment; None if there is none.
    pub fn of_environment() -> Option<Relay> {
        let manager = process::variable(VARIABLE.as_bytes()).filter(|name| !name.is_empty())?;
        Some(Relay { manager, socket: OnceCell::new() })
    }

    /// Makes the directory that is mounted into the container.
    pub fn make(&self, state: FdRef<'_>) -> Result<()> {
        // Any user of the container must have access, whatever the caller's umask is.
        let made =
            fs::mkdir(state, DIRECTORY, 0o755).and_then(|()| fs::chmod(state, DIRECTORY, 0o755));
        made.doing("make the directory for notifications")
    }

    /// Listens there. A container that was made without a manager has no directory, and sends
    /// nothing.
    pub fn listen(&self, state: &Directory<'_>) -> Result<()> {
        match listen(state.fd()) {
            Err(Errno::ENOENT) => Ok(()),
            socket => {
                let _ = self.socket.set(socket.doing("listen for notifications")?);
                Ok(())
            }
        }
    }

    /// Returns the fd to poll until [`Relay::hears_ready`] returns true.
    pub fn socket(&self) -> Option<FdRef<'_>> {
        self.socket.get().map(Fd::by_ref)
    }

    /// Reads all messages. Returns whether READY=1 was among them.
    pub fn hears_ready(&self) -> bool {
        let Some(socket) = self.socket() else { return false };
        let mut message = [0; MESSAGE_BYTES];
        // Bounded: a container that floods the socket must not delay signals and its end.
        for _ in 0..MESSAGES_AT_ONCE {
            // read(2), because the kernel then closes fds in a message.
            let Ok(length) = fs::read(socket, &mut message) else { return false };
            if message[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                return true;
            }
        }
        false
    }

    /// Waits until the container is ready or has ended. Then tells the manager that its process is
    /// the main one.
    pub fn wait(&self, pid: i32, pidfd: FdRef<'_>) {
        // Without a loop the manager is not told: the container runs all the same.
        if self.socket().is_some() && self.await_ready(pidfd).unwrap_or(false) {
            self.tell(pid, true);
        }
    }

    /// Returns whether the container became ready before its process ended.
    fn await_ready(&self, pidfd: FdRef<'_>) -> Result<bool> {
        let mut events = Loop::new(SignalSet::NONE)?;
        let ended = events.add(pidfd, Interest::READ)?;
        if let Some(socket) = self.socket() {
            events.add(socket, Interest::READ)?;
        }
        let mut has_ended = false;
        loop {
            events.wait(None)?;
            while let Some(happened) = events.take()? {
                has_ended |= matches!(happened, Happened::Ready(token, _) if token == ended);
            }
            if self.hears_ready() {
                return Ok(true);
            }
            if has_ended {
                return Ok(false);
            }
        }
    }

    /// Tells the manager that the container is ready, and its main process. `is_last` means that we
    /// end now: then it waits until the manager has checked the sender.
    pub fn tell(&self, main: i32, is_last: bool) {
        if let Err(errno) = self.try_to_tell(main, is_last) {
            crate::warning!("tell the service manager that the container is ready: {errno}");
        }
    }

    fn try_to_tell(&self, main: i32, is_last: bool) -> sys::Result<()> {
        let manager = socket::connect_any(self.manager, libc::SOCK_DGRAM)?;
        socket::send(manager.by_ref(), b"READY=1\n", None)?;
        let text = PathBuf::format(format_args!("MAINPID={}\n", main as u32))?;
        socket::send(manager.by_ref(), text.as_bytes(), None)?;
        if !is_last {
            return Ok(());
        }
        let (end, theirs) = fd::pipe()?;
        socket::send(manager.by_ref(), b"BARRIER=1", Some(theirs.by_ref()))?;
        drop(theirs);
        // A manager that does not know BARRIER=1 closes the fd, too.
        await_close(end.by_ref());
        Ok(())
    }
}

fn listen(state: FdRef<'_>) -> sys::Result<Fd> {
    let directory = fs::open(state, DIRECTORY, fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0)?;
    // Through the directory's fd, because a socket's path has at most 108 bytes.
    let path = PathBuf::format(format_args!("/proc/self/fd/{}/{NAME}", directory.raw() as u32))?;
    // A failed start may have left its socket.
    let _ = fs::unlink(CWD, path.as_c_str());
    // Any user of the container may send. Not by chmod(2), because the container may have put a
    // link there.
    let mask = fs::umask(0);
    let socket = socket::hear(path.as_c_str());
    fs::umask(mask);
    let socket = socket?;
    fd::duplicate(socket.by_ref(), 3)
}

/// Waits until the manager has closed the other end of a pipe, or too long.
fn await_close(end: FdRef<'_>) {
    let waited = Loop::new(SignalSet::NONE).and_then(|mut events| {
        events.add(end, Interest::READ)?;
        events.after(BARRIER_WAIT_MS)?;
        events.next_event()
    });
    drop(waited);
}
