//! Hands a filter's listener to whoever the config says ("The Container Process State" of the
//! runtime-spec's config-linux.md).

use crate::Result;
use crate::codec::json::Writer;
use crate::container::hooks::HookContext;
use crate::io::lossy::On;
use crate::io::output::Sink;
use crate::limits::OUTPUT_BYTES;
use crate::spec::syscalls::Seccomp;
use crate::sys::fd::FdRef;
use crate::sys::{self, socket};

/// Connects to the profile's `listenerPath` and sends one state, of the container and of the
/// `process` in it that the filter is for (as we see it), with the listener.
pub fn send_listener(
    profile: &Seccomp<'_>,
    listener: FdRef<'_>,
    process: i32,
    container: &HookContext<'_>,
) -> Result<()> {
    let path = profile.listener_path.unwrap_or_default();
    let socket = socket::connect(path, libc::SOCK_STREAM).on("connect to", path)?;
    let mut sink = Packets {
        socket: socket.by_ref(),
        listener: Some(listener),
        buffer: [0; OUTPUT_BYTES],
        len: 0,
        sent: Ok(()),
    };
    let mut json = Writer::new(&mut sink);
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
    sink.flush();
    sink.sent.on("send the seccomp listener to", path)
}

/// The first bytes take the listener with them, and no others.
struct Packets<'a> {
    socket: FdRef<'a>,
    listener: Option<FdRef<'a>>,
    buffer: [u8; OUTPUT_BYTES],
    len: usize,
    sent: sys::Result<()>,
}

impl Packets<'_> {
    fn flush(&mut self) {
        let bytes = &self.buffer[..self.len];
        if self.sent.is_ok() {
            // A stream takes so few at once.
            self.sent = socket::send(self.socket, bytes, self.listener.take());
        }
        self.len = 0;
    }
}

impl Sink for Packets<'_> {
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.len == OUTPUT_BYTES {
                self.flush();
            }
            self.buffer[self.len] = *byte;
            self.len += 1;
        }
    }
}
