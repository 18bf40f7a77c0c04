//! Formats: pure, no paths, no system calls.

pub mod digest;
pub mod json;
