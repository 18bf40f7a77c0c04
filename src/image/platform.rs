//! Platforms (image-index.md), and how well they suit the one that is wanted.

use super::Config;
use crate::Result;
use crate::codec::json::{Text, Value};
use crate::sys::arch::GO_NAME;
use core::fmt::{self, Display};

/// How well a platform suits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It is another one.
    Other,
    /// None is given.
    Unknown,
    /// This one, in a variant that not every machine has.
    Variant,
    /// This one, in an older variant; the newer the better.
    Older(u16),
    /// This one.
    Exact,
}

/// The platform that is wanted, in Go's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target<'a> {
    /// Operating system.
    pub os: &'a str,
    /// Processor.
    pub architecture: &'a str,
    /// Of the processor; empty where it does not matter.
    pub variant: &'a str,
}

impl Target<'_> {
    /// This machine's.
    pub const MACHINE: Target<'static> = Target { os: "linux", architecture: GO_NAME, variant: "" };

    /// How an error names it.
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

/// What a manifest in an index, or an image, is for. What is not said is empty.
#[derive(Clone, Copy, Default)]
pub struct Platform<'m> {
    /// In Go's names.
    pub architecture: Text<'m>,
    /// In Go's names.
    pub os: Text<'m>,
    /// Of the architecture: `v8`.
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

    /// That of an image.
    pub fn of(config: &Config<'m>) -> Platform<'m> {
        let (architecture, os) = (config.architecture(), config.os());
        Platform { architecture, os, variant: config.variant().unwrap_or(Text::EMPTY) }
    }
}

impl Platform<'_> {
    /// It says something.
    pub fn is_given(&self) -> bool {
        !self.os.is_empty() || !self.architecture.is_empty()
    }

    /// How well it suits the one that is wanted.
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
            // Nobody said which variant the machine has: better than nothing, as there may be
            // nothing else.
            _ if wanted.variant.is_empty() => Rank::Variant,
            _ if variant.is_empty() => Rank::Older(0),
            _ => Rank::Other,
        }
    }
}

/// The place of a variant among those of its architecture, of which a processor also runs all
/// before its own: `v8.1` is 801. Without a variant the first that there was is meant; for arm that
/// is v7, by everybody's habit.
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
