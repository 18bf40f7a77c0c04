//! Who watches long work: shows how far it is, and may end it.

use crate::Result;

/// Told by whoever reads layers, from any thread.
pub trait Watch: Sync {
    /// Layer `n` of `count` begins (from 1); it is stored in `size` bytes. It may begin again: it
    /// is then read twice.
    fn begin(&self, n: usize, count: usize, size: u64);

    /// The first `at` bytes of the layer have been read. An error ends the work, and is its error.
    fn pass(&self, at: u64) -> Result<()>;

    /// The layer has unpacked to `at` bytes so far. A returned error ends the work.
    fn unpacked(&self, _at: u64) -> Result<()> {
        Ok(())
    }

    /// These are the bytes of the layer that come next, as they are stored; `pass` follows. An
    /// error ends the work.
    fn take(&self, _stored: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Nobody watches.
impl Watch for () {
    fn begin(&self, _: usize, _: usize, _: u64) {}

    fn pass(&self, _: u64) -> Result<()> {
        Ok(())
    }
}
