//! The channel to ocinit: settings first, then a thread for each request.

use crate::exchange::Times;
use crate::failure::{Failure, Result, clean};
use crate::push::Uploaded;
use crate::settings::{Settings, Sources};
use crate::transport::{
    ANSWER_BYTES, Answer, Class, REQUEST_BYTES, REQUESTS_MAX, Request, TEXT_BYTES, VERSION,
};
use crate::{confine, pull, push, sys};
use std::cell::Cell;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// The size of a pipe, in bytes: neither side waits for each step of the other.
const PIPE_BYTES: i32 = 256 << 10;
/// Stack of one request, in bytes. Untouched pages cost nothing.
const STACK_BYTES: usize = 512 << 10;

/// Our end of the socket, which all threads send to: a packet goes whole.
pub struct Channel(OwnedFd);

impl Channel {
    /// Over this socket.
    pub fn new(socket: OwnedFd) -> Channel {
        Channel(socket)
    }

    /// Sends an answer. An error means that ocinit is gone, and so is soon this process.
    fn say(&self, answer: &Answer<'_>) -> std::io::Result<()> {
        let mut buffer = [0; ANSWER_BYTES];
        let packet = answer.encode(&mut buffer);
        let packet = packet.map_err(|_| std::io::Error::from(ErrorKind::InvalidData))?;
        sys::send(self.0.as_fd(), packet, None)
    }

    fn fail(&self, id: u16, failure: &Failure, bytes: u64) {
        let (class, status, text) = (failure.class, failure.status, failure.text.as_bytes());
        let _ = self.say(&Answer::Failed { id, class, status, bytes, text });
    }
}

/// One request, as those see it who carry it out.
pub struct Job {
    id: u16,
    channel: Arc<Channel>,
    pipe: Option<File>,
    /// Whether the pipe is filled, and not drained.
    fills: bool,
    /// Bytes that the pipe has had.
    written: Cell<u64>,
}

impl Job {
    /// Says that the body follows, or may follow.
    pub fn begun(&self, length: Option<u64>, media_type: &str, digest: &str) -> Result<()> {
        let (media_type, digest) = (media_type.as_bytes(), digest.as_bytes());
        let said = self.channel.say(&Answer::Begun { id: self.id, length, media_type, digest });
        said.map_err(|_| Failure::new(Class::Cancelled, "ocinit has ended"))
    }

    /// A line for the user.
    pub fn note(&self, text: &str) {
        let line = clean(text, TEXT_BYTES);
        let _ = self.channel.say(&Answer::Note { id: self.id, text: line.as_bytes() });
    }

    /// Says that so many bytes come again, and are skipped.
    pub fn restarted(&self, skipped: u64) {
        let _ = self.channel.say(&Answer::Restarted { id: self.id, skipped });
    }

    /// Writes to the pipe.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut pipe = self.pipe()?;
        pipe.write_all(bytes).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::new(Class::Cancelled, "cancelled"),
            _ => Failure::new(Class::Cancelled, format!("the pipe to ocinit: {error}")),
        })?;
        self.written.set(self.written.get() + bytes.len() as u64);
        Ok(())
    }

    /// Waits so long. Returns false if the pipe's reader is gone meanwhile.
    pub fn wait(&self, time: Duration) -> bool {
        let milliseconds = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        match &self.pipe {
            Some(pipe) if self.fills => !sys::reader_is_gone(pipe.as_fd(), milliseconds),
            _ => {
                thread::sleep(time);
                true
            }
        }
    }

    /// Returns a reader of so many bytes of the pipe.
    pub fn body(&self, length: u64) -> Result<Body<'_>> {
        Ok(Body { pipe: self.pipe()?, left: length, ended_early: false })
    }

    fn pipe(&self) -> Result<&File> {
        let none = || Failure::new(Class::Protocol, "a request came without its pipe");
        self.pipe.as_ref().ok_or_else(none)
    }
}

