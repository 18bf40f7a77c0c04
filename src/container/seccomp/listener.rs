//! Sends a filter's listener to the config's socket ("The Container Process State" of the
//! runtime-spec's config-linux.md).

use crate::Result;
use crate::codec::json::Writer;
use crate::container::hooks::HookContext;
use crate::error::Context;
use crate::io::lossy::On;
use crate::io::output::Output;
use crate::limits::OUTPUT_BYTES;
use crate::spec::syscalls::Seccomp;
use crate::sys::fd::Fd;
use crate::sys::{Errno, fs, socket};
use crate::watch::{Happened, Interest, Loop, Token};
use core::ffi::CStr;

/// Milliseconds until a full backlog is tried again, because no fd reports that it has room.
const RETRY_MS: u64 = 10;

/// A state and a listener on their way to the profile's `listenerPath`. A peer that never reads
/// blocks nothing else.
pub struct Sending<'a> {
    path: &'a CStr,
    /// The state.
    text: Fd,
    /// Bytes of it sent so far.
    sent: u64,
    /// It is sent with the first bytes.
    listener: Option<Fd>,
    socket: Option<Fd>,
    /// The row of the next attempt.
    row: Option<Token>,
}

impl<'a> Sending<'a> {
    /// Sends a state with the listener. The state is of the container and of the filter's
    /// `process`, by its pid in our namespace. Returns None if all was sent.
    pub fn begin(
        profile: &Seccomp<'a>,
        listener: Fd,
        process: i32,
        container: &HookContext<'_>,
        events: &mut Loop,
    ) -> Result<Option<Sending<'a>>> {
        let path = profile.listener_path.unwrap_or_default();
        let text = fs::memory_file(c"state").on("send the seccomp listener to", path)?;
        let mut output = Output::new(text.by_ref());
        let mut json = Writer::new(&mut output);
        json.object();
        json.string_of("ociVersion", container.state.version.to_bytes());
        json.array_of("fds");
        json.string(b"seccompFd");
        json.end();
        json.key("pid").number(process as u64);
        if let Some(metadata) = profile.listener_metadata {
            json.string_of("metadata", metadata.to_bytes());
        }
        json.key("state");
        container.describe(&mut json);
        json.end();
        output.finish().on("send the seccomp listener to", path)?;
        let listener = Some(listener);
        let mut sending = Sending { path, text, sent: 0, listener, socket: None, row: None };
        Ok(if sending.send(events)? { None } else { Some(sending) })
    }

    /// Handles an event. Returns the result once it is known.
    pub fn step(&mut self, happened: &Happened, events: &mut Loop) -> Option<Result<()>> {
        match *happened {
            Happened::Ready(token, _) | Happened::Due(token) if self.row == Some(token) => {}
            _ => return None,
        }
        match self.send(events) {
            Ok(false) => None,
            Ok(true) => Some(Ok(())),
            Err(error) => {
                self.row.take().into_iter().for_each(|row| events.remove(row));
                Some(Err(error))
            }
        }
    }

    /// Gives up.
    pub fn abandon(mut self, events: &mut Loop) {
        self.row.take().into_iter().for_each(|row| events.remove(row));
    }

    /// Sends the bytes that can be sent now. Returns whether that is all.
    fn send(&mut self, events: &mut Loop) -> Result<bool> {
        let socket = match &self.socket {
            Some(socket) => socket,
            None => match socket::connect(self.path, libc::SOCK_STREAM | libc::SOCK_NONBLOCK) {
                // Its backlog is full.
                Err(Errno::EAGAIN) => {
                    self.row = Some(events.after(RETRY_MS)?);
                    return Ok(false);
                }
                socket => &*self.socket.insert(socket.on("connect to", self.path)?),
            },
        };
        let mut bytes = [0; OUTPUT_BYTES];
        loop {
            let length = fs::read_at(self.text.by_ref(), &mut bytes, self.sent)
                .doing("read the state for the listener")?;
            if length == 0 {
                self.row.take().into_iter().for_each(|row| events.remove(row));
                return Ok(true);
            }
            let listener = self.listener.as_ref().map(Fd::by_ref);
            match socket::send_some(socket.by_ref(), &bytes[..length], listener) {
                Ok(count) => {
                    self.sent += count as u64;
                    self.listener = None;
                }
                Err(Errno::EAGAIN) => {
                    // Until then the row, if any, was a timer.
                    if self.row.is_none_or(|row| !events.has(row)) {
                        self.row = Some(events.add(socket.by_ref(), Interest::WRITE)?);
                    }
                    return Ok(false);
                }
                Err(errno) => return Err(errno).on("send the seccomp listener to", self.path),
            }
        }
    }
}

#[cfg(test)]
mod tests;
