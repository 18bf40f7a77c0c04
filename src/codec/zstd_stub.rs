//! In place of zstd, where it was left out of the build: no stream can be begun.

use crate::{Error, Result};
use core::convert::Infallible;
use core::marker::PhantomData;

/// There is none.
pub struct Decoder<'w>(Infallible, PhantomData<&'w mut [u64]>);

impl<'w> Decoder<'w> {
    /// None.
    pub fn workspace_words() -> usize {
        0
    }

    /// An error that says so.
    pub fn new(_: &'w mut [u64]) -> Result<Decoder<'w>> {
        Err(Error::new(format_args!("zstd: this ocinit was built without it")))
    }

    /// An error that says so.
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
