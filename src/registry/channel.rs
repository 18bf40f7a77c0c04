//! The channel to the helper: requests with their pipes, and the answers to each.

use super::helper;
use super::settings::Settings;
use crate::codec::transport::{
    ANSWER_BYTES, Answer, MEDIA_TYPE_BYTES, REFERENCE_BYTES, REQUEST_BYTES, REQUESTS_MAX, Request,
    Setting, VERSION,
};
use crate::io::interrupt;
use crate::io::lossy::Lossy;
use crate::io::path::PathBuf;
use crate::limits::{REGISTRY_PIPE_BYTES, REGISTRY_SILENCE_MS};
use crate::sys::event::{poll_for, poll_one};
use crate::sys::fd::{self, Fd, FdRef};
use crate::sys::process;
use crate::sys::{Errno, fs, signal, socket};
use crate::watch::children;
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// Milliseconds between two looks for a stop signal.
const LOOK_MS: u32 = 100;
/// Milliseconds that the helper has to end when the channel is closed.
const END_MS: i32 = 2000;
/// The one host of a channel.
pub const HOST: u8 = 0;

/// The server's words on a body before it comes.
#[derive(Default)]
pub struct Begun {
    /// The media type, or empty.
    pub media_type: heapless::Vec<u8, MEDIA_TYPE_BYTES>,
    /// The digest of a manifest, or empty.
    pub digest: heapless::Vec<u8, REFERENCE_BYTES>,
}

/// An open request.
struct Open {
    id: u16,
    /// The server has answered: what comes is the body.
    is_begun: bool,
    begun: Option<Begun>,
    /// The end: bytes of the body, or the reason.
    end: Option<Result<u64>>,
}

/// A helper process and the channel to it.
pub struct Channel {
    socket: Option<Fd>,
    helper: Fd,
    open: heapless::Vec<Open, REQUESTS_MAX>,
    /// The id of the next request. 0 is the channel's own.
    next: u16,
    /// Milliseconds since the helper said or sent something.
    silence_ms: u32,
}

impl Channel {
    /// Starts a helper for one repository of a host.
    pub fn start(host: &str, repository: &str, settings: &Settings<'_>) -> Result<Channel> {
        let mut path = PathBuf::new();
        helper::find(&mut path)?;
        let (ours, theirs) = fd::socketpair(libc::SOCK_SEQPACKET).doing("make a socket")?;
        let (_, helper) = helper::start(path.as_c_str(), theirs.by_ref())?;
        drop(theirs);
        let open = heapless::Vec::new();
        let mut channel = Channel { socket: Some(ours), helper, open, next: 1, silence_ms: 0 };
        let (name, repository) = (host.as_bytes(), repository.as_bytes());
        channel.send(&Request::Host { host: HOST, name, repository }, None)?;
        for mirror in settings.mirrors.iter().flatten() {
            channel.send(&Request::Mirror { host: HOST, name: mirror.to_bytes() }, None)?;
        }
        let set = |what, value: Option<&CStr>| match value {
            Some(value) => {
                let value = value.to_bytes();
                channel.send(&Request::Setting { host: HOST, what, value }, None)
            }
            None => Ok(()),
        };
        set(Setting::Insecure, settings.is_insecure.then_some(c""))?;
        set(Setting::AuthFile, settings.authfile)?;
        set(Setting::CredsFile, settings.creds_file)?;
        set(Setting::CertDir, settings.cert_dir)?;
        channel.send(&Request::Start { version: VERSION }, None)?;
        channel.begin(0)?;
        channel.end(0)?;
        Ok(channel)
    }

