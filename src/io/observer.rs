//! An observer of long work: it shows the progress, and may end the work.

use crate::Result;

/// The code that reads layers calls it, from any thread.
pub trait Observer: Sync {
    /// The work begins: its compressed layers have `total` bytes together.
    fn begin(&self, _total: u64) {}

    /// The work has ended: remove the progress display.
    fn end(&self) {}

    /// Layer `n` of `count` begins (from 1), with `size` compressed bytes. It may begin twice,
    /// because it may be read twice.
    fn layer(&self, n: usize, count: usize, size: u64);

    /// The first `at` bytes of the layer have been read. A returned error ends the work.
    fn progress(&self, at: u64) -> Result<()>;

    /// The layer has unpacked to `at` bytes so far. A returned error ends the work.
    fn unpacked(&self, _at: u64) -> Result<()> {
        Ok(())
    }

    /// The next compressed bytes of the layer; `progress` follows. A returned error ends the work.
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
