//! What the image says of itself, as annotations of the runtime config.

use crate::codec::json::Text;
use crate::error::{Context, Error, Result};
use crate::image::Config;
use crate::io::strings::{Builder, Strings, Words};
use crate::limits::LABELS_MAX;

/// The keys (or where they end in a dot or slash, their beginnings) that runc, crun, youki and Kata act upon: they would let an image reach for the host (mounts,
/// hooks' files, systemd's properties, another hypervisor). conversion.md lets a converter leave such labels out if it says so.
const RUNTIMES_OWN: [&str; 7] = [
    "bundle",
    "io.katacontainers.",
    "io.kubernetes.cri.",
    "module.wasm.image/",
    "org.criu.",
    "org.systemd.property.",
    "run.oci.",
];

const PREFIX: &str = "org.opencontainers.image.";

/// Key and value, one after the other: labels, and what the image's config says under the keys of conversion.md unless a
/// label has that key.
pub fn collect<'m>(config: &Config<'_>, strings: &mut Strings<'m>) -> Result<Words<'m>> {
    if config.labels().count() > LABELS_MAX {
        return Err(Error::new(format_args!("the image has more than {LABELS_MAX} Labels")));
    }
    let mut words = strings.begin();
    for (name, value) in [
        ("os", Some(config.os())),
        ("architecture", Some(config.architecture())),
        ("variant", config.variant()),
        ("os.version", config.os_version()),
        ("author", config.author()),
        ("created", config.created()),
        ("stopSignal", config.stop_signal()),
    ] {
        implied(config, name, &mut value.into_iter(), &mut words)?;
    }
    implied(config, "os.features", &mut config.os_features(), &mut words)?;
    implied(config, "exposedPorts", &mut config.exposed_ports(), &mut words)?;
    for (n, (key, value)) in config.labels().enumerate() {
        // A key must be something, and of two that are alike the last one counts.
        if key.is_empty() || config.labels().skip(n + 1).any(|(later, _)| later == key) {
            continue;
        }
        if RUNTIMES_OWN.iter().any(|own| is_of(&key, own)) {
            super::warn("label", &key, &"is left out, for a runtime would take it for an order");
            continue;
        }
        for text in [key, value] {
            text.write_to(&mut words).doing("the image's Labels")?;
            words.end_word()?;
        }
    }
    Ok(words.finish_words())
}

/// Adds an annotation whose value is these texts, with commas between them.
fn implied(
    config: &Config<'_>,
    name: &str,
    values: &mut dyn Iterator<Item = Text<'_>>,
    words: &mut Builder<'_, '_>,
) -> Result<()> {
    let is_it = |key: &Text<'_>| key.as_escaped().as_bytes().strip_prefix(PREFIX.as_bytes()) == Some(name.as_bytes());
    let Some(first) = values.next() else { return Ok(()) };
    if config.labels().any(|(key, _)| is_it(&key)) {
        return Ok(());
    }
    words.push(PREFIX.as_bytes())?;
    words.push(name.as_bytes())?;
    words.end_word()?;
    first.write_to(words).doing(name)?;
    for value in values {
        words.push(b",")?;
        value.write_to(words).doing(name)?;
    }
    words.end_word()
}

/// Whether a key is `own`, or begins with it where that ends in a dot or slash.
fn is_of(key: &Text<'_>, own: &str) -> bool {
    let rest = key.as_escaped().as_bytes().strip_prefix(own.as_bytes());
    rest.is_some_and(|rest| rest.is_empty() || own.ends_with(['.', '/']))
}
