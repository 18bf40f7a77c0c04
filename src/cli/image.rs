//! `IMAGE` on a command line, and the options that select one of several images.

use super::arguments::Arguments;
use crate::engine::resolve::ImageQuery;
use crate::image::Target;
use crate::io::lossy::LossyC;
use crate::io::observer::Observer;
use crate::io::text::{last_of, split_once};
use crate::registry::{MIRRORS_MAX, Settings};
use crate::{Error, Result};
use core::ffi::CStr;

/// Returns the image that the first word names.
pub fn parse<'a>(arguments: &Arguments<'a>, limit: &'a dyn Observer) -> Result<ImageQuery<'a>> {
    parse_named(arguments, arguments.word(0), limit)
}

/// Returns the image `name`.
pub fn parse_named<'a>(
    arguments: &Arguments<'a>,
    name: &'a CStr,
    limit: &'a dyn Observer,
) -> Result<ImageQuery<'a>> {
    let platform = arguments.value("platform").map(target).transpose()?;
    let registry = parse_registry(arguments)?;
    Ok(ImageQuery { name, platform, reference: arguments.value("ref"), registry, limit })
}

/// Returns the options for a registry.
fn parse_registry<'a>(arguments: &Arguments<'a>) -> Result<Settings<'a>> {
    let is_insecure = match arguments.value("tls-verify").map(CStr::to_bytes) {
        None | Some(b"true" | b"") => false,
        Some(b"false") => true,
        Some(_) => return Err(Error::new(format_args!("--tls-verify: not true or false"))),
    };
    let mut mirrors = [None; MIRRORS_MAX];
    let mut places = mirrors.iter_mut();
    for mirror in arguments.values("mirror") {
        let full = || Error::new(format_args!("--mirror: more than {MIRRORS_MAX}"));
        *places.next().ok_or_else(full)? = Some(mirror);
    }
    Ok(Settings {
        is_insecure,
        authfile: arguments.value("authfile"),
        creds_file: arguments.value("creds-file"),
        cert_dir: arguments.value("cert-dir"),
        mirrors,
    })
}

/// Returns the platform of `--platform`.
fn target(words: &CStr) -> Result<Target<'_>> {
    let text = words.to_str().unwrap_or("");
    let parts = split_once(text, b'/').and_then(|(os, rest)| {
        let (architecture, variant) = split_once(rest, b'/').unwrap_or((rest, ""));
        // Names of uname(1) and debian.
        let architecture = match architecture {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            known => known,
        };
        let is_whole =
            !os.is_empty() && !architecture.is_empty() && last_of(variant, b'/').is_none();
        is_whole.then_some(Target { os, architecture, variant })
    });
    parts.ok_or_else(|| {
        Error::new(format_args!("--platform {}: not OS/ARCH or OS/ARCH/VARIANT", LossyC(words)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read() {
        for (words, wanted) in [
            (c"linux/arm64", "linux/arm64"),
            (c"linux/arm/v7", "linux/arm/v7"),
            (c"windows/x86_64", "windows/amd64"),
        ] {
            assert_eq!(target(words).unwrap().to_string(), wanted);
        }
        for words in [c"", c"linux", c"linux/", c"/amd64", c"linux/arm/v7/", c"\xff/amd64"] {
            assert!(target(words).is_err(), "{words:?}");
        }
    }
}
