//! Platforms (image-index.md), and how well they suit the wanted one.

use super::Config;
use crate::Result;
use crate::codec::json::{Text, Value};
use crate::sys::arch::GO_NAME;
use core::fmt::{self, Display};

/// The ranks of a platform, from worst to best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Another platform.
    Other,
    /// No platform is given.
    Unknown,
    /// The wanted one, in a variant that not every machine supports.
    Variant,
    /// The wanted one, in an older variant; a newer one is better.
    Older(u16),
    /// The wanted one.
    Exact,
}

/// The wanted platform, in Go's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target<'a> {
    /// Operating system.
    pub os: &'a str,
    /// Processor.
    pub architecture: &'a str,
    /// Variant of the processor; empty if it does not matter.
    pub variant: &'a str,
}

impl Target<'_> {
    /// This machine's platform.
    pub const MACHINE: Target<'static> = Target { os: "linux", architecture: GO_NAME, variant: "" };

    /// Returns its name in errors.
    pub fn role(&self) -> &'static str {
        if *self == Target::MACHINE { "this machine is" } else { "wanted is" }
    }
}

impl Default for Target<'_> {
    fn default() -> Self {
        Target::MACHINE
    }
}

impl Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.variant.is_empty() { "" } else { "/" };
        write!(f, "{}/{}{slash}{}", self.os, self.architecture, self.variant)
    }
}

/// The platform of an image or of an index entry. Missing members are empty.
#[derive(Clone, Copy, Default)]
pub struct Platform<'m> {
    /// In Go's names.
    pub architecture: Text<'m>,
    /// In Go's names.
    pub os: Text<'m>,
    /// Variant of the architecture: `v8`.
    pub variant: Text<'m>,
}

impl<'m> Platform<'m> {
    /// Reads a platform.
    pub fn read(value: &Value<'m>) -> Result<Platform<'m>> {
        let text = |key: &str| value.text(key).map(Option::unwrap_or_default);
        Ok(Platform {
            architecture: text("architecture")?,
            os: text("os")?,
            variant: text("variant")?,
        })
    }

    /// Returns the platform of an image.
    pub fn of(config: &Config<'m>) -> Platform<'m> {
        let (architecture, os) = (config.architecture(), config.os());
        Platform { architecture, os, variant: config.variant().unwrap_or(Text::EMPTY) }
    }
}

impl Platform<'_> {
    /// Returns true if it has any member.
    pub fn is_given(&self) -> bool {
        !self.os.is_empty() || !self.architecture.is_empty()
    }

    /// Returns how well it suits the wanted one.
    pub fn rank(&self, wanted: &Target<'_>) -> Rank {
        if !self.is_given() {
            return Rank::Unknown;
        }
        if self.os != wanted.os || self.architecture != wanted.architecture {
            return Rank::Other;
        }
        let variant = self.variant;
        if variant == wanted.variant {
            return Rank::Exact;
        }
        let level = |variant| level(wanted.architecture, variant);
        match (level(variant.as_plain().unwrap_or("?")), level(wanted.variant)) {
            (Some(own), Some(wanted)) if own == wanted => Rank::Exact,
            (Some(own), Some(wanted)) if own < wanted => Rank::Older(own),
            // The machine's variant is unknown: this one beats no image at all.
            _ if wanted.variant.is_empty() => Rank::Variant,
            _ if variant.is_empty() => Rank::Older(0),
            _ => Rank::Other,
        }
    }
}

/// Returns the rank of a variant within its architecture: `v8.1` is 801. A processor also runs all
/// lower ones. No variant means the first one; for arm, by convention, v7.
fn level(architecture: &str, variant: &str) -> Option<u16> {
    let implied = match architecture {
        "amd64" => 100,
        "arm" => 700,
        "arm64" => 800,
        _ => return None,
    };
    if variant.is_empty() {
        return Some(implied);
    }
    let digit = |byte: u8| byte.is_ascii_digit().then_some(u16::from(byte & 15));
    match *variant.strip_prefix('v')?.as_bytes() {
        [major] => Some(100 * digit(major)?),
        [major, b'.', minor] => Some(100 * digit(major)? + digit(minor)?),
        _ => None,
    }
}

impl Display for Platform<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_given() {
            return f.write_str("-");
        }
        let Platform { os, architecture, variant } = self;
        let slash = if variant.is_empty() { "" } else { "/" };
        write!(f, "{os}/{architecture}{slash}{variant}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json;

    fn rank(platform: &str, wanted: &str) -> Rank {
        let mut parts = platform.split('/');
        let mut next = || parts.next().unwrap_or("");
        let mut document =
            format!(r#"{{"os":"{}","architecture":"{}","variant":"{}"}}"#, next(), next(), next())
                .into_bytes();
        let platform = json::check(&mut document).unwrap();
        let mut parts = wanted.split('/');
        let mut next = || parts.next().unwrap_or("");
        let target = Target { os: next(), architecture: next(), variant: next() };
        assert_eq!(target.to_string(), wanted);
        Platform::read(&platform).unwrap().rank(&target)
    }

    #[test]
    fn variants_are_ordered_and_implied() {
        for (worse, better, wanted) in [
            ("linux/arm64", "linux/amd64", "linux/amd64"),
            ("windows/amd64", "linux/amd64", "linux/amd64"),
            ("linux/amd64/v2", "linux/amd64/v1", "linux/amd64"),
            ("linux/arm64/v2", "linux/amd64/v3", "linux/amd64"),
            ("linux/amd64/v4", "linux/amd64", "linux/amd64/v3"),
            ("linux/amd64", "linux/amd64/v2", "linux/amd64/v3"),
            ("linux/amd64/v2", "linux/amd64/v3", "linux/amd64/v3"),
            ("linux/arm/v5", "linux/arm/v6", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm", "linux/arm/v7"),
            ("linux/arm/v7", "linux/arm/v6", "linux/arm/v6"),
            ("linux/arm64/v8.1", "linux/arm64/v8", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64/v8.1", "linux/arm64/v9"),
            ("linux/ppc64le", "linux/ppc64le/power8", "linux/ppc64le/power8"),
            ("linux/ppc64le/power9", "linux/ppc64le", "linux/ppc64le/power8"),
        ] {
            assert!(rank(worse, wanted) < rank(better, wanted), "{worse} {better} {wanted}");
        }
        for (one, wanted) in [
            ("linux/arm64", "linux/arm64/v8"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/riscv64", "linux/riscv64"),
        ] {
            assert!(rank(one, wanted) == Rank::Exact, "{one} {wanted}");
        }
        for (one, wanted) in [
            ("linux/amd64/v4", "linux/amd64/v3"),
            ("linux/arm/v7", "linux/arm/v6"),
            ("linux/arm/v7", "linux/arm64"),
            ("linux/ppc64le/power9", "linux/ppc64le/power8"),
        ] {
            assert!(rank(one, wanted) == Rank::Other, "{one} {wanted}");
        }
    }
}
