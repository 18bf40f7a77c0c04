//! One repository of a registry: its manifests and blobs, by name.

use super::channel::{Begun, Channel, HOST};
use super::documents::Documents;
use super::settings::Settings;
use crate::codec::digest::{Algorithm, Digest, Hasher};
use crate::codec::transport::{MEDIA_TYPE_BYTES, NAME_BYTES, REFERENCE_BYTES, Request};
use crate::io::stored::Stored;
use crate::limits::{DOCUMENT_BYTES, REGISTRY_BLOBS_AHEAD, REGISTRY_READ_BYTES};
use crate::sync::{TryGuard, TryLock};
use crate::sys::Errno;
use crate::sys::fd::Fd;
use crate::sys::vm::MappedVec;
use crate::{Context, Error, Result};
use core::fmt::Write;
use core::ops::{Deref, DerefMut, Range};

/// The media types of manifests and indexes, for `Accept`. Several lines of it are folded by some
/// proxies to the last one.
pub const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";

/// Bytes of a stream's start that are kept: they tell its compression, and are then read again.
const HEAD_BYTES: usize = 512;

/// The kinds of bytes in a registry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    /// A manifest or an index, which is kept.
    Manifest,
    /// A configuration, which is kept.
    Config,
    /// Any other blob: a stream.
    Blob,
}

/// The manifest or index that a tag or digest names.
pub struct Named {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// The media type that the server says, or empty.
    pub media_type: heapless::Vec<u8, MEDIA_TYPE_BYTES>,
}

/// A repository, and the helper process that speaks to its registry.
pub struct Client {
    repository: heapless::String<NAME_BYTES>,
    /// One item. It has a mapping of its own, because a store of any kind lies on PID 1's stack.
    state: TryLock<MappedVec<State>>,
}

/// Access to a client's state.
struct Held<'c>(TryGuard<'c, MappedVec<State>>);

impl Deref for Held<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        &self.0[0]
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.0[0]
    }
}

struct State {
    channel: Channel,
    documents: Documents,
    stream: Option<Stream>,
    /// Bytes of the stream, of which `unread` were not yet passed on.
    buffer: MappedVec<u8>,
    unread: Range<usize>,
    /// Blobs that were asked for and not yet read.
    ahead: heapless::Vec<Stream, REGISTRY_BLOBS_AHEAD>,
}

/// A blob that comes through a pipe.
struct Stream {
    digest: Digest,
    /// The request and its pipe, until the end.
    open: Option<(u16, Fd)>,
    /// Bytes that were read.
    at: u64,
    head: heapless::Vec<u8, HEAD_BYTES>,
}

impl Client {
    /// Starts a helper for a repository of a host. Nothing is asked for yet.
    pub fn start(host: &str, repository: &str, settings: &Settings<'_>) -> Result<Client> {
        let channel = Channel::start(host, repository, settings)?;
        let state = State {
            channel,
            documents: Documents::new()?,
            stream: None,
            buffer: MappedVec::zeroed(REGISTRY_READ_BYTES).doing("map memory")?,
            unread: 0..0,
            ahead: heapless::Vec::new(),
        };
        let mut name = heapless::String::new();
        name.push_str(repository).map_err(|_| {
            Error::new(format_args!("a repository's name is longer than {NAME_BYTES} bytes"))
        })?;
        let mut one = MappedVec::new(1);
        one.push(state).doing("map memory")?;
        Ok(Client { repository: name, state: TryLock::new(one) })
    }

    /// Fetches the manifest or index of a tag or digest.
    pub fn fetch(&self, reference: &str) -> Result<Named> {
        let ask = |id| Request::Manifest {
            id,
            host: HOST,
            repository: self.repository.as_bytes(),
            reference: reference.as_bytes(),
            accept: MANIFESTS.as_bytes(),
        };
        self.state()?.fetch(ask, algorithm_of(reference), DOCUMENT_BYTES as u64)
    }

    /// Returns a blob, or a document. Nothing is asked for before it is read.
    pub fn stored(&self, sort: Sort, digest: Digest, size: u64) -> Remote<'_> {
        Remote { client: self, sort, digest, size }
    }

    /// Asks for a blob that is soon read, so that several come at the same time. It waits in its
    /// pipe. Beyond the limit nothing is asked for.
    pub fn ask_ahead(&self, digest: &Digest, size: u64) -> Result<()> {
        let mut state = self.state()?;
        let is_asked = state.ahead.iter().any(|stream| stream.digest == *digest);
        if is_asked || state.ahead.is_full() || state.documents.has(digest) {
            return Ok(());
        }
        let text = text_of(digest);
        let open = state.channel.ask(|id| Request::Blob {
            id,
            host: HOST,
            repository: self.repository.as_bytes(),
            digest: text.as_bytes(),
            offset: 0,
            length: size,
        })?;
        let _ = state.ahead.push(Stream::new(digest, open));
        Ok(())
    }

    fn state(&self) -> Result<Held<'_>> {
        let taken = || Error::new(format_args!("two readers of one registry"));
        self.state.try_lock().map(Held).ok_or_else(taken)
    }
}

/// Bytes in a registry. Blobs are streams: to read one again from its start asks for it again.
pub struct Remote<'c> {
    client: &'c Client,
    sort: Sort,
    digest: Digest,
    size: u64,
}

