//! Prints the use cases' notices while they run.

use crate::engine::Notice;

/// Prints a notice as a warning.
pub fn warn(notice: &Notice<'_>) {
    crate::warning!("{notice}");
}
