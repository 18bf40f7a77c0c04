//! Reads, inflates, hashes and hands out one layer, by two threads over one ring.
//!
//! ```text
//! blob --read--> input ring --inflate--> ring --> consumer   the other thread: read, inflate
//!                    |                     |                 this thread: the consumer, files
//!                  digest                diff_id             whichever would wait: hash instead
//! ```
//!
//! gzip and zstd decode into windows of their own, and the bytes are copied to the ring. zstd's is
//! mapped while such a layer is read.
//!
//! Each digest has its own reader and a lock that is only tried. An idle thread takes a step of a
//! digest; if there is no step either, it sleeps (futex). Hashes bound to a thread took a tenth
//! longer. Spinning and a third thread gained nothing.

mod shared;

use super::Layer;
use crate::codec::compression::Compression;
use crate::codec::digest::Hasher;
use crate::codec::gzip::{Decoder, Window};
use crate::codec::zstd;
use crate::io::Source;
use crate::limits::{INFLATE_STEP_BYTES, INPUT_BYTES, RING_BYTES};
use crate::sync::TryLock;
use crate::sys::ring::{Reader, Ring, Writer};
use crate::sys::thread::{self, Stack};
use crate::sys::vm::{self, Mapping};
use crate::{Context, Error, Result};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};
use shared::{Event, Hashing, Shared, finish};

/// The writer waits for this much free space, so that the threads do not wake each other for every
/// file.
const ROOM_BYTES: usize = RING_BYTES / 4;
/// The consumer sleeps until this much is ready, or until the producer must wait or read.
const DATA_BYTES: usize = RING_BYTES / 4;
const INPUT_ROOM_BYTES: usize = INPUT_BYTES / 4;

/// The pipeline's buffers.
pub struct PipelineMemory {
    ring: Ring<RING_BYTES>,
    input: Ring<INPUT_BYTES>,
    window: Window,
    decoder: MaybeUninit<Decoder>,
    stack: Stack,
}

impl PipelineMemory {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: PipelineMemory = PipelineMemory {
        ring: Ring::EMPTY,
        input: Ring::EMPTY,
        window: Window::EMPTY,
        decoder: MaybeUninit::zeroed(),
        stack: Stack::EMPTY,
    };

    /// Returns the last layer's memory to the kernel.
    pub fn release(&mut self) {
        self.ring.release();
        self.input.release();
        vm::release(self.window.memory());
    }
}

/// Lends the layer's tar to `consume`. Returns its result and the tar's length, if the layer
/// matches its digests. `consume` may have used bytes that fail later: the caller undoes that.
pub fn run<T>(
    layer: &Layer<'_>,
    memory: &mut PipelineMemory,
    consume: impl FnOnce(&mut dyn Source) -> Result<T>,
) -> Result<(T, u64)> {
    let (mut consume, mut made) = (Some(consume), None);
    let bytes = verified(layer, memory, &mut |source| {
        if let Some(consume) = consume.take() {
            made = Some(consume(source)?);
        }
        Ok(())
    })?;
    made.map(|made| (made, bytes)).ok_or_else(|| Error::new(format_args!("the layer was not read")))
}

/// Returns the tar's length. It is not generic, so that one copy of the code serves all consumers.
fn verified(
    layer: &Layer<'_>,
    memory: &mut PipelineMemory,
    consume: &mut Consume<'_>,
) -> Result<u64> {
    let result = stream(layer, memory, consume);
    match result {
        // Malformed bytes are most often not the layer's: then the digest mismatch is the error.
        Err(error) if error.errno() == crate::sys::Errno::NONE => {
            check_stored(layer, memory)?;
            Err(error)
        }
        result => result,
    }
}

type Consume<'a> = dyn FnMut(&mut dyn Source) -> Result<()> + 'a;