    fn socket(&self) -> Result<FdRef<'_>> {
        self.socket.as_ref().map(Fd::by_ref).ok_or_else(ended)
    }

    fn send(&self, request: &Request<'_>, pipe: Option<FdRef<'_>>) -> Result<()> {
        let mut buffer = [0; REQUEST_BYTES];
        let packet = request
            .encode(&mut buffer)
            .map_err(|_| Error::new(format_args!("a name or path is too long for a registry")))?;
        match socket::send(self.socket()?, packet, pipe) {
            // It has said why.
            Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(()),
            sent => sent.doing("ask ocinit-registry"),
        }
    }

    /// Begins to wait for answers to a request.
    fn begin(&mut self, id: u16) -> Result<()> {
        let open = Open { id, is_begun: false, begun: None, end: None };
        self.open
            .push(open)
            .map_err(|_| Error::new(format_args!("more than {REQUESTS_MAX} requests at once")))
    }

    /// Asks for a body. Returns the request's id, and the end of the pipe that the body comes from.
    pub fn ask<'r>(&mut self, request: impl FnOnce(u16) -> Request<'r>) -> Result<(u16, Fd)> {
        let (ours, theirs) = fd::pipe().doing("make a pipe")?;
        // A smaller pipe is only slower.
        let _ = fd::set_pipe_size(ours.by_ref(), REGISTRY_PIPE_BYTES);
        fd::set_nonblocking(ours.by_ref(), true).doing("make a pipe")?;
        let id = self.next;
        self.next = self.next.checked_add(1).unwrap_or(1);
        self.begin(id)?;
        self.send(&request(id), Some(theirs.by_ref()))?;
        Ok((id, ours))
    }

    /// Reads from a request's pipe. Returns the number of bytes, 0 only at the end of the whole
    /// body. An error of the request may follow its bytes.
    pub fn read(&mut self, id: u16, pipe: FdRef<'_>, buffer: &mut [u8]) -> Result<usize> {
        loop {
            // Most often there is something. Before the body, the server's words come first.
            if self.open.iter().any(|open| open.id == id && open.is_begun) {
                match fs::read(pipe, buffer) {
                    Err(Errno::EAGAIN) => {}
                    read => return self.count(id, read),
                }
            }
            let asked = [(pipe, libc::POLLIN), (self.socket()?, libc::POLLIN)];
            let [body, said] = poll_for(asked, LOOK_MS).doing("wait for ocinit-registry")?;
            if said != 0 {
                self.hear()?;
                continue;
            }
            if body == 0 {
                self.is_silent()?;
                continue;
            }
            let read = fs::read(pipe, buffer);
            return self.count(id, read);
        }
    }

    /// Returns the number of read bytes. At the end of file it waits for the request's end.
    fn count(&mut self, id: u16, read: crate::sys::Result<usize>) -> Result<usize> {
        self.silence_ms = 0;
        match read.doing("read from ocinit-registry")? {
            0 => self.end(id).map(|_| 0),
            count => Ok(count),
        }
    }

    /// Returns what the server said of the body, once.
    pub fn take_begun(&mut self, id: u16) -> Option<Begun> {
        self.open.iter_mut().find(|open| open.id == id).and_then(|open| open.begun.take())
    }

    /// Waits for the end of a request, and closes it. Returns the number of the body's bytes.
    pub fn end(&mut self, id: u16) -> Result<u64> {
        loop {
            let at = self.open.iter().position(|open| open.id == id).ok_or_else(nonsense)?;
            if self.open[at].end.is_some() {
                return self.open.swap_remove(at).end.unwrap_or(Ok(0));
            }
            match poll_one(self.socket()?, libc::POLLIN, LOOK_MS as i32)
                .doing("wait for ocinit-registry")?
            {
                0 => self.is_silent()?,
                _ => self.hear()?,
            }
        }
    }

    /// Forgets a request whose pipe is closed: the helper then cancels it.
    pub fn cancel(&mut self, id: u16) {
        self.open.retain(|open| open.id != id);
    }

    /// Counts a wait in which nothing came. An error if there were too many, or at a stop signal.
    fn is_silent(&mut self) -> Result<()> {
        interrupt::check()?;
        self.silence_ms += LOOK_MS;
        match self.silence_ms {
            ..REGISTRY_SILENCE_MS => Ok(()),
            _ => Err(Error::with_errno(
                format_args!("ocinit-registry says nothing for {} s", REGISTRY_SILENCE_MS / 1000),
                Errno::ETIMEDOUT,
            )),
        }
    }

    /// Takes one message of the helper.
    fn hear(&mut self) -> Result<()> {
        let mut buffer = [0; ANSWER_BYTES + 1];
        let received = match socket::receive(self.socket()?, &mut buffer) {
            Err(Errno::ECONNRESET) => Ok((0, None)),
            received => received,
        };
        let (count, _) = received.doing("hear ocinit-registry")?;
        if count == 0 {
            return Err(self.has_ended());
        }
        self.silence_ms = 0;
        let answer = Answer::decode(&buffer[..count]).map_err(|_| nonsense())?;
        let (id, end) = match answer {
            Answer::Note { text, .. } => {
                crate::warning!("{}", Lossy(text));
                return Ok(());
            }
            Answer::Restarted { skipped, .. } => {
                crate::debug!("registry: begins again, {skipped} bytes are skipped");
                return Ok(());
            }
            Answer::Begun { id, media_type, digest, .. } => {
                let begun = self.open.iter_mut().find(|open| open.id == id);
                if let Some(Open { is_begun, begun, .. }) = begun {
                    *is_begun = true;
                    *begun = Some(Begun {
                        media_type: media_type.try_into().map_err(|_| nonsense())?,
                        digest: digest.try_into().map_err(|_| nonsense())?,
                    });
                }
                return Ok(());
            }
            Answer::Ready { version: VERSION, .. } => (0, Ok(0)),
            Answer::Ready { version, .. } => (
                0,
                Err(Error::new(format_args!(
                    "ocinit-registry speaks version {version} and ocinit {VERSION}: install both \
                     of one version"
                ))),
            ),
            Answer::Done { id, bytes } => (id, Ok(bytes)),
            Answer::Mounted { id } => (id, Ok(0)),
            Answer::Failed { id, text, .. } => {
                // With an errno, so that the bytes are not looked at again for a reason.
                (id, Err(Error::with_errno(format_args!("{}", Lossy(text)), Errno::EIO)))
            }
        };
        // A failure without a request is the channel's own. A cancelled request has no place.
        match self.open.iter_mut().find(|open| open.id == id) {
            Some(open) => open.end = Some(end),
            None if id == 0 => return end.map(drop),
            None => {}
        }
        Ok(())
    }

    /// Returns the error for a helper that has ended.
    #[cold]
    fn has_ended(&mut self) -> Error {
        self.socket = None;
        // The signal that ended it may be ours, too.
        if let Err(error) = interrupt::check() {
            return error;
        }
        ended()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // Its end of file ends the helper.
        self.socket = None;
        if !matches!(poll_one(self.helper.by_ref(), libc::POLLIN, END_MS), Ok(events) if events != 0)
        {
            let _ = process::kill_pidfd(self.helper.by_ref(), signal::SIGKILL);
        }
        let _ = children::await_end(self.helper.by_ref());
    }
}

#[cold]
fn ended() -> Error {
    Error::with_errno(format_args!("ocinit-registry has ended too early"), Errno::EIO)
}

#[cold]
fn nonsense() -> Error {
    let text = format_args!("ocinit-registry says what the protocol does not have");
    Error::with_errno(text, Errno::EIO)
}
