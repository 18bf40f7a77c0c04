//! Platforms (image-index.md), and how well they suit the machine.

use super::MACHINE;
use crate::Result;
use crate::codec::json::{Text, Value};
use core::fmt::{self, Display};

/// How well a platform suits this machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It is another one.
    Other,
    /// None is given.
    Unknown,
    /// This one, in a variant that not every machine has.
    Variant,
    /// This one.
    Exact,
}

/// What a manifest in an index is for.
pub struct Platform<'m> {
    /// In Go's names.
    pub architecture: Option<Text<'m>>,
    /// In Go's names.
    pub os: Option<Text<'m>>,
    /// Of the architecture: `v8`.
    pub variant: Option<Text<'m>>,
}

impl<'m> Platform<'m> {
    /// Reads a platform.
    pub fn read(value: &Value<'m>) -> Result<Platform<'m>> {
        let (architecture, os) = (value.text("architecture")?, value.text("os")?);
        Ok(Platform { architecture, os, variant: value.text("variant")? })
    }
}

impl Platform<'_> {
    /// How well it suits this machine.
    pub fn rank(&self) -> Rank {
        let is = |field: Option<Text<'_>>, wanted: &str| field.is_some_and(|text| text == wanted);
        let (os, architecture) = MACHINE;
        match self.variant {
            _ if !is(self.os, os) || !is(self.architecture, architecture) => Rank::Other,
            Some(variant) if !variant.is_empty() && variant != "v1" => Rank::Variant,
            _ => Rank::Exact,
        }
    }
}

impl Display for Platform<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [os, architecture] = [self.os, self.architecture].map(|part| part.unwrap_or(Text::EMPTY));
        write!(f, "{os}/{architecture}")?;
        match self.variant.filter(|variant| !variant.is_empty()) {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}
