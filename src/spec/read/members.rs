//! Members of objects whose types were checked, by their keys.

use crate::codec::json::{Text, Value};
use crate::error::{Error, Result};
use crate::io::strings::{Builder, PackedStrings, StringBlock};
use crate::io::text::{decimal, words};
use crate::spec::attributes::NumberSet;
use core::ffi::CStr;

/// A number that was checked; 0 where there is none.
pub(super) fn number(value: &Value<'_>, key: &str) -> u32 {
    value.member(key).map_or(0, as_u32)
}

pub(super) fn as_u32(value: Value<'_>) -> u32 {
    value.as_u64().unwrap_or(0) as u32
}

pub(super) fn signed(of: &Value<'_>, key: &str) -> Result<i64> {
    of.get(key)?.map_or(Ok(0), |value| value.as_i64())
}

pub(super) fn truth(value: &Value<'_>, key: &str) -> bool {
    value.member(key).is_some_and(|value| value.as_json() == "true")
}

/// A path that is meant from the root, whatever it begins with.
pub(super) fn from_root<'m>(
    value: Value<'_>,
    key: &str,
    strings: &mut StringBlock<'m>,
) -> Result<&'m CStr> {
    let path = value.require(key)?;
    let mut builder = strings.begin();
    if !path.as_text()?.as_escaped().starts_with('/') {
        builder.push(b"/")?;
    }
    add(path, &mut builder)?;
    builder.finish()
}

/// The strings of a list.
pub(super) fn list<'m>(
    value: &Value<'_>,
    key: &str,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    let mut words = strings.begin();
    for one in value.list_or_none(key) {
        add(one, &mut words)?;
        words.end_word()?;
    }
    Ok(words.finish_words())
}

/// The members of an object whose names are the config's own: name, value, next name.
pub(super) fn pairs<'m>(
    object: &Value<'_>,
    key: &str,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    let mut said = strings.begin();
    for (key, value) in object.entries_or_none(key) {
        put(&key, value, &mut said)?;
        said.end_word()?;
        add(value, &mut said)?;
        said.end_word()?;
    }
    Ok(said.finish_words())
}

/// A string; none where it is empty, as in Go.
pub(super) fn string<'m>(
    value: &Value<'_>,
    key: &str,
    strings: &mut StringBlock<'m>,
) -> Result<Option<&'m CStr>> {
    let Some(text) = value.member(key) else { return Ok(None) };
    let mut builder = strings.begin();
    add(text, &mut builder)?;
    if builder.is_empty() { Ok(None) } else { builder.finish().map(Some) }
}

pub(super) fn add(value: Value<'_>, builder: &mut Builder<'_, '_>) -> Result<()> {
    put(&value.as_text()?, value, builder)
}

pub(super) fn put(text: &Text<'_>, value: Value<'_>, builder: &mut Builder<'_, '_>) -> Result<()> {
    text.write_to(builder).map_err(|error| value.at(error))
}

pub(super) fn is_absolute(path: &CStr) -> bool {
    path.to_bytes().first() == Some(&b'/')
}

/// Which word of a list this text is, behind a prefix that all of them have.
pub(super) fn place(value: &Value<'_>, prefix: &str, known: &'static str) -> Result<usize> {
    let text = value.as_text()?.as_escaped();
    let name = text.as_bytes().strip_prefix(prefix.as_bytes());
    let found = words(known).position(|word| Some(word) == name);
    found.ok_or_else(|| value.at(Error::new(format_args!("{text}: unknown"))))
}

/// A bit for each flag, by its place in a list.
pub(super) fn flags(of: &Value<'_>, prefix: &str, known: &'static str) -> Result<u64> {
    of.list("flags")?.try_fold(0, |bits, flag| Ok(bits | 1 << place(&flag, prefix, known)?))
}

/// CPUs or nodes: `0-3,7`.
pub(super) fn number_set(list: &Value<'_>) -> Result<NumberSet> {
    let mut set = NumberSet::default();
    for part in list.as_text()?.as_escaped().as_bytes().split(|byte| *byte == b',') {
        let mut ends = part.splitn(2, |byte| *byte == b'-').map(|end| decimal(end.trim_ascii()));
        let first = ends.next().flatten();
        let last = ends.next().unwrap_or(first);
        let (Some(first), Some(last)) = (first, last) else {
            return Err(list.error("not a list of numbers"));
        };
        if first > last || last >= 64 * set.len() as u64 {
            return Err(list.error("not a range of numbers below 1024"));
        }
        (first..=last).for_each(|number| set[number as usize / 64] |= 1 << (number % 64));
    }
    Ok(set)
}

/// A word that is none of those there are.
#[cold]
pub(super) fn refused(value: &Value<'_>, why: &str) -> Error {
    value.at(Error::new(format_args!("{}: {why}", value.as_text().unwrap_or_default())))
}
