//! `--max-size SIZE`: the largest unpacked size of an image's layers, in bytes.

use super::arguments::Arguments;
use crate::io::lossy::LossyC;
use crate::io::observer::Observer;
use crate::io::units;
use crate::sys::Errno;
use crate::{Error, Result};
use core::sync::atomic::{AtomicU64, Ordering};

/// Counts the bytes of the layers' tars, each layer once.
pub(super) struct MaxSize {
    max: u64,
    /// The layer being read, from 1.
    number: AtomicU64,
    /// Bytes of the layers before it, and of it.
    before: AtomicU64,
    layer: AtomicU64,
}

impl MaxSize {
    /// Returns no limit.
    pub fn none() -> MaxSize {
        MaxSize::of(u64::MAX)
    }

    fn of(max: u64) -> MaxSize {
        MaxSize {
            max,
            number: AtomicU64::new(0),
            before: AtomicU64::new(0),
            layer: AtomicU64::new(0),
        }
    }

    /// Returns the same limit, with counts of 0.
    pub fn again(&self) -> MaxSize {
        MaxSize::of(self.max)
    }

    /// Returns the given limit, or none.
    pub fn parse(arguments: &Arguments<'_>) -> Result<MaxSize> {
        let Some(text) = arguments.value("max-size") else { return Ok(MaxSize::none()) };
        let max = units::size(text.to_bytes());
        let fault = || {
            Error::new(format_args!(
                "--max-size {}: no number of bytes, as 500m or 2g",
                LossyC(text)
            ))
        };
        max.map(MaxSize::of).ok_or_else(fault)
    }
}

impl Observer for MaxSize {
    fn layer(&self, n: usize, _: usize, _: u64) {
        let layer = self.layer.swap(0, Ordering::Relaxed);
        match self.number.swap(n as u64, Ordering::Relaxed) < n as u64 {
            true => drop(self.before.fetch_add(layer, Ordering::Relaxed)),
            // Unpacking starts again.
            false => self.before.store(0, Ordering::Relaxed),
        }
    }

    fn progress(&self, _: u64) -> Result<()> {
        Ok(())
    }

    fn unpacked(&self, at: u64) -> Result<()> {
        let before = self.before.load(Ordering::Relaxed);
        // A layer that is read twice counts once.
        let layer = self.layer.fetch_max(at, Ordering::Relaxed).max(at);
        let max = self.max;
        if before.saturating_add(layer) > max {
            let text =
                format_args!("the layers unpack to more than {max} bytes, the limit of --max-size");
            return Err(Error::with_errno(text, Errno::EFBIG));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_count_once_however_often_they_are_read() {
        let limit = MaxSize::of(10);
        for _ in 0..2 {
            limit.layer(1, 2, 1);
            assert!(limit.unpacked(6).is_ok() && limit.unpacked(3).is_ok());
            limit.layer(2, 2, 1);
            assert!(limit.unpacked(1).is_ok() && limit.unpacked(4).is_ok());
        }
        let error = limit.unpacked(5).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the layers unpack to more than 10 bytes, the limit of --max-size"
        );
        assert!(MaxSize::none().unpacked(u64::MAX).is_ok());
    }
}
