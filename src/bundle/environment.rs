//! The environment: the user's entries, then the image's, then defaults for names in neither.

use crate::error::{Context, Error, Result};
use crate::image::Texts;
use crate::io::lossy::Elided;
use crate::io::strings::{Builder, PackedStrings, StringBlock};
use crate::io::text::hash;
use crate::spec::defaults;
use core::ffi::CStr;
use core::ops::Range;

/// The values of default entries.
pub struct Defaults<'a> {
    /// The user's home directory, from /etc/passwd.
    pub home: &'a [u8],
    /// The host name, if the container has one.
    pub hostname: Option<&'a CStr>,
    /// The process has a terminal.
    pub terminal: bool,
}

/// Appends the image's entries unchanged, even two of one name. It leaves out those whose name the
/// user gave.
pub fn merge<'m>(
    image: Texts<'_>,
    given: Option<&mut dyn Iterator<Item = &[u8]>>,
    values: &Defaults<'_>,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    let mut env = strings.begin();
    let mut count = 0;
    for entry in given.into_iter().flatten() {
        if !entry.contains(&b'=') || entry.starts_with(b"=") {
            return Err(Error::new(format_args!("env={}: not NAME=VALUE", Elided(entry))));
        }
        env.push(entry)?;
        env.end_word()?;
        count += 1;
    }
    let names = Names::of(&mut env, count);
    let given_end = env.len();
    for entry in image {
        let start = env.len();
        entry.write_to(&mut env).doing("the image's Env")?;
        if names.is_among(&mut env, given_end, start) {
            env.remove(start..env.len());
        } else {
            env.end_word()?;
        }
    }
    drop_empty(&mut env);
    add_default(&mut env, b"PATH", defaults::PATH.as_bytes())?;
    if let Some(hostname) = values.hostname {
        add_default(&mut env, b"HOSTNAME", hostname.to_bytes())?;
    }
    if values.terminal {
        add_default(&mut env, b"TERM", b"xterm")?;
    }
    add_default(&mut env, b"HOME", values.home)?;
    Ok(env.finish_words())
}

/// Up to this number of entries, each is compared with all others.
const FEW: usize = 64;
/// Bytes of a table entry: the string's start plus one, or 0 if it is free.
const PLACE_BYTES: usize = 4;

/// The names of the user's entries, in a hash table if there are many: pairwise comparison takes
/// minutes.
struct Names {
    /// Entries in the table, a power of two; 0 if there is no table.
    places: usize,
}

impl Names {
    /// Empties the earlier of two entries with one name. The table lies in memory that `env`
    /// reserves.
    fn of(env: &mut Builder<'_, '_>, count: usize) -> Names {
        let places = (2 * count).next_power_of_two();
        // If the table does not fit, each entry is compared with all others.
        let places = if count > FEW && env.reserve(places * PLACE_BYTES) { places } else { 0 };
        let names = Names { places };
        let (words, table) = env.with_reserved();
        if places > 0 {
            table.fill(0);
        }
        let mut start = 0;
        while let Some(length) = words[start..].iter().position(|byte| *byte == 0) {
            let name = name_of(&words[start..start + length]);
            let (older, place) = names.find(&words[..start], table, name);
            if let Some(place) = place {
                table[place..place + PLACE_BYTES]
                    .copy_from_slice(&(start as u32 + 1).to_le_bytes());
            }
            if let Some(older) = older {
                words[older].fill(0);
            }
            start += length + 1;
        }
        names
    }

    /// Returns the range of the entry with this name, including its NUL, and the name's table
    /// entry.
    fn find(
        &self,
        words: &[u8],
        table: &[u8],
        name: &[u8],
    ) -> (Option<Range<usize>>, Option<usize>) {
        if self.places == 0 {
            return (position(words, name), None);
        }
        let mut index = hash(name) as usize;
        loop {
            let place = (index & (self.places - 1)) * PLACE_BYTES;
            let [a, b, c, d] = table[place..place + PLACE_BYTES] else { return (None, None) };
            match u32::from_le_bytes([a, b, c, d]) as usize {
                0 => return (None, Some(place)),
                start => match position_at(words, start - 1, name) {
                    None => index = index.wrapping_add(1),
                    found => return (found, Some(place)),
                },
            }
        }
    }