impl Stored for Remote<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<usize> {
        let room = self.size.saturating_sub(at).min(buffer.len() as u64) as usize;
        if room == 0 {
            return Ok(0);
        }
        let Remote { digest, size, .. } = self;
        let buffer = &mut buffer[..room];
        let mut state = self.client.state()?;
        if let Some(count) = state.documents.read(digest, buffer, at)? {
            return Ok(count);
        }
        let (host, repository) = (HOST, self.client.repository.as_bytes());
        let text = text_of(digest);
        let blob = |id| Request::Blob {
            id,
            host,
            repository,
            digest: text.as_bytes(),
            offset: 0,
            length: *size,
        };
        let found = match self.sort {
            Sort::Blob => return state.read_blob(blob, (digest, *size), buffer, at),
            Sort::Config => state.fetch(blob, digest.algorithm(), *size)?,
            Sort::Manifest => {
                let (reference, accept) = (text.as_bytes(), MANIFESTS.as_bytes());
                let ask = |id| Request::Manifest { id, host, repository, reference, accept };
                state.fetch(ask, digest.algorithm(), *size)?
            }
        };
        digest.expect(&found.digest)?;
        Ok(state.documents.read(digest, buffer, at)?.unwrap_or(0))
    }
}

fn text_of(digest: &Digest) -> heapless::String<REFERENCE_BYTES> {
    let mut text = heapless::String::new();
    let _ = write!(text, "{digest}");
    text
}

/// Returns the algorithm of a reference that is a digest, or the usual one.
fn algorithm_of(reference: &str) -> Algorithm {
    Digest::parse(reference).map_or(Algorithm::Sha256, |digest| digest.algorithm())
}

impl Stream {
    fn new(digest: &Digest, open: (u16, Fd)) -> Stream {
        Stream { digest: *digest, open: Some(open), at: 0, head: heapless::Vec::new() }
    }
}

impl State {
    /// Fetches a document, and keeps it.
    fn fetch<'r>(
        &mut self,
        ask: impl FnOnce(u16) -> Request<'r>,
        algorithm: Algorithm,
        most: u64,
    ) -> Result<Named> {
        self.cancel();
        let (id, pipe) = self.channel.ask(ask)?;
        self.documents.begin()?;
        let (mut hasher, mut size) = (Hasher::new(algorithm), 0);
        let mut begun = None;
        let mut buffer = [0; 4096];
        loop {
            let count = self.channel.read(id, pipe.by_ref(), &mut buffer)?;
            // The end forgets it.
            begun = self.channel.take_begun(id).or(begun);
            if count == 0 {
                break;
            }
            size += count as u64;
            if size > most {
                self.channel.cancel(id);
                return Err(Error::new(format_args!("more than {most} bytes")));
            }
            hasher.update(&buffer[..count]);
            self.documents.write(&buffer[..count])?;
        }
        let (digest, Begun { media_type, digest: said }) =
            (hasher.finish(), begun.unwrap_or_default());
        let said = core::str::from_utf8(&said).ok().and_then(|said| Digest::parse(said).ok());
        if let Some(said) = said.filter(|said| said.algorithm() == algorithm) {
            said.expect(&digest)?;
        }
        self.documents.keep(digest, size)?;
        Ok(Named { digest, size, media_type })
    }

    /// Reads a blob in order, or again from its start.
    fn read_blob<'r>(
        &mut self,
        ask: impl FnOnce(u16) -> Request<'r>,
        (digest, size): (&Digest, u64),
        buffer: &mut [u8],
        at: u64,
    ) -> Result<usize> {
        let current = self.stream.as_ref().filter(|stream| stream.digest == *digest);
        if let Some(stream) = current.filter(|stream| stream.at == stream.head.len() as u64)
            && let Some(head) = stream.head.get(at as usize..)
            && !head.is_empty()
        {
            let count = head.len().min(buffer.len());
            buffer[..count].copy_from_slice(&head[..count]);
            return Ok(count);
        }
        if current.is_none_or(|stream| stream.at != at) {
            self.cancel();
            if at != 0 {
                return Err(Error::new(format_args!("a stream is not read from its middle")));
            }
            let asked = self.ahead.iter().position(|stream| stream.digest == *digest);
            self.stream = Some(match asked {
                Some(place) => self.ahead.swap_remove(place),
                None => Stream::new(digest, self.channel.ask(ask)?),
            });
        }
        let result = self.read_stream(size, buffer);
        if result.is_err() {
            // It has no place from which it goes on.
            self.cancel();
        }
        result
    }

    /// Reads the stream's next bytes.
    fn read_stream(&mut self, size: u64, buffer: &mut [u8]) -> Result<usize> {
        let State { channel, stream: Some(stream), buffer: all, unread, .. } = self else {
            return Ok(0);
        };
        let Some((id, pipe)) = &stream.open else { return Ok(0) };
        if unread.start == unread.end {
            let room = (size - stream.at).min(all.len() as u64) as usize;
            *unread = 0..channel.read(*id, pipe.by_ref(), &mut all[..room])?;
        }
        let count = unread.len().min(buffer.len());
        buffer[..count].copy_from_slice(&all[unread.start..unread.start + count]);
        unread.start += count;
        let kept = count.min(HEAD_BYTES.saturating_sub(stream.at as usize));
        let _ = stream.head.extend_from_slice(&buffer[..kept]);
        stream.at += count as u64;
        if stream.at == size && count > 0 {
            // Nothing may follow, and the request must end well.
            let more = channel.read(*id, pipe.by_ref(), &mut [0])?;
            stream.open = None;
            if more > 0 {
                let text = format_args!("more than {size} bytes");
                return Err(Error::with_errno(text, Errno::EIO));
            }
        }
        Ok(count)
    }

    /// Ends the stream, if there is one.
    fn cancel(&mut self) {
        self.unread = 0..0;
        if let Some(Stream { open: Some((id, pipe)), .. }) = self.stream.take() {
            drop(pipe);
            self.channel.cancel(id);
        }
    }
}
