//! Digests as the image-spec writes them (descriptor.md): `algorithm:hex`, and the hashing behind
//! them.

use crate::error::{Error, Result};
use core::fmt;
use sha2::Digest as _;

/// True if SHA-512 is computed. PID 1 alone refuses such a digest when it reads it.
const TAKES_SHA512: bool = cfg!(any(feature = "runtime", feature = "tools", test));

/// The supported algorithms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Algorithm {
    /// Required by the image-spec.
    Sha256 = 0,
    /// Optional in the image-spec.
    Sha512 = 1,
}

impl Algorithm {
    /// Returns its name before the colon and as the folder in `blobs/`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// Returns the bytes of a digest.
    pub const fn size(self) -> usize {
        match self {
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        }
    }
}

/// A well-formed digest of a supported algorithm. Its text is safe as a file name.
#[derive(Clone, Copy)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: [u8; 64],
}

impl Digest {
    /// A placeholder.
    pub const ZERO: Digest = Digest { algorithm: Algorithm::Sha256, bytes: [0; 64] };

    /// Reads `sha256:` or `sha512:` and the algorithm's number of lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Digest> {
        let fault = |why: &str| Error::new(format_args!("digest \"{text}\": {why}"));
        let (name, digits) =
            crate::io::text::split_once(text, b':').ok_or_else(|| fault("not algorithm:hex"))?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" if !TAKES_SHA512 => {
                return Err(fault(
                    "this ocinit was built without sha512 (features runtime, tools)",
                ));
            }
            "sha512" => Algorithm::Sha512,
            _ => return Err(fault("only sha256 and sha512 can be verified")),
        };
        if digits.len() != 2 * algorithm.size() {
            return Err(fault("not as long as its algorithm says"));
        }
        Digest::from_hex(algorithm, digits).ok_or_else(|| fault("not lower-case hex"))
    }

    /// Returns the digest of the algorithm's number of lower-case hexadecimal digits.
    pub fn from_hex(algorithm: Algorithm, digits: &str) -> Option<Digest> {
        if digits.len() != 2 * algorithm.size() {
            return None;
        }
        let mut digest = Digest { algorithm, bytes: [0; 64] };
        for (place, pair) in digest.bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            *place = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(digest)
    }

    /// Returns its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.size()]
    }

    /// Returns the digits alone, for a file name: `write!(name, "{}", digest.hex())`.
    pub fn hex(&self) -> impl fmt::Display + '_ {
        Hex(self.bytes())
    }

    /// Returns an error that names both, unless `found` is this digest.
    pub fn expect(&self, found: &Digest) -> Result<()> {
        if self == found {
            return Ok(());
        }
        Err(Error::new(format_args!("digest mismatch: expected {self}, the bytes hash to {found}")))
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Digest) -> bool {
        self.algorithm == other.algorithm && self.bytes() == other.bytes()
    }
}

impl Eq for Digest {}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// A hash in progress.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(sha2::Sha256),
    /// SHA-512.
    Sha512(hmac_sha512::Hash),
}

impl Hasher {
    /// Returns the hash of no bytes.
    pub fn new(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Sha512 if TAKES_SHA512 => Hasher::Sha512(hmac_sha512::Hash::new()),
            // Without SHA-512 no digest of it is read.
            _ => Hasher::Sha256(sha2::Sha256::new()),
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hash) => hash.update(bytes),
            Hasher::Sha512(hash) if TAKES_SHA512 => hash.update(bytes),
            Hasher::Sha512(_) => {}
        }
    }

    /// Returns the digest of all bytes.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; 64];
        match self {
            Hasher::Sha256(hash) => {
                bytes[..32].copy_from_slice(&hash.finalize());
                Digest { algorithm: Algorithm::Sha256, bytes }
            }
            Hasher::Sha512(hash) if TAKES_SHA512 => {
                Digest { algorithm: Algorithm::Sha512, bytes: hash.finalize() }
            }
            Hasher::Sha512(_) => Digest::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_reads_as_it_is_written() {
        assert_eq!(Digest::parse(EMPTY).unwrap().to_string(), EMPTY);
        assert_eq!(Hasher::new(Algorithm::Sha256).finish().to_string(), EMPTY);
        let long = Hasher::new(Algorithm::Sha512).finish().to_string();
        assert_eq!(Digest::parse(&long).unwrap().to_string(), long);
    }

    #[test]
    fn what_is_not_a_digest_is_refused() {
        let upper = EMPTY.to_uppercase().replace("SHA", "sha");
        for text in
            ["", "sha256", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", &EMPTY[..70], &upper]
        {
            assert!(Digest::parse(text).is_err(), "{text}");
        }
        assert!(Digest::parse(&format!("sha256:{}", "../".repeat(21) + "x")).is_err());
    }
}