    /// Returns whether the last entry, at `start`, has the name of an entry before `end`.
    fn is_among(&self, env: &mut Builder<'_, '_>, end: usize, start: usize) -> bool {
        let (words, table) = env.with_reserved();
        let (given, last) = words.split_at(start);
        self.find(&given[..end], table, name_of(last)).0.is_some()
    }
}

/// Removes the empty words of overridden entries.
fn drop_empty(env: &mut Builder<'_, '_>) {
    let (words, _) = env.with_reserved();
    let (mut kept, mut start) = (0, 0);
    while let Some(length) = words[start..].iter().position(|byte| *byte == 0) {
        if length > 0 {
            words.copy_within(start..start + length + 1, kept);
            kept += length + 1;
        }
        start += length + 1;
    }
    env.remove(kept..env.len());
}

fn add_default(env: &mut Builder<'_, '_>, name: &[u8], value: &[u8]) -> Result<()> {
    if position(env.as_bytes(), name).is_none() {
        [name, b"=", value].iter().try_for_each(|part| env.push(part))?;
        env.end_word()?;
    }
    Ok(())
}

fn name_of(entry: &[u8]) -> &[u8] {
    entry.split(|byte| *byte == b'=').next().unwrap_or_default()
}

/// Returns the range of the entry with this name, including its NUL.
fn position(words: &[u8], name: &[u8]) -> Option<Range<usize>> {
    let mut start = 0;
    while start < words.len() {
        if let Some(found) = position_at(words, start, name) {
            return Some(found);
        }
        start += words[start..].iter().position(|byte| *byte == 0)? + 1;
    }
    None
}

/// Returns the range of the entry at `start`, including its NUL, if it has this name.
fn position_at(words: &[u8], start: usize, name: &[u8]) -> Option<Range<usize>> {
    let rest = words.get(start..)?;
    let length = rest.iter().position(|byte| *byte == 0)?;
    let is_named = rest[..length].starts_with(name) && matches!(rest[name.len()], 0 | b'=');
    is_named.then_some(start..start + length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::time::{Duration, Instant};

    fn merged(given: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut memory = vec![0; crate::limits::STRINGS_BYTES];
        let mut strings = StringBlock::new(&mut memory);
        let values = Defaults { home: b"/", hostname: None, terminal: false };
        let mut given = given.iter().map(Vec::as_slice);
        let words = merge(Texts::default(), Some(&mut given), &values, &mut strings).unwrap();
        words.iter().map(|word| word.to_bytes().to_vec()).collect()
    }

    #[test]
    fn the_last_of_a_name_stands_however_many_there_are() {
        for count in [1, FEW, FEW + 1, 1000] {
            let given: Vec<Vec<u8>> =
                (0..count).map(|n: usize| format!("N{}={n}", n * n % 97).into_bytes()).collect();
            let mut seen = HashSet::new();
            let mut expected: Vec<Vec<u8>> = Vec::new();
            for entry in given.iter().rev() {
                if seen.insert(name_of(entry).to_vec()) {
                    expected.insert(0, entry.clone());
                }
            }
            let found = merged(&given);
            assert_eq!(found[..found.len() - 2], expected[..], "{count}");
        }
    }

    #[test]
    fn many_entries_take_no_time_for_each_other() {
        let given: Vec<Vec<u8>> =
            (0..60_000).map(|n| format!("NAME_OF_{n}={n}").into_bytes()).collect();
        let started = Instant::now();
        assert_eq!(merged(&given).len(), given.len() + 2);
        // The limit allows for an unoptimised build beside other tests; pairwise comparison takes
        // minutes.
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
}
