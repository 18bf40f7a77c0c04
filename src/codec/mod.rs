//! Formats: pure code, without paths and system calls.

pub mod compression;
pub mod crc32;
pub mod digest;
pub mod gzip;
pub mod json;
pub mod tar;
pub mod transport;
#[cfg_attr(not(feature = "zstd"), path = "zstd_stub.rs")]
pub mod zstd;