fn stream(
    layer: &Layer<'_>,
    memory: &mut PipelineMemory,
    consume: &mut Consume<'_>,
) -> Result<u64> {
    let compression = compression(layer)?;
    let words = if compression == Compression::Zstd { zstd::Decoder::workspace_words() } else { 0 };
    let mut workspace = Mapping::new(words).doing("map memory for zstd")?;
    let unpacker = match compression {
        Compression::None => Unpacker::None,
        // The tar's digest replaces the checksum.
        Compression::Gzip => Unpacker::Gzip(
            decoder(&mut memory.decoder, layer.diff_id.is_some()),
            &mut memory.window,
        ),
        Compression::Zstd => Unpacker::Zstd(match layer.diff_id {
            None => zstd::Decoder::new(workspace.words())?,
            Some(_) => zstd::Decoder::without_sum(workspace.words())?,
        }),
    };
    let (ring, tar, tar_hashed) = memory.ring.split();
    let (input, stored, stored_hashed) = memory.input.split();
    // A plain tar is its stored bytes: hash once if both digests have one algorithm.
    let stored_hasher = layer
        .digest
        .filter(|digest| {
            let is_of_tar =
                |diff_id: &crate::codec::digest::Digest| diff_id.algorithm() == digest.algorithm();
            compression != Compression::None || !layer.diff_id.is_some_and(is_of_tar)
        })
        .map(|digest| Hasher::new(digest.algorithm()));
    let has_stored_digest = stored_hasher.is_some();
    let shared = Shared {
        data: Event::new(),
        space: Event::new(),
        ended: AtomicBool::new(false),
        stopped: AtomicBool::new(false),
        tar: TryLock::new(Hashing {
            reader: tar_hashed,
            hasher: layer.diff_id.map(|digest| Hasher::new(digest.algorithm())),
        }),
        stored: TryLock::new(Hashing { reader: stored_hashed, hasher: stored_hasher }),
    };

    let produce = || {
        let result =
            Producer { layer, shared: &shared, input, stored, ring, unpacker, at: 0, made: 0 }
                .run();
        shared.stopped.fetch_or(result.is_err(), Ordering::Release);
        shared.ended.store(true, Ordering::Release);
        shared.data.wake();
        result
    };
    let here = || {
        let mut stream = Stream { shared: &shared, tar, passed: 0 };
        let result = consume(&mut stream).and_then(|()| {
            stream.skip(u64::MAX)?;
            Ok(stream.passed)
        });
        shared.stopped.fetch_or(result.is_err(), Ordering::Release);
        shared.space.wake();
        result
    };
    let (produced, consumed) =
        thread::alongside(&mut memory.stack, produce, here).doing("start a thread")?;
    // A consumer that failed by itself has the cause; one with `LET_DOWN` does not.
    let ended_early = consumed.as_ref().is_err_and(|error| error.errno() == LET_DOWN);
    if ended_early || consumed.is_ok() {
        produced?;
    }
    let consumed = consumed?;

    // The stored bytes first: if they differ, the tar differs, too.
    if let Some(digest) = layer.digest {
        digest.expect(&finish(if has_stored_digest { &shared.stored } else { &shared.tar })?)?;
    }
    match (layer.digest, layer.diff_id) {
        (None, Some(diff_id)) => diff_id.expect(&finish(&shared.tar)?).doing("diff_id")?,
        (Some(_), Some(diff_id)) if has_stored_digest => {
            diff_id.expect(&finish(&shared.tar)?).doing("diff_id")?
        }
        (Some(digest), Some(diff_id)) => diff_id.expect(digest).doing("diff_id")?,
        (_, None) => {}
    }
    Ok(consumed)
}

/// Begins a stream of gzip. Not inlined: the compiler makes the decoder on the stack, 11 KiB, which
/// the code that follows needs as well.
#[inline(never)]
fn decoder(place: &mut MaybeUninit<Decoder>, without_sum: bool) -> &mut Decoder {
    place.write(if without_sum { Decoder::without_sum() } else { Decoder::new() })
}

/// Checks the blob's digest alone, after a failure.
#[cold]
fn check_stored(layer: &Layer<'_>, memory: &mut PipelineMemory) -> Result<()> {
    let Some(digest) = layer.digest else { return Ok(()) };
    let (mut input, _, _) = memory.input.split();
    let mut hasher = Hasher::new(digest.algorithm());
    let mut at = 0;
    loop {
        match layer.blob.read_at(input.space(), at)? {
            0 => break,
            count => {
                hasher.update(&input.space()[..count]);
                at += count as u64;
            }
        }
    }
    digest.expect(&hasher.finish())
}

/// The consumer's error if the producer failed; the producer then has the cause.
const LET_DOWN: crate::sys::Errno = crate::sys::Errno::ECHILD;

/// Returns the layer's compression, by its first bytes.
fn compression(layer: &Layer<'_>) -> Result<Compression> {
    let mut start = [0; Compression::LOOKED_AT_BYTES];
    let count = layer.blob.read_at(&mut start, 0)?;
    Ok(Compression::of(&start[..count]))
}

/// The decoder from stored bytes to the tar.
enum Unpacker<'a> {
    None,
    Gzip(&'a mut Decoder, &'a mut Window),
    Zstd(zstd::Decoder<'a>),
}

