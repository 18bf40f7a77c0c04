//! Hands a filter's listener to whoever the config says ("The Container Process State" of the runtime-spec's config-linux.md).

use crate::codec::json::{Text, Value, Writer};
use crate::io::output::Sink;
use crate::io::path::PathBuf;
use crate::limits::OUTPUT_BYTES;
use crate::sys::fd::FdRef;
use crate::sys::{self, socket};
use crate::{Context, Result};

/// What is said of a container.
pub struct ContainerState<'a> {
    /// The version of the specification.
    pub version: &'a [u8],
    /// Its name.
    pub id: &'a [u8],
    /// `creating`, or `running` where a process is added to it.
    pub status: &'a str,
    /// The process that the filter is for, as we see it.
    pub process: i32,
    /// The container's first process, as we see it.
    pub pid: i32,
    /// Where it was made from, absolute.
    pub bundle: &'a [u8],
    /// The config's annotations.
    pub annotations: Option<Value<'a>>,
}

/// Connects to the profile's `listenerPath` and sends one state, with the listener.
pub fn send_listener(profile: Value<'_>, listener: FdRef<'_>, state: &ContainerState<'_>) -> Result<()> {
    let path = profile.require_text("listenerPath")?;
    let name = PathBuf::format(format_args!("{path}")).context("connect to", &path)?;
    let socket = socket::connect(name.as_c_str(), libc::SOCK_STREAM).context("connect to", &path)?;
    let mut sink =
        Packets { socket: socket.by_ref(), listener: Some(listener), buffer: [0; OUTPUT_BYTES], len: 0, sent: Ok(()) };
    write(&mut Writer::new(&mut sink), profile.text("listenerMetadata")?, state);
    sink.flush();
    sink.sent.context("send the seccomp listener to", &path)
}

fn write(json: &mut Writer<'_>, metadata: Option<Text<'_>>, state: &ContainerState<'_>) {
    json.object();
    json.string_of("ociVersion", state.version);
    json.array_of("fds");
    json.string(b"seccompFd");
    json.end();
    json.key("pid").number(state.process as u64);
    if let Some(metadata) = metadata {
        json.key("metadata").text(&metadata);
    }
    json.object_of("state");
    json.string_of("ociVersion", state.version);
    json.string_of("id", state.id);
    json.string_of("status", state.status.as_bytes());
    json.key("pid").number(state.pid as u64);
    json.string_of("bundle", state.bundle);
    if let Some(annotations) = state.annotations {
        json.key("annotations").value(&annotations);
    }
    json.end();
    json.end();
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