/// A body that ocinit writes.
pub struct Body<'a> {
    pipe: &'a File,
    left: u64,
    /// The pipe had fewer bytes.
    pub ended_early: bool,
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let count = self.pipe.read(&mut buffer[..most])?;
        if count == 0 {
            self.ended_early = true;
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Carries out what ocinit asks for until it closes the channel. Returns the exit status.
pub fn serve(socket: OwnedFd, times: Times) -> i32 {
    let channel = Arc::new(Channel::new(socket));
    match start(&channel, times) {
        Ok(Some(hosts)) => run(&channel, &Arc::new(hosts)),
        Ok(None) => 0,
        Err(failure) => {
            channel.fail(0, &failure, 0);
            1
        }
    }
}

fn protocol(text: impl AsRef<str>) -> Failure {
    Failure::new(Class::Protocol, format!("ocinit and ocinit-registry: {}", text.as_ref()))
}

/// Returns the next packet's length and fd, or `None` at the end.
fn receive(channel: &Channel, buffer: &mut [u8]) -> Result<Option<(usize, Option<OwnedFd>)>> {
    match sys::receive(channel.0.as_fd(), buffer) {
        Ok((0, _)) => Ok(None),
        Ok(packet) => Ok(Some(packet)),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(None),
        Err(error) => Err(protocol(format!("the channel: {error}"))),
    }
}

/// Takes the settings, reads what they name, and drops all rights that are not needed any more.
fn start(channel: &Channel, times: Times) -> Result<Option<Vec<Sources>>> {
    let mut settings = Settings::default();
    let mut buffer = [0; REQUEST_BYTES];
    loop {
        let Some((length, _)) = receive(channel, &mut buffer)? else { return Ok(None) };
        let request = Request::decode(&buffer[..length])
            .map_err(|error| protocol(format!("a message that is none ({error:?})")))?;
        if let Request::Start { version } = request {
            if version != VERSION {
                let text = format!("their versions differ ({version} and {VERSION}): install both");
                return Err(protocol(text));
            }
            break;
        }
        settings.add(&request).map_err(protocol)?;
    }
    let hosts = settings.build(times)?;
    let landlock = confine::confine()
        .map_err(|error| protocol(format!("the helper cannot confine itself: {error}")))?;
    let _ = channel.say(&Answer::Ready { version: VERSION, landlock });
    Ok(Some(hosts))
}

fn run(channel: &Arc<Channel>, hosts: &Arc<Vec<Sources>>) -> i32 {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let mut buffer = vec![0; REQUEST_BYTES];
        let (length, fd) = match receive(channel, &mut buffer) {
            Ok(Some(packet)) => packet,
            Ok(None) => return 0,
            Err(failure) => {
                channel.fail(0, &failure, 0);
                return 1;
            }
        };
        buffer.truncate(length);
        let Some((id, fills)) = Request::decode(&buffer).ok().as_ref().and_then(id_of) else {
            channel.fail(0, &protocol("a message that is no request"), 0);
            return 1;
        };
        let pipe = fd.map(File::from);
        if let Some(pipe) = pipe.as_ref().filter(|_| fills) {
            sys::enlarge_pipe(pipe.as_fd(), PIPE_BYTES);
        }
        if open.fetch_add(1, Ordering::AcqRel) >= REQUESTS_MAX {
            open.fetch_sub(1, Ordering::AcqRel);
            let text = format!("more than {REQUESTS_MAX} requests at the same time");
            channel.fail(id, &Failure::new(Class::Busy, text), 0);
            continue;
        }
        let (channel_of, hosts, open_of) = (channel.clone(), hosts.clone(), open.clone());
        let spawned = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            let job = Job { id, channel: channel_of, pipe, fills, written: Cell::new(0) };
            answer(&job, &hosts, &buffer);
            open_of.fetch_sub(1, Ordering::AcqRel);
            // The pipe closes behind the last answer.
            drop(job);
        });
        if let Err(error) = spawned {
            open.fetch_sub(1, Ordering::AcqRel);
            channel.fail(id, &Failure::new(Class::Busy, format!("no thread: {error}")), 0);
        }
    }
}

/// The number of a request, and whether it fills its pipe.
fn id_of(request: &Request<'_>) -> Option<(u16, bool)> {
    match *request {
        Request::Manifest { id, .. } | Request::Blob { id, .. } | Request::Tags { id, .. } => {
            Some((id, true))
        }
        Request::Has { id, .. } | Request::Upload { id, .. } | Request::Put { id, .. } => {
            Some((id, false))
        }
        _ => None,
    }
}

/// Carries out one request, and sends its last answer.
fn answer(job: &Job, hosts: &[Sources], packet: &[u8]) {
    let id = job.id;
    let last = match carry_out(job, hosts, packet) {
        Ok(None) => Answer::Mounted { id },
        Ok(Some(bytes)) => Answer::Done { id, bytes },
        Err(failure) => return job.channel.fail(id, &failure, job.written.get()),
    };
    let _ = job.channel.say(&last);
}

/// Returns the bytes of the body, or `None`: mounted.
fn carry_out(job: &Job, hosts: &[Sources], packet: &[u8]) -> Result<Option<u64>> {
    let of = |host: u8| hosts.get(usize::from(host)).ok_or_else(|| protocol("an unknown host"));
    let request = Request::decode(packet).map_err(|_| protocol("a message that is none"))?;
    match request {
        Request::Manifest { host, repository, reference, accept, .. } => {
            let (repository, reference) = (path(repository)?, path(reference)?);
            pull::manifest(of(host)?, job, repository, reference, line(accept)?).map(Some)
        }
        Request::Blob { host, repository, digest, offset, length, .. } => {
            let (repository, digest) = (path(repository)?, path(digest)?);
            pull::blob(of(host)?, job, repository, digest, offset, length).map(Some)
        }
        Request::Tags { host, repository, .. } => {
            pull::tags(of(host)?, job, path(repository)?).map(Some)
        }
        Request::Has { host, repository, digest, .. } => {
            push::has(of(host)?.origin(), job, path(repository)?, path(digest)?).map(Some)
        }
        Request::Upload { host, repository, digest, length, mount_from, .. } => {
            let (repository, digest, from) = (path(repository)?, path(digest)?, path(mount_from)?);
            let done = push::upload(of(host)?.origin(), job, repository, digest, length, from)?;
            Ok(matches!(done, Uploaded::Sent).then_some(length))
        }
        Request::Put { host, repository, reference, length, media_type, .. } => {
            let (repository, reference) = (path(repository)?, path(reference)?);
            let media_type = line(media_type)?;
            push::put(of(host)?.origin(), job, repository, reference, length, media_type)?;
            Ok(Some(length))
        }
        _ => Err(protocol("a message that is no request")),
    }
}

/// A part of a path: what names of repositories, tags and digests are made of.
fn path(bytes: &[u8]) -> Result<&str> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-/:+=@".contains(byte);
    let text = std::str::from_utf8(bytes).ok().filter(|_| bytes.iter().all(is_plain));
    let text = text.filter(|text| !text.split('/').any(|part| part == ".." || part == "."));
    text.ok_or_else(|| protocol("a name with characters that none has"))
}

/// The value of a header.
fn line(bytes: &[u8]) -> Result<&str> {
    let is_plain = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    let text = std::str::from_utf8(bytes).ok().filter(|_| is_plain);
    text.ok_or_else(|| protocol("a header with control characters"))
}
