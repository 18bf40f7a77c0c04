//! Formats: pure, no paths, no system calls.

pub mod crc32;
pub mod digest;
pub mod gzip;
pub mod json;
pub mod tar;
