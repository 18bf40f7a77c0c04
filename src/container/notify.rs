//! A service manager's notifications (sd_notify(3)): the container gets a socket of our own, and its READY=1 is passed on.
//!
//! It never gets the caller's socket: by that it could name another main process, or leave descriptors with the manager.
//! As with runc it sees ours in a directory that is mounted read-only, and nothing but READY=1 goes further.

use super::state::Directory;
use crate::io::path::PathBuf;
use crate::sys::fd::{self, CWD, Fd, FdRef};
use crate::sys::{self, Errno, event, fs, process, socket};
use crate::{Context, Result};
use core::cell::OnceCell;
use core::ffi::CStr;

/// The variable that names the manager's socket, and in the container ours.
pub const VARIABLE: &str = "NOTIFY_SOCKET";
/// Where the directory is mounted in the container, and what its variable says.
pub const PLACE: &CStr = c"/run/notify";
/// The path of our socket there.
pub const SOCKET: &str = "/run/notify/notify.sock";
/// The directory's name in the container's state.
pub const DIRECTORY: &CStr = c"notify";
const NAME: &str = "notify.sock";

/// What a container may say at once; systemd takes as much.
const MESSAGE_BYTES: usize = 4096;
/// How long the manager may take to see what it was told, in milliseconds (runc's, and sd_notify_barrier's example).
const BARRIER_WAIT_MS: i32 = 30_000;

/// The manager, and the socket on which the container is heard.
pub struct Relay {
    manager: &'static CStr,
    socket: OnceCell<Fd>,
}

impl Relay {
    /// By the environment; none if no manager waits.
    pub fn of_environment() -> Option<Relay> {
        let manager = process::variable(VARIABLE.as_bytes()).filter(|name| !name.is_empty())?;
        Some(Relay { manager, socket: OnceCell::new() })
    }

    /// Makes the directory that is mounted into the container.
    pub fn make(&self, state: FdRef<'_>) -> Result<()> {
        // The process may be any user's, whatever the caller's umask is.
        let made = fs::mkdir(state, DIRECTORY, 0o755).and_then(|()| fs::chmod(state, DIRECTORY, 0o755));
        made.doing("make the directory for notifications")
    }

    /// Listens there from now on. A container that was made without a manager has no directory: it says nothing.
    pub fn listen(&self, state: &Directory<'_>) -> Result<()> {
        match listen(state.fd()) {
            Err(Errno::ENOENT) => Ok(()),
            socket => {
                let _ = self.socket.set(socket.doing("listen for notifications")?);
                Ok(())
            }
        }
    }

    /// What is to be polled until [`Relay::hears_ready`] says yes.
    pub fn socket(&self) -> Option<FdRef<'_>> {
        self.socket.get().map(Fd::by_ref)
    }

    /// Takes what was said; whether READY=1 was among it.
    pub fn hears_ready(&self) -> bool {
        let Some(socket) = self.socket() else { return false };
        let mut message = [0; MESSAGE_BYTES];
        // read(2): descriptors that come along are closed by the kernel.
        while let Ok(length @ 1..) = fs::read(socket, &mut message) {
            if message[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                return true;
            }
        }
        false
    }

    /// Waits until the container is ready or has ended, and tells the manager that its process is the main one.
    pub fn wait(&self, pid: i32, pidfd: FdRef<'_>) {
        while let Some(socket) = self.socket() {
            let mut answers = [0; 2];
            let sources = [Some((socket, libc::POLLIN)), Some((pidfd, libc::POLLIN))];
            if event::poll_some(&sources, &mut answers).is_err() {
                return;
            }
            if self.hears_ready() {
                return self.tell(pid, true);
            }
            if answers[1] != 0 {
                return;
            }
        }
    }

    /// Tells the manager that the container is ready, and which process is the main one. `is_last`: we end now, and by then
    /// the manager must have looked at who told it.
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
        // A manager that does not know the word closes the descriptor, too.
        event::poll_one(end.by_ref(), libc::POLLIN, BARRIER_WAIT_MS).map(drop)
    }
}

fn listen(state: FdRef<'_>) -> sys::Result<Fd> {
    let directory = fs::open(state, DIRECTORY, fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0)?;
    // A path of a socket has 108 bytes: through the directory's descriptor it is short.
    let path = PathBuf::format(format_args!("/proc/self/fd/{}/{NAME}", directory.raw() as u32))?;
    // A start that failed has left its own.
    let _ = fs::unlink(CWD, path.as_c_str());
    let socket = socket::hear(path.as_c_str())?;
    // Any user of the container may say something.
    fs::chmod(CWD, path.as_c_str(), 0o777)?;
    fd::duplicate(socket.by_ref(), 3)
}
