//! Prints what the use cases have to say while they go on.

use crate::engine::Notice;

/// Prints a notice as a warning.
pub fn warn(notice: &Notice<'_>) {
    crate::warning!("{notice}");
}