/// The other thread's work.
struct Producer<'a, 'r> {
    layer: &'a Layer<'a>,
    shared: &'a Shared<'r>,
    input: Writer<'r>,
    stored: Reader<'r>,
    ring: Writer<'r>,
    unpacker: Unpacker<'a>,
    /// Bytes of the blob read so far.
    at: u64,
    /// Bytes of the tar made so far.
    made: u64,
}

impl Producer<'_, '_> {
    fn run(&mut self) -> Result<()> {
        let size = self.layer.blob.size();
        loop {
            if self.at < size && self.input.free() >= INPUT_ROOM_BYTES {
                self.read()?;
            }
            let pending = !self.stored.bytes().is_empty();
            if !pending && self.at < size {
                // All is inflated, but a digest is behind.
                if !self.wait(|this| this.input.free() >= INPUT_ROOM_BYTES) {
                    return Ok(());
                }
                continue;
            }
            if !self.wait(|this| this.ring.free() >= ROOM_BYTES) {
                return Ok(());
            }
            let (used, made) = self.step()?;
            if self.ring.unread() >= DATA_BYTES {
                self.shared.data.wake();
            }
            if used + made == 0 {
                debug_assert!(!pending, "there was input and room");
                return match &self.unpacker {
                    Unpacker::None => Ok(()),
                    Unpacker::Gzip(decoder, _) => decoder.finish(),
                    Unpacker::Zstd(decoder) => decoder.finish(),
                };
            }
        }
    }

    /// Hashes or sleeps until `ready`. Returns false if the work should end.
    fn wait(&mut self, ready: impl Fn(&Self) -> bool) -> bool {
        while !ready(self) {
            if self.shared.stopped() {
                return false;
            }
            if !self.shared.hash_some() {
                self.shared.data.wake();
                self.shared
                    .space
                    .sleep(|| ready(self) || self.shared.stopped() || self.shared.hash_some());
            }
        }
        !self.shared.stopped()
    }

    fn read(&mut self) -> Result<()> {
        let (at, size) = (self.at, self.layer.blob.size());
        let count = self.layer.blob.read_at(self.input.space(), at)?;
        if count == 0 {
            return Err(Error::new(format_args!("truncated: {at} of {size} bytes are there")));
        }
        self.layer.watch.bytes(&self.input.space()[..count])?;
        self.input.commit(count);
        self.at += count as u64;
        self.layer.watch.progress(self.at)
    }

    /// Moves some bytes from the input to the ring. Returns (bytes taken, bytes made).
    fn step(&mut self) -> Result<(usize, usize)> {
        let bytes = self.stored.bytes();
        let (used, made) = match &mut self.unpacker {
            Unpacker::Gzip(decoder, window) => {
                let space = self.ring.space();
                let most = space.len().min(INFLATE_STEP_BYTES);
                let (used, made) = decoder.step(bytes, window, &mut space[..most])?;
                self.ring.commit(made);
                (used, made)
            }
            Unpacker::Zstd(decoder) => {
                let (used, made) = decoder.step(bytes, self.ring.space())?;
                self.ring.commit(made);
                (used, made)
            }
            Unpacker::None => {
                let space = self.ring.space();
                let count = bytes.len().min(space.len()).min(INFLATE_STEP_BYTES);
                space[..count].copy_from_slice(&bytes[..count]);
                self.ring.commit(count);
                (count, count)
            }
        };
        self.stored.consume(used);
        self.made += made as u64;
        self.layer.watch.unpacked(self.made)?;
        Ok((used, made))
    }
}

/// The tar, as the consumer sees it.
struct Stream<'a, 'r> {
    shared: &'a Shared<'r>,
    tar: Reader<'r>,
    passed: u64,
}

impl Source for Stream<'_, '_> {
    fn peek(&mut self) -> Result<&[u8]> {
        let shared = self.shared;
        while self.tar.bytes().is_empty() {
            // The order matters: bytes written before the end are then visible.
            if shared.ended.load(Ordering::Acquire) && self.tar.bytes().is_empty() {
                if shared.stopped() {
                    return Err(Error::with_errno(
                        format_args!("the layer could not be read"),
                        LET_DOWN,
                    ));
                }
                break;
            }
            if shared.hash_some() {
                shared.space.wake();
            } else {
                let tar = &self.tar;
                let ready = || !tar.bytes().is_empty() || shared.ended.load(Ordering::Acquire);
                shared.data.sleep(|| ready() || shared.hash_some());
                shared.space.wake();
            }
        }
        Ok(self.tar.bytes())
    }

    fn consume(&mut self, count: usize) {
        self.tar.consume(count);
        self.passed += count as u64;
        if self.shared.space.sleeps() && self.tar.free() >= ROOM_BYTES {
            self.shared.space.wake();
        }
    }
}

#[cfg(test)]
mod tests;
