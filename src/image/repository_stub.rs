//! In place of `repository`, where no registry is read: there is none.

use super::bytes::Bytes;
use crate::codec::digest::Digest;
use crate::registry::{Client, Sort};
use crate::{Error, Result};

/// A repository of a registry, which cannot exist.
pub enum Repository {}

impl Repository {
    /// Returns an error.
    pub fn open(_: Client, _: Option<&str>, _: Option<&Digest>) -> Result<Repository> {
        Err(Error::new(format_args!("built without registries (features runtime, tools)")))
    }

    /// Never called.
    pub fn index(&self) -> Result<Bytes<'_>> {
        match *self {}
    }

    /// Never called.
    pub fn ask_ahead(&self, _: &Digest, _: u64) -> Result<()> {
        match *self {}
    }

    /// Never called.
    pub fn stored(&self, _: Sort, _: &Digest, _: u64) -> Bytes<'_> {
        match *self {}
    }
}
