//! The image's self-description, as annotations of the runtime config.

use crate::codec::json::Text;
use crate::error::{Context, Error, Result};
use crate::image::Config;
use crate::io::strings::{Builder, PackedStrings, StringBlock};
use crate::io::text::{hash, words};
use crate::limits::LABELS_MAX;

/// Keys (or prefixes, if they end in a dot or slash) that runc, crun, youki and Kata act upon. An
/// image could reach the host by them: mounts, hooks' files, systemd's properties, another
/// hypervisor. conversion.md lets a converter leave such labels out if it says so.
const RUNTIMES_OWN: &str = "bundle io.katacontainers. io.kubernetes.cri. module.wasm.image/ org.criu. org.systemd.property. run.oci.";

const PREFIX: &[u8] = b"org.opencontainers.image.";

/// Returns keys and values in turn: the labels, and the config's values under the keys of
/// conversion.md that no label has.
pub fn collect<'m>(
    config: &Config<'_>,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    let mut said = strings.begin();
    for (name, value) in config.about() {
        imply(config, name, &mut Some(value).into_iter(), &mut said)?;
    }
    imply(config, "stopSignal", &mut config.stop_signal().into_iter(), &mut said)?;
    imply(config, "os.features", &mut config.os_features(), &mut said)?;
    imply(config, "exposedPorts", &mut config.exposed_ports(), &mut said)?;
    let mut keys: heapless::Vec<Key<'_>, LABELS_MAX> = heapless::Vec::new();
    for (key, _) in config.labels() {
        let full = |_| Error::new(format_args!("the image has more than {LABELS_MAX} Labels"));
        keys.push(Key::of(key.as_escaped().as_bytes())).map_err(full)?;
    }
    for (n, (key, value)) in config.labels().enumerate() {
        let name = key.as_escaped().as_bytes();
        // An empty key is invalid, and of two equal ones the last one counts.
        if name.is_empty() || keys[n + 1..].contains(&keys[n]) {
            continue;
        }
        if words(RUNTIMES_OWN).any(|own| is_of(name, own)) {
            super::warn("label", &key, &"left out, because a runtime would act on it");
            continue;
        }
        add(&key, &mut said)?;
        said.end_word()?;
        add(&value, &mut said)?;
        said.end_word()?;
    }
    Ok(said.finish_words())
}

/// A label's key in its JSON form. Its hash is compared first, because keys may be long and begin
/// alike.
#[derive(PartialEq)]
struct Key<'m> {
    hash: u32,
    name: &'m [u8],
}

impl<'m> Key<'m> {
    fn of(name: &'m [u8]) -> Key<'m> {
        Key { hash: hash(name), name }
    }
}

/// Adds an annotation of these texts, separated by commas; none if there are no texts.
fn imply(
    config: &Config<'_>,
    name: &str,
    values: &mut dyn Iterator<Item = Text<'_>>,
    words: &mut Builder<'_, '_>,
) -> Result<()> {
    let is_it = |key: &[u8]| key.strip_prefix(PREFIX) == Some(name.as_bytes());
    if last_label(config, &is_it).is_some() {
        return Ok(());
    }
    let mut is_first = true;
    for value in values {
        if is_first {
            words.push(PREFIX)?;
            words.push(name.as_bytes())?;
            words.end_word()?;
        } else {
            words.push(b",")?;
        }
        is_first = false;
        add(&value, words)?;
    }
    if is_first { Ok(()) } else { words.end_word() }
}

fn add(text: &Text<'_>, words: &mut Builder<'_, '_>) -> Result<()> {
    text.write_to(words).doing("the image's annotations")
}

/// Returns the index of the last label for whose key (in its JSON form) `is_it` is true.
fn last_label(config: &Config<'_>, is_it: &dyn Fn(&[u8]) -> bool) -> Option<usize> {
    let (mut n, mut found) = (0, None);
    for (key, _) in config.labels() {
        if is_it(key.as_escaped().as_bytes()) {
            found = Some(n);
        }
        n += 1;
    }
    found
}

/// Returns whether a key is `own`, or begins with it if `own` ends in a dot or slash.
fn is_of(key: &[u8], own: &[u8]) -> bool {
    key.strip_prefix(own)
        .is_some_and(|rest| rest.is_empty() || matches!(own.last(), Some(b'.' | b'/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json;

    fn collected(labels: &str) -> Vec<String> {
        let mut text =
            format!(r#"{{"architecture":"a","os":"b","config":{{"Labels":{{{labels}}}}}}}"#)
                .into_bytes();
        let config = Config::read(json::check(&mut text).unwrap()).unwrap();
        let mut memory = vec![0; crate::limits::STRINGS_BYTES];
        let words = collect(&config, &mut StringBlock::new(&mut memory)).unwrap();
        // Architecture and os come first.
        words.iter().skip(4).map(|word| word.to_str().unwrap().to_string()).collect()
    }

    #[test]
    fn the_last_label_of_a_name_counts() {
        assert_eq!(collected(r#""a":"1","b":"2","a":"3","":"4""#), ["b", "2", "a", "3"]);
    }
}
