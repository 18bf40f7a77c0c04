//! Replaces zstd in a build without it: no stream can be begun.

use crate::{Error, Result};
use core::convert::Infallible;
use core::marker::PhantomData;

/// Never constructed: zstd is not compiled in.
pub struct Decoder<'w>(Infallible, PhantomData<&'w mut [u64]>);

impl<'w> Decoder<'w> {
    /// Returns 0.
    pub fn workspace_words() -> usize {
        0
    }

    /// Returns an error, because zstd is not compiled in.
    pub fn new(_: &'w mut [u64]) -> Result<Decoder<'w>> {
        Err(Error::new(format_args!("zstd: this ocinit was built without it")))
    }

    /// Returns an error, because zstd is not compiled in.
    pub fn without_sum(workspace: &'w mut [u64]) -> Result<Decoder<'w>> {
        Decoder::new(workspace)
    }

    /// Never called.
    pub fn step(&mut self, _: &[u8], _: &mut [u8]) -> Result<(usize, usize)> {
        match self.0 {}
    }

    /// Never called.
    pub fn finish(&self) -> Result<()> {
        match self.0 {}
    }
}
