//! An observer of long work: it shows the progress, and may end the work.

use crate::Result;

/// Called by the code that reads layers, from any thread.
pub trait Observer: Sync {
    /// The work begins: its layers are stored in `total` bytes together.
    fn begin(&self, _total: u64) {}

    /// The work has ended. What the observer shows is taken away.
    fn end(&self) {}

    /// Layer `n` of `count` begins (from 1); it is stored in `size` bytes. It may begin again: it
    /// is then read twice.
    fn layer(&self, n: usize, count: usize, size: u64);

    /// The first `at` bytes of the layer have been read. An error ends the work, and is its error.
    fn progress(&self, at: u64) -> Result<()>;

    /// The layer has unpacked to `at` bytes so far. A returned error ends the work.
    fn unpacked(&self, _at: u64) -> Result<()> {
        Ok(())
    }

    /// These are the bytes of the layer that come next, as they are stored; `progress` follows. An
    /// error ends the work.
    fn bytes(&self, _stored: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// No observer.
impl Observer for () {
    fn layer(&self, _: usize, _: usize, _: u64) {}

    fn progress(&self, _: u64) -> Result<()> {
        Ok(())
    }
}
