//! libzstd's streaming decoder, in borrowed memory.
//!
//! `unsafe` is here because the library is C. It has no heap (`.cargo/config.toml`), makes no
//! system calls, and keeps all of its state in the workspace.

use core::marker::PhantomData;
use core::ptr::NonNull;
use zstd_sys as c;

/// The reason why a frame cannot be decoded: a number of libzstd's `zstd_errors.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault(pub u32);

impl Fault {
    /// The content's checksum differs.
    pub const CHECKSUM: Fault = Fault(c::ZSTD_ErrorCode::ZSTD_error_checksum_wrong as u32);
}

/// Returns the words of memory for frames with a window of up to `window` bytes.
pub fn workspace_words(window: usize) -> usize {
    // SAFETY: arithmetic.
    unsafe { c::ZSTD_estimateDStreamSize(window) }.div_ceil(size_of::<u64>())
}

/// The result of one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Bytes of input used.
    pub used: usize,
    /// Bytes of output written.
    pub made: usize,
    /// The frame has ended, and all of it was written.
    pub ended: bool,
}

/// A decoder of a series of frames.
pub struct Stream<'w> {
    stream: NonNull<c::ZSTD_DStream>,
    fault: Option<Fault>,
    /// The stream is at its start, followed by its window.
    workspace: PhantomData<&'w mut [u64]>,
}

// SAFETY: only this owner reaches the stream, and libzstd ties it to no thread.
unsafe impl Send for Stream<'_> {}

impl<'w> Stream<'w> {
    /// Returns a decoder in `workspace`, or None if that is too small for any frame.
    pub fn new(workspace: &'w mut [u64]) -> Option<Stream<'w>> {
        // SAFETY: as many bytes, aligned to 8, borrowed exclusively for as long as the stream
        // lives.
        let stream = unsafe {
            c::ZSTD_initStaticDStream(workspace.as_mut_ptr().cast(), size_of_val(workspace))
        };
        let stream = NonNull::new(stream)?;
        // The default limit is 128 MiB, even for little content. Here the workspace's size is the
        // limit. SAFETY: the stream was just made.
        unsafe { c::ZSTD_DCtx_setMaxWindowSize(stream.as_ptr(), 1 << c::ZSTD_WINDOWLOG_MAX_64) };
        Some(Stream { stream, fault: None, workspace: PhantomData })
    }

    /// Ignores frames' checksums from now on, because the caller checks a digest of the content.
    pub fn ignore_checksum(&mut self) {
        // ZSTD_d_forceIgnoreChecksum, ZSTD_d_ignoreChecksum.
        let (key, value) = (c::ZSTD_dParameter::ZSTD_d_experimentalParam3, 1);
        // SAFETY: the stream is alive; a parameter is a number in it.
        unsafe { c::ZSTD_DCtx_setParameter(self.stream.as_ptr(), key, value) };
    }

    /// Decodes a part of `input` into a part of `output`. A failed stream keeps failing.
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut from = c::ZSTD_inBuffer { src: input.as_ptr().cast(), size: input.len(), pos: 0 };
        let mut to =
            c::ZSTD_outBuffer { dst: output.as_mut_ptr().cast(), size: output.len(), pos: 0 };
        // SAFETY: both slices outlive the call; it keeps pointers only into its workspace, because
        // ZSTD_d_stableOutBuffer is off.
        let answer = unsafe { c::ZSTD_decompressStream(self.stream.as_ptr(), &mut to, &mut from) };
        // ZSTD_isError: the negative of a code.
        let code = answer.wrapping_neg();
        if code > 0 && code < c::ZSTD_ErrorCode::ZSTD_error_maxCode as usize {
            self.fault = Some(Fault(code as u32));
            return Err(Fault(code as u32));
        }
        Ok(Step { used: from.pos, made: to.pos, ended: answer == 0 })
    }
}
